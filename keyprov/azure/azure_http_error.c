// SPDX-License-Identifier: MIT
// See azure_http_error.h.
#include "azure_http_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void http_fail(struct http_reply *r, enum http_failure failure, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(r->err.text, sizeof(r->err.text), fmt, ap);
	va_end(ap);
	r->failure = failure;
}

// "host:port" of the proxy, without the user and password that its URL may hold.
static const char *proxy_site(const char *proxy)
{
	const char *at = strrchr(proxy, '@');
	const char *scheme = strstr(proxy, "://");
	return at ? at + 1 : scheme ? scheme + 3 : proxy;
}

static void explain_network(
	struct http_reply *r, CURLcode code, const struct http_way *way, const char *error)
{
	const char *proxy = proxy_site(way->proxy);
	if (code == CURLE_COULDNT_RESOLVE_HOST)
		http_fail(r, HTTP_NO_HOST,
			"%s has no address (%s); check the name, and the name service of this host",
			way->site, error);
	else if (code == CURLE_COULDNT_RESOLVE_PROXY)
		http_fail(r, HTTP_PROXY, "the proxy %s has no address; check the proxy setting",
			proxy);
	else if (way->proxy[0] && (code == CURLE_PROXY || way->connect_status >= 300))
		http_fail(r, HTTP_PROXY,
			"the proxy %s refused the way to %s (%s); check the proxy setting, or "
			"name the host in NO_PROXY",
			proxy, way->site, error);
	else if (way->proxy[0] && code == CURLE_COULDNT_CONNECT)
		http_fail(r, HTTP_PROXY,
			"cannot connect to the proxy %s on the way to %s (%s); check the proxy "
			"setting",
			proxy, way->site, error);
	else if (code == CURLE_COULDNT_CONNECT)
		http_fail(r, HTTP_NO_CONNECTION,
			"cannot connect to %s (%s); check the network, firewalls and proxy setting",
			way->site, error);
	else
		http_fail(r, HTTP_BROKEN,
			"the answer of %s did not come whole (%s); something between may have cut "
			"it",
			way->site, error);
}

void http_explain(struct http_reply *r, CURLcode code, const struct http_way *way,
	const char *error, long total_ms)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		http_fail(r, HTTP_TIMEOUT,
			"%s did not answer within %ld ms; check the network and "
			"firewalls",
			way->site, total_ms);
		return;
	case CURLE_ABORTED_BY_CALLBACK:
		http_fail(r, HTTP_TIMEOUT, "%s: the answer is no longer wanted", way->site);
		return;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		http_fail(r, HTTP_REFUSED_URL, "%s: refused (%s)", way->site, error);
		return;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_ISSUER_ERROR:
		http_fail(r, HTTP_TLS,
			"no trusted TLS connection to %s (%s); check its certificate, the clock of "
			"this host, and caFile if the key set names one",
			way->site, error);
		return;
	default:
		explain_network(r, code, way, error);
	}
}
