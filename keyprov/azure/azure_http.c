// SPDX-License-Identifier: MIT
// See azure_http.h. With azure_http_error.c and azure_http_url.c the only includer of libcurl.
#include "azure_http.h"

#include "azure_config.h"
#include "azure_http_error.h"
#include "azure_http_memory.h"
#include "azure_http_url.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BODY_FIRST 4096u
#define CHALLENGE_MAX (16u * 1024)
#define RETRY_AFTER_MAX_MS (3600u * 1000)

struct http {
	const struct cmk_host *host;
	const struct azure_config *config;
	CURL *curl; // keeps connections between requests
};

// One request under way.
struct transfer {
	struct http *h;
	struct http_reply *reply;
	size_t room;	       // bytes of reply->body, NUL included
	const char *too_large; // what of the answer is; NULL: nothing
	bool no_memory;
	struct http_way way;
	char error[CURL_ERROR_SIZE];
};

int http_new(const struct cmk_host *host, const struct azure_config *config, struct http **out,
	struct kp_err *err)
{
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, http_memory_alloc, http_memory_free,
		    http_memory_resize, http_memory_text, http_memory_zeroed) != CURLE_OK)
		return kp_fail(err, EIO,
			"libcurl cannot be initialised; check the libcurl that is installed");
	const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
	bool https = false;
	for (const char *const *p = v->protocols; *p; p++)
		https |= strcmp(*p, "https") == 0;
	// Without the last, no deadline holds while a name server is silent.
	const char *lacks = !https || !(v->features & CURL_VERSION_SSL) ? "TLS"
			    : v->features & CURL_VERSION_ASYNCHDNS
				    ? NULL
				    : "its threaded or c-ares resolver";
	if (lacks) {
		curl_global_cleanup();
		return kp_fail(err, EIO, "libcurl %s was built without %s; install one that has it",
			v->version, lacks);
	}
	struct http *h = calloc(1, sizeof(*h));
	CURL *curl = h ? curl_easy_init() : NULL;
	if (!curl) {
		free(h);
		curl_global_cleanup();
		return kp_fail(err, ENOMEM, "no memory to speak HTTP");
	}
	*h = (struct http){.host = host, .config = config, .curl = curl};
	*out = h;
	return 0;
}

void http_free(struct http **h)
{
	if (!*h)
		return;
	curl_easy_cleanup((*h)->curl);
	curl_global_cleanup();
	free(*h);
	*h = NULL;
}

// Room for `more` bytes and a NUL. Secret memory cannot grow in place.
static bool make_room(struct transfer *t, size_t more)
{
	const struct cmk_host *host = t->h->host;
	size_t need = t->reply->len + more + 1;
	if (more > HTTP_REPLY_MAX || need > HTTP_REPLY_MAX + 1) {
		t->too_large = "64 KiB or more";
		return false;
	}
	if (need <= t->room)
		return true;
	size_t room = t->room ? t->room : BODY_FIRST;
	while (room < need)
		room *= 2;
	char *body = host->secret_alloc(host, room);
	if (!body) {
		t->no_memory = true;
		return false;
	}
	if (t->reply->len)
		memcpy(body, t->reply->body, t->reply->len);
	host->secret_free(host, t->reply->body);
	t->reply->body = body;
	t->room = room;
	return true;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;
	size_t n = size * count;
	if (!make_room(t, n))
		return 0; // ends the transfer
	memcpy(t->reply->body + t->reply->len, data, n);
	t->reply->len += n;
	t->reply->body[t->reply->len] = '\0';
	return n;
}

static void keep_header(char *out, size_t room, const char *value, size_t len)
{
	(void)snprintf(out, room, "%.*s", (int)(len < room ? len : room - 1), value);
}

