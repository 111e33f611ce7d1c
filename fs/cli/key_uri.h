// SPDX-License-Identifier: MIT
// PKCS#11 URIs (RFC 7512) as far as commands look into them: pkcs11:PATH[?QUERY]. The path names
// the key; the query says how this host gets to it. Only the provider understands them whole.
#ifndef CMK_KEY_URI_H
#define CMK_KEY_URI_H

#include "attr.h"
#include "binding.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>
#include <stddef.h>

// Whether the URL's scheme is pkcs11.
bool key_uri_is(const char *url);

// NAME=VALUE of a path or a query; value is NULL if there is no '='. Points into the URL.
struct key_uri_attribute {
	const char *name, *value;
	size_t name_len, value_len;
};

// The next one of a text of which *at is the beginning; *at moves behind it, and is NULL after the
// last. separator: ';' in a path, which ends at a '?', '&' in a query. False if there is none.
bool key_uri_next(const char **at, char separator, struct key_uri_attribute *out);
bool key_uri_named(const struct key_uri_attribute *a, const char *name);
// Its value without percent-encoding, and a NUL that *len does not count. -EBADMSG: malformed, or
// with a NUL in it; -ENOSPC.
int key_uri_decode(const struct key_uri_attribute *a, char *out, size_t room, size_t *len) must_use;

// "pin-value" or "pin-source" if the path of a pkcs11: URL has such an attribute, also behind a
// '&'; NULL if not. There it names nothing, and must not be shown, for it may hold a PIN.
const char *key_uri_misplaced_pin(const char *url);

// What follows takes the path only. A URL with a query, or a malformed path, is nobody's: it is
// compared letter by letter, and names no id.
//
// The same attributes with the same values, however they are encoded and ordered (section 2.5).
bool key_uri_same(const char *a, const char *b);
// Its id attribute (CKA_ID) in lower-case hexadecimal digits, which is the key's version; "" if it
// has none, or a longer one than a version can be.
void key_uri_id(const char *url, char out[CMK_VERSION_MAX]);
// The same without the id, if an object attribute is there to name the key; else as it is.
void key_uri_without_id(const char *url, char out[BINDING_URL_MAX]);

#endif
