// SPDX-License-Identifier: MIT
// Reading WWW-Authenticate; see azure_challenge.h. The check is in azure_challenge_check.c.
#include "azure_challenge.h"

#include "kp_base64.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SPACE " \t"
#define VALUE_MAX 4096
#define SEPARATORS " \t,=\""

struct scan {
	const char *p;
	char name[64], value[VALUE_MAX];
};

static bool take_token(struct scan *s, char *out, size_t room, const char *stop)
{
	size_t len = strcspn(s->p, stop);
	if (len >= room)
		return false;
	memcpy(out, s->p, len);
	out[len] = '\0';
	s->p += len;
	return true;
}

static bool take_quoted(struct scan *s)
{
	size_t n = 0;
	for (s->p++; *s->p && *s->p != '"'; s->p++) {
		if (*s->p == '\\' && s->p[1])
			s->p++;
		if (n + 1 >= sizeof(s->value))
			return false;
		s->value[n++] = *s->p;
	}
	s->value[n] = '\0';
	if (*s->p != '"')
		return false;
	s->p++;
	return true;
}

enum part { END, SCHEME, PARAMETER, MALFORMED };

// The next scheme (name), or parameter of the present one (name and value).
static enum part next(struct scan *s)
{
	s->p += strspn(s->p, SPACE ",");
	if (!*s->p)
		return END;
	const char *start = s->p;
	if (!take_token(s, s->name, sizeof(s->name), SEPARATORS) || s->p == start)
		return MALFORMED;
	const char *after = s->p + strspn(s->p, SPACE);
	if (*after != '=')
		return SCHEME;
	s->p = after + 1;
	s->p += strspn(s->p, SPACE);
	bool ok = *s->p == '"' ? take_quoted(s) : take_token(s, s->value, sizeof(s->value), " \t,");
	return ok ? PARAMETER : MALFORMED;
}

static bool keep(char *out, size_t room, const char *value, size_t len)
{
	if (len >= room)
		return false;
	memcpy(out, value, len);
	out[len] = '\0';
	return true;
}

static bool keep_authorization(struct azure_challenge *c, const char *url)
{
	const char *site = strstr(url, "://");
	if (!site)
		return false;
	site += 3;
	size_t end = (size_t)(site - url) + strcspn(site, "/?#");
	const char *tenant = url + end + (url[end] == '/');
	return keep(c->authority, sizeof(c->authority), url, end) &&
	       keep(c->tenant, sizeof(c->tenant), tenant, strcspn(tenant, "/?#"));
}

static bool keep_resource(struct azure_challenge *c, const char *value)
{
	static const char all[] = "/.default";
	size_t len = strlen(value), n = sizeof(all) - 1;
	if (len > n && strcmp(value + len - n, all) == 0)
		len -= n;
	while (len && value[len - 1] == '/')
		len--;
	return keep(c->resource, sizeof(c->resource), value, len);
}

// Claims come in plain or URL base64, padded or not.
static bool keep_claims(struct azure_challenge *c, const char *value)
{
	char text[VALUE_MAX];
	size_t len = strlen(value), room = sizeof(c->claims) - 1;
	while (len && value[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++)
		text[i] = value[i] == '+' ? '-' : value[i] == '/' ? '_' : value[i];
	text[len] = '\0';
	if (kp_base64_decode(text, c->claims, &room))
		return false;
	c->claims[room] = '\0';
	return strlen(c->claims) == room;
}

static bool keep_parameter(struct azure_challenge *c, const struct scan *s, bool first)
{
	bool ok = true;
	if (strcasecmp(s->name, "error") == 0 && !azure_challenge_wants_claims(c))
		ok = keep(c->error, sizeof(c->error), s->value, strlen(s->value));
	else if (strcasecmp(s->name, "claims") == 0 && !c->claims[0])
		ok = keep_claims(c, s->value);
	if (!first)
		return ok;
	if (strcasecmp(s->name, "authorization") == 0 ||
		strcasecmp(s->name, "authorization_uri") == 0)
		ok = keep_authorization(c, s->value);
	else if (strcasecmp(s->name, "resource") == 0 ||
		 (strcasecmp(s->name, "scope") == 0 && !c->resource[0]))
		ok = keep_resource(c, s->value);
	return ok;
}

bool azure_challenge_wants_claims(const struct azure_challenge *c)
{
	return strcasecmp(c->error, "insufficient_claims") == 0;
}

bool azure_challenge_parse(const char *header, struct azure_challenge *out)
{
	struct scan s = {.p = header ? header : ""};
	size_t bearers = 0;
	bool bearer = false;
	*out = (struct azure_challenge){0};
	for (;;) {
		switch (next(&s)) {
		case END:
			return bearers > 0;
		case MALFORMED:
			return false;
		case SCHEME:
			bearer = strcasecmp(s.name, "Bearer") == 0;
			bearers += bearer;
			break;
		case PARAMETER:
			if (bearer && !keep_parameter(out, &s, bearers == 1))
				return false;
			break;
		}
	}
}
