// SPDX-License-Identifier: MIT
// Text that may hold a secret, built up in the host's locked memory: request bodies, headers,
// assertions, and the files that they come from.
#ifndef CMK_AZURE_CRED_TEXT_H
#define CMK_AZURE_CRED_TEXT_H

#include "azure_file.h"
#include "kp_err.h"
#include "kp_scope.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>
#include <stddef.h>

#define CRED_TEXT_ROOM (32u * 1024)

// Adding never fails on the spot: what does not fit sets `full`, which is looked at once at the
// end.
struct cred_text {
	const struct cmk_host *host;
	char *p; // NUL-terminated
	size_t len, room;
	bool full;
};

// room: bytes with the NUL, at most 65536. -ENOMEM with a sentence.
int cred_text_new(const struct cmk_host *host, size_t room, struct cred_text *out,
	struct kp_err *err) must_use;
void cred_text_end(struct cred_text *t); // wipes and frees; for scoped(); all-zero allowed

void cred_text_add(struct cred_text *t, const char *s);
void cred_text_add_escaped(struct cred_text *t, const char *s); // for forms and queries
void cred_text_add_base64url(struct cred_text *t, const void *data, size_t len);
// "&name=value" with the value escaped; without the '&' at the beginning of a text.
void cred_text_add_field(struct cred_text *t, const char *name, const char *value);
int cred_text_check(const struct cred_text *t, struct kp_err *err) must_use; // -EMSGSIZE if full

// The whole of a file that is fit for its kind, whose size is bounded by the text's room. -errno
// with a sentence that begins with what it is ("client certificate") and its path.
int cred_text_read(struct cred_text *t, enum azure_file kind, const char *what, const char *path,
	struct kp_err *err) must_use;
// The same for an open file, without a sentence.
int cred_text_read_fd(struct cred_text *t, int fd) must_use;
void cred_text_trim(struct cred_text *t); // takes white space off the end

#endif
