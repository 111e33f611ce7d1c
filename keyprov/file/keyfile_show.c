// SPDX-License-Identifier: MIT
// keyfile show: the public side of a bundle, for people or as JSON.
#include "file_url.h"
#include "keyfile.h"
#include "kp_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int keyfile_url(const char *path, char **url, struct kp_err *err)
{
	char dir[PATH_MAX], real[PATH_MAX], whole[PATH_MAX + NAME_MAX + 2];
	const char *slash = strrchr(path, '/');
	(void)snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	if (!realpath(dir, real))
		return kp_fail(
			err, errno, "%s: cannot tell the real path: %s", path, strerror(errno));
	(void)snprintf(whole, sizeof(whole), "%s%s", strcmp(real, "/") == 0 ? "" : real, slash);
	if (strlen(whole) >= PATH_MAX)
		return kp_fail(
			err, ENAMETOOLONG, "%s: the real path is too long for a key URL", path);
	*url = malloc(FILE_URL_MAX);
	if (!*url)
		return kp_fail(err, ENOMEM, "no memory");
	file_url_print(whole, *url);
	return 0;
}

static const char *state(const struct bundle_version *v, int64_t now)
{
	if (!v->enabled)
		return "disabled";
	if (v->nbf > now)
		return "not yet valid";
	return v->exp && v->exp <= now ? "expired" : "enabled";
}

static void print_text(const struct bundle *b, const char *path, const char *url)
{
	int64_t now = b->host->wall_time(b->host);
	char t[KEYFILE_TIME_LEN], nbf[KEYFILE_TIME_LEN], exp[KEYFILE_TIME_LEN];
	keyfile_print_time(b->created, t);
	(void)printf("Key bundle  %s\nKey URL     %s\nType        %s\nCreated     %s\n", path, url,
		bundle_kty_name(b->kty), b->created ? t : "-");
	keyfile_print_time(b->deleted, t);
	if (b->deleted)
		(void)printf("Deleted     %s\n", t);
	(void)printf("\n%-32s  %5s  %-13s  %-20s  %-20s  %s\n", "Version", "Bits", "State",
		"Created", "Not before", "Expires");
	for (size_t i = 0; i < b->count; i++) {
		const struct bundle_version *v = &b->versions[i];
		keyfile_print_time(v->created, t);
		keyfile_print_time(v->nbf, nbf);
		keyfile_print_time(v->exp, exp);
		(void)printf("%-32s  %5u  %-13s  %-20s  %-20s  %s\n", v->version, v->bits,
			state(v, now), v->created ? t : "-", v->nbf ? nbf : "-",
			v->exp ? exp : "never");
	}
}

static int add_time(struct kp_json *j, const char *name, int64_t t)
{
	return t ? kp_json_add_int(j, name, t) : kp_json_add_null(j, name);
}

static int add_attributes(struct kp_json *obj, const struct bundle_version *v)
{
	struct kp_json *a;
	int ret = kp_json_object(&a);
	if (ret)
		return ret;
	ret = kp_json_add_bool(a, "enabled", v->enabled);
	ret = ret ? ret : add_time(a, "nbf", v->nbf);
	ret = ret ? ret : add_time(a, "exp", v->exp);
	ret = ret ? ret : add_time(a, "created", v->created);
	ret = ret ? ret : add_time(a, "updated", v->updated);
	int added = kp_json_add(obj, "attributes", a);
	return ret ? ret : added;
}

// Only n and e of an RSA key, nothing of an oct key.
static int add_version(struct kp_json *list, const struct bundle *b, const struct bundle_version *v)
{
	scoped(kp_json_free) struct kp_json *obj = NULL;
	int ret = kp_json_object(&obj);
	ret = ret ? ret : kp_json_add_str(obj, "version", v->version);
	ret = ret ? ret : kp_json_add_int(obj, "bits", v->bits);
	ret = ret ? ret : kp_json_add_str(obj, "state", state(v, b->host->wall_time(b->host)));
	if (b->kty == BUNDLE_RSA) {
		ret = ret ? ret : kp_json_add_str(obj, "n", v->part[0]);
		ret = ret ? ret : kp_json_add_str(obj, "e", v->part[1]);
	}
	ret = ret ? ret : add_attributes(obj, v);
	return ret ? ret : kp_json_push(list, TAKE(obj));
}

static int print_json(const struct bundle *b, const char *url)
{
	scoped(kp_json_free) struct kp_json *root = NULL, *list = NULL;
	char *text autofree = NULL;
	int ret = kp_json_object(&root);
	ret = ret ? ret : kp_json_array(&list);
	ret = ret ? ret : kp_json_add_str(root, "key_url", url);
	ret = ret ? ret : kp_json_add_str(root, "kty", bundle_kty_name(b->kty));
	ret = ret ? ret : add_time(root, "created", b->created);
	ret = ret ? ret : add_time(root, "deletedDate", b->deleted);
	for (size_t i = 0; ret == 0 && i < b->count; i++)
		ret = add_version(list, b, &b->versions[i]);
	ret = ret ? ret : kp_json_add(root, "versions", TAKE(list));
	ret = ret ? ret : kp_json_print(root, true, &text);
	if (ret == 0)
		(void)puts(text);
	return ret;
}

int keyfile_show(const struct keyfile_options *o, struct kp_err *err)
{
	scoped(bundle_free) struct bundle *b = NULL;
	int ret = bundle_load(kp_program_host(), o->path, &b, err);
	if (ret)
		return ret;
	char *url autofree = NULL;
	ret = keyfile_url(o->path, &url, err);
	if (ret)
		return ret;
	if (!(o->given & OPT_JSON)) {
		print_text(b, o->path, url);
		return 0;
	}
	ret = print_json(b, url);
	return ret ? kp_fail(err, -ret, "no memory") : 0;
}
