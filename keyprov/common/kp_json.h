// SPDX-License-Identifier: MIT
// JSON for the providers: a thin face over cJSON that lets documents carry secrets.
//
// cJSON copies every string into ordinary heap memory, and its allocator can only be changed for
// the whole process, where the host may be using it too. So strings are *lifted* first: a scanner
// replaces each string of KP_JSON_LIFT characters or more by a short reference, cJSON parses what
// is left, and the tree then points into the caller's own (locked) text. Key material, tokens and
// unwrapped keys are that long; no copy of them is ever made.
#ifndef CMK_KP_JSON_H
#define CMK_KP_JSON_H

#include "kp_scope.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KP_JSON_LIFT 24
#define KP_JSON_DEPTH 32

struct kp_json; // a value; owned by its root

// Parses one document of len bytes. The text is changed in place, must be writable and must
// outlive the tree. -EBADMSG if it is not exactly one JSON value, nests deeper than KP_JSON_DEPTH
// or holds control characters (also escaped U+0000 and U+0001) in a string; -ENOMEM.
int kp_json_parse(char *text, size_t len, struct kp_json **out) must_use;
void kp_json_free(struct kp_json **j); // root only; NULL allowed; for scoped()

// Reading. Pointers live as long as root and text. A NULL j or another type counts as absent.
const struct kp_json *kp_json_get(const struct kp_json *j, const char *member);
const char *kp_json_str(const struct kp_json *j, const char *member); // NULL if absent or no string
// The same, but only a string that was lifted, which no copy exists of. NULL otherwise.
const char *kp_json_secret(const struct kp_json *j, const char *member);
bool kp_json_int(const struct kp_json *j, const char *member, int64_t *out); // integers in +-2^53
bool kp_json_bool(const struct kp_json *j, const char *member, bool *out);
bool kp_json_is_null(const struct kp_json *j); // absent or null
bool kp_json_is_object(const struct kp_json *j);
bool kp_json_is_array(const struct kp_json *j);
const struct kp_json *kp_json_first(const struct kp_json *j); // of an array; NULL if empty or none
const struct kp_json *kp_json_next(const struct kp_json *j);  // NULL after the last
const struct kp_json *kp_json_first_member(const struct kp_json *j); // of an object; then _next
const char *kp_json_name(const struct kp_json *j); // of a member; NULL if it is none
const char *kp_json_text(const struct kp_json *j); // of a string value, as in a list; or NULL
size_t kp_json_count(const struct kp_json *array);

// Building, never with secrets. 0 or -ENOMEM. A child handed over belongs to the parent, also on
// failure.
int kp_json_object(struct kp_json **out) must_use;
int kp_json_array(struct kp_json **out) must_use;
int kp_json_add_str(struct kp_json *obj, const char *member, const char *value) must_use;
int kp_json_add_int(struct kp_json *obj, const char *member, int64_t value) must_use;
int kp_json_add_bool(struct kp_json *obj, const char *member, bool value) must_use;
int kp_json_add_null(struct kp_json *obj, const char *member) must_use;
int kp_json_add(struct kp_json *obj, const char *member, struct kp_json *child) must_use;
int kp_json_push(struct kp_json *array, struct kp_json *child) must_use;
// pretty: indented, as for people. The caller frees *out.
int kp_json_print(const struct kp_json *j, bool pretty, char **out) must_use;

#endif
