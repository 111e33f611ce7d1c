// SPDX-License-Identifier: MIT
// What a command must know of a key URL's inside. Only the provider understands it whole; a scheme
// that is not named here is compared letter by letter.
#ifndef CMK_KEYURL_H
#define CMK_KEYURL_H

#include "binding.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>

// The path in a file: URL, as it is written there; NULL for another scheme.
const char *key_url_path(const char *key_url);

// Whether both name one key. file:/x and file:///x are one file. Of https://HOST/keys/NAME/VERSION
// the version does not count, since a disk encryption set moves it by itself, nor does the case of
// host and name, nor :443. Of pkcs11: URIs neither the order of the attributes counts, nor how they
// are encoded.
bool key_url_same(const char *a, const char *b);

// Whether the URL names one version of its key: the third segment of an https: URL, ?version= of a
// file: URL, the id of a pkcs11: URI.
bool key_url_has_version(const char *key_url);
// The same URL without it; of a pkcs11: URI only if it still names a key then (object).
void key_url_unversioned(const char *key_url, char out[BINDING_URL_MAX]);
// That version; "" if there is none.
void key_url_version(const char *key_url, char out[CMK_VERSION_MAX]);
// Whether a key set's rotationToLatestKeyVersionEnabled overrules the version that the URL names:
// a vault's only (cmkdisk-keyset(5)).
bool key_url_rotates(const char *key_url);

#define KEY_URL_SHORT_MAX 64
// What tells the key from others in a table, without its version: HOST/NAME with the first part of
// a vault's host name, the name of a file: URL's file, TOKEN/OBJECT; else the URL. It is cut to
// fit.
void key_url_short(const char *key_url, char out[KEY_URL_SHORT_MAX]);

// Whether both keys are asked about at one place: host and port of a vault, the directory of a
// file, the token that the URL names. False where that is not known.
bool key_url_same_store(const char *a, const char *b);

#endif
