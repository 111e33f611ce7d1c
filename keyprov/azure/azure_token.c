// SPDX-License-Identifier: MIT
// Access tokens and how long they are used; see azure_token.h.
#include "azure_token.h"

#include "azure_http_memory.h"
#include "cred.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define SLOTS 4	      // an agent has one key; a vault that moves has a second tenant
#define LONG 7200     // seconds; half the life of tokens from here on is long enough a warning
#define EARLY 300     // seconds before its end that a shorter one is renewed
#define RETRY 30      // seconds between two tries to renew one that still holds
#define RENEW_MS 5000 // at most this of a callback to renew one that still holds
#define RESOURCE_MAX 256
#define TENANT_MAX 256

// Two clocks: the machine's own, which runs on in its sleep and which nobody can set, and the
// host's, by which a rehearsal may have advanced. What either says has passed, has passed.
struct slot {
	char resource[RESOURCE_MAX], tenant[TENANT_MAX]; // "" unused
	struct cred_token token;
	int64_t boot_ms, wall; // when it was asked for
	int64_t renew_at;      // seconds of age
};

struct token_source {
	struct cred cred;
	struct slot slots[SLOTS];
	unsigned next; // to be given up
};

static int64_t real_boot_ms(void *ctx)
{
	struct timespec t;
	(void)ctx;
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void real_sleep(void *ctx, uint32_t ms)
{
	(void)ctx;
	(void)nanosleep(
		&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

const struct cred_system cred_this_system = {
	.arc_dir = "/var/opt/azcmagent/tokens",
	.arc_agent = "/opt/azcmagent/bin/himds",
	.boot_ms = real_boot_ms,
	.sleep = real_sleep,
};

enum cmk_verdict token_source_new_on(const struct cmk_host *host, const struct azure_config *config,
	struct http *http, const struct cred_system *system, struct token_source **out,
	struct kp_outcome *o)
{
	autofree struct token_source *t = calloc(1, sizeof(*t));
	if (!t)
		return kp_outcome_set(
			o, CMK_UNREACHABLE, CMK_REASON_NONE, "no memory to sign in with");
	t->cred = (struct cred){.host = host, .config = config, .http = http, .system = system};
	enum cmk_verdict v = cred_choose(&t->cred, o);
	if (v != CMK_GRANTED)
		return v;
	host->log(host, CMK_LOG_DEBUG, "signing in with the %s", t->cred.name);
	*out = TAKE(t);
	return CMK_GRANTED;
}

enum cmk_verdict token_source_new(const struct cmk_host *host, const struct azure_config *config,
	struct http *http, struct token_source **out, struct kp_outcome *o)
{
	return token_source_new_on(host, config, http, &cred_this_system, out, o);
}

static void drop(struct token_source *t, struct slot *s)
{
	t->cred.host->secret_free(t->cred.host, s->token.bearer);
	s->token = (struct cred_token){0};
}

void token_source_free(struct token_source **t)
{
	if (!*t)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		drop(*t, &(*t)->slots[i]);
	free(*t);
	*t = NULL;
}

void token_doubt(struct token_source *t)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (t->slots[i].renew_at > RETRY)
			t->slots[i].renew_at = RETRY;
}

const char *token_source_name(const struct token_source *t)
{
	return t->cred.name;
}

static bool in_list(const char *list, const char *tenant)
{
	size_t len = strlen(tenant);
	while (*list) {
		list += strspn(list, "; ");
		size_t n = strcspn(list, "; ");
		if ((n == 1 && *list == '*') || (n == len && strncasecmp(list, tenant, n) == 0))
			return true;
		list += n;
	}
	return false;
}

// Another tenant's challenge must not get a token by surprise.
static enum cmk_verdict choose_tenant(const struct token_source *t, const struct token_want *want,
	const char **out, struct kp_outcome *o)
{
	const struct azure_identity *id = &t->cred.config->identity;
	const char *own = cred_str(id->tenant_id), *theirs = cred_str(want->tenant);
	bool federated = *cred_str(id->federated_client_id);
	*out = *theirs ? theirs : own;
	if (t->cred.which == AZURE_MANAGED_IDENTITY) {
		// It has no choice of tenants, unless it vouches for an application that is meant
		// for others.
		*out = federated ? *out : "";
		return CMK_GRANTED;
	}
	if (strlen(*out) >= TENANT_MAX)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"the name of the tenant to sign in at is longer than any that exists");
	if (!*own || !*theirs || strcasecmp(own, theirs) == 0 ||
		in_list(cred_str(id->allowed_tenants), theirs))
		return CMK_GRANTED;
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"the vault belongs to tenant %.64s, but the %s signs in at tenant %.64s only; if "
		"that is right, allow the tenant by AZURE_ADDITIONALLY_ALLOWED_TENANTS or "
		"additionallyAllowedTenants of the key set",
		theirs, t->cred.name, own);
}

