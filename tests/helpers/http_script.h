// SPDX-License-Identifier: MIT
// A web server for tests that answers by script: a thread on a loopback port that sends prepared
// bytes, one answer for each request, and keeps what it was asked. It can be slow, silent or rude.
#ifndef CMK_HTTP_SCRIPT_H
#define CMK_HTTP_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

struct http_script;

// What to do when the next request has come.
enum http_manner {
	HTTP_SEND,  // the bytes, then close
	HTTP_KEEP,  // the bytes, and wait for another request on this connection
	HTTP_DRIP,  // the bytes, one every 50 ms
	HTTP_HANG,  // nothing, until the script ends
	HTTP_CLOSE, // nothing, and close
};

#define HTTP_SCRIPT_MAX 32

struct http_seen {
	char head[8192]; // request line and headers, as they came
	char body[4096];
	size_t body_len;
};

// With a certificate and key (PEM file holding both) it speaks TLS; NULL: plain.
struct http_script *http_script_new(const char *pem);
void http_script_free(struct http_script **s); // for scoped()

unsigned http_script_port(const struct http_script *s);

// Appends an answer. The bytes are copied; NULL: none.
void http_script_add(struct http_script *s, enum http_manner manner, const char *bytes, size_t len);
// The same: a whole reply with a Content-Length. headers: lines with \r\n, or "".
void http_script_reply(struct http_script *s, int status, const char *headers, const char *body);

size_t http_script_requests(struct http_script *s);
size_t http_script_connections(struct http_script *s);
// The nth request; valid as long as the script. Fails the test if there is none.
const struct http_seen *http_script_seen(struct http_script *s, size_t n);
// Value of a header in it; NULL if absent. In a buffer of the caller's.
const char *http_seen_header(const struct http_seen *q, const char *name, char *out, size_t room);

// A self-signed certificate for a name, with its key, into a new PEM file at path.
void http_script_certificate(const char *path, const char *name);

#endif
