// SPDX-License-Identifier: MIT
// The table of actions and who carries them out; see app.h.
#include "app.h"

#include "emu_time.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name, *arguments, *help;
} actions[] = {
	{"vault.add", "name [hsm days purgeProtection model]", "make a vault, or a managed HSM"},
	{"vault.set", "vault [days purgeProtection model firewall publicAccess notFoundLag]",
		"change it"},
	{"vault.remove", "vault", "take it away"},
	{"vault.list", "", "list them"},
	{"key.create", "key [vault kty size crv ops exp nbf enabled tags]",
		"make a key, or a new version"},
	{"key.import", "key jwk [vault ops exp nbf enabled tags]", "bring a key in"},
	{"key.set", "key [vault version ops exp nbf enabled tags]",
		"change the newest version, or one"},
	{"key.disable", "key [vault version]", "refuse its use, in all versions or one"},
	{"key.enable", "key [vault version]", "allow its use again"},
	{"key.expire", "key [vault version at]", "let it expire, now or then"},
	{"key.delete", "key [vault]", "delete it, so that it can be recovered"},
	{"key.recover", "key [vault]", "take back a delete"},
	{"key.purge", "key [vault]", "destroy a deleted key"},
	{"key.rotate", "key [vault]", "make a new version like the newest"},
	{"key.list", "[vault key]", "list keys and versions"},
	{"identity.add",
		"name [clientId objectId secret secrets certificates federated managed resourceId "
		"enabled tokenLifetime]",
		"make an identity"},
	{"identity.set",
		"identity [certificates federated managed resourceId enabled tokenLifetime]",
		"change it"},
	{"identity.remove", "identity", "take it away; its tokens may do nothing"},
	{"identity.enable", "identity", "let it have tokens again"},
	{"identity.disable", "identity", "give it no token any more"},
	{"identity.challenge", "identity", "want its tokens anew, with claims"},
	{"identity.addSecret", "identity [secret file]", "one more client secret"},
	{"identity.removeSecret", "identity [secret hint]", "one less, or none"},
	{"identity.list", "", "list them"},
	{"access.grant", "identity [vault key version permissions lag]", "allow"},
	{"access.revoke", "identity [vault key version permissions lag]", "allow no more"},
	{"access.list", "", "list what is allowed"},
	{"fault.add",
		"kind [name match status code innererror message retryAfter delay count after for "
		"probability]",
		"answer otherwise"},
	{"fault.clear", "[name]", "answer as usual again"},
	{"fault.list", "", "list faults, and how often they struck"},
	{"listener.pause", "port", "refuse connections"},
	{"listener.resume", "port", "accept them again"},
	{"listener.certificate", "which", "show another authority's certificate, or the good one"},
	{"clock.advance", "by", "move the emulator's time forward"},
	{"clock.get", "", "tell the emulator's time"},
	{"audit.count", "[operation vault status]", "count requests"},
	{"audit.reset", "", "count from here"},
};
#define COUNT (sizeof(actions) / sizeof(*actions))

bool app_knows(const char *action)
{
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(actions[i].name, action) == 0)
			return true;
	return false;
}

void app_print_actions(FILE *f)
{
	for (size_t i = 0; i < COUNT; i++)
		(void)fprintf(f, "  %-21s %s%s%s\n", actions[i].name, actions[i].help,
			*actions[i].arguments ? ": " : "", actions[i].arguments);
}

int app_list_actions(struct kp_json **out)
{
	scoped(kp_json_free) struct kp_json *whole = NULL;
	struct kp_json *array = NULL;
	int ret = kp_json_object(&whole);
	if (!ret)
		ret = kp_json_array(&array);
	if (!ret)
		ret = kp_json_add(whole, "actions", array);
	for (size_t i = 0; i < COUNT && !ret; i++) {
		struct kp_json *j = NULL;
		ret = kp_json_object(&j);
		if (!ret)
			ret = kp_json_push(array, j);
		if (!ret)
			ret = kp_json_add_str(j, "do", actions[i].name);
		if (!ret)
			ret = kp_json_add_str(j, "arguments", actions[i].arguments);
		if (!ret)
			ret = kp_json_add_str(j, "help", actions[i].help);
	}
	if (!ret)
		*out = TAKE(whole);
	return ret;
}

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
	if (!app_knows(action))
		return kp_fail(
			err, EINVAL, "%.64s: is no action; see cmkdisk-vault --help", action);
	size_t len = strcspn(action, ".");
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (strlen(parts[i].name) == len && strncmp(parts[i].name, action, len) == 0)
			return parts[i].act(parts[i].part, action + len + 1, args, result, err);
	return kp_fail(err, EINVAL, "%.64s: is no action", action);
}
