// SPDX-License-Identifier: MIT
// The PIN: from its file, or from the person who mounted the disk.
#ifndef CMK_P11_PIN_H
#define CMK_P11_PIN_H

#include "kp_outcome.h"
#include "kp_scope.h"
#include "p11_config.h"

#include <stddef.h>
#include <time.h>

#define P11_PIN_MAX 255 // bytes

struct p11_pin {
	char *text; // host's secret memory, NUL-terminated; NULL: there is no PIN
	size_t len;
	struct timespec written; // when its file last was; 0: no file, it was typed
};

// Reads it anew; what a person gave comes before a file. The file (also behind a symbolic link)
// must be a regular file of root's or the present user's that nobody else may use, with one line of
// text in it; its line end does not count. CMK_MISCONFIGURED if it cannot be read or is none;
// CMK_UNREACHABLE without locked memory. CMK_GRANTED and NULL text if no PIN is known.
enum cmk_verdict p11_pin_get(const struct cmk_host *host, const struct p11_config *config,
	struct p11_pin *out, struct kp_outcome *o) must_use;
void p11_pin_free(const struct cmk_host *host, struct p11_pin *pin);

#endif
