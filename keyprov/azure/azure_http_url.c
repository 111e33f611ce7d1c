// SPDX-License-Identifier: MIT
// See azure_http_url.h.
#include "azure_http_url.h"

#include "azure_config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct parts {
	char *scheme, *host, *port, *user;
};

static void parts_free(struct parts *p)
{
	curl_free(p->scheme);
	curl_free(p->host);
	curl_free(p->port);
	curl_free(p->user);
}

static bool is_loopback(const char *host)
{
	size_t len = strlen(host);
	return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "[::1]") == 0 ||
	       strcasecmp(host, "localhost") == 0 ||
	       (len > 10 && strcasecmp(host + len - 10, ".localhost") == 0);
}

// An address, never a name: what a name stands for is said by whoever answers for it.
static bool is_link_local(const char *host)
{
	struct in_addr four;
	struct in6_addr six;
	char text[INET6_ADDRSTRLEN];
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 16 == (169u << 8 | 254u);
	size_t len = strlen(host);
	if (host[0] != '[' || len < 3 || len - 2 >= sizeof(text))
		return false;
	memcpy(text, host + 1, len - 2);
	text[len - 2] = '\0';
	return inet_pton(AF_INET6, text, &six) == 1 && IN6_IS_ADDR_LINKLOCAL(&six);
}

static bool read_parts(const char *url, struct parts *p)
{
	CURLU *u = curl_url();
	bool parsed = u && !curl_url_set(u, CURLUPART_URL, url, 0) &&
		      !curl_url_get(u, CURLUPART_SCHEME, &p->scheme, 0) &&
		      !curl_url_get(u, CURLUPART_HOST, &p->host, 0) &&
		      !curl_url_get(u, CURLUPART_PORT, &p->port, CURLU_DEFAULT_PORT);
	if (parsed)
		(void)curl_url_get(u, CURLUPART_USER, &p->user, 0);
	curl_url_cleanup(u);
	return parsed && !p->user;
}

// NULL, or why this host is not asked by this scheme.
static const char *unfit(
	const struct azure_config *c, const struct http_request *q, const struct parts *p)
{
	bool loopback = is_loopback(p->host);
	if (q->this_host && !loopback)
		return "only this host is asked for it: localhost, 127.0.0.1 or [::1]";
	if (strcmp(p->scheme, "https") == 0)
		return NULL;
	if (strcmp(p->scheme, "http") != 0 || !(q->direct || c->http_loopback))
		return "only https is used";
	if (loopback || (q->direct && is_link_local(p->host)))
		return NULL;
	return q->direct ? "plain http goes to this host, and to addresses in 169.254.0.0/16 and "
			   "fe80::/10, only"
			 : "only https is used";
}

bool http_url_allowed(const struct azure_config *c, const struct http_request *q,
	struct http_way *way, struct http_reply *r)
{
	scoped(parts_free) struct parts p = {0};
	if (!read_parts(q->url, &p)) {
		http_fail(r, HTTP_REFUSED_URL, "an address to ask is no plain http or https URL");
		return false;
	}
	(void)snprintf(way->site, sizeof(way->site), "%s:%s", p.host, p.port);
	const char *why = unfit(c, q, &p);
	if (why)
		http_fail(r, HTTP_REFUSED_URL, "%s: refused to speak %s to it; %s", way->site,
			p.scheme, why);
	if (!q->direct && !is_loopback(p.host))
		way->proxy = c->proxy;
	return !why;
}
