// SPDX-License-Identifier: MIT
// Bodies of type application/x-www-form-urlencoded (WHATWG URL section 5), and the documents
// about the token endpoint. Private to identity_*.c.
#ifndef CMK_EMU_IDENTITY_FORM_H
#define CMK_EMU_IDENTITY_FORM_H

#include "identity_model.h"

#define FORM_MEMBERS 32

struct form {
	struct {
		const char *name, *value;
	} member[FORM_MEMBERS];
	size_t count;
};
// Decodes in place: body has len bytes and a NUL, and must outlive the form. -EBADMSG for bad
// escapes, NULs, a name twice and too many members.
int form_parse(char *body, size_t len, struct form *out) must_use;
const char *form_get(const struct form *f, const char *name); // NULL if absent or empty

// identity_discovery.c, lock held. rest: the path after the tenant.
int discovery(struct identities *i, const struct emu_request *q, const char *rest,
	struct emu_reply *r) must_use;
int discovery_instance(
	struct identities *i, const struct emu_request *q, struct emu_reply *r) must_use;

#endif
