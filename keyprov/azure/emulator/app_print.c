// SPDX-License-Identifier: MIT
// What a person or a script needs to use the emulator: key URLs, key set, environment; see app.h.
#include "app.h"

#include "emu_file.h"

#include <errno.h>
#include <string.h>

#define TEXT_MOST (256u << 10)

// The text of a printf into memory, which fails as a whole or not at all.
static int close_text(FILE *f)
{
	bool bad = ferror(f) != 0;
	return fclose(f) != 0 || bad ? -ENOMEM : 0;
}

static void key_url(const struct app *a, size_t i, char *out, size_t room)
{
	const char *port = strrchr(a->bound[EMU_TLS], ':');
	(void)snprintf(out, room, "https://%s.%s.localhost%s/keys/" APP_KEY, a->keys[i].name,
		a->keys[i].hsm ? "managedhsm" : "vault", port);
}

static bool has_identity(const struct app *a)
{
	return *a->settings.client_id != '\0';
}

static int write_key_set(const struct app *a, struct kp_err *err)
{
	const char *dir = a->options->state;
	autofree char *text = NULL;
	char url[320];
	size_t len;
	if (a->key_count == 0)
		return 0; // nothing that it could name
	key_url(a, 0, url, sizeof(url));
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return kp_fail(err, ENOMEM, "out of memory");
	(void)fprintf(f,
		"{\n"
		"  \"name\": \"cmkdisk-vault\",\n"
		"  \"encryptionType\": \"EncryptionAtRestWithCustomerKey\",\n"
		"  \"activeKey\": {\"keyUrl\": \"%s\"},\n"
		"  \"rotationToLatestKeyVersionEnabled\": true,\n"
		"  \"cmkdisk\": {\n"
		"    \"azure\": {\n"
		"      \"vaultSuffixes\": [\"vault.localhost\", \"managedhsm.localhost\"],\n"
		"      \"caFile\": \"%s/ca.pem\",\n"
		"      \"authorityHost\": \"%s\"",
		url, dir, a->login);
	if (has_identity(a))
		(void)fprintf(f,
			",\n      \"credential\": {\n"
			"        \"type\": \"clientSecret\",\n"
			"        \"tenantId\": \"%s\",\n"
			"        \"clientId\": \"%s\",\n"
			"        \"clientSecretFile\": \"%s/" APP_SECRET_FILE "\"\n"
			"      }",
			a->settings.tenant, a->settings.client_id, dir);
	(void)fputs("\n    }\n  }\n}\n", f);
	int ret = close_text(f);
	return ret ? kp_fail(err, -ret, "out of memory")
		   : emu_file_write(dir, "keyset.json", 0644, text, len, err);
}

static int write_environment(const struct app *a, struct kp_err *err)
{
	const char *dir = a->options->state;
	autofree char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return kp_fail(err, ENOMEM, "out of memory");
	(void)fputs(
		"# For other programs, such as the SDKs; cmkdisk takes the key set instead.\n", f);
	for (size_t i = 0; i < a->key_count; i++) {
		char url[320];
		key_url(a, i, url, sizeof(url));
		(void)fprintf(f, "# key %s\n", url);
	}
	if (a->key_count > 0)
		(void)fprintf(f, "# key set %s/keyset.json\n", dir);
	(void)fprintf(f, "export AZURE_TENANT_ID='%s'\n", a->settings.tenant);
	(void)fprintf(f, "export AZURE_AUTHORITY_HOST='%s'\n", a->login);
	if (has_identity(a))
		(void)fprintf(f,
			"export AZURE_CLIENT_ID='%s'\n"
			"export AZURE_CLIENT_SECRET=\"$(cat '%s/" APP_SECRET_FILE "')\"\n",
			a->settings.client_id, dir);
	(void)fprintf(f, "export NODE_EXTRA_CA_CERTS='%s/ca.pem'\n", dir);
	(void)fprintf(f,
		"# For programs that know no other way, and then trust nobody else:\n"
		"# export SSL_CERT_FILE='%s/ca.pem'\n",
		dir);
	if (*a->bound[EMU_IMDS])
		(void)fprintf(f,
			"# Managed identity as on a virtual machine:\n"
			"# export AZURE_POD_IDENTITY_AUTHORITY_HOST='http://%s'\n",
			a->bound[EMU_IMDS]);
	if (*a->bound[EMU_APP_SERVICE])
		(void)fprintf(f,
			"# Managed identity as in App Service:\n"
			"# export IDENTITY_ENDPOINT='http://%s/metadata/identity/oauth2/token'\n"
			"# export IDENTITY_HEADER=\"$(cat '%s/app-service-secret')\"\n",
			a->bound[EMU_APP_SERVICE], dir);
	if (*a->bound[EMU_ARC])
		(void)fprintf(f,
			"# Managed identity as on an Arc machine:\n"
			"# export IDENTITY_ENDPOINT='http://%s/metadata/identity/oauth2/token'\n"
			"# export IMDS_ENDPOINT='http://%s'\n",
			a->bound[EMU_ARC], a->bound[EMU_ARC]);
	int ret = close_text(f);
	return ret ? kp_fail(err, -ret, "out of memory")
		   : emu_file_write(dir, "env.sh", 0600, text, len, err);
}

static int add_path(struct kp_json *j, const char *member, const char *dir, const char *name)
{
	char path[PATH_MAX + 64];
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return kp_json_add_str(j, member, path);
}

