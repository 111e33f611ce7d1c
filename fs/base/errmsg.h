// SPDX-License-Identifier: MIT
// One sentence for a person, written once, where the cause is known, next to the -errno that the
// program acts on. The sentence names the thing, what was expected, and what to do now.
#ifndef CMK_ERRMSG_H
#define CMK_ERRMSG_H

#include "attr.h"

#include <stdarg.h>

struct errmsg {
	char text[768];
};

// Writes the sentence and returns -errnum, so that a failing line reads
//   return errmsg_set(err, ENOENT, "%s: no such key bundle; make one with ...", path);
// Control characters in the result (file names and key URLs come from outside) are replaced by
// '?'. A NULL err drops the text. A too long text is cut at a character boundary.
int errmsg_set(struct errmsg *err, int errnum, const char *fmt, ...) printf_like(3, 4);
int errmsg_vset(struct errmsg *err, int errnum, const char *fmt, va_list ap) printf_like(3, 0);

// Puts "prefix: " before an existing sentence, for callers that know which thing it was about;
// unless it begins with that already, because somebody below knew as well.
void errmsg_prefix(struct errmsg *err, const char *fmt, ...) printf_like(2, 3);

// Replaces control characters and invalid UTF-8 in s with '?', in place.
void text_sanitise(char *s);

#endif
