// SPDX-License-Identifier: MIT
// The courses of the scenarios. What does not happen in time is left for the judge to say.
#include "play_internal.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FLAPS 3
#define RUN_ON_US US_PER_S
#define SPARE_US (200 * US_PER_MS)
#define SETTLE_MAX_US (5 * US_PER_S)
#define LINGER_MAX_US (120 * US_PER_S)

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
	return value < least ? least : value > most ? most : value;
}

static bool is_noticed(const struct game *g)
{
	return g->facts.refused_us != 0;
}
static bool is_in_grace(const struct game *g)
{
	return g->in_grace;
}
static bool is_over(const struct game *g)
{
	return !g->in_grace;
}
// Also if there is nothing left to wait for.
static bool has_stopped(const struct game *g)
{
	return g->grace_ended || (g->facts.stopped_us != 0 && g->view.first_failed != 0);
}
static bool is_granted(const struct game *g)
{
	return g->facts.granted_us != 0;
}
static bool is_back(const struct game *g)
{
	bool io = g->view.first_good > g->facts.restored_us || g->facts.filesystem;
	bool on = g->facts.stopped_us == 0 || (g->facts.resumed_us != 0 && io);
	return g->facts.granted_us != 0 && on;
}
static bool has_rotated(const struct game *g)
{
	return g->facts.rotated_us != 0;
}
static bool rotation_has_failed(const struct game *g)
{
	return g->facts.rotation_failed_us != 0;
}

// For a while, whatever comes.
static int run_on(struct game *g, const char *doing, uint64_t us, struct errmsg *err)
{
	return game_wait(g, doing, NULL, game_now() + us, NULL, err);
}

// Until something has been noticed. Where a person is asked, for as long as that may take; and then
// there is no rehearsal if nothing comes of it.
static int await(struct game *g, const char *doing, bool (*come)(const struct game *g), uint64_t us,
	struct errmsg *err)
{
	bool asked = g->stage.ops->by_hand, came = false;
	uint64_t patience = asked ? g->player->wait_ms * US_PER_MS : 0;
	int rc = game_wait(g, doing, come, game_now() + us + patience, &came, err);
	if (rc || came || !asked)
		return rc;
	char waited[32];
	format_duration_ms(g->player->wait_ms, waited, sizeof(waited));
	return errmsg_set(err, ETIMEDOUT,
		"%s: nothing came of it within %s; do what is asked for, or give yourself more "
		"time with --wait",
		doing, waited);
}

