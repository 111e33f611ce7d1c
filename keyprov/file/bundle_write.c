// SPDX-License-Identifier: MIT
// Printing a key bundle into secret memory. By hand, because a JSON library would make copies;
// nothing printed here needs escaping: digits, hex, base64url.
#include "bundle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct printer {
	char *text;
	size_t len, room; // len may grow beyond room: then it did not fit
};

static void put(struct printer *p, const char *fmt, ...) printf_like(2, 3);
static void put(struct printer *p, const char *fmt, ...)
{
	size_t left = p->len < p->room ? p->room - p->len : 0;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(left ? p->text + p->len : NULL, left, fmt, ap);
	va_end(ap);
	p->len += n > 0 ? (size_t)n : 0;
}

// A secret never goes through printf, whose inner buffers are not ours to wipe.
static void put_raw(struct printer *p, const char *s)
{
	size_t n = strlen(s);
	if (p->len < p->room && n < p->room - p->len)
		memcpy(p->text + p->len, s, n);
	p->len += n;
}

static void put_time(struct printer *p, const char *name, int64_t t)
{
	if (t)
		put(p, "\"%s\": %lld", name, (long long)t);
	else
		put(p, "\"%s\": null", name);
}

static void put_version(struct printer *p, const struct bundle *b, const struct bundle_version *v)
{
	size_t count;
	const char *const *names = bundle_part_names(b->kty, &count);
	put(p, "    {\n      \"version\": \"%s\",\n      \"key\": {\n        \"kty\": \"%s\"",
		v->version, bundle_kty_name(b->kty));
	for (size_t i = 0; i < count; i++) {
		put(p, ",\n        \"%s\": \"", names[i]);
		put_raw(p, v->part[i]);
		put(p, "\"");
	}
	put(p, "\n      },\n      \"attributes\": {\"enabled\": %s, ",
		v->enabled ? "true" : "false");
	put_time(p, "nbf", v->nbf);
	put(p, ", ");
	put_time(p, "exp", v->exp);
	put(p, ", ");
	put_time(p, "created", v->created);
	put(p, ", ");
	put_time(p, "updated", v->updated);
	put(p, "}\n    }");
}

static void put_bundle(struct printer *p, const struct bundle *b)
{
	put(p, "{\n  \"format\": 1,\n  \"kty\": \"%s\",\n  ", bundle_kty_name(b->kty));
	put_time(p, "created", b->created);
	put(p, ",\n  ");
	put_time(p, "deletedDate", b->deleted);
	put(p, ",\n  \"versions\": [\n");
	for (size_t i = 0; i < b->count; i++) {
		put(p, "%s", i ? ",\n" : "");
		put_version(p, b, &b->versions[i]);
	}
	put(p, "\n  ]\n}\n");
}

int bundle_print(const struct bundle *b, char **text, size_t *len, struct kp_err *err)
{
	struct printer measure = {0};
	put_bundle(&measure, b);
	if (measure.len > BUNDLE_MAX)
		return kp_fail(err, E2BIG,
			"it would hold %zu versions and exceed %u KiB; make a new bundle and bind "
			"the disks to that",
			b->count, BUNDLE_MAX / 1024);
	struct printer p = {.room = measure.len + 1};
	p.text = b->host->secret_alloc(b->host, p.room);
	if (!p.text)
		return kp_fail(
			err, ENOMEM, "no locked memory for the key bundle; raise RLIMIT_MEMLOCK");
	put_bundle(&p, b);
	*text = p.text;
	*len = p.len;
	return 0;
}
