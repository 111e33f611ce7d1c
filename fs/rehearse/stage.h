// SPDX-License-Identifier: MIT
// The key store of a rehearsal: one of our own, in a private directory, in which everything may be
// done to the key; or the operator's, where a person is asked to do it.
#ifndef CMK_STAGE_H
#define CMK_STAGE_H

#include "attr.h"
#include "errmsg.h"
#include "rehearsal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stage;

enum act {
	ACT_NONE,
	ACT_DISABLE, // all versions of the key
	ACT_ENABLE,
	ACT_DELETE,
	ACT_RECOVER,
	ACT_PURGE,   // a delete and a purge, after a backup
	ACT_RESTORE, // from that backup
	ACT_EXPIRE,  // its end date is over
	ACT_UNEXPIRE,
	ACT_NOT_YET, // its start date is ahead
	ACT_VALID,
	ACT_REVOKE, // the identity's permissions
	ACT_GRANT,
	ACT_REMOVE_IDENTITY,
	ACT_RESTORE_IDENTITY,
	ACT_ROTATE,
	ACT_ROTATE_UNGRANTED, // a new version that may not be used to wrap and unwrap
	ACT_GRANT_NEW,	      // it may be used now
	ACT_DISABLE_OLD,      // all versions but the newest
	ACT_ENABLE_OLD,
	ACT_OUTAGE, // nobody answers
	ACT_OUTAGE_OVER,
	ACT_THROTTLE, // 429 with Retry-After
	ACT_THROTTLE_OVER,
	ACT_SLOW, // answers take much of the question's deadline
	ACT_SLOW_OVER,
	ACT_REMOVE_FILE,
	ACT_RESTORE_FILE,
	ACT_DESTROY_OBJECT,
	ACT_RESTORE_OBJECT,
	ACT_PULL_TOKEN,
	ACT_PUSH_TOKEN,
	ACTS
};

// Where the programs are. Borrowed.
struct programs {
	const char *cmkdisk, *keyfile, *tokenkey, *vault; // absolute; NULL: not built
};

struct stage_ops {
	const char *provider;			     // "azure", "file", "pkcs11"
	bool (*available)(const struct programs *p); // what it needs is installed
	// Starts it in dir (private, empty, 0700), and makes the key. 0 or -errno with a sentence.
	int (*start)(struct stage *s, struct errmsg *err);
	bool (*can)(enum act a);
	// Done when it returns, unless by_hand.
	int (*act)(struct stage *s, enum act a, struct errmsg *err);
	void (*end)(struct stage *s); // also after a start() that failed
	// act() only asks a person. What they did is seen by its effects, for which is waited up to
	// wait_ms; when they did it may be known from done_us() (boot time; 0 not, or not yet),
	// which may be NULL.
	bool by_hand;
	uint64_t (*done_us)(struct stage *s);
};

struct stage {
	const struct stage_ops *ops;
	const struct programs *programs;
	char dir[256];
	struct policy_played policy; // what will be in force: a stage's own delays must fit it
	uint64_t wait_ms;	     // for a person
	uint64_t deed_us; // boot time; set by an act() that prepares long before it does the deed
	// Set by start(): the key set that disks are made and mounted with, and what the commands'
	// environment needs ("NAME=value" lines; NULL-terminated, owned by the stage).
	char set[320];
	char key_url[512];
	char **environment;
	void *own; // the stage's
};

extern const struct stage_ops stage_azure, stage_file, stage_pkcs11;

// What was done, in the past tense: "the key was disabled".
const char *act_text(enum act a);
// A new directory of the stage's in dir, its path in out.
int stage_directory(const struct stage *s, const char *name, char *out, size_t room,
	struct errmsg *err) must_use;
// Writes a private file of the stage's.
int stage_write(const char *path, const char *text, struct errmsg *err) must_use;

#endif
