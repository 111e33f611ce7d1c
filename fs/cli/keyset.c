// SPDX-License-Identifier: MIT
// Reading key sets.
#include "keyset.h"
#include "fileio.h"
#include "json.h"
#include "plugins.h"
#include "scope.h"
#include "units.h"

#include <errno.h>
#include <string.h>

#define KEYSET_BYTES_MAX (256u * 1024)

void keyset_free(struct keyset *k)
{
	free(k->config);
	k->config = NULL;
}

static int set_url(const char *what, const char *url, struct keyset *out, struct errmsg *err)
{
	char scheme[33];
	int rc = key_url_scheme(url, scheme, sizeof(scheme), err);
	if (rc)
		return rc;
	size_t len = strlen(url);
	if (len >= sizeof(out->key_url))
		return errmsg_set(err, EINVAL, "%s: longer than %zu characters", what,
			sizeof(out->key_url) - 1);
	for (size_t i = 0; i < len; i++)
		if (url[i] <= ' ' || url[i] > '~')
			return errmsg_set(err, EINVAL,
				"%s: a character that is not printable ASCII; write it as %%XX",
				what);
	memcpy(out->key_url, url, len + 1);
	return 0;
}

int keyset_of_url(const char *key_url, struct keyset *out, struct errmsg *err)
{
	*out = (struct keyset)KEYSET_NONE;
	out->config = strdup("{}");
	if (!out->config)
		return errmsg_set(err, ENOMEM, "out of memory");
	return set_url("--key", key_url, out, err);
}

static int duration(const char *path, const struct json *ours, const char *member, uint64_t *ms,
	struct errmsg *err)
{
	const struct json *value = json_get(ours, member);
	if (!value)
		return 0;
	const char *text = json_as_str(value);
	if (!text)
		return errmsg_set(err, EBADMSG, "%s: cmkdisk.%s: expected a string such as \"1h\"",
			path, member);
	int rc = parse_duration_ms(member, text, ms, err);
	if (rc)
		errmsg_prefix(err, "%s: cmkdisk", path);
	return rc ? -EBADMSG : 0;
}

static int read_ours(
	const char *path, const struct json *root, struct keyset *out, struct errmsg *err)
{
	const struct json *ours = json_get(root, "cmkdisk");
	if (!ours)
		return 0;
	if (!json_is_object(ours))
		return errmsg_set(err, EBADMSG, "%s: cmkdisk: expected an object", path);
	int rc = duration(path, ours, "graceDenied", &out->grace_denied_ms, err);
	if (!rc)
		rc = duration(path, ours, "graceUnreachable", &out->grace_unreachable_ms, err);
	if (!rc && out->grace_unreachable_ms < GRACE_UNREACHABLE_MIN_MS)
		rc = errmsg_set(err, EBADMSG,
			"%s: cmkdisk.graceUnreachable: a disk that stops at the first missed "
			"answer "
			"is of no use; expected at least 1s",
			path);
	if (!rc)
		rc = duration(path, ours, "interval", &out->interval_ms, err);
	if (rc || !json_get(ours, "onExpiry"))
		return rc;
	const char *text = json_str(ours, "onExpiry");
	if (!text || (strcmp(text, "stop") && strcmp(text, "ignore")))
		return errmsg_set(err, EBADMSG,
			"%s: cmkdisk.onExpiry: expected \"stop\" or \"ignore\"", path);
	out->on_expiry_given = true;
	out->expiry_stops = !strcmp(text, "stop");
	return 0;
}

int keyset_read(const char *path, struct keyset *out, struct errmsg *err)
{
	*out = (struct keyset)KEYSET_NONE;
	size_t len = 0;
	int rc = read_text_file(path, KEYSET_BYTES_MAX, &out->config, &len, err);
	if (rc)
		return rc == -EFBIG ? -EBADMSG : rc;
	struct json *root scoped(json_free) = NULL;
	rc = json_parse(out->config, len, &root);
	if (rc || !json_is_object(root))
		return errmsg_set(err, EBADMSG,
			"%s: not a JSON object; expected what `az disk-encryption-set show` prints",
			path);
	const struct json *active = json_get(root, "activeKey");
	if (!active)
		active = json_get(json_get(root, "properties"), "activeKey");
	const char *url = json_str(active, "keyUrl");
	if (!url)
		return errmsg_set(err, EBADMSG,
			"%s: no activeKey.keyUrl; expected what `az disk-encryption-set show` "
			"prints",
			path);
	rc = set_url("activeKey.keyUrl", url, out, err);
	if (rc) {
		errmsg_prefix(err, "%s", path);
		return -EBADMSG;
	}
	return read_ours(path, root, out, err);
}

int keyset_pin(const char *command, const char *key, const char *set, struct keyset *out,
	struct errmsg *err)
{
	if (key && set)
		return errmsg_set(
			err, EINVAL, "%s: expected one of --key and --set, not both", command);
	if (!key && !set)
		return 0;
	int rc = key ? keyset_of_url(key, out, err) : keyset_read(set, out, err);
	return rc ? rc : 1;
}

// RFC 8089: the URL of a file of this host may have an empty host, or none.
const char *key_url_path(const char *url)
{
	if (strncmp(url, "file:/", 6))
		return NULL;
	return strncmp(url, "file:///", 8) ? url + 5 : url + 7;
}

bool keyset_pins(const struct keyset *pin, const char *key_url)
{
	if (!pin || !strcmp(pin->key_url, key_url))
		return true;
	const char *pinned = key_url_path(pin->key_url), *named = key_url_path(key_url);
	return pinned && named && !strcmp(pinned, named);
}
