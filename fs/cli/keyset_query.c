// SPDX-License-Identifier: MIT
// See keyset_query.h.
#include "keyset_query.h"
#include "json.h"
#include "key_uri.h"
#include "keyset.h"
#include "pin.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

// One reading of one query.
struct reading {
	const char *what;
	bool in_arguments;
	struct keyset *out;
	struct errmsg *err;
	bool source, value; // seen
};

static int of_descriptor(struct reading *r, const char *number)
{
	char *end = NULL;
	unsigned long fd = strtoul(number, &end, 10);
	if (*number < '0' || *number > '9' || *end || fd > 1u << 20)
		return errmsg_set(r->err, EINVAL,
			"%s: pin-source=fd:%s: expected the number of a descriptor", r->what,
			number);
	int rc = pin_read((int)fd, &r->out->pin, r->err);
	if (rc)
		errmsg_prefix(r->err, "%s", r->what);
	return rc;
}

// 1: for the provider.
static int pin_source(struct reading *r, const struct key_uri_attribute *a)
{
	char source[PATH_MAX];
	size_t len = 0;
	if (key_uri_decode(a, source, sizeof(source), &len) || !len)
		return errmsg_set(
			r->err, EINVAL, "%s: pin-source: expected file:/PATH, or fd:N", r->what);
	if (*source == '|')
		return errmsg_set(r->err, EINVAL,
			"%s: pin-source: a program is never run for a PIN; expected file:/PATH, or "
			"fd:N and the program at the other end",
			r->what);
	r->source = true;
	if (!strncmp(source, "fd:", 3))
		return of_descriptor(r, source + 3);
	r->out->pin_source = true;
	return 1;
}

static int pin_value(struct reading *r, const struct key_uri_attribute *a)
{
	size_t len = 0;
	if (!r->in_arguments)
		return errmsg_set(r->err, EINVAL,
			"%s: pin-value: a key set is no place for a PIN; put it in a file of its "
			"own and say pin-source=file:/PATH",
			r->what);
	struct secret *pin scoped(secret_free) = NULL;
	int rc = secret_new(PIN_MAX + 1, &pin);
	if (!rc)
		rc = key_uri_decode(a, (char *)pin->data, pin->len, &len);
	if (rc || !len)
		return errmsg_set(r->err, rc == -ENOMEM ? ENOMEM : EINVAL,
			"%s: pin-value: expected a PIN of at most %d bytes, percent-encoded",
			r->what, PIN_MAX);
	fprintf(stderr, "cmkdisk: warning: the PIN in the argument list can be read by everybody "
			"on this host; put it in a file and say pin-source=file:/path\n");
	r->value = true;
	r->out->pin = TAKE(pin);
	return 0;
}

static int attribute(struct reading *r, const struct key_uri_attribute *a)
{
	bool source = key_uri_named(a, "pin-source"), value = key_uri_named(a, "pin-value");
	if ((source || value) && (r->source || r->value))
		return errmsg_set(r->err, EINVAL,
			"%s: expected one pin-source, or one pin-value, not more", r->what);
	if (source)
		return pin_source(r, a);
	return value ? pin_value(r, a) : 1;
}

int keyset_query_read(const char *what, const char *query, bool in_arguments, struct keyset *out,
	char **rest, struct errmsg *err)
{
	struct reading r = {what, in_arguments, out, err, false, false};
	struct key_uri_attribute a;
	size_t used = 0;
	char *left autofree = calloc(1, strlen(query) + 1);
	*rest = NULL;
	if (!left)
		return errmsg_set(err, ENOMEM, "out of memory");
	while (key_uri_next(&query, '&', &a)) {
		int rc = attribute(&r, &a);
		if (rc < 0)
			return rc;
		if (!rc)
			continue;
		size_t len = a.name_len + (a.value ? 1 + a.value_len : 0);
		if (used)
			left[used++] = '&';
		memcpy(left + used, a.name, len);
		used += len;
	}
	if (used)
		*rest = TAKE(left);
	return 0;
}

// The object of this name in another one, made if it is not there.
static int child(struct json *parent, const char *name, struct json **out)
{
	*out = json_member(parent, name);
	if (*out)
		return 0;
	int rc = json_object(out);
	return rc ? rc : json_add(parent, name, *out);
}

int keyset_query_put(const char *config, const char *query, char **out)
{
	struct json *root scoped(json_free) = NULL, *ours = NULL, *pkcs11 = NULL;
	int rc = json_parse(config, strlen(config), &root);
	if (!rc)
		rc = child(root, "cmkdisk", &ours);
	if (!rc)
		rc = child(ours, "pkcs11", &pkcs11);
	if (!rc)
		rc = json_set_str(pkcs11, "query", query);
	return rc ? rc : json_print(root, false, out);
}
