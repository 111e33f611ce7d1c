// SPDX-License-Identifier: MIT
// The command line of `cmkdisk rehearse`; only rehearse*.c include it.
#ifndef CMK_REHEARSE_OPTIONS_H
#define CMK_REHEARSE_OPTIONS_H

#include "attr.h"
#include "cli.h"
#include "errmsg.h"
#include "ground.h"
#include "rehearsal.h"

#include <stdbool.h>
#include <stdint.h>

struct rehearse_options {
	const char *scenarios; // NULL: the default
	const char *report, *provider, *dir, *set, *key_url;
	enum ground_kind on;
	const char *load; // "light" or "heavy"
	bool json, list, real_time, keep;
	uint64_t grace_denied_ms, grace_unreachable_ms, interval_ms; // UINT64_MAX: not given
	uint64_t time_scale;					     // 0: not given
	uint64_t wait_ms;
};

#define REHEARSE_OPTION_COUNT 16
extern const struct cli_option rehearse_option_table[REHEARSE_OPTION_COUNT];

// 0; CLI_STATUS(0) after --help; -EINVAL with a sentence.
int rehearse_options_read(const struct cli_command *self, int argc, char **argv,
	struct rehearse_options *out, struct errmsg *err) must_use;
// The policy that they ask for. -EINVAL with a sentence if a scale makes a time too short.
int rehearse_policy(
	const struct rehearse_options *o, struct policy_played *out, struct errmsg *err) must_use;

#endif
