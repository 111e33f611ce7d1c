// SPDX-License-Identifier: MIT
// The table of actions: their names and members, and whether an action is one of them; see app.h.
#include "app.h"

#include <errno.h>
#include <string.h>

static const struct action {
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
	{"key.expire", "key [vault version exp]", "let it expire, now or then"},
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

static const struct action *find(const char *name)
{
	for (size_t i = 0; name && i < COUNT; i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

bool app_knows(const char *action)
{
	return find(action) != NULL;
}

static bool takes(const struct action *a, const char *member)
{
	size_t n = strlen(member);
	for (const char *p = a->arguments; *(p += strspn(p, " []"));) {
		size_t len = strcspn(p, " []");
		if (len == n && memcmp(p, member, n) == 0)
			return true;
		p += len;
	}
	return false;
}

// Members that narrow what an action is about. One that says nothing, as a shell's variable that
// was never set, or a null of jq, would widen it.
static bool narrows(const char *member)
{
	static const char *const names[] = {
		"identity", "vault", "key", "version", "name", "operation"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], member) == 0)
			return true;
	return false;
}

static int check_member(
	const struct action *a, const struct kp_json *m, bool step, struct kp_err *err)
{
	const char *name = kp_json_name(m), *text = kp_json_text(m);
	if (strcmp(name, "do") == 0 || (step && strcmp(name, "at") == 0))
		return 0;
	if (!takes(a, name))
		return kp_fail(err, EINVAL, "%s has no member \"%.40s\"; it takes %s", a->name,
			name, *a->arguments ? a->arguments : "none");
	if (narrows(name) && (!text || !*text))
		return kp_fail(err, EINVAL,
			"%s: \"%s\" must be a string that is not empty; leave it out if none is "
			"meant",
			a->name, name);
	return 0;
}

int app_check(const struct kp_json *args, bool step, struct kp_err *err)
{
	const char *name = kp_json_str(args, "do");
	const struct action *a = find(name);
	if (!a)
		return kp_fail(err, EINVAL,
			"\"do\": \"%.64s\" is no action; see cmkdisk-vault --help",
			name ? name : "");
	for (const struct kp_json *m = kp_json_first_member(args); m; m = kp_json_next(m)) {
		int ret = check_member(a, m, step, err);
		if (ret)
			return ret;
	}
	if (strcmp(name, "fault.add") == 0)
		return faults_check(args, err);
	const char *operation =
		strcmp(name, "audit.count") == 0 ? kp_json_str(args, "operation") : NULL;
	// As the log names what has no route; no fault meets it.
	if (!operation || strcmp(operation, "Authentication") == 0)
		return 0;
	return faults_operation(operation, err);
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