static int add_ports(const struct app *a, struct kp_json *j)
{
	static const char *const members[EMU_PORTS] = {
		[EMU_IMDS] = "imds",
		[EMU_APP_SERVICE] = "appService",
		[EMU_ARC] = "arc",
	};
	int ret = kp_json_add_str(j, "listen", a->bound[EMU_TLS]);
	for (int i = 0; i < EMU_PORTS && !ret; i++) {
		char url[128];
		(void)snprintf(url, sizeof(url), "http://%s", a->bound[i]);
		if (members[i] && *a->bound[i])
			ret = kp_json_add_str(j, members[i], url);
	}
	return ret;
}

static int add_files(const struct app *a, struct kp_json *j)
{
	const char *dir = a->options->state;
	int ret = kp_json_add_str(j, "state", dir);
	if (!ret && a->key_count > 0)
		ret = add_path(j, "keySet", dir, "keyset.json");
	if (!ret)
		ret = add_path(j, "environment", dir, "env.sh");
	if (!ret)
		ret = add_path(j, "caFile", dir, "ca.pem");
	if (!ret)
		ret = add_path(j, "adminSocket", dir, "admin.sock");
	if (!ret && has_identity(a))
		ret = add_path(j, "clientSecretFile", dir, APP_SECRET_FILE);
	if (!ret)
		ret = a->options->audit ? kp_json_add_str(j, "auditLog", a->options->audit)
					: add_path(j, "auditLog", dir, "audit.log");
	return ret;
}

static int print_info(const struct app *a, char **out)
{
	scoped(kp_json_free) struct kp_json *j = NULL, *urls = NULL;
	int ret = kp_json_object(&j);
	if (!ret)
		ret = kp_json_object(&urls);
	for (size_t i = 0; i < a->key_count && !ret; i++) {
		char url[320];
		key_url(a, i, url, sizeof(url));
		ret = kp_json_add_str(urls, a->keys[i].name, url);
	}
	if (!ret)
		ret = kp_json_add(j, "keyUrls", TAKE(urls));
	if (!ret)
		ret = add_files(a, j);
	if (!ret)
		ret = kp_json_add_str(j, "authorityHost", a->login);
	if (!ret)
		ret = kp_json_add_str(j, "tenantId", a->settings.tenant);
	if (!ret && has_identity(a))
		ret = kp_json_add_str(j, "clientId", a->settings.client_id);
	if (!ret)
		ret = add_ports(a, j);
	return ret ? ret : kp_json_print(j, false, out);
}

int app_write_files(const struct app *a, struct kp_err *err)
{
	autofree char *info = NULL;
	int ret = write_key_set(a, err);
	if (!ret)
		ret = write_environment(a, err);
	if (!ret && print_info(a, &info))
		ret = kp_fail(err, ENOMEM, "out of memory");
	return ret ? ret
		   : emu_file_write(a->options->state, "info.json", 0600, info, strlen(info), err);
}

static void print_text(const struct app *a)
{
	const char *dir = a->options->state;
	char state[PATH_MAX + 16] = "";
	if (a->options->own_state)
		(void)snprintf(state, sizeof(state), "--state '%s' ", dir);
	for (size_t i = 0; i < a->key_count; i++) {
		char url[320];
		key_url(a, i, url, sizeof(url));
		(void)printf("key          %s\n", url);
	}
	if (a->key_count > 0)
		(void)printf("key set      %s/keyset.json\n", dir);
	(void)printf(
		"environment  . '%s/env.sh'  (for other programs, such as the SDKs; cmkdisk takes "
		"the key set)\n",
		dir);
	(void)printf("CA           %s/ca.pem\n", dir);
	(void)printf("sign in      %s/%s\n", a->login, a->settings.tenant);
	for (int i = EMU_IMDS; i <= EMU_ARC; i++)
		if (*a->bound[i])
			(void)printf(
				"%-12s http://%s\n", app_port_name((enum emu_port)i), a->bound[i]);
	if (has_identity(a) && a->key_count > 0)
		(void)printf("\nNow, in another terminal:\n"
			     "  cmkdisk create --size 1G --set '%s/keyset.json' --grace-denied "
			     "1min disk.img\n"
			     "  cmkdisk mount --set '%s/keyset.json' -o interval=5s disk.img /mnt\n"
			     "  cmkdisk-vault do %skey.disable vault=%s key=" APP_KEY "\n",
			dir, dir, state, a->keys[0].name);
}

int app_announce(const struct app *a, struct kp_err *err)
{
	autofree char *info = NULL;
	if (print_info(a, &info))
		return kp_fail(err, ENOMEM, "out of memory");
	if (a->options->json)
		(void)puts(info);
	else
		print_text(a);
	if (fflush(stdout) != 0)
		return kp_fail(err, EIO, "cannot write to standard output: %s", strerror(errno));
	if (a->options->ready_fd < 0)
		return 0;
	if (dprintf(a->options->ready_fd, "%s\n", info) < 0)
		return kp_fail(err, EIO, "--ready-fd: cannot write to it: %s", strerror(errno));
	(void)close(a->options->ready_fd);
	return 0;
}

int app_env(const struct app_options *o, struct kp_err *err)
{
	char path[PATH_MAX + 16];
	autofree char *text = NULL;
	size_t len;
	(void)snprintf(path, sizeof(path), "%s/%s", o->state, o->json ? "info.json" : "env.sh");
	int ret = emu_file_read(path, TEXT_MOST, &text, &len, NULL);
	if (ret)
		return kp_fail(err, -ret,
			"%s: no cmkdisk-vault has served here yet; begin with cmkdisk-vault serve",
			o->state);
	(void)fwrite(text, 1, len, stdout);
	if (o->json)
		(void)fputc('\n', stdout);
	return 0;
}
