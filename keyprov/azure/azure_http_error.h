// SPDX-License-Identifier: MIT
// Why there is no reply, in words. Private to azure_http.c.
#ifndef CMK_AZURE_HTTP_ERROR_H
#define CMK_AZURE_HTTP_ERROR_H

#include "azure_http.h"

#include <curl/curl.h>

// The way that a request took.
struct http_way {
	char site[280];	     // "host:port" of the other end
	const char *proxy;   // URL, or "" if by none; may hold a password
	long connect_status; // what the proxy said to CONNECT; 0 nothing
};

void http_fail(struct http_reply *r, enum http_failure failure, const char *fmt, ...)
	printf_like(3, 4);

// error is libcurl's own text. total_ms is what the request was given.
void http_explain(struct http_reply *r, CURLcode code, const struct http_way *way,
	const char *error, long total_ms);

#endif
