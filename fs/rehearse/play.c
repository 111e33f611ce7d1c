// SPDX-License-Identifier: MIT
// From an empty directory to a judged scenario, and back to nothing.
#include "play.h"

#include "play_internal.h"
#include "scope.h"
#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t wall_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * (int64_t)US_PER_S + t.tv_nsec / 1000;
}

void play_not(
	const struct player *player, const struct scenario *s, const char *why, struct played *out)
{
	*out = (struct played){.scenario = s->name,
		.title = s->title,
		.expected = s->expected,
		.began_wall_us = wall_us(),
		.policy = player->policy,
		.slice_us = player->load.slice_us,
		.outcome = OUTCOME_NOT_SHOWN};
	(void)snprintf(out->provider, sizeof(out->provider), "%s", player->stage->ops->provider);
	(void)snprintf(out->failure, sizeof(out->failure), "%s", why);
}

static void begin(struct game *g)
{
	const struct scenario *s = g->scenario;
	struct played *p = g->out;
	play_not(g->player, s, "", p);
	g->begun_us = game_now();
	// A refusal never moves the deadline of an outage further away.
	uint64_t ms = p->policy.grace_unreachable_ms;
	if (s->limit == LIMIT_DENIED && p->policy.grace_denied_ms < ms)
		ms = p->policy.grace_denied_ms;
	g->facts = (struct facts){.course = s->course,
		.grace_us = ms * US_PER_MS,
		.interval_us = game_interval_us(g),
		.open_expected = s->open_errno,
		// What we did is what was done; a person may do something else.
		.causes = g->player->stage->ops->by_hand ? s->causes : NULL,
		.filesystem = g->player->on != GROUND_FILE};
	g->ground.loop = -1;
	g->daemon = -1;
}

// To hear at once if it ends.
static int meet_daemon(struct game *g, struct errmsg *err)
{
	struct disk_seen seen;
	int rc = watch_status(g->rig.mountpoint, &seen, err);
	if (!rc && seen.pid > 0)
		g->daemon = pidfd_open((pid_t)seen.pid, 0);
	return rc;
}

// The key store, the disk, the load.
static int raise(struct game *g, struct errmsg *err)
{
	const struct player *p = g->player;
	struct load_config load = p->load;
	g->stage = *p->stage;
	g->stage.programs = p->programs;
	g->stage.policy = p->policy;
	g->stage.wait_ms = p->wait_ms;
	(void)snprintf(g->stage.dir, sizeof(g->stage.dir), "%s", g->dir);
	int rc = g->stage.ops->start(&g->stage, err);
	if (!rc)
		rc = rig_up(&g->rig, &g->stage, g->dir, p->disk_bytes, err);
	if (!rc)
		rc = watch_new(g->rig.audit, &g->watch, err);
	if (!rc)
		rc = meet_daemon(g, err);
	if (rc)
		return rc;
	(void)snprintf(g->out->key_url, sizeof(g->out->key_url), "%s", g->stage.key_url);
	rc = ground_up(&g->ground, p->on, g->rig.file, p->disk_bytes, g->dir, err);
	if (rc)
		return rc;
	load.path = g->ground.path;
	load.size = g->ground.size;
	g->base_us = game_now();
	g->out->began_wall_us = wall_us();
	rc = load_start(&load, &g->load, err);
	if (!rc)
		game_mark(g, MARK_LOAD_BEGAN, game_now(), "%u readers and %u writers", load.readers,
			load.writers);
	return rc;
}

static void mark_io(struct game *g)
{
	const struct load_view *v = &g->facts.back;
	const char *other = v->first_errno == EIO ? "" : strerrorname_np(v->first_errno);
	if (v->first_failed == 0)
		return;
	if (v->last_good)
		game_mark(g, MARK_LAST_GOOD, v->last_good, "%s", "");
	game_mark(g, MARK_FIRST_EIO, v->first_failed, "%s", other ? other : "unknown");
	if (v->first_good)
		game_mark(g, MARK_FIRST_GOOD, v->first_good, "%s", "");
}

static void mark_verified(struct game *g)
{
	const struct played *p = g->out;
	char compared[32];
	format_size(p->bytes_verified, compared, sizeof(compared));
	game_mark(g, MARK_VERIFIED, game_now(), "%s compared, %llu bytes wrong", compared,
		(unsigned long long)p->bytes_wrong);
}