static bool add_challenge(struct transfer *t, const char *value, size_t len)
{
	struct http_reply *r = t->reply;
	char *joined = NULL;
	if (len + (r->www_authenticate ? strlen(r->www_authenticate) : 0) > CHALLENGE_MAX) {
		t->too_large = "more than 16 KiB of WWW-Authenticate";
		return false;
	}
	if (asprintf(&joined, "%s%s%.*s", r->www_authenticate ? r->www_authenticate : "",
		    r->www_authenticate ? ", " : "", (int)len, value) < 0) {
		t->no_memory = true;
		return false;
	}
	free(r->www_authenticate);
	r->www_authenticate = joined;
	return true;
}

// A new status line begins a new set of headers: what came before was an interim answer.
static void forget_headers(struct http_reply *r)
{
	r->content_type[0] = r->retry_after[0] = r->request_id[0] = '\0';
	free(r->www_authenticate);
	r->www_authenticate = NULL;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;
	struct http_reply *r = t->reply;
	size_t n = size * count, len = n;
	if (n >= 5 && strncasecmp(data, "HTTP/", 5) == 0) {
		forget_headers(r);
		return n;
	}
	const char *colon = memchr(data, ':', n);
	if (!colon)
		return n;
	size_t name = (size_t)(colon - data);
	const char *value = colon + 1;
	len -= name + 1;
	while (len && (*value == ' ' || *value == '\t'))
		value++, len--;
	while (len && strchr("\r\n \t", value[len - 1]))
		len--;
	if (name == 12 && strncasecmp(data, "Content-Type", name) == 0)
		keep_header(r->content_type, sizeof(r->content_type), value, len);
	else if (name == 11 && strncasecmp(data, "Retry-After", name) == 0)
		keep_header(r->retry_after, sizeof(r->retry_after), value, len);
	else if (name == 15 && strncasecmp(data, "x-ms-request-id", name) == 0)
		keep_header(r->request_id, sizeof(r->request_id), value, len);
	else if (name == 16 && strncasecmp(data, "WWW-Authenticate", name) == 0 &&
		 !add_challenge(t, value, len))
		return 0; // ends the transfer
	return n;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct transfer *t = ctx;
	(void)a, (void)b, (void)c, (void)d;
	return t->h->host->cancelled(t->h->host);
}

static long total_time(const struct http *h, const struct http_request *q)
{
	uint32_t left = h->host->time_left(h->host);
	if (q->timeout_ms && q->timeout_ms < left)
		left = q->timeout_ms;
	return (long)left;
}

#define SET(option, value) (!curl_easy_setopt(curl, (option), (value)))

static bool set_connection(CURL *curl, const struct azure_config *c, const struct transfer *t,
	const struct http_request *q)
{
	// What is not in the configuration is not taken from anywhere: no variables, no .netrc,
	// no cookies, no redirects.
	// QUICK_EXIT leaves a name lookup that hangs behind instead of waiting for it.
	bool ok = SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_QUICK_EXIT, 1L) &&
		  SET(CURLOPT_FOLLOWLOCATION, 0L) && SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
		  SET(CURLOPT_PROTOCOLS_STR,
			  c->http_loopback || q->direct ? "http,https" : "https") &&
		  SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
		  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) &&
		  SET(CURLOPT_SSL_VERIFYPEER, 1L) && SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
		  SET(CURLOPT_PROXY, t->way.proxy) && SET(CURLOPT_NOPROXY, c->no_proxy) &&
		  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (ok && c->ca_file[0])
		ok = SET(CURLOPT_CAINFO, c->ca_file) && SET(CURLOPT_CAPATH, NULL);
	if (ok && c->ca_dir[0])
		ok = SET(CURLOPT_CAPATH, c->ca_dir);
	return ok;
}