// What a new open() answers. Never waits for more than the daemon does.
static int open_answer(const struct game *g)
{
	int fd = open(g->rig.file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	(void)close(fd);
	return 0;
}

static int look_at_stop(struct game *g, struct errmsg *err)
{
	struct disk_seen seen;
	g->facts.open_errno = open_answer(g);
	g->facts.opened = true;
	int rc = watch_status(g->rig.mountpoint, &seen, err);
	if (rc)
		return rc;
	g->facts.looked = true;
	g->facts.key_present = seen.key_present;
	return 0;
}

// A filesystem on a disk that stopped has to be mounted again before I/O goes on.
static int mend(struct game *g, struct errmsg *err)
{
	struct ground_found found = {.text = ""};
	if (!g->facts.filesystem || g->facts.resumed_us == 0)
		return 0;
	load_release(g->load);
	int rc = ground_mend(&g->ground, &found, err);
	if (rc)
		return rc;
	game_mark(g, MARK_NOTE, game_now(), "%s", found.text);
	return load_reopen(g->load, err);
}

static int await_stop(struct game *g, struct errmsg *err)
{
	int rc = game_wait(g, "waiting for the stop", has_stopped,
		game_now() + g->facts.grace_us + game_next_check_us(g), NULL, err);
	if (rc)
		return rc;
	if (g->facts.stopped_us)
		return look_at_stop(g, err);
	if (g->grace_ended)
		return errmsg_set(err, ECANCELED,
			"the grace ended without a stop, because the key was granted again before "
			"it was to be given back");
	game_mark(g, MARK_NOTE, game_now(), "the disk has not stopped");
	return 0;
}

// Until it would show if the disk had kept to the policy's time and no more: the act may have come
// an interval after the last proof. A disk that stopped much sooner is not waited for so long.
static uint64_t linger_us(const struct game *g)
{
	const struct facts *f = &g->facts;
	uint64_t interval = game_interval_us(g), now = game_now();
	uint64_t check = interval + interval / 10 + f->act_took_us + SPARE_US;
	uint64_t over = (f->acted_us ? f->acted_us : f->refused_us) + f->grace_us + check;
	uint64_t left = over > now ? over - now : 0, most = 2 * check;
	uint64_t usual = clamp(2 * interval, RUN_ON_US, LINGER_MAX_US);
	left = left < most ? left : most;
	return left > usual ? left : usual;
}

static int stops(struct game *g, struct errmsg *err)
{
	int rc = game_act(g, err);
	if (!rc)
		rc = await(g, "waiting for the first failed check", is_noticed,
			game_next_check_us(g), err);
	if (!rc)
		rc = await_stop(g, err);
	if (!rc)
		rc = run_on(g, "seeing that it stays stopped", linger_us(g), err);
	if (!rc)
		rc = game_undo(g, err);
	if (!rc)
		rc = await(g, "waiting for it to come back", is_back, game_next_check_us(g), err);
	return rc ? rc : mend(g, err);
}

static int flap(struct game *g, struct errmsg *err)
{
	uint64_t pause = g->facts.grace_us * 3 / 10;
	int rc = game_act(g, err);
	if (!rc)
		rc = await(g, "waiting for the grace", is_in_grace, game_next_check_us(g), err);
	if (!rc)
		rc = run_on(g, "in the grace", clamp(pause, 0, 5 * game_interval_us(g)), err);
	if (!rc)
		rc = game_undo(g, err);
	if (!rc)
		rc = await(g, "waiting for its end", is_over, game_next_check_us(g), err);
	return rc;
}

static int flaps(struct game *g, struct errmsg *err)
{
	int rc = 0;
	for (int i = 0; !rc && i < FLAPS; i++)
		rc = flap(g, err);
	return rc ? rc : stops(g, err);
}

static uint64_t hold_us(const struct game *g)
{
	const struct policy_played *p = &g->player->policy;
	uint64_t denied = p->grace_denied_ms * US_PER_MS, interval = game_interval_us(g);
	uint64_t half = p->grace_unreachable_ms * US_PER_MS / 2, longer = denied + 2 * interval;
	switch (g->scenario->hold) {
	case HOLD_DENIED:
		return longer + RUN_ON_US;
	case HOLD_OUTAGE:
		return longer < half / 2 * 3 ? longer : half;
	default:
		return clamp(10 * interval, 0, half);
	}
}

// A rotation that comes first; nothing else is worth showing before it is done.
static int follow(struct game *g, struct errmsg *err)
{
	int rc = g->stage.ops->act(&g->stage, g->scenario->before, err);
	if (rc)
		return rc;
	game_mark(g, MARK_NOTE, game_now(), "%s", act_text(g->scenario->before));
	rc = await(g, "waiting for the rotation", has_rotated, game_next_check_us(g), err);
	if (!rc && !has_rotated(g))
		rc = errmsg_set(err, ETIMEDOUT, "the disk did not follow its key's rotation%s",
			g->facts.rotation_failed_us ? "; the timeline says why" : "");
	g->facts.followed = rc == 0;
	return rc;
}

static int survives(struct game *g, struct errmsg *err)
{
	int rc = g->scenario->before ? follow(g, err) : 0;
	if (!rc)
		rc = game_act(g, err);
	// What nobody has noticed is not yet survived.
	uint64_t until = game_now() + hold_us(g);
	if (!rc && !g->facts.followed)
		rc = await(
			g, "waiting for it to be noticed", is_noticed, game_next_check_us(g), err);
	if (!rc)
		rc = game_wait(g, "seeing that I/O goes on", NULL,
			g->stage.ops->by_hand ? game_now() + hold_us(g) : until, NULL, err);
	if (!rc)
		rc = game_undo(g, err);
	return rc ? rc
		  : await(g, "waiting for a granted check", is_granted, game_next_check_us(g), err);
}

static int rotates(struct game *g, struct errmsg *err)
{
	int rc = game_act(g, err);
	if (!rc)
		rc = await(g, "waiting for the rotation to fail", rotation_has_failed,
			game_next_check_us(g), err);
	if (!rc)
		rc = run_on(g, "seeing that I/O goes on",
			clamp(2 * game_interval_us(g), RUN_ON_US, LINGER_MAX_US), err);
	if (!rc)
		rc = game_undo(g, err);
	return rc ? rc
		  : await(g, "waiting for the rotation", has_rotated, game_next_check_us(g), err);
}

int course_play(struct game *g, struct errmsg *err)
{
	int rc = run_on(g, "reading and writing",
		clamp(game_interval_us(g), RUN_ON_US, SETTLE_MAX_US), err);
	if (rc)
		return rc;
	switch (g->scenario->course) {
	case COURSE_STOPS:
		rc = stops(g, err);
		break;
	case COURSE_FLAPS:
		rc = flaps(g, err);
		break;
	case COURSE_SURVIVES:
		rc = survives(g, err);
		break;
	case COURSE_ROTATES:
		rc = rotates(g, err);
		break;
	}
	return rc ? rc : run_on(g, "reading and writing again", RUN_ON_US, err);
}
