// SPDX-License-Identifier: MIT
// What `cmkdisk report` knows: disks, the keys that they depend on, and the policy that they are
// measured by. Filled by inventory_collect.c, inventory_mounts.c and inventory_ask.c; judged by
// inventory_judge.c, which is pure; shown by inventory_table.c, inventory_text.c and
// inventory_json.c.
#ifndef CMK_INVENTORY_H
#define CMK_INVENTORY_H

#include "attr.h"
#include "errmsg.h"
#include "keyset.h"
#include "luks.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct cli;
struct json;

#define INVENTORY_NONE SIZE_MAX // an index: there is none
#define INVENTORY_NO_LIMIT UINT64_MAX
#define INVENTORY_DAY_S 86400

// What a disk is measured by. Durations are seconds unless the name says otherwise.
struct inventory_policy {
	uint64_t max_grace_denied_ms;
	uint64_t max_age_s;	// since the disk was bound to a version; INVENTORY_NO_LIMIT: any
	uint64_t max_pending_s; // how long a newer version may be there
	uint64_t near_expiry_s; // 0: what the key's key set says, else 30 days
	bool need_set;		// every key must be that of a given key set
};

struct inventory_set {
	const char *path; // borrowed from the command line
	struct keyset k;
};

struct inventory_version {
	struct cmk_key_info info; // its name, and the rest if `seen`
	bool seen;		  // the key store showed its attributes, to us or to a daemon
	size_t disks;		  // how many disks of the report depend on it
};

// A key, whatever version of it a header or key set names.
struct inventory_key {
	char url[BINDING_URL_MAX];     // without a version, if it names a key then
	char ask_url[BINDING_URL_MAX]; // as the headers have it
	size_t set;		       // the key set that it is the key of, or INVENTORY_NONE
	char newest[CMK_VERSION_MAX];  // as far as anybody told; "" unknown
	char sentence[512];	       // why its attributes could not be seen, or ""
	bool silent;		       // it was asked about, and its store did not answer
	struct inventory_version *versions;
	size_t version_count;
};

struct inventory_binding {
	size_t key, version; // indices into the report's keys and that key's versions
	size_t set;	     // as inventory_key; here by the URL as it is, as `mount --set` has it
	char alg[BINDING_ALG_MAX];
	int64_t created; // Unix seconds
	bool in_use;	 // by the daemon that has mounted it
	bool replaced;	 // by another one, in a move that is not finished
};

enum inventory_kind {
	INVENTORY_CMKDISK,    // a disk of ours, or one that a daemon has mounted as such
	INVENTORY_LUKS2,      // LUKS2 without a binding: no customer's key
	INVENTORY_OTHER,      // no LUKS2 container
	INVENTORY_DAMAGED,    // its header is refused
	INVENTORY_UNREADABLE, // the file cannot be read
};

// At most one of a kind is found in a disk.
enum inventory_breach_kind {
	BREACH_NO_KEY,
	BREACH_UNREADABLE,
	BREACH_OTHER_KEY,
	BREACH_GRACE,
	BREACH_AGE,
	BREACH_EXPIRED,
	BREACH_PENDING,
	BREACH_PURGEABLE,
	BREACH_COUNT
};

struct inventory_breach {
	enum inventory_breach_kind kind;
	size_t binding; // the first one that it is about, or INVENTORY_NONE
};

struct inventory_disk {
	char *backing; // owned
	enum inventory_kind kind;
	uint64_t dev, ino; // which file it is; 0 unknown
	char uuid[VOLUME_UUID_LEN + 1], label[48];
	struct volume_policy policy; // of a mounted disk, with the graces in force
	bool proven;		     // by the seal, which the daemon has checked
	bool header_seen;
	bool moving;	// a change of its bindings is not finished
	bool copy;	// a disk further up has the same UUID
	size_t copy_of; // the first of these, if it is a copy
	size_t foreign_keyslots;
	struct inventory_binding *bindings; // owned
	size_t binding_count;
	// Of a mounted disk; borrowed from the daemons' answers. NULL if it is not mounted.
	const char *mountpoint, *name, *state, *cause;
	int errnum;  // why its header could not be read; 0 if it was
	char *error; // the sentence, owned; NULL
	struct inventory_breach breaches[BREACH_COUNT];
	size_t breach_count;
};

// A mount or directory that is missing from the report.
struct inventory_problem {
	char *path; // owned
	int errnum;
	char *error; // owned
};

struct inventory {
	struct inventory_policy policy;
	int64_t now; // Unix seconds
	bool asked;  // the key stores were
	struct inventory_set *sets;
	struct inventory_key *keys;
	struct inventory_disk *disks;
	struct inventory_problem *problems;
	size_t set_count, key_count, disk_count, problem_count;
	size_t others;	     // files in the directories that are no LUKS2 containers
	struct json *mounts; // what the daemons answered
	int failed;	     // -errno of the first thing that is missing from the report, or 0
	struct errmsg why;   // its sentence
};

