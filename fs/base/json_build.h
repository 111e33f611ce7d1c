// SPDX-License-Identifier: MIT
// Building an object with a long list of members: the first failure is kept, so that the list reads
// as one. For files that make JSON; the short names are theirs.
#ifndef CMK_JSON_BUILD_H
#define CMK_JSON_BUILD_H

#include "json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct builder {
	struct json *o; // an object or an array; its root's
	int rc;		// 0 or -errno: then nothing more is done
};

static inline struct builder object(int rc)
{
	struct builder b = {NULL, rc};
	if (!b.rc)
		b.rc = json_object(&b.o);
	return b;
}

// NULL is null.
static inline void str(struct builder *b, const char *member, const char *value)
{
	if (!b->rc)
		b->rc = json_add_str(b->o, member, value);
}

// Also "" is null.
static inline void text(struct builder *b, const char *member, const char *value)
{
	str(b, member, value && *value ? value : NULL);
}

static inline void none(struct builder *b, const char *member)
{
	str(b, member, NULL);
}

static inline void num(struct builder *b, const char *member, uint64_t value)
{
	if (!b->rc)
		b->rc = json_add_int(b->o, member, (int64_t)value);
}

// A number that may be missing is null then.
static inline void maybe(struct builder *b, const char *member, bool there, int64_t value)
{
	if (there)
		num(b, member, (uint64_t)value);
	else
		none(b, member);
}

static inline void yes(struct builder *b, const char *member, bool value)
{
	if (!b->rc)
		b->rc = json_add_bool(b->o, member, value);
}

// end() hands the child's failure to its parent.
static inline struct builder child(struct builder *parent, const char *member)
{
	struct builder b = object(parent->rc);
	if (!b.rc)
		b.rc = json_add(parent->o, member, b.o);
	return b;
}

static inline struct builder list_in(struct builder *parent, const char *member)
{
	struct builder b = {NULL, parent->rc};
	if (!b.rc)
		b.rc = json_array(&b.o);
	if (!b.rc)
		b.rc = json_add(parent->o, member, b.o);
	return b;
}

// A new object in a list.
static inline struct builder element(struct builder *list)
{
	struct builder b = object(list->rc);
	if (!b.rc)
		b.rc = json_push(list->o, b.o);
	return b;
}

static inline void item(struct builder *b, uint64_t value)
{
	if (!b->rc)
		b->rc = json_push_int(b->o, (int64_t)value);
}

static inline void item_str(struct builder *b, const char *value)
{
	if (!b->rc)
		b->rc = json_push_str(b->o, value);
}

static inline void end(struct builder *parent, const struct builder *b)
{
	if (!parent->rc)
		parent->rc = b->rc;
}

#endif
