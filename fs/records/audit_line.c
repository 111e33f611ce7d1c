// SPDX-License-Identifier: MIT
// The three members at the end of each line. They are read from the end, where nothing but they can
// stand: a sentence inside the event that looks like them ends in a quote and more members.
#include "audit_line.h"

#include "bytes.h"
#include "mac.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SEQUENCE ",\"sequence\":"
#define PREVIOUS ",\"previous\":\""
#define HASH ",\"hash\":\""
#define LEN(text) (sizeof(text) - 1)
#define HASH_LEN (AUDIT_HASH_TEXT - 1)
#define DIGITS_MAX 16 // numbers in JSON are exact below 2^53

void audit_link_start(struct audit_link *l)
{
	l->sequence = 0;
	memset(l->hash, '0', HASH_LEN);
	l->hash[HASH_LEN] = '\0';
}

int audit_hash(const char *bytes, size_t len, char out[AUDIT_HASH_TEXT])
{
	uint8_t hash[MAC_LEN];
	int rc = sha256(bytes, len, hash);
	if (!rc)
		hex_encode(hash, sizeof(hash), out);
	return rc;
}

int audit_line_make(struct audit_link *l, const char *text, char *out, size_t room)
{
	struct audit_link next = {.sequence = l->sequence + 1};
	size_t len = strlen(text);
	if (len < 3 || text[0] != '{' || text[len - 1] != '}')
		return -EINVAL;
	if (room > AUDIT_LINE_MAX)
		room = AUDIT_LINE_MAX;
	if (len + AUDIT_CHAIN_MAX > room)
		return -EMSGSIZE;
	int n = snprintf(out, room, "%.*s" SEQUENCE "%llu" PREVIOUS "%s\"", (int)len - 1, text,
		(unsigned long long)next.sequence, l->hash);
	if (n < 0)
		return -EINVAL;
	int rc = audit_hash(out, (size_t)n, next.hash);
	if (rc)
		return rc;
	int more = snprintf(out + n, room - (size_t)n, HASH "%s\"}\n", next.hash);
	if (more < 0 || (size_t)more >= room - (size_t)n)
		return -EMSGSIZE;
	*l = next;
	return n + more;
}

// Takes text from the end of line[0..*len).
static bool take_end(const char *line, size_t *len, const char *text)
{
	size_t n = strlen(text);
	if (*len < n || memcmp(line + *len - n, text, n) != 0)
		return false;
	*len -= n;
	return true;
}

static bool take_hash(const char *line, size_t *len, char out[AUDIT_HASH_TEXT])
{
	if (*len < HASH_LEN)
		return false;
	*len -= HASH_LEN;
	memcpy(out, line + *len, HASH_LEN);
	out[HASH_LEN] = '\0';
	return strspn(out, "0123456789abcdef") == HASH_LEN;
}

static bool take_number(const char *line, size_t *len, uint64_t *out)
{
	uint64_t value = 0, scale = 1;
	size_t end = *len;
	while (*len && line[*len - 1] >= '0' && line[*len - 1] <= '9') {
		if (end - *len == DIGITS_MAX)
			return false;
		value += scale * (uint64_t)(line[--*len] - '0');
		scale *= 10;
	}
	*out = value;
	return *len < end && line[*len] != '0';
}

bool audit_line_parse(const char *line, size_t len, struct audit_line *out)
{
	if (len < LEN(AUDIT_LINE_BEGIN) || len >= AUDIT_LINE_MAX ||
		memcmp(line, AUDIT_LINE_BEGIN, LEN(AUDIT_LINE_BEGIN)) != 0)
		return false;
	if (!take_end(line, &len, "\"}") || !take_hash(line, &len, out->link.hash) ||
		!take_end(line, &len, HASH))
		return false;
	out->hashed = len;
	return take_end(line, &len, "\"") && take_hash(line, &len, out->previous) &&
	       take_end(line, &len, PREVIOUS) && take_number(line, &len, &out->link.sequence) &&
	       take_end(line, &len, SEQUENCE);
}

bool audit_line_fits(const char *line, const struct audit_line *parsed)
{
	char hash[AUDIT_HASH_TEXT];
	return !audit_hash(line, parsed->hashed, hash) && !strcmp(hash, parsed->link.hash);
}
