// SPDX-License-Identifier: MIT
// The vaults as a whole: opening, closing, host names; see vaults.h.
#include "vaults.h"

#include "kv_vaults.h"

#include <errno.h>
#include <string.h>

// The kind that a host name's end tells, and its first label.
bool kv_host_kind(const char *host, bool *hsm, char name[KV_VAULT_NAME_MAX + 1])
{
	size_t len = strcspn(host, ".");
	const char *rest = host + len;
	*hsm = strcmp(rest, ".managedhsm.localhost") == 0;
	if (len == 0 || (!*hsm && strcmp(rest, ".vault.localhost") != 0))
		return false;
	(void)snprintf(name, KV_VAULT_NAME_MAX + 1, "%.*s", (int)len, host);
	return len <= KV_VAULT_NAME_MAX;
}

bool vaults_host(const char *host)
{
	char name[KV_VAULT_NAME_MAX + 1];
	bool hsm;
	return kv_host_kind(host, &hsm, name) && strcmp(name, "login") != 0;
}

// ":8443" of "https://login.vault.localhost:8443/TENANT".
static void find_port(const char *authority, char out[8])
{
	const char *host = strstr(authority, "://");
	const char *colon = host ? strpbrk(host + 3, ":/") : NULL;
	out[0] = '\0';
	if (colon && *colon == ':')
		(void)snprintf(out, 8, ":%.*s", (int)strspn(colon + 1, "0123456789"), colon + 1);
}

void kv_call_begin(struct kv_call *c, struct kv_vault *vault, const char *authority)
{
	c->vault = vault;
	c->set = vault->set;
	c->now = emu_now(c->vs->c.clock);
	c->status = 200;
	// The port as the client spelled it; anything that is none would have to be escaped.
	const char *colon = authority ? strchr(authority, ':') : NULL;
	size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
	if (colon && (digits == 0 || digits > 5 || colon[1 + digits]))
		colon = NULL;
	(void)snprintf(c->base, sizeof(c->base), "https://%s.%s.localhost%s", vault->name,
		vault->hsm ? "managedhsm" : "vault",
		colon ? colon : (authority ? "" : c->vs->port));
}

void vaults_free(struct vaults **out)
{
	struct vaults *v = *out;
	if (!v)
		return;
	for (size_t i = 0; i < v->count; i++)
		kv_vault_free(&v->vaults[i]);
	free(v->vaults);
	free(v->dir);
	free(v->authority);
	(void)pthread_mutex_destroy(&v->lock);
	explicit_bzero(v, sizeof(*v));
	free(v);
	*out = NULL;
}

int vaults_open(const struct vaults_config *c, struct vaults **out, struct kp_err *err)
{
	scoped(vaults_free) struct vaults *v = calloc(1, sizeof(*v));
	if (!v || pthread_mutex_init(&v->lock, NULL) != 0) {
		free(TAKE(v));
		return kp_fail(err, ENOMEM, "no memory for the vaults");
	}
	v->c = *c;
	v->authority = strdup(c->authority);
	if (!v->authority || asprintf(&v->dir, "%s/vaults", c->dir) < 0) {
		v->dir = NULL;
		return kp_fail(err, ENOMEM, "no memory for the vaults");
	}
	find_port(c->authority, v->port);
	int ret = kv_dir_open(v, c->dir, err);
	if (ret)
		return ret;
	*out = TAKE(v);
	return 0;
}
