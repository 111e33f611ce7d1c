// SPDX-License-Identifier: MIT
// The scanner behind kp_json_parse(): takes long strings out of a JSON text before cJSON sees
// it. Private to keyprov/common.
#ifndef CMK_KP_JSON_LIFT_H
#define CMK_KP_JSON_LIFT_H

#include "kp_scope.h"

#include <stddef.h>

#define KP_LIFT_MARK '\1' // begins a reference; no string of the document can begin with it

struct kp_lifted {
	char *text;  // what is left, NUL-terminated; of ordinary memory
	size_t len;  // its length
	char **strs; // the lifted strings, NUL-terminated, inside the original text
	size_t count;
};

// Errors as kp_json_parse(); the text is only checked as far as lifting needs it.
int kp_json_lift(char *text, size_t len, struct kp_lifted *out) must_use;
void kp_lifted_free(struct kp_lifted *l);

#endif
