// SPDX-License-Identifier: MIT
// One sentence for a person, written where the cause is known, next to the -errno that the
// provider turns into a verdict.
#ifndef CMK_KP_ERR_H
#define CMK_KP_ERR_H

#include "kp_scope.h"

struct kp_err {
	char text[768];
};

// Writes the sentence and returns -errnum. A NULL err drops the text; a too long one is cut.
int kp_fail(struct kp_err *err, int errnum, const char *fmt, ...) printf_like(3, 4);

// Puts "prefix: " before an existing sentence.
void kp_err_prefix(struct kp_err *err, const char *prefix);

#endif
