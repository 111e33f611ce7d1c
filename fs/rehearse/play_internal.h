// SPDX-License-Identifier: MIT
// A scenario while it is played; only play*.c include it.
#ifndef CMK_PLAY_INTERNAL_H
#define CMK_PLAY_INTERNAL_H

#include "judge.h"
#include "play.h"
#include "rig.h"
#include "watch.h"

#define US_PER_MS 1000ull
#define US_PER_S 1000000ull

struct game {
	const struct player *player;
	const struct scenario *scenario;
	struct played *out;
	struct stage stage;
	struct rig rig;
	struct ground ground;
	struct watch *watch;
	struct load *load;
	struct load_view view; // as last seen
	struct facts facts;
	uint64_t begun_us;	  // boot time, of the making of all that is needed
	uint64_t base_us;	  // boot time of time 0: the load runs
	uint64_t act_begun_us;	  // of the last act that takes the key away; 0 none yet
	uint64_t undo_begun_us;	  // of what gives it back
	uint64_t last_granted_us; // when the last granted question was asked
	uint64_t slowest_us;	  // question before the act
	bool in_grace;
	bool grace_ended;     // since the last act, without a stop
	int daemon;	      // a descriptor of the mount's process; -1 none
	uint64_t deadline_us; // when in grace, else 0
	int rc;		      // -ENOMEM while noting
	const char *doing;
	char dir[256];
};

uint64_t game_now(void); // boot time, us
// Notes one line of the audit log; for watch_read().
void game_told(void *game, const struct happening *h);
// Events are missing in the log: what is not in it may have been anything.
void game_lost(struct game *g, int64_t events);
void game_mark(struct game *g, enum mark_kind k, uint64_t at_us, const char *fmt, ...)
	printf_like(4, 5);

// Looks again and again until come() is true, or until_us. *came: which. -EINTR if all is to end;
// -ENOTCONN if the mount's daemon has ended; -errno with a sentence if the log cannot be read.
int game_wait(struct game *g, const char *doing, bool (*come)(const struct game *g),
	uint64_t until_us, bool *came, struct errmsg *err) must_use;
int game_look(struct game *g, struct errmsg *err) must_use;
// Takes the key away, gives it back; notes when.
int game_act(struct game *g, struct errmsg *err) must_use;
int game_undo(struct game *g, struct errmsg *err) must_use;

uint64_t game_interval_us(const struct game *g); // in force
// Until when the answer to the next check has come for sure.
uint64_t game_next_check_us(const struct game *g);

// Plays the scenario's course: all between the start of the load and its end.
int course_play(struct game *g, struct errmsg *err) must_use;

#endif
