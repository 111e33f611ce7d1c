// SPDX-License-Identifier: MIT
// Waiting while a scenario runs, and acting on the key.
#include "play_internal.h"

#include "clock.h"
#include "scope.h"
#include "stage_operator.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 20
#define QUESTION_US (10 * US_PER_S) // a question's deadline
#define SPARE_US (5 * US_PER_S)

uint64_t game_now(void)
{
	return clock_boot_ns(clock_real()) / 1000;
}

uint64_t game_interval_us(const struct game *g)
{
	const struct policy_played *p = &g->player->policy;
	uint64_t third = p->grace_unreachable_ms * US_PER_MS / 3;
	uint64_t interval = p->interval_ms * US_PER_MS;
	return interval < third ? interval : third;
}

uint64_t game_next_check_us(const struct game *g)
{
	uint64_t interval = game_interval_us(g);
	return interval + interval / 10 + QUESTION_US + SPARE_US;
}

// A person who says so after it was seen says nothing new.
static void note_done(struct game *g)
{
	struct facts *f = &g->facts;
	uint64_t at = g->stage.ops->done_us(&g->stage);
	uint64_t *when = g->undo_begun_us ? &f->restored_us : &f->acted_us;
	uint64_t seen = g->undo_begun_us ? f->granted_us : f->refused_us;
	if (at == 0 || *when || seen)
		return;
	*when = at;
	game_mark(g, g->undo_begun_us ? MARK_RESTORED : MARK_ACTION, at, "%s, as the operator said",
		act_text(g->undo_begun_us ? g->scenario->undo : g->scenario->act));
}

int game_look(struct game *g, struct errmsg *err)
{
	int rc = watch_read(g->watch, game_told, g, err);
	if (!rc && g->rc)
		rc = errmsg_set(err, -g->rc, "no memory for the timeline");
	if (!rc)
		load_view(g->load, &g->view);
	if (!rc && g->stage.ops->done_us)
		note_done(g);
	return rc;
}

static void tell(struct game *g, uint64_t now, uint64_t until)
{
	const struct player *p = g->player;
	if (!p->progress)
		return;
	struct progress told = {.scenario = g->scenario,
		.doing = g->doing,
		.left_us = until > now ? until - now : 0,
		.stops_in_us = g->deadline_us > now ? g->deadline_us - now : 0,
		.failing = g->view.first_failed != 0 && g->view.first_good == 0};
	p->progress(p->ctx, &told);
}

static bool has_failed(const struct game *g)
{
	return g->view.first_failed != 0;
}

// What its users see of that is the last thing to be seen.
static int daemon_ended(struct game *g, struct errmsg *err)
{
	game_mark(g, MARK_NOTE, game_now(), "the daemon of the mount has ended");
	(void)close(TAKE_FD(g->daemon));
	int rc = game_wait(g, g->doing, has_failed, game_now() + US_PER_S, NULL, err);
	return rc ? rc
		  : errmsg_set(err, ENOTCONN, "the daemon of the mount ended while %s", g->doing);
}

int game_wait(struct game *g, const char *doing, bool (*come)(const struct game *g),
	uint64_t until_us, bool *came, struct errmsg *err)
{
	bool ignored = false, *out = came ? came : &ignored;
	*out = false;
	g->doing = doing;
	for (;;) {
		int rc = game_look(g, err);
		if (rc)
			return rc;
		uint64_t now = game_now();
		*out = come && come(g);
		if (*out || now >= until_us)
			return 0;
		tell(g, now, until_us);
		uint64_t left = (until_us - now) / US_PER_MS + 1;
		struct pollfd p[] = {{.fd = g->player->stop_fd, .events = POLLIN},
			{.fd = g->daemon, .events = POLLIN}};
		if (poll(p, 2, left < LOOK_MS ? (int)left : LOOK_MS) <= 0)
			continue;
		return p[0].revents ? errmsg_set(err, EINTR, "interrupted") : daemon_ended(g, err);
	}
}

// What was seen before belongs to an earlier chapter.
static void forget(struct game *g)
{
	struct facts *f = &g->facts;
	f->failed_before = g->view.failed;
	if (g->view.longest_gap_us > f->gap_before_us)
		f->gap_before_us = g->view.longest_gap_us;
	f->refused_us = f->question_us = f->proof_us = f->deadline_us = f->acted_us = 0;
	f->granted_us = f->answer_us = f->restored_us = f->resumed_us = 0;
	f->rotated_us = f->rotation_failed_us = 0;
	f->act_took_us = f->undo_took_us = f->away_until_us = 0;
	f->warning_count = 0;
	f->cause[0] = '\0';
	g->grace_ended = false;
	g->undo_begun_us = 0;
	load_mark(g->load);
}

// Its effects may come before it has returned, so the mark is where it began. What a person is
// asked for is not done yet.
static void mark_act(struct game *g, enum mark_kind k, uint64_t begun_us, enum act a)
{
	const struct stage *s = &g->stage;
	char sentence[1024], command[1024];
	if (!s->ops->by_hand)
		game_mark(g, k, begun_us, "%s (it took %llu ms)", act_text(a),
			(unsigned long long)((game_now() - begun_us) / US_PER_MS));
	else if (operator_ask(s->ops->provider, a, s->key_url, sentence, command, sizeof(sentence)))
		game_mark(g, MARK_ASKED, begun_us, "%c%s", tolower((unsigned char)sentence[0]),
			sentence + 1);
}

int game_act(struct game *g, struct errmsg *err)
{
	const struct stage_ops *ops = g->stage.ops;
	int rc = game_look(g, err);
	if (rc)
		return rc;
	forget(g);
	g->act_begun_us = game_now();
	g->stage.deed_us = 0;
	rc = ops->act(&g->stage, g->scenario->act, err);
	if (rc)
		return rc;
	if (g->stage.deed_us)
		g->act_begun_us = g->stage.deed_us;
	if (!ops->by_hand) {
		g->facts.acted_us = g->act_begun_us;
		g->facts.act_took_us = game_now() - g->act_begun_us;
	}
	mark_act(g, MARK_ACTION, g->act_begun_us, g->scenario->act);
	return 0;
}

int game_undo(struct game *g, struct errmsg *err)
{
	const struct stage_ops *ops = g->stage.ops;
	int rc = game_look(g, err);
	if (rc)
		return rc;
	g->facts.away = g->view;
	g->undo_begun_us = g->facts.away_until_us = game_now();
	rc = ops->act(&g->stage, g->scenario->undo, err);
	if (rc)
		return rc;
	if (!ops->by_hand) {
		g->facts.restored_us = g->undo_begun_us;
		g->facts.undo_took_us = game_now() - g->undo_begun_us;
	}
	mark_act(g, MARK_RESTORED, g->undo_begun_us, g->scenario->undo);
	return 0;
}
