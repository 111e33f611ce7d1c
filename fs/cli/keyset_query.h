// SPDX-License-Identifier: MIT
// The query of a PKCS#11 key URL (RFC 7512 section 2.4): how this host gets to the key. It never
// reaches a header. Part of reading key sets, for keyset.c alone.
#ifndef CMK_KEYSET_QUERY_H
#define CMK_KEYSET_QUERY_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>

struct keyset;

// Takes the PIN out of it: pin-source=fd:N is read now, pin-value is for the argument list alone.
// What is left for the provider goes to *rest, which the caller frees; NULL if it is nothing. what:
// where it stands, for sentences.
int keyset_query_read(const char *what, const char *query, bool in_arguments, struct keyset *out,
	char **rest, struct errmsg *err) must_use;

// The key set's text with this query as cmkdisk.pkcs11.query. The caller frees *out. -ENOMEM.
int keyset_query_put(const char *config, const char *query, char **out) must_use;

#endif