// Every byte. A part that could be read says nothing of the rest, unless it is wrong.
static int compare(struct game *g, struct errmsg *err)
{
	struct played *p = g->out;
	uint64_t good = 0;
	int rc = load_verify(g->load, &good, &p->bytes_wrong, err);
	p->bytes_verified = p->bytes_wrong + (rc ? 0 : good);
	if (!rc)
		mark_verified(g);
	return rc;
}

// Takes down how far it came, and compares every byte unless all is to end. No request comes after
// what is judged.
static int conclude(struct game *g, bool interrupted, struct errmsg *err)
{
	struct facts *f = &g->facts;
	struct disk_seen seen;
	struct errmsg ignored = {{0}};
	load_stop(g->load);
	int rc = game_look(g, err);
	if (!rc && watch_status(g->rig.mountpoint, &seen, &ignored) == 0)
		game_lost(g, seen.lost); // no line has told of these yet
	load_view(g->load, &f->back);
	f->back_until_us = game_now();
	if (g->undo_begun_us == 0) {
		f->away = f->back;
		f->away_until_us = f->away_until_us ? f->away_until_us : f->back_until_us;
	}
	if (rc || interrupted)
		return rc;
	rc = compare(g, err);
	load_view(g->load, &f->back); // which wrong block was the first
	return rc;
}

static int take_down(struct game *g)
{
	struct played *p = g->out;
	uint64_t first = 0;
	load_view(g->load, &g->view);
	p->reads = g->view.reads;
	p->writes = g->view.writes;
	p->failed = g->view.failed;
	p->bytes_read = g->view.bytes_read;
	p->bytes_written = g->view.bytes_written;
	(void)snprintf(p->errors, sizeof(p->errors), "%s", g->view.errors);
	p->took_us = game_now() - g->base_us;
	mark_io(g);
	int rc = load_slices(g->load, &p->slices, &p->slice_count, &first);
	p->first_slice_us = first > g->base_us ? first - g->base_us : 0;
	return rc ? rc : g->rc;
}

static void left(const struct game *g, const struct errmsg *err)
{
	if (g->player->left)
		g->player->left(g->player->ctx, err->text);
}

// Each step is tried, whatever became of the one before.
static void clear(struct game *g)
{
	struct errmsg err = {{0}};
	load_free(&g->load);
	if (g->daemon >= 0)
		(void)close(TAKE_FD(g->daemon));
	watch_free(&g->watch);
	if (ground_down(&g->ground, &err))
		left(g, &err);
	if (rig_down(&g->rig, &err))
		left(g, &err);
	if (g->stage.ops)
		g->stage.ops->end(&g->stage);
	if (!g->player->keep && rig_remove(g->dir, &err))
		left(g, &err);
}

static int make_directory(struct game *g, struct errmsg *err)
{
	const char *dir = g->player->dir;
	int n = snprintf(g->dir, sizeof(g->dir), "%s/%s", dir, g->scenario->name);
	if (n < 0 || (size_t)n >= sizeof(g->dir))
		return errmsg_set(err, ENAMETOOLONG, "%s: too long a path", dir);
	return mkdir(g->dir, 0700) ? errmsg_set(err, errno, "%s: %m", g->dir) : 0;
}

int play(const struct player *p, const struct scenario *s, struct played *out, struct errmsg *err)
{
	struct game g = {.player = p, .scenario = s, .out = out};
	begin(&g);
	if (make_directory(&g, err)) {
		(void)snprintf(out->failure, sizeof(out->failure), "%.511s", err->text);
		return 0;
	}
	int rc = raise(&g, err);
	if (!rc)
		rc = course_play(&g, err);
	struct errmsg other = {{0}};
	int ended = g.load ? conclude(&g, rc == -EINTR, rc ? &other : err) : 0;
	rc = rc ? rc : ended;
	int noted = g.load ? take_down(&g) : 0;
	clear(&g);
	if (rc)
		(void)snprintf(out->failure, sizeof(out->failure), "%.511s", err->text);
	if (out->took_us == 0)
		out->took_us = game_now() - g.begun_us;
	if (rc == -ENOMEM)
		return rc;
	if (noted)
		return errmsg_set(err, -noted, "no memory for the timeline");
	bool interrupted = rc == -EINTR;
	rc = g.base_us ? judge(&g.facts, out) : 0;
	if (rc)
		return errmsg_set(err, -rc, "no memory for the promises");
	return interrupted ? -EINTR : 0;
}
