// SPDX-License-Identifier: MIT
// Strict reading of our LUKS2 tokens: every member present, of the right type, within bounds, or
// one sentence that names token and member. What binding.c and seal.c have in common.
#ifndef CMK_TOKEN_H
#define CMK_TOKEN_H

#include "attr.h"
#include "errmsg.h"

#include <stddef.h>
#include <stdint.h>

struct json;

struct token_reader {
	struct json *root; // owned; scoped(token_close)
	const char *type;  // borrowed
	int token;
	struct errmsg *err;
};

// Parses the text and checks type and version.
int token_open(struct token_reader *r, int token, const char *type, int version, const char *text,
	size_t len, struct errmsg *err) must_use;
void token_close(struct token_reader *r);

// -EBADMSG and the sentence "token N (type): <what is wrong>; <what to do>".
int token_bad(const struct token_reader *r, const char *fmt, ...) printf_like(2, 3);

// 1 to room - 1 printable ASCII characters without blanks.
int token_str(const struct token_reader *r, const char *member, char *out, size_t room) must_use;
int token_int(const struct token_reader *r, const char *member, int64_t min, int64_t max,
	int64_t *out) must_use;
// Decodes base64url. *len is the room on entry; min is the least acceptable length.
int token_bytes(const struct token_reader *r, const char *member, const char *text, size_t min,
	uint8_t *out, size_t *len) must_use;
// The single keyslot of a binding.
int token_keyslot(const struct token_reader *r, int *out) must_use;

// Starts a token's JSON: type, keyslots (none for -1) and version.
int token_new(const char *type, int keyslot, int version, struct json **out) must_use;
// Adds bytes as base64url text.
int token_add_bytes(struct json *obj, const char *member, const uint8_t *data, size_t len) must_use;

#endif
