// SPDX-License-Identifier: MIT
// See azure_world.h.
#include "azure_world.h"

#include "azure_clock.h"
#include "azure_token.h"

struct azure_world azure_world;

uint64_t azure_clock_ms(void)
{
	return azure_world.clock;
}

struct token_source {
	int nothing;
};

enum cmk_verdict token_source_new(const struct cmk_host *host, const struct azure_config *config,
	struct http *http, struct token_source **out, struct kp_outcome *o)
{
	(void)host, (void)config, (void)http, (void)o;
	*out = calloc(1, sizeof(**out));
	return *out ? CMK_GRANTED : CMK_UNREACHABLE;
}

void token_source_free(struct token_source **t)
{
	free(*t);
	*t = NULL;
}

enum cmk_verdict token_get(struct token_source *t, const struct token_want *want,
	const char **bearer, struct kp_outcome *o)
{
	struct fake_tokens *f = &azure_world.tokens;
	(void)t;
	assert_true(f->asked < ASKED_MAX);
	(void)snprintf(f->want[f->asked].resource, 256, "%s", want->resource);
	(void)snprintf(f->want[f->asked].tenant, 128, "%s", want->tenant);
	(void)snprintf(f->want[f->asked].claims, 256, "%s", want->claims ? want->claims : "");
	f->want[f->asked].fresh = want->fresh;
	f->asked++;
	if (f->verdict != CMK_GRANTED)
		return kp_outcome_set(o, f->verdict, CMK_REASON_IDENTITY, "no token");
	f->made += want->fresh || !f->made;
	(void)snprintf(f->bearer, sizeof(f->bearer), "token-%zu", f->made);
	*bearer = f->bearer;
	return CMK_GRANTED;
}

void token_doubt(struct token_source *t)
{
	(void)t;
	azure_world.tokens.doubted++;
}

const char *token_source_name(const struct token_source *t)
{
	(void)t;
	return "client secret of application 1111";
}

static void keep_log(const struct cmk_host *api, enum cmk_log_level level, const char *fmt, ...)
	CMK_PRINTF(3, 4);
static void keep_log(const struct cmk_host *api, enum cmk_log_level level, const char *fmt, ...)
{
	size_t used = strlen(azure_world.log);
	va_list ap;
	(void)api, (void)level;
	va_start(ap, fmt);
	(void)vsnprintf(azure_world.log + used, sizeof(azure_world.log) - used, fmt, ap);
	va_end(ap);
}

static void keep_retry_after(const struct cmk_host *api, uint32_t ms)
{
	(void)api;
	azure_world.retry_after = ms;
}

static void keep_request_id(const struct cmk_host *api, const char *id)
{
	(void)api;
	(void)snprintf(azure_world.request_id, sizeof(azure_world.request_id), "%s", id);
}

int azure_world_setup(void **state)
{
	struct azure_world *w = &azure_world;
	memset(w, 0, sizeof(*w));
	provider_host_init(&w->host);
	w->host.api.log = keep_log;
	w->host.api.retry_after = keep_retry_after;
	w->host.api.request_id = keep_request_id;
	w->clock = 1000;
	w->script = http_script_new(NULL);
	w->prov = cmk_keyprov_init();
	(void)snprintf(w->origin, sizeof(w->origin), "http://contoso.vault.localhost:%u",
		http_script_port(w->script));
	*state = w;
	return 0;
}

int azure_world_teardown(void **state)
{
	struct azure_world *w = *state;
	if (w->key)
		w->prov->close(w->key);
	http_script_free(&w->script);
	// Whatever happened, no token and no data key reached a log line or a sentence.
	require_no_text(w->log, "token-");
	require_no_text(w->host.sentence, "token-");
	require_no_text(w->log, PLAIN32);
	assert_int_equal(w->host.secrets, 0);
	return 0;
}

void azure_world_open(const char *version, const char *azure, const char *set)
{
	struct azure_world *w = &azure_world;
	int n = snprintf(w->url, sizeof(w->url), "%s/keys/disk-key%s", w->origin, version);
	assert_in_range(n, 1, sizeof(w->url) - 1);
	(void)snprintf(w->config, sizeof(w->config),
		"{\"cmkdisk\":{\"azure\":{\"vaultSuffixes\":[\"vault.localhost\"],"
		"\"httpLoopback\":true%s}}%s}",
		azure, set);
	const struct cmk_key_ref ref = {
		.struct_size = sizeof(ref), .key_url = w->url, .config = w->config, .disk = "data"};
	if (w->prov->open(&w->host.api, &ref, &w->key) != CMK_GRANTED)
		fail_msg("%s", w->host.sentence);
}

enum cmk_verdict azure_world_unwrap(const char *version)
{
	struct azure_world *w = &azure_world;
	w->plain_len = sizeof(w->plain);
	memset(w->plain, 0xee, sizeof(w->plain));
	return w->prov->unwrap(w->key, version, "RSA-OAEP-256", (const uint8_t *)"\1\2\3\377", 4,
		w->plain, &w->plain_len);
}

enum cmk_verdict azure_world_wrap(void)
{
	struct azure_world *w = &azure_world;
	uint8_t secret[32];
	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)i;
	memset(&w->wrapped, 0, sizeof(w->wrapped));
	return w->prov->wrap(w->key, secret, sizeof(secret), &w->wrapped);
}

enum cmk_verdict azure_world_describe(const char *version)
{
	struct azure_world *w = &azure_world;
	memset(&w->info, 0, sizeof(w->info));
	return w->prov->describe(w->key, version, &w->info);
}

void vault_says_with(int status, const char *headers, const char *body)
{
	char all[1000];
	(void)snprintf(all, sizeof(all), JSON_TYPE "%s", headers);
	http_script_reply(azure_world.script, status, all, body);
}

void vault_says(int status, const char *body)
{
	vault_says_with(status, "", body);
}

void vault_challenges(void)
{
	vault_says_with(401, CHALLENGE, UNAUTHORIZED);
}

void vault_result(const char *version, const char *value)
{
	char body[1000];
	(void)snprintf(body, sizeof(body),
		"{\"kid\":\"https://CONTOSO.vault.localhost/keys/Disk-Key/%s\",\"value\":\"%s\"}",
		version, value);
	vault_says(200, body);
}

void vault_key(const char *version, const char *key, const char *attributes)
{
	char body[3000];
	(void)snprintf(body, sizeof(body),
		"{\"key\":{\"kid\":\"%s/keys/disk-key/%s\",%s},\"attributes\":{%s}}",
		azure_world.origin, version, key, attributes);
	vault_says(200, body);
}

void require_said(
	enum cmk_verdict got, enum cmk_verdict verdict, enum cmk_reason reason, const char *part)
{
	const struct provider_host *h = &azure_world.host;
	if (got != verdict || h->reason != reason)
		fail_msg("verdict %d reason %d: %s", got, h->reason, h->sentence);
	require_text(h->sentence, part);
}

const char *request_head(size_t n)
{
	return http_script_seen(azure_world.script, n)->head;
}

const char *request_body(size_t n)
{
	return http_script_seen(azure_world.script, n)->body;
}
