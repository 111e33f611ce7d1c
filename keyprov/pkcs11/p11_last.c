// SPDX-License-Identifier: MIT
// See p11_last.h.
#include "p11_last.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define NAME "token-"
#define NAME_ROOM (sizeof(NAME) + P11_FINGERPRINT)

// "token-" and what the key's URL is known by. False without memory.
static bool name_of(const struct p11_config *config, char out[NAME_ROOM])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	if (EVP_Digest(config->text, strlen(config->text), sum, NULL, EVP_sha256(), NULL) != 1)
		return false;
	(void)snprintf(out, NAME_ROOM, NAME);
	for (size_t i = 0; i < P11_FINGERPRINT / 2; i++)
		(void)snprintf(out + strlen(NAME) + 2 * i, 3, "%02x", sum[i]);
	return true;
}

static void serial_of(const CK_TOKEN_INFO *token, char out[17])
{
	size_t len = sizeof(token->serialNumber);
	while (len && token->serialNumber[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < len; i++)
		out[i] = token->serialNumber[i] > ' ' && token->serialNumber[i] < 0x7f
				 ? (char)token->serialNumber[i]
				 : '?';
	out[len] = '\0';
}

void p11_last_granted(
	struct p11_last *last, const struct p11_context *c, const struct p11_session *s)
{
	char token[P11_FINGERPRINT], name[NAME_ROOM], value[CMK_NOTE_VALUE_MAX];
	if (!p11_token_fingerprint(&s->token, token) || strcmp(token, last->token) == 0)
		return;
	memcpy(last->token, token, sizeof(token));
	serial_of(&s->token, last->serial);
	if (!CMK_HAS(c->host, struct cmk_host, note) || !name_of(c->config, name))
		return;
	(void)snprintf(value, sizeof(value), "%s %s", last->token, last->serial);
	c->host->note(c->host, name, value);
}

bool p11_last_is_other(
	const struct p11_last *last, const struct p11_session *s, struct kp_outcome *o)
{
	char token[P11_FINGERPRINT], serial[17];
	if (!*last->token || !p11_token_fingerprint(&s->token, token) ||
		strcmp(token, last->token) == 0)
		return false;
	serial_of(&s->token, serial);
	(void)kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"%s: another token answers to this URL, and has no such key: serial %s, before it "
		"was %s; put the right one in, or name it with serial= in the key URL",
		s->where, serial, last->serial);
	return true;
}

void p11_last_remember(struct p11_last *last, const struct p11_config *config, const char *note)
{
	char name[NAME_ROOM], token[P11_FINGERPRINT], serial[17] = "";
	if (!name_of(config, name))
		return;
	size_t len = strlen(name);
	if (strncmp(note, name, len) != 0 || note[len] != '=' ||
		sscanf(note + len + 1, "%32[0-9a-f] %16s", token, serial) < 1)
		return;
	(void)snprintf(last->token, sizeof(last->token), "%s", token);
	(void)snprintf(last->serial, sizeof(last->serial), "%s", serial);
}
