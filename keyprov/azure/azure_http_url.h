// SPDX-License-Identifier: MIT
// Where a request may go at all. Private to azure_http.c.
#ifndef CMK_AZURE_HTTP_URL_H
#define CMK_AZURE_HTTP_URL_H

#include "azure_http_error.h"

// Whether the URL may be asked, by the rules of http_do(); fills in way->site and way->proxy.
// False: *r says why.
bool http_url_allowed(const struct azure_config *c, const struct http_request *q,
	struct http_way *way, struct http_reply *r);

#endif
