// SPDX-License-Identifier: MIT
// What the parts of p11_config_read() share: the two halves of an RFC 7512 URI, taken apart.
#ifndef CMK_P11_CONFIG_READ_H
#define CMK_P11_CONFIG_READ_H

#include "p11_config.h"

#include <stdbool.h>
#include <stddef.h>

// One attribute of a URI: borrowed, not decoded.
struct p11_part {
	const char *name, *value;
	size_t name_len, value_len;
};

// Takes the attribute at *at, which ends at the separator or the end of the text, and moves *at to
// the next one, or sets it to NULL after the last. False if it is no name=value.
bool p11_part_next(const char **at, char separator, struct p11_part *out);
bool p11_part_is(const struct p11_part *part, const char *name);

// Undoes percent-encoding into out, which has room for len + 1 bytes; a NUL follows what it holds.
// False for a '%' without its two hex digits, and for what a URI cannot hold: blanks, control
// characters and '#'.
bool p11_decode(const char *text, size_t len, char *out, size_t *out_len);

enum cmk_verdict p11_config_refuse(struct kp_outcome *o, const char *fmt, ...) printf_like(2, 3);
enum cmk_verdict p11_config_no_memory(struct kp_outcome *o);

// c->uri and c->id of the key URL. None of its values gets into a sentence: one of them may be a
// PIN in the wrong place.
enum cmk_verdict p11_config_path(
	struct p11_config *c, const char *key_url, struct kp_outcome *o) must_use;
// c->module_path, c->module_name and c->pin_source of cmkdisk.pkcs11.query.
enum cmk_verdict p11_config_query(
	struct p11_config *c, const char *query, struct kp_outcome *o) must_use;

#endif
