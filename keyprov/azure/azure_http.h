// SPDX-License-Identifier: MIT
// One HTTP request with a hard end, by libcurl. TLS 1.2 or better, verified; no
// redirect is followed; no signal is used; a reply is bounded; what may carry a token lives in
// locked memory.
#ifndef CMK_AZURE_HTTP_H
#define CMK_AZURE_HTTP_H

#include "kp_outcome.h"
#include "kp_scope.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct azure_config;
struct http; // connections kept open between requests

// config and host are borrowed. -ENOMEM, or -EIO if libcurl lacks TLS, HTTPS or a way to look up
// names that can be given up, with a sentence.
int http_new(const struct cmk_host *host, const struct azure_config *config, struct http **out,
	struct kp_err *err) must_use;
void http_free(struct http **h); // NULL allowed; for scoped()

#define HTTP_REPLY_MAX (64u * 1024 - 1) // bytes; with a NUL the host's largest secret
#define HTTP_HEADERS_MAX 12

struct http_request {
	const char *method; // "GET", "POST"
	const char *url;
	const char *headers[HTTP_HEADERS_MAX]; // "Name: value", until NULL; may hold a token
	const char *body;		       // or NULL
	size_t body_len;
	bool direct;	     // by no proxy: managed identity
	bool this_host;	     // nowhere but at a loopback address
	uint32_t timeout_ms; // at most this; 0: all that the callback has left
};

// Why there is no reply.
enum http_failure {
	HTTP_OK,
	HTTP_NO_HOST,
	HTTP_NO_CONNECTION,
	HTTP_TLS,
	HTTP_PROXY,
	HTTP_TIMEOUT,
	HTTP_BROKEN,
	HTTP_TOO_LARGE,
	HTTP_REFUSED_URL
};

struct http_reply {
	enum http_failure failure;
	int status;
	char content_type[96], retry_after[64], request_id[64]; // "" if absent
	// WWW-Authenticate, several joined by ", " as RFC 9110 section 5.3 allows; owned
	char *www_authenticate;
	char *body; // len bytes and a NUL, in the host's locked memory; owned; never NULL after
		    // HTTP_OK
	size_t len;
	struct kp_err err; // the sentence when failure is set: host, what happened, what to look at
};

// Always fills *reply, by its deadline also when a name server is silent. http: URLs only to
// loopback and only if the configuration allows them; with `direct` (managed identity speaks plain
// http on the host) to loopback and link-local addresses. What was sent and received is left
// nowhere but in *reply.
void http_do(struct http *h, const struct http_request *q, struct http_reply *reply);
void http_reply_end(struct http *h, struct http_reply *reply); // wipes and frees
// Milliseconds that Retry-After asks for (seconds or a date, RFC 9110 section 10.2.3), at most an
// hour; 0 none.
uint32_t http_retry_after_ms(const struct http_reply *reply, int64_t now);

#endif
