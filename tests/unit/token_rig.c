// SPDX-License-Identifier: MIT
// See token_rig.h. Stands in for azure_http.c: its symbols win over those of the library.
#include "token_rig.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct token_rig *of_http(struct http *h)
{
	return (struct token_rig *)(void *)h;
}

static void keep(struct token_rig *r, const struct http_request *q)
{
	struct asked *a = &r->asked[r->count];
	(void)snprintf(a->method, sizeof(a->method), "%s", q->method);
	(void)snprintf(a->url, sizeof(a->url), "%s", q->url);
	for (size_t i = 0; i < 4 && q->headers[i]; i++)
		(void)snprintf(a->headers[i], sizeof(a->headers[i]), "%s", q->headers[i]);
	assert_true(q->body_len < sizeof(a->body));
	if (q->body) {
		assert_int_equal(strlen(q->body), q->body_len);
		memcpy(a->body, q->body, q->body_len + 1);
	}
	a->direct = q->direct;
	a->this_host = q->this_host;
	a->timeout_ms = q->timeout_ms;
}

void http_do(struct http *h, const struct http_request *q, struct http_reply *reply)
{
	struct token_rig *r = of_http(h);
	memset(reply, 0, sizeof(*reply));
	if (r->count >= r->planned)
		fail_msg("unexpected question: %s %s", q->method, q->url);
	const struct step *s = &r->steps[r->count];
	if (!r->blind)
		keep(r, q);
	r->count++;
	if (s->meanwhile)
		s->meanwhile(r);
	reply->failure = s->failure;
	if (s->failure) {
		(void)snprintf(reply->err.text, sizeof(reply->err.text), "the line is dead");
		return;
	}
	reply->status = s->status;
	if (s->make) {
		reply->body = s->make(r);
	} else {
		reply->body = r->host.api.secret_alloc(&r->host.api, strlen(s->body) + 1);
		memcpy(reply->body, s->body, strlen(s->body) + 1);
	}
	reply->len = strlen(reply->body);
	if (s->challenge)
		reply->www_authenticate = strdup(s->challenge);
	if (s->retry_after)
		(void)snprintf(
			reply->retry_after, sizeof(reply->retry_after), "%s", s->retry_after);
	(void)snprintf(reply->request_id, sizeof(reply->request_id), "request-%zu", r->count);
}

void http_reply_end(struct http *h, struct http_reply *reply)
{
	const struct cmk_host *host = &of_http(h)->host.api;
	host->secret_free(host, reply->body);
	free(reply->www_authenticate);
	memset(reply, 0, sizeof(*reply));
}

uint32_t http_retry_after_ms(const struct http_reply *reply, int64_t now)
{
	(void)now;
	return (uint32_t)strtoul(reply->retry_after, NULL, 10) * 1000;
}

static void keep_log(const struct cmk_host *api, enum cmk_log_level level, const char *fmt, ...)
	CMK_PRINTF(3, 4);
static void keep_log(const struct cmk_host *api, enum cmk_log_level level, const char *fmt, ...)
{
	struct token_rig *r = api->ctx;
	size_t n = strlen(r->log);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(r->log + n, sizeof(r->log) - n, fmt, ap);
	va_end(ap);
	(void)strncat(r->log, "\n", sizeof(r->log) - strlen(r->log) - 1);
	r->host.warnings += level <= CMK_LOG_WARNING;
}

static int64_t boot_ms(void *ctx)
{
	return ((struct token_rig *)ctx)->boot_ms;
}

static void sleep_rig(void *ctx, uint32_t ms)
{
	struct token_rig *r = ctx;
	r->boot_ms += ms;
	r->slept_ms += ms;
	r->host.time_left -= r->host.time_left < ms ? r->host.time_left : ms;
}

