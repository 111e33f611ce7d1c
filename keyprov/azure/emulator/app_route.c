// SPDX-License-Identifier: MIT
// Which part answers a request: by listener, host name and path; see app.h.
#include "app.h"

#include "emu_time.h"

#include <errno.h>
#include <string.h>

#define LOGIN_HOST "login.vault.localhost"

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n >= m && strcmp(text + n - m, end) == 0;
}

void app_note(struct app *a, const struct emu_request *q, const char *action,
	const struct kp_json *args, int ret, const struct kp_err *err)
{
	audit_write(a->audit, q,
		&(struct audit_event){.operation = action,
			.vault = kp_json_str(args, "vault"),
			.id = kp_json_str(args, "key"),
			.status = ret == 0	   ? 200
				  : ret == -ENOENT ? 404
						   : 400,
			.description = ret ? err->text : NULL,
			.uncounted = true});
}

static int act(struct app *a, struct emu_request *q, struct emu_reply *r)
{
	scoped(kp_json_free) struct kp_json *args = NULL, *result = NULL;
	struct kp_err err = {""};
	const char *action = NULL;
	if (kp_json_parse(q->body, q->len, &args) == 0)
		action = kp_json_str(args, "do");
	if (!action)
		return emu_reply_error(r, 400, "BadRequest", NULL,
			"The body must be one JSON object with a member \"do\".");
	int ret = app_check(args, false, &err);
	if (!ret)
		ret = app_act(a, action, args, &result, &err);
	app_note(a, q, action, args, ret, &err);
	if (ret)
		return emu_reply_error(r,
			ret == -ENOENT	 ? 404
			: ret == -EEXIST ? 409
					 : 400,
			strerrorname_np(-ret), NULL, "%s", *err.text ? err.text : strerror(-ret));
	ret = result ? 0 : kp_json_object(&result);
	return ret ? ret : emu_reply_json(r, 200, TAKE(result));
}

static int admin(struct app *a, struct emu_request *q, struct emu_reply *r)
{
	struct kp_json *list = NULL;
	if (strcmp(q->path, "/") != 0)
		return emu_reply_error(
			r, 404, "NotFound", NULL, "There is only /, to GET and to POST to.");
	if (strcmp(q->method, "POST") == 0)
		return act(a, q, r);
	if (strcmp(q->method, "GET") != 0)
		return emu_reply_error(
			r, 405, "MethodNotAllowed", NULL, "Only GET and POST are allowed here.");
	int ret = app_list_actions(&list);
	return ret ? ret : emu_reply_json(r, 200, list);
}

static const char *endpoint(enum emu_port port)
{
	static const char *const names[EMU_PORTS] = {
		[EMU_TLS] = "entra",
		[EMU_IMDS] = "imds",
		[EMU_APP_SERVICE] = "appservice",
		[EMU_ARC] = "arc",
	};
	return names[port];
}

// Where tokens come from: the identities know nothing of faults and of the audit log.
static int sign_in(struct app *a, struct emu_request *q, struct emu_reply *r)
{
	int64_t start = emu_monotonic_ms();
	const char *operation = ends_with(q->path, "/token") ? "Token" : "Metadata";
	struct fault_subject s = {.operation = operation, .endpoint = endpoint(q->port)};
	int ret = faults_apply(a->faults, &s, r);
	if (ret == 0)
		ret = q->port == EMU_TLS ? identities_entra(a->identities, q, r)
					 : identities_managed(a->identities, q, r);
	audit_write(a->audit, q,
		&(struct audit_event){.operation = operation,
			.status = ret < 0 ? 500 : r->status,
			.request_id = emu_header(q, "client-request-id"),
			.duration_ms = (uint32_t)(emu_monotonic_ms() - start)});
	return ret < 0 ? ret : 0;
}

int app_route(void *ctx, struct emu_request *q, struct emu_reply *r)
{
	struct app *a = ctx;
	if (q->port == EMU_ADMIN)
		return admin(a, q, r);
	if (q->port != EMU_TLS || strcmp(q->host, LOGIN_HOST) == 0)
		return sign_in(a, q, r);
	if (vaults_host(q->host))
		return vaults_handle(a->vaults, q, r);
	return emu_reply_error(r, 404, "VaultNotFound", NULL,
		"No vault has the name %s; vaults here are called NAME.vault.localhost or "
		"NAME.managedhsm.localhost, and tokens come from " LOGIN_HOST ".",
		q->host);
}
