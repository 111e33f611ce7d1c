// SPDX-License-Identifier: MIT
// What the dates of a key version mean now, judged and told in one place.
#ifndef CMK_KEYDATES_H
#define CMK_KEYDATES_H

#include "attr.h"

#include <stddef.h>
#include <stdint.h>

// 0 inside nbf..exp (Unix seconds, 0 none), with out "". Outside: -EKEYEXPIRED and the sentence,
// which names the key and the date and says what to do. The URL is cut rather than those. room >=
// 512 holds every sentence.
int key_dates_judge(const char *url, const char *version, int64_t nbf, int64_t exp, int64_t wall_s,
	char *out, size_t room);

#endif