int token_rig_setup(void **state)
{
	struct token_rig *r = calloc(1, sizeof(*r));
	char cwd[3000];
	assert_non_null(r);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	provider_host_init(&r->host);
	r->host.api.log = keep_log;
	(void)snprintf(r->dir, sizeof(r->dir), "%s/token.XXXXXX", cwd);
	assert_non_null(mkdtemp(r->dir));
	(void)snprintf(r->arc_dir, sizeof(r->arc_dir), "%s/tokens", r->dir);
	assert_int_equal(mkdir(r->arc_dir, 0700), 0);
	(void)snprintf(r->file, sizeof(r->file), "%s/file", r->dir);
	r->boot_ms = 1000000;
	r->system = (struct cred_system){
		.arc_dir = r->arc_dir,
		.arc_agent = "/nonexistent/himds",
		.boot_ms = boot_ms,
		.sleep = sleep_rig,
		.ctx = r,
	};
	r->id = &r->config.identity;
	r->id->authority_host = "https://login.microsoftonline.com";
	*state = r;
	return 0;
}

int token_rig_teardown(void **state)
{
	struct token_rig *r = *state;
	char command[4200];
	token_source_free(&r->tokens);
	assert_int_equal(r->host.secrets, 0);
	(void)snprintf(command, sizeof(command), "rm -r '%s'", r->dir);
	assert_int_equal(system(command), 0);
	free(r);
	return 0;
}

void plan(struct token_rig *r, struct step s)
{
	assert_true(r->planned < STEPS);
	if (!s.body)
		s.body = "";
	r->steps[r->planned++] = s;
}

void use_secret(struct token_rig *r)
{
	r->id->tenant_id = TENANT;
	r->id->client_id = CLIENT;
	r->id->client_secret = SECRET;
}

void start(struct token_rig *r, enum cmk_verdict wanted)
{
	token_source_free(&r->tokens);
	enum cmk_verdict v = token_source_new_on(
		&r->host.api, &r->config, (struct http *)(void *)r, &r->system, &r->tokens, &r->o);
	if (v != wanted)
		fail_msg("verdict %d: %s", v, r->o.err.text);
	assert_int_equal(r->count, 0);
}

const char *get_want(struct token_rig *r, const struct token_want *want)
{
	const char *bearer = NULL;
	memset(&r->o, 0, sizeof(r->o));
	enum cmk_verdict v = token_get(r->tokens, want, &bearer, &r->o);
	if (r->count != r->planned)
		fail_msg("%zu questions were not asked: %s", r->planned - r->count, r->o.err.text);
	assert_int_equal(v == CMK_GRANTED, bearer != NULL);
	if (v != CMK_GRANTED)
		assert_int_equal(v, r->o.verdict);
	return bearer;
}

const char *get(struct token_rig *r)
{
	return get_want(r, &(struct token_want){.resource = VAULT, .tenant = ""});
}

void pass(struct token_rig *r, int64_t seconds)
{
	r->boot_ms += seconds * 1000;
	r->host.now += seconds;
}

void require_verdict(const struct token_rig *r, enum cmk_verdict v, const char *words)
{
	if (r->o.verdict != v || !strstr(r->o.err.text, words))
		fail_msg("verdict %d, not %d with '%s': %s", r->o.verdict, v, words, r->o.err.text);
	assert_int_equal(r->o.reason, v == CMK_DENIED ? CMK_REASON_IDENTITY : CMK_REASON_NONE);
}

void require_header(const struct asked *a, const char *header)
{
	for (size_t i = 0; i < 4; i++)
		if (strcmp(a->headers[i], header) == 0)
			return;
	fail_msg("no header '%s'", header);
}

const char *field(const char *form, const char *name)
{
	static char value[24576];
	size_t len = strlen(name), n = 0;
	const char *p = strchr(form, '?') ? strchr(form, '?') + 1 : form;
	while (p && !(strncmp(p, name, len) == 0 && p[len] == '='))
		p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL;
	for (p = p ? p + len + 1 : ""; *p && *p != '&'; p++) {
		unsigned c = (unsigned char)*p;
		if (c == '%') {
			assert_int_equal(sscanf(p + 1, "%2X", &c), 1);
			p += 2;
		}
		value[n++] = (char)c;
	}
	value[n] = '\0';
	return value;
}

void put_file(struct token_rig *r, const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	(void)r;
	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

void require_unsaid(const struct token_rig *r, const char *what)
{
	if (strstr(r->log, what) || strstr(r->o.err.text, what))
		fail_msg("said: %s", what);
}
