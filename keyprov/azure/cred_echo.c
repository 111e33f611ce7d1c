// SPDX-License-Identifier: MIT
// A service that repeats what it was sent must not bring it into the log: whether a text holds a
// secret of ours, as it is or as forms and JSON write it.
#include "cred_reply.h"

#include <errno.h>
#include <string.h>

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *p = c ? strchr(digits, c) : NULL;
	if (!p)
		return -EINVAL;
	return (int)(p - digits) - (p - digits > 15 ? 6 : 0);
}

static bool is_hex(const char *s, size_t digits, unsigned char c)
{
	unsigned value = 0;
	for (size_t i = 0; i < digits; i++) {
		int digit = hex_digit(s[i]);
		if (digit < 0)
			return false;
		value = value << 4 | (unsigned)digit;
	}
	return value == c;
}

// How many characters at s stand for c; 0: they stand for another.
static size_t stands_for(const char *s, unsigned char c)
{
	if (s[0] == '%' && is_hex(s + 1, 2, c))
		return 3;
	if (s[0] == '\\' && s[1] == 'u' && is_hex(s + 2, 4, c))
		return 6;
	if (s[0] == '\\' && (unsigned char)s[1] == c)
		return 2;
	return (unsigned char)s[0] == c || (s[0] == '+' && c == ' ');
}

static bool begins_with(const char *text, const char *secret)
{
	for (; *secret; secret++) {
		size_t n = stands_for(text, (unsigned char)*secret);
		if (!n)
			return false;
		text += n;
	}
	return true;
}

static bool holds(const char *text, const char *secret)
{
	if (!*secret)
		return false;
	// Taken as it is, too: what looks like an escape may be part of the secret.
	bool found = strstr(text, secret);
	for (; *text && !found; text++)
		found = begins_with(text, secret);
	return found;
}

bool cred_is_echo(const struct cred *c, const char *text)
{
	const struct azure_identity *id = &c->config->identity;
	const char *const secrets[] = {
		id->client_secret, id->certificate_password, id->identity_header, id->msi_secret};
	// How a form with a secret and a JSON Web Token begin, whosever they are.
	static const char *const marks[] = {"client_secret=", "client_assertion=", "eyJ"};
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
		if (holds(text, cred_str(secrets[i])))
			return true;
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (strstr(text, marks[i]))
			return true;
	return false;
}
