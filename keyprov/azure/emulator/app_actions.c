// SPDX-License-Identifier: MIT
// Who carries out which action; see app.h.
#include "app.h"

#include "emu_time.h"

#include <errno.h>
#include <string.h>

const char *app_port_name(enum emu_port port)
{
	static const char *const names[EMU_PORTS] = {
		[EMU_TLS] = "tls",
		[EMU_IMDS] = "imds",
		[EMU_APP_SERVICE] = "app-service",
		[EMU_ARC] = "arc",
		[EMU_ADMIN] = "admin",
	};
	return names[port];
}

static int clock_action(void *part, const char *verb, const struct kp_json *args,
	struct kp_json **result, struct kp_err *err)
{
	struct emu_clock *c = &((struct app *)part)->clock;
	if (strcmp(verb, "advance") == 0) {
		int64_t by = -1;
		int ret = emu_arg_duration(args, "by", &by, err);
		if (ret || by < 0)
			return ret ? ret
				   : kp_fail(err, EINVAL, "by: expected a duration such as 31d");
		(void)atomic_fetch_add(&c->offset_s, by / 1000);
	}
	int ret = kp_json_object(result);
	if (!ret)
		ret = kp_json_add_int(*result, "now", emu_now(c));
	if (!ret)
		ret = kp_json_add_int(*result, "ahead", atomic_load(&c->offset_s));
	return ret ? kp_fail(err, ENOMEM, "out of memory") : 0;
}

static int which_port(const struct kp_json *args, enum emu_port *out, struct kp_err *err)
{
	const char *name = kp_json_str(args, "port");
	*out = EMU_TLS;
	for (int i = 0; i < EMU_ADMIN; i++) {
		*out = (enum emu_port)i;
		if (name && strcmp(name, app_port_name(*out)) == 0)
			return 0;
	}
	return kp_fail(err, EINVAL, "port: expected tls, imds, app-service or arc");
}

static int change_certificate(struct app *a, const struct kp_json *args, struct kp_err *err)
{
	const char *which = kp_json_str(args, "which");
	scoped(emu_cert_free) struct emu_cert wrong = {0};
	bool good = which && strcmp(which, "good") == 0;
	if (!good && (!which || strcmp(which, "wrong") != 0))
		return kp_fail(err, EINVAL, "which: expected wrong or good");
	int ret = good ? 0 : emu_ca_wrong(&wrong, err);
	if (ret)
		return ret;
	ret = emu_http_certificate(a->http, EMU_TLS, good ? a->cert.cert_pem : wrong.cert_pem,
		good ? a->cert.key_pem : wrong.key_pem);
	return ret ? kp_fail(err, -ret, "cannot serve again: %s", strerror(-ret)) : 0;
}

static int listener_action(void *part, const char *verb, const struct kp_json *args,
	struct kp_json **result, struct kp_err *err)
{
	struct app *a = part;
	enum emu_port port;
	(void)result;
	if (strcmp(verb, "certificate") == 0)
		return change_certificate(a, args, err);
	int ret = which_port(args, &port, err);
	if (ret)
		return ret;
	ret = emu_http_pause(a->http, port, strcmp(verb, "pause") == 0);
	if (ret == -EINVAL)
		return kp_fail(err, EINVAL, "the %s port is off", app_port_name(port));
	return ret ? kp_fail(err, -ret, "the %s port: %s", app_port_name(port), strerror(-ret)) : 0;
}

int app_act(struct app *a, const char *action, const struct kp_json *args, struct kp_json **result,
	struct kp_err *err)
{
	const struct {
		const char *name;
		emu_action act;
		void *part;
	} parts[] = {
		{"vault", vaults_action, a->vaults},
		{"key", keys_action, a->vaults},
		{"identity", identities_action, a->identities},
		{"access", access_action, a->identities},
		{"fault", faults_action, a->faults},
		{"audit", audit_action, a->audit},
		{"clock", clock_action, a},
		{"listener", listener_action, a},
	};
	size_t len = strcspn(action, ".");
	if (action[len] != '.')
		return kp_fail(err, EINVAL, "%.64s: is no action", action);
	if (strcmp(action, "access.grant") == 0) {
		// A right on what is not there would be one that nobody meant; see vaults.h.
		int ret = vaults_place(a->vaults, args, err);
		if (ret)
			return ret;
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (strlen(parts[i].name) == len && strncmp(parts[i].name, action, len) == 0)
			return parts[i].act(parts[i].part, action + len + 1, args, result, err);
	return kp_fail(err, EINVAL, "%.64s: is no action", action);
}