// The slot for this resource and tenant, which may be a new one.
static struct slot *find(struct token_source *t, const char *resource, const char *tenant)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (strcmp(t->slots[i].resource, resource) == 0 &&
			strcasecmp(t->slots[i].tenant, tenant) == 0)
			return &t->slots[i];
	struct slot *s = &t->slots[t->next];
	t->next = (t->next + 1) % SLOTS;
	drop(t, s);
	(void)snprintf(s->resource, sizeof(s->resource), "%s", resource);
	(void)snprintf(s->tenant, sizeof(s->tenant), "%s", tenant);
	return s;
}

static int64_t age(const struct token_source *t, const struct slot *s)
{
	const struct cred *c = &t->cred;
	int64_t boot = (c->system->boot_ms(c->system->ctx) - s->boot_ms) / 1000;
	int64_t wall = c->host->wall_time(c->host) - s->wall;
	return boot > wall ? boot : wall;
}

static int64_t renewal(const struct cred_token *k)
{
	int64_t at = k->refresh_in	   ? k->refresh_in
		     : k->lifetime >= LONG ? k->lifetime / 2
					   : k->lifetime - EARLY;
	return at > RETRY ? at : RETRY;
}

static enum cmk_verdict obtain(struct token_source *t, struct slot *s,
	const struct token_want *want, uint32_t limit_ms, struct kp_outcome *o)
{
	struct cred *c = &t->cred;
	const struct cred_ask ask = {.resource = s->resource,
		.tenant = s->tenant,
		.claims = want->claims,
		.limit_ms = limit_ms};
	struct cred_token token = {0};
	// A token's life begins with the question: the answer may have been long on its way.
	int64_t boot_ms = c->system->boot_ms(c->system->ctx), wall = c->host->wall_time(c->host);
	enum cmk_verdict v = c->which == AZURE_MANAGED_IDENTITY ? cred_managed(c, &ask, &token, o)
								: cred_entra(c, &ask, &token, o);
	http_memory_wipe_stack(); // also of what was made before and read after the request
	if (v != CMK_GRANTED)
		return v;
	drop(t, s);
	s->token = token;
	s->boot_ms = boot_ms;
	s->wall = wall;
	s->renew_at = renewal(&token);
	return CMK_GRANTED;
}

// Failure costs nothing yet: the present token holds.
static void renew(struct token_source *t, struct slot *s, const struct token_want *want)
{
	const struct cmk_host *host = t->cred.host;
	struct kp_outcome o = {0};
	uint32_t limit = host->time_left(host) / 2;
	limit = limit < RENEW_MS ? limit : RENEW_MS;
	if (limit == 0 || obtain(t, s, want, limit, &o) == CMK_GRANTED)
		return;
	int64_t now = age(t, s), pause = o.retry_after_ms / 1000;
	s->renew_at = now + (pause > RETRY ? pause : RETRY);
	host->log(host, CMK_LOG_WARNING,
		"cannot renew the access token, which is good for another %lld s: %s",
		(long long)(s->token.lifetime - now), o.err.text);
}

static enum cmk_verdict choose_resource(
	const char *resource, char out[RESOURCE_MAX], struct kp_outcome *o)
{
	static const char suffix[] = "/.default";
	size_t len = strlen(resource), n = sizeof(suffix) - 1;
	if (len > n && strcmp(resource + len - n, suffix) == 0)
		len -= n;
	if (len == 0 || len >= RESOURCE_MAX)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"the vault asks for a token for a resource whose name is %s",
			len ? "too long" : "empty");
	memcpy(out, resource, len);
	out[len] = '\0';
	return CMK_GRANTED;
}

enum cmk_verdict token_get(struct token_source *t, const struct token_want *want,
	const char **bearer, struct kp_outcome *o)
{
	char resource[RESOURCE_MAX];
	const char *tenant = "";
	enum cmk_verdict v = choose_resource(want->resource, resource, o);
	if (v == CMK_GRANTED)
		v = choose_tenant(t, want, &tenant, o);
	if (v != CMK_GRANTED)
		return v;
	struct slot *s = find(t, resource, tenant);
	// One that was refused, or is not enough, is of no use any more.
	if (s->token.bearer && (want->fresh || want->claims || age(t, s) >= s->token.lifetime))
		drop(t, s);
	if (!s->token.bearer)
		v = obtain(t, s, want, 0, o);
	else if (age(t, s) >= s->renew_at)
		renew(t, s, want);
	if (v == CMK_GRANTED)
		*bearer = s->token.bearer;
	return v;
}
