// SPDX-License-Identifier: MIT
// The connections of http_script.c: plain, or TLS as the server.
#ifndef CMK_HTTP_SCRIPT_IO_H
#define CMK_HTTP_SCRIPT_IO_H

#include <stdbool.h>
#include <stddef.h>

struct script_tls;

struct script_link {
	int fd;
	void *ssl; // NULL: plain
};

struct script_tls *script_tls_new(const char *pem);
void script_tls_free(struct script_tls *t); // NULL allowed

// The handshake, if there is one; false if it fails. The link is ended all the same.
bool script_begin(struct script_tls *t, struct script_link *l);
void script_end(struct script_link *l);

long script_read(struct script_link *l, void *out, size_t len);
long script_write(struct script_link *l, const void *data, size_t len);
bool script_pending(struct script_link *l); // bytes that poll() does not see

#endif
