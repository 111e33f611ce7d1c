// SPDX-License-Identifier: MIT
// The query of the operator's key URL (RFC 7512 section 2.4): which module, and where the PIN is.
#include "p11_config_read.h"

#include <string.h>
#include <strings.h>

// It was written in one of two places.
#define QUERY "key URL, behind the '?' (cmkdisk.pkcs11.query of a key set)"

// The decoded value, owned by *out.
static enum cmk_verdict take(const struct p11_part *part, char **out, struct kp_outcome *o)
{
	size_t len;
	if (*out)
		return p11_config_refuse(o, "%s: '%.*s' is there twice; write it once", QUERY,
			(int)part->name_len, part->name);
	autofree char *value = malloc(part->value_len + 1);
	if (!value)
		return p11_config_no_memory(o);
	if (!p11_decode(part->value, part->value_len, value, &len) || len == 0 ||
		strlen(value) != len)
		return p11_config_refuse(o,
			"%s: the value of '%.*s' is empty or not properly encoded; write a blank "
			"as "
			"%%20, '#' as %%23, '&' as %%26 and '%%' as %%25",
			QUERY, (int)part->name_len, part->name);
	*out = TAKE(value);
	return CMK_GRANTED;
}

// The path in a file: URI (RFC 8089), or NULL if it is another host's. It is not decoded a second
// time: pin-source=file:/a%20b has been decoded with the query.
static const char *file_path(const char *uri)
{
	static const char local[] = "localhost";
	const char *p = uri + strlen("file:");
	if (strncmp(p, "//", 2) != 0)
		return p;
	p += 2;
	if (strncasecmp(p, local, strlen(local)) == 0)
		p += strlen(local);
	return *p == '/' ? p : NULL;
}

static enum cmk_verdict check_pin_source(char **source, struct kp_outcome *o)
{
	const char *path = *source;
	if (*path == '|')
		return p11_config_refuse(o,
			QUERY ": pin-source names a program, and no program is run for a PIN; put "
			      "the PIN into a file and write pin-source=file:/etc/cmkdisk/pin");
	if (strncasecmp(path, "fd:", 3) == 0)
		return p11_config_refuse(o,
			QUERY ": pin-source=fd: is for the cmkdisk command alone; put the PIN into "
			      "a file and write pin-source=file:/etc/cmkdisk/pin");
	if (strncasecmp(path, "file:", 5) == 0)
		path = file_path(path);
	if (!path || *path != '/' || !path[1])
		return p11_config_refuse(o,
			QUERY ": pin-source must be the full path of a file, such as "
			      "pin-source=file:/etc/cmkdisk/pin");
	memmove(*source, path, strlen(path) + 1);
	return CMK_GRANTED;
}

static enum cmk_verdict check(struct p11_config *c, struct kp_outcome *o)
{
	if (c->module_path && c->module_name)
		return p11_config_refuse(
			o, QUERY ": it has module-path and module-name; write one of them");
	if (c->module_path && (*c->module_path != '/' || !c->module_path[1]))
		return p11_config_refuse(o,
			QUERY ": module-path must be the full path of a library, such as "
			      "module-path=/usr/lib/softhsm/libsofthsm2.so; write module-name= for "
			      "one that is registered with p11-kit");
	return c->pin_source ? check_pin_source(&c->pin_source, o) : CMK_GRANTED;
}

enum cmk_verdict p11_config_query(struct p11_config *c, const char *query, struct kp_outcome *o)
{
	const struct {
		const char *name;
		char **out;
	} known[] = {{"module-path", &c->module_path}, {"module-name", &c->module_name},
		{"pin-source", &c->pin_source}};
	const size_t count = sizeof(known) / sizeof(*known);
	for (const char *at = *query ? query : NULL; at;) {
		struct p11_part part;
		size_t i = 0;
		if (!p11_part_next(&at, '&', &part))
			return p11_config_refuse(
				o, QUERY ": write name=value with a '&' between two");
		if (p11_part_is(&part, "pin-value"))
			return p11_config_refuse(o,
				QUERY ": it has a pin-value, which everybody who reads the key set "
				      "learns; put the PIN into a file and name that with "
				      "pin-source");
		while (i < count && !p11_part_is(&part, known[i].name))
			i++;
		if (i == count)
			return p11_config_refuse(o,
				QUERY ": there is no '%.*s'; it may have module-path, module-name "
				      "and pin-source",
				(int)(part.name_len < 64 ? part.name_len : 64), part.name);
		enum cmk_verdict v = take(&part, known[i].out, o);
		if (v != CMK_GRANTED)
			return v;
	}
	return check(c, o);
}
