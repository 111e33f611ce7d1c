// SPDX-License-Identifier: MIT
// JSON for fs/: a thin face over cJSON, which only json.c includes. Never given a secret.
#ifndef CMK_JSON_H
#define CMK_JSON_H

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json; // a value; owned by its root

// 0 if text is exactly one JSON value by RFC 8259, in valid UTF-8, nested at most 64 deep, with no
// NUL in a string and no number longer than 60 characters; else -EBADMSG.
int json_check(const char *text, size_t len) must_use;
// Parses one document of len bytes (need not end in NUL). -EBADMSG if json_check() refuses it, an
// object names a member twice or a number is beyond a double; -ENOMEM. The caller frees *out.
int json_parse(const char *text, size_t len, struct json **out) must_use;
void json_free(struct json **j); // root only; wipes its strings; NULL allowed; for scoped()

// Reading. Pointers stay valid until the root is freed. A NULL j, or another type, counts as
// absent.
const struct json *json_get(const struct json *j, const char *member); // NULL if absent
const char *json_str(const struct json *j, const char *member); // NULL if absent or no string
bool json_int(const struct json *j, const char *member,
	int64_t *out); // false if absent or no integer of magnitude < 2^53
bool json_bool(
	const struct json *j, const char *member, bool *out); // false if absent or no boolean
const char *json_str_or(const struct json *j, const char *member, const char *otherwise);
int64_t json_int_or(const struct json *j, const char *member, int64_t otherwise);
size_t json_array_len(const struct json *j);			  // 0 if no array
const struct json *json_array_at(const struct json *j, size_t i); // NULL beyond the end
const char *json_as_str(const struct json *j);			  // of the value itself
bool json_as_int(const struct json *j, int64_t *out);
bool json_as_bool(const struct json *j, bool *out);
bool json_is_object(const struct json *j);
bool json_is_array(const struct json *j);
bool json_is_null(const struct json *j); // the literal null, not what is absent
// Members in order, for objects with unknown names: i-th member's value, *name set; NULL beyond the
// end.
const struct json *json_member_at(const struct json *j, size_t i, const char **name);

// Building. 0 or -ENOMEM; adding a member that is there already is -EEXIST. A child handed to
// json_add/json_push belongs to the parent, also on failure. Invalid UTF-8 in a string becomes '?'.
int json_object(struct json **out) must_use;
int json_array(struct json **out) must_use;
int json_add_str(
	struct json *obj, const char *member, const char *value) must_use; // NULL value: null
int json_add_int(struct json *obj, const char *member, int64_t value) must_use;
int json_add_bool(struct json *obj, const char *member, bool value) must_use;
int json_add(struct json *obj, const char *member, struct json *child) must_use;
int json_push(struct json *array, struct json *child) must_use;
int json_push_str(struct json *array, const char *value) must_use;
int json_push_int(struct json *array, int64_t value) must_use;
// Changing what was parsed: a member to change something in, NULL if absent; a boolean or a string
// instead of what the member was, or beside the others.
struct json *json_member(struct json *obj, const char *member);
int json_set_bool(struct json *obj, const char *member, bool value) must_use;
int json_set_str(struct json *obj, const char *member, const char *value) must_use;

// Text without line breaks (pretty: indented, as for people). The caller frees *out.
int json_print(const struct json *j, bool pretty, char **out) must_use;

#endif
