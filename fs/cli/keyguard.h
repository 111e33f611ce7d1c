// SPDX-License-Identifier: MIT
// Guard rails: what is told about a key before a disk comes to depend on it.
#ifndef CMK_KEYGUARD_H
#define CMK_KEYGUARD_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cmk_key_info;
struct keyset;

#define NEAR_EXPIRY_DEFAULT_S (30 * 86400u)
#define KEYGUARD_WARNINGS_MAX 4

struct keyguard_warnings {
	size_t count;
	char text[KEYGUARD_WARNINGS_MAX][sizeof(struct errmsg)];
};

// Whether a deleted key could be purged: its recovery level says so. False if it is unknown.
bool keyguard_purgeable(const struct cmk_key_info *info);
// -EDOM with a sentence that says what purge protection is for, and the option that overrules this;
// 0 if the key is not purgeable, or that is not known.
int keyguard_refuse_purgeable(
	const char *key_url, const struct cmk_key_info *info, struct errmsg *err) must_use;

// It has a date of expiry and that is within near_s seconds (0: the default), or past.
bool keyguard_near_expiry(const struct cmk_key_info *info, uint64_t near_s, int64_t wall_s);
// Whole days until exp (Unix seconds); negative when it is past.
int64_t keyguard_days_left(int64_t exp, int64_t wall_s);

// Everything that deserves a warning about the key that k names. info: NULL if the store did not
// show its attributes; then unseen is what it said, or NULL if that is told elsewhere.
void keyguard_look(const struct keyset *k, const struct cmk_key_info *info, const char *unseen,
	int64_t wall_s, struct keyguard_warnings *out);

#endif
