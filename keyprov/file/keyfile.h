// SPDX-License-Identifier: MIT
// What the files of the program cmkdisk-keyfile share: parsed options, times as people
// write them.
#ifndef CMK_KEYFILE_H
#define CMK_KEYFILE_H

#include "bundle_file.h"
#include "kp_program.h"

#include <limits.h>
#include <stdio.h>

enum keyfile_option {
	OPT_TYPE = 1 << 0,
	OPT_BITS = 1 << 1,
	OPT_EXPIRES_IN = 1 << 2,
	OPT_EXPIRES_AT = 1 << 3,
	OPT_NOT_BEFORE = 1 << 4,
	OPT_VERSION = 1 << 5,
	OPT_AT = 1 << 6,
	OPT_IN = 1 << 7,
	OPT_NEVER = 1 << 8,
	OPT_JSON = 1 << 9,
	OPT_HELP = 1 << 10,
};

struct keyfile_options {
	unsigned given; // of enum keyfile_option
	enum bundle_kty kty;
	uint32_t bits;	     // 0 if not given
	int64_t nbf, exp;    // Unix seconds; 0 none
	const char *version; // NULL if not given; borrowed from argv
	char path[PATH_MAX]; // absolute
};

// One verb: what it is called, which options it takes, what it does.
struct keyfile_verb {
	const char *name;
	unsigned options;
	const char *synopsis; // of its options
	const char *help;
	int (*run)(const struct keyfile_options *o, struct kp_err *err);
};

// Fills o from the arguments after the verb. -EINVAL with a sentence; 0 also if --help was given
// (then the rest is not checked).
int keyfile_parse_options(const struct keyfile_verb *verb, int argc, char **argv,
	struct keyfile_options *o, struct kp_err *err) must_use;
void keyfile_print_options(FILE *f); // for --help, one line each

// The verbs. 0 or -errno with a sentence.
int keyfile_new(const struct keyfile_options *o, struct kp_err *err);
int keyfile_rotate(const struct keyfile_options *o, struct kp_err *err);
int keyfile_disable(const struct keyfile_options *o, struct kp_err *err);
int keyfile_enable(const struct keyfile_options *o, struct kp_err *err);
int keyfile_expire(const struct keyfile_options *o, struct kp_err *err);
int keyfile_delete(const struct keyfile_options *o, struct kp_err *err);
int keyfile_recover(const struct keyfile_options *o, struct kp_err *err);
int keyfile_show(const struct keyfile_options *o, struct kp_err *err);

// The key URL of the bundle at path, its directory as it really is, so that the URL holds from
// any other place too. The caller frees *url.
int keyfile_url(const char *path, char **url, struct kp_err *err) must_use;

// "90s", "15min", "1h", "30d", "1d 12h": seconds, at least 1. -EINVAL.
int keyfile_parse_duration(const char *text, int64_t *seconds) must_use;
// RFC 3339: 2026-11-22T18:15:05Z, 2026-11-22T18:15:05+01:00. -EINVAL.
int keyfile_parse_time(const char *text, int64_t *unix_time) must_use;
#define KEYFILE_TIME_LEN 21 // of "2026-11-22T18:15:05Z" with NUL
void keyfile_print_time(int64_t unix_time, char out[KEYFILE_TIME_LEN]);

#endif
