// SPDX-License-Identifier: MIT
// The audit log of a command that asks a key store without a mount: --audit. Its lines go into the
// same chain as those of daemons may.
#ifndef CMK_COMMAND_RECORDS_H
#define CMK_COMMAND_RECORDS_H

#include "attr.h"
#include "errmsg.h"
#include "keyset.h"
#include "mount_records.h"

#include <stdbool.h>
#include <stdint.h>

struct agent_answered;
struct audit;
struct binding;
struct records_move;
struct volume_policy;

// The --audit option's line in --help.
#define COMMAND_AUDIT_HELP "record what is asked and done; may be repeated"

// What a command with --key, --set and --audit was told; for cli_parse() and scoped().
struct key_and_audit {
	struct key_choice key;
	struct mount_records audit;
};
int key_and_audit_set(
	void *key_and_audit, const struct cli_option *o, const char *value, struct errmsg *err);
void key_and_audit_free(struct key_and_audit *a);

// Zero-filled: nothing is recorded, and every call but command_records_begin() does nothing.
// Strings are borrowed until command_records_end(). One thread.
struct command_records {
	const char *request; // as in the event "control": "create"
	const char *backing; // NULL none
	const char *key_url; // the key that is named; NULL none

	struct audit *audit;
	char *head, *where; // where: the backing file's path
	uint64_t begun_ns;
};

// Whether a log is named: a command that leaves its work to a daemon refuses that.
bool command_records_wanted(const struct mount_records *to);
// want: the first three members. Opens the log if one is named, before anything is asked. A log
// that cannot be opened refuses the command, with a sentence.
int command_records_begin(struct command_records *r, const struct command_records *want,
	const struct mount_records *to, struct errmsg *err) must_use;
// Of struct agent_config; the context is the struct command_records.
void command_records_answered(void *records, const struct agent_answered *a);
void command_records_created(struct command_records *r, const char *uuid,
	const struct volume_policy *policy, const struct binding *b);
void command_records_moved(struct command_records *r, const struct records_move *m);
// What the command came to, with the sentence if rc is an error; err may be NULL. Waits until it is
// written, for a bounded time: what could not be is told as a warning, and undoes nothing.
void command_records_end(struct command_records *r, int rc, const struct errmsg *err);

#endif
