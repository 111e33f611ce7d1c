// SPDX-License-Identifier: MIT
// base64url (RFC 4648 section 5) without padding, as JSON Web Keys spell their numbers. No
// table is indexed by a secret byte: the timing tells nothing about what is decoded.
#ifndef CMK_KP_BASE64_H
#define CMK_KP_BASE64_H

#include "kp_scope.h"

#include <stddef.h>

#define KP_BASE64_LEN(n) (((n)*4 + 2) / 3) // chars for n bytes

// out has room for KP_BASE64_LEN(len) + 1 chars.
void kp_base64_encode(const void *data, size_t len, char *out);

// Strict: no padding, no white space, no stray bits in the last character. *len is the room on
// entry and the length on return. -EBADMSG, or -ENOSPC if the room is too small.
int kp_base64_decode(const char *text, void *out, size_t *len) must_use;

#endif