void inventory_free(struct inventory *r); // what it points to; for scoped()
// Makes room for one more: *list has `count` elements of `size` bytes. The new one is zeros.
int inventory_grow(void *list, size_t count, size_t size) must_use;
// Keeps the first of them, for the exit status.
void inventory_failed(struct inventory *r, int rc, const struct errmsg *why);
int inventory_problem(
	struct inventory *r, const char *path, int rc, const struct errmsg *why) must_use;

// inventory_ledger.c. 0 or -ENOMEM.
// The key that a URL of a header names, and one version of it; both are added if they are new.
int inventory_key_of(struct inventory *r, const char *url, size_t *key) must_use;
int inventory_version_of(
	struct inventory *r, size_t key, const char *version, size_t *out) must_use;
// One more binding of a disk.
int inventory_bind(struct inventory *r, struct inventory_disk *d, const char *url,
	const char *version, struct inventory_binding **out) must_use;
// Once all is known: counts who needs which version, and marks copies. Versions that key sets name
// join the ledger.
int inventory_count(struct inventory *r) must_use;
bool inventory_is_newest(const struct inventory_key *k, const struct inventory_version *v);
// Whether the disk depends on that version.
bool inventory_needs(const struct inventory_disk *d, size_t key, size_t version);

// inventory_mounts.c
// Asks every daemon of this user. wanted: those that do not answer are problems.
int inventory_ask_daemons(struct inventory *r, bool wanted) must_use;
// A mount point of ours: the daemon's answer, which belongs to the report. Else a problem, and
// NULL.
int inventory_mount(struct inventory *r, const char *resolved, const struct json **out) must_use;
// What a daemon of ours says of this file, and of its mount; NULL if none has it.
const struct json *inventory_mounted(
	const struct inventory *r, const struct inventory_disk *d, const struct json **mount);
// Puts into d what a daemon says of it.
int inventory_overlay(struct inventory *r, struct inventory_disk *d, const struct json *mount,
	const struct json *disk) must_use;

// inventory_collect.c. What cannot be read is in the report; -errno is for our own trouble.
// The disks of all daemons that answered.
int inventory_add_every_mount(struct inventory *r) must_use;
// A mount point, a directory, or a backing file.
int inventory_add_operand(struct inventory *r, const char *path) must_use;

// inventory_ask.c: newest version and attributes of every key, by key agents. With key sets given
// only their keys are asked.
int inventory_ask_stores(const struct cli *cli, struct inventory *r) must_use;

// inventory_judge.c
void inventory_judge(const struct inventory *r, struct inventory_disk *d);
const char *inventory_breach_name(enum inventory_breach_kind kind);
void inventory_breach_sentence(const struct inventory *r, const struct inventory_disk *d,
	const struct inventory_breach *b, struct errmsg *out);
// A limit of the policy: in days, if it is that long. room >= 32.
void inventory_limit(uint64_t seconds, char *out, size_t room);
// Whole days since then; negative if that is still to come.
int64_t inventory_days(const struct inventory *r, int64_t since);
// Whether it is needed, and its date of expiry is near or past.
bool inventory_expires_soon(const struct inventory *r, const struct inventory_key *k,
	const struct inventory_version *v);
// The binding that stands for the disk in a table: the one in use, else the first that is not
// replaced; NULL if it has none.
const struct inventory_binding *inventory_main_binding(const struct inventory_disk *d);

// The figures. Of files with one UUID all but the first are copies. `distinct` and `follow` count
// them as one disk, which follows the policy if all of them do; the others count files.
struct inventory_totals {
	size_t disks, mounted, under_set, under_other_key, under_none, unreadable, copies;
	size_t with_other_keyslots, versions_needed, old_versions_needed, expiring_soon;
	size_t distinct, follow;
};
void inventory_totals(const struct inventory *r, struct inventory_totals *out);
const char *inventory_kind_name(enum inventory_kind kind);

// inventory_table.c
// One word for what is so with the disk.
const char *inventory_state(const struct inventory_disk *d);
// The disks by their first breach, in the breaches' order, and then those without; else as they
// were found. The caller frees it; NULL: no memory.
const struct inventory_disk **inventory_order(const struct inventory *r);
// A line for each disk in this order, below titles. 0 or -ENOMEM.
int inventory_table(
	const struct inventory *r, const struct inventory_disk *const *order, FILE *to) must_use;

// On standard output. whole: all that is known of each disk in place of the table, and which disks
// need a version.
int inventory_text(const struct inventory *r, bool whole) must_use;
int inventory_json(const struct inventory *r) must_use;

#endif