static bool set_request(
	CURL *curl, const struct http_request *q, struct transfer *t, struct curl_slist *headers)
{
	bool ok = SET(CURLOPT_URL, q->url) && SET(CURLOPT_CUSTOMREQUEST, q->method) &&
		  SET(CURLOPT_HTTPHEADER, headers) &&
		  SET(CURLOPT_USERAGENT, t->h->config->user_agent) &&
		  SET(CURLOPT_ERRORBUFFER, t->error) && SET(CURLOPT_HEADERFUNCTION, on_header) &&
		  SET(CURLOPT_HEADERDATA, t) && SET(CURLOPT_WRITEFUNCTION, on_body) &&
		  SET(CURLOPT_WRITEDATA, t) && SET(CURLOPT_NOPROGRESS, 0L) &&
		  SET(CURLOPT_XFERINFOFUNCTION, on_progress) && SET(CURLOPT_XFERINFODATA, t);
	if (ok && (q->body || strcmp(q->method, "POST") == 0))
		ok = SET(CURLOPT_POSTFIELDS, q->body ? q->body : "") &&
		     SET(CURLOPT_POSTFIELDSIZE, (long)q->body_len);
	return ok;
}

static bool make_headers(const struct http_request *q, struct curl_slist **out)
{
	for (size_t i = 0; i < HTTP_HEADERS_MAX && q->headers[i]; i++) {
		struct curl_slist *longer = curl_slist_append(*out, q->headers[i]);
		if (!longer)
			return false;
		*out = longer;
	}
	return true;
}

static void slist_free(struct curl_slist **l)
{
	curl_slist_free_all(*l);
}

static void perform(struct transfer *t, const struct http_request *q, long total_ms)
{
	CURL *curl = t->h->curl;
	struct http_reply *r = t->reply;
	scoped(slist_free) struct curl_slist *headers = NULL;
	curl_easy_reset(curl);
	if (!make_headers(q, &headers) || !set_connection(curl, t->h->config, t, q) ||
		!set_request(curl, q, t, headers) || !SET(CURLOPT_TIMEOUT_MS, total_ms)) {
		http_fail(r, HTTP_BROKEN, "no memory to ask %s", t->way.site);
		return;
	}
	CURLcode code = curl_easy_perform(curl);
	long status = 0;
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(curl, CURLINFO_HTTP_CONNECTCODE, &t->way.connect_status);
	curl_easy_reset(curl); // keeps no pointer into this call
	r->status = (int)status;
	if (code == CURLE_OK && !r->body)
		(void)make_room(t, 0);
	if (t->too_large)
		http_fail(r, HTTP_TOO_LARGE, "the answer of %s has %s; it is not from a key vault",
			t->way.site, t->too_large);
	else if (t->no_memory || code == CURLE_OUT_OF_MEMORY)
		http_fail(r, HTTP_BROKEN, "no memory for the answer of %s", t->way.site);
	else if (code != CURLE_OK)
		http_explain(r, code, &t->way, t->error, total_ms);
}

void http_do(struct http *h, const struct http_request *q, struct http_reply *reply)
{
	struct transfer t = {.h = h, .reply = reply, .way = {.proxy = ""}};
	memset(reply, 0, sizeof(*reply));
	if (!http_url_allowed(h->config, q, &t.way, reply))
		return;
	long total_ms = total_time(h, q);
	if (total_ms <= 0) {
		http_fail(reply, HTTP_TIMEOUT, "no time was left to ask %s", t.way.site);
		return;
	}
	perform(&t, q, total_ms);
	http_memory_wipe_stack();
}

void http_reply_end(struct http *h, struct http_reply *reply)
{
	h->host->secret_free(h->host, reply->body);
	free(reply->www_authenticate);
	memset(reply, 0, sizeof(*reply));
}

uint32_t http_retry_after_ms(const struct http_reply *reply, int64_t now)
{
	const char *s = reply->retry_after;
	size_t digits = strspn(s, "0123456789");
	int64_t seconds;
	if (!*s)
		return 0;
	if (!s[digits]) {
		seconds = digits > 6 ? RETRY_AFTER_MAX_MS : strtoll(s, NULL, 10);
	} else {
		time_t date = curl_getdate(s, NULL);
		seconds = date < 0 ? 0 : (int64_t)date - now;
	}
	if (seconds <= 0)
		return 0;
	return seconds >= RETRY_AFTER_MAX_MS / 1000 ? RETRY_AFTER_MAX_MS : (uint32_t)seconds * 1000;
}
