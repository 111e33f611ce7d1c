// SPDX-License-Identifier: MIT
// "Wraps" by mixing in a stream that depends on key and version; foreign work is noticed by a mark.
#include "fake_agent.h"

#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRAPPED_LEN 256

static uint8_t stream(const struct agent *a, int version, size_t at)
{
	unsigned h = 2166136261u;
	for (const char *p = a->key_url; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return (uint8_t)((h ^ ((unsigned)version * 2654435761u)) >> (at % 24));
}

void fake_wrap(const struct agent *a, int version, const uint8_t *secret, struct binding *b)
{
	*b = (struct binding){.token = -1, .keyslot = -1, .wrapped_len = WRAPPED_LEN};
	(void)snprintf(b->key_url, sizeof(b->key_url), "%s", a->key_url);
	(void)snprintf(b->key_version, sizeof(b->key_version), "v%d", version);
	(void)snprintf(b->alg, sizeof(b->alg), "RSA-OAEP-256");
	for (size_t i = 0; i < WRAPPED_LEN; i++)
		b->wrapped[i] =
			(uint8_t)(stream(a, version, i) ^ (i < SLOT_SECRET_LEN ? secret[i] : 0));
}

static bool refuses(const struct agent *a, int version, struct agent_answer *answer)
{
	*answer = (struct agent_answer){.verdict = CMK_GRANTED};
	if (a->away) {
		answer->verdict = CMK_UNREACHABLE;
		(void)snprintf(answer->sentence, sizeof(answer->sentence), "nobody answers");
	} else if (version < 1 || version > a->newest || a->disabled[version]) {
		answer->verdict = CMK_DENIED;
		(void)snprintf(
			answer->sentence, sizeof(answer->sentence), "v%d is disabled", version);
	}
	return answer->verdict != CMK_GRANTED;
}

void agent_wrap(struct agent *a, const struct secret *plain, struct cmk_wrapped *out,
	struct agent_answer *answer)
{
	struct binding b;
	int version = a->stray ? 1 : a->newest;
	a->wraps++;
	*out = (struct cmk_wrapped){.len = WRAPPED_LEN};
	if (refuses(a, version, answer))
		return;
	fake_wrap(a, version, plain->data, &b);
	memcpy(out->version, b.key_version, sizeof(out->version));
	memcpy(out->alg, b.alg, sizeof(out->alg));
	memcpy(out->data, b.wrapped, WRAPPED_LEN);
}

void agent_unwrap(struct agent *a, const char *version, const char *alg, const uint8_t *wrapped,
	size_t wrapped_len, struct secret **plain, struct agent_answer *answer)
{
	int n = (int)strtol(version + 1, NULL, 10);
	(void)alg;
	a->unwraps++;
	*plain = NULL;
	if (refuses(a, n, answer))
		return;
	for (size_t i = SLOT_SECRET_LEN; i < wrapped_len; i++)
		if (wrapped[i] != stream(a, n, i))
			answer->verdict = CMK_BAD_BLOB;
	if (answer->verdict != CMK_GRANTED)
		return;
	if (secret_new(SLOT_SECRET_LEN, plain))
		abort();
	for (size_t i = 0; i < SLOT_SECRET_LEN; i++)
		(*plain)->data[i] = wrapped[i] ^ stream(a, n, i);
	(*plain)->data[0] ^= a->lies;
}

void agent_describe(
	struct agent *a, const char *version, struct cmk_key_info *out, struct agent_answer *answer)
{
	a->describes++;
	*out = (struct cmk_key_info){0};
	*answer = (struct agent_answer){.verdict = CMK_GRANTED};
	if (a->away || a->blind) {
		answer->verdict = a->away ? CMK_UNREACHABLE : CMK_DENIED;
		(void)snprintf(answer->sentence, sizeof(answer->sentence), "attributes not shown");
		return;
	}
	int n = *version ? (int)strtol(version + 1, NULL, 10) : a->newest;
	(void)snprintf(out->version, sizeof(out->version), "v%d", n);
	out->enabled = !a->disabled[n];
	out->exp = a->exp;
}

const char *agent_key_url(const struct agent *a)
{
	return a->key_url;
}
