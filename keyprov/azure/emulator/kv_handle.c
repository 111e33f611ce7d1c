// SPDX-License-Identifier: MIT
// The way of a request through a vault; see vaults_handle().
#include "emu_text.h"
#include "emu_time.h"
#include "kv_vaults.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define ANSWERED 1 // by a fault

static int find_vault(struct kv_call *c)
{
	char name[KV_VAULT_NAME_MAX + 1];
	bool hsm;
	scoped(kv_unlock) struct vaults *held = c->vs;
	kv_lock(held);
	struct kv_vault *v =
		kv_host_kind(c->q->host, &hsm, name) ? kv_vault_find(c->vs, name) : NULL;
	if (!v || v->hsm != hsm)
		return kv_refuse(c->no, 404, "VaultNotFound", NULL,
			"The vault %.200s was not found; it does not exist or was deleted.",
			c->q->host);
	kv_call_begin(c, v, c->q->authority);
	return 0;
}

// "7.4", "7.6-preview.1", "2025-07-01", "2026-01-01-preview".
static bool api_ok(const char *api)
{
	static const char *const shapes[] = {
		"7.d", "7.d-preview", "7.d-preview.d", "dddd-dd-dd", "dddd-dd-dd-preview"};
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		size_t n = 0;
		while (shapes[i][n] && (shapes[i][n] == 'd' ? isdigit((unsigned char)api[n]) != 0
							    : shapes[i][n] == api[n]))
			n++;
		if (!shapes[i][n] && !api[n])
			return true;
	}
	return false;
}

static int check_api(struct kv_call *c)
{
	c->api = emu_query(c->q, "api-version");
	if (!c->api)
		return kv_refuse(c->no, 400, "BadParameter", NULL, "api-version must be specified");
	if (!api_ok(c->api))
		return kv_bad(c->no,
			"The specified version (%.40s) is not recognized. Consider using the "
			"latest "
			"supported version (2025-07-01).",
			c->api);
	return 0;
}

static int apply_faults(struct kv_call *c, const struct kv_route *route, struct emu_reply *r)
{
	struct fault_subject s = {.operation = route->audit,
		.vault = c->vault->name,
		.key = c->key[0] ? c->key : NULL,
		.version = c->version[0] ? c->version : NULL,
		.endpoint = "vault"};
	return faults_apply(c->vs->c.faults, &s, r);
}

static int parse_body(struct kv_call *c, char *text, size_t len, struct kp_json **out)
{
	if (len == 0)
		return 0;
	int ret = kp_json_parse(text, len, out);
	if (ret == -EBADMSG || (ret == 0 && !kp_json_is_object(*out)))
		return kv_refuse(c->no, 400, "BadParameter", NULL,
			"The request body is not one JSON object.\r\n");
	c->body = *out;
	return ret;
}

static int run(struct kv_call *c, const struct kv_route *route, FILE *out)
{
	if (!route->locked)
		return route->run(c, out);
	scoped(kv_unlock) struct vaults *held = c->vs;
	kv_lock(held);
	int ret = kv_vault_sweep(c->vs, c->vault, c->now);
	return ret ? ret : route->run(c, out);
}

static int run_and_reply(struct kv_call *c, const struct kv_route *route, struct emu_reply *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	int ret = run(c, route, f);
	if (fclose(f) != 0 && ret == 0)
		ret = -ENOMEM;
	if (ret) {
		if (text)
			explicit_bzero(text, len);
		free(text);
		return ret;
	}
	r->status = c->status;
	if (len == 0)
		free(TAKE(text));
	r->body = text;
	r->len = len;
	return 0;
}

static int perform(
	struct kv_call *c, struct kv_path *path, struct emu_request *q, struct emu_reply *r)
{
	struct kv_refusal no_route = {0};
	scoped(kp_json_free) struct kp_json *body = NULL;
	int ret = find_vault(c);
	if (ret)
		return ret;
	int routed = kv_route_find(q->method, q->path, path, &no_route);
	c->key = path->key;
	c->version = path->version;
	ret = kv_authenticate(c, r);
	if (ret)
		return ret;
	if (routed) {
		*c->no = no_route;
		return routed;
	}
	const struct kv_route *route = path->route;
	c->verb = route->permission;
	ret = apply_faults(c, route, r);
	if (ret)
		return ret;
	ret = kv_authorize(c, route);
	if (ret == 0)
		ret = check_api(c);
	if (ret == 0 && route->hsm_only && !c->vault->hsm)
		ret = kv_refuse(
			c->no, 404, "NotFound", NULL, "Only a Managed HSM has %s.", q->path);
	if (ret == 0)
		ret = parse_body(c, q->body, q->len, &body);
	return ret ? ret : run_and_reply(c, route, r);
}

static void audit(const struct kv_call *c, const struct kv_path *path, const char *request_id,
	int64_t began, const struct emu_reply *r)
{
	char kid[KV_BASE_MAX + KV_NAME_MAX + KV_VERSION_LEN + 16];
	const char *client_id = emu_header(c->q, "x-ms-client-request-id");
	bool refused = r->status == 401 && !c->caller.app_id[0];
	(void)snprintf(kid, sizeof(kid), "%s/keys/%s%s%s", c->base, c->key,
		c->version[0] ? "/" : "", c->version);
	struct audit_event e = {
		.operation = path->route && !refused ? path->route->audit : "Authentication",
		.vault = c->vault ? c->vault->name : NULL,
		.hsm = c->vault && c->vault->hsm,
		.api_version = emu_query(c->q, "api-version"),
		.id = c->vault && c->key[0] ? kid : NULL,
		.app_id = c->caller.app_id[0] ? c->caller.app_id : NULL,
		.object_id = c->caller.object_id[0] ? c->caller.object_id : NULL,
		.request_id = client_id ? client_id : request_id,
		.answer_id = request_id,
		.status = r->status,
		.description = c->no->status ? c->no->text : NULL,
		.duration_ms = (uint32_t)(emu_monotonic_ms() - began),
	};
	audit_write(c->vs->c.audit, c->q, &e);
}

int vaults_handle(struct vaults *v, struct emu_request *q, struct emu_reply *r)
{
	struct kv_refusal no = {0};
	struct kv_path path = {"", "", NULL};
	char request_id[EMU_GUID];
	int64_t began = emu_monotonic_ms();
	struct kv_call c = {.vs = v, .q = q, .key = "", .version = "", .no = &no};
	int ret = emu_guid(request_id);
	if (ret)
		return ret;
	ret = perform(&c, &path, q, r);
	if (ret == -EPERM && no.status == 401 && c.vault->hsm) {
		// A Managed HSM says nothing to strangers.
		r->status = 401;
		ret = 0;
	} else if (ret == -EPERM && no.status) {
		ret = emu_reply_error(r, no.status, no.code, no.inner, "%s", no.text);
	}
	if (ret == 0 || ret == ANSWERED)
		ret = kv_response_headers(&c, request_id, r);
	if (ret)
		return ret;
	audit(&c, &path, request_id, began, r);
	return 0;
}
