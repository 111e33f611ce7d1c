// SPDX-License-Identifier: MIT
// The steps of a move that ask the key store. Those in the header: rebind_header.c.
#include "rebind.h"

#include "agent.h"
#include "answer.h"
#include "clock.h"
#include "keydates.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fill_binding(
	struct agent *agent, const struct cmk_wrapped *w, struct binding *b, struct errmsg *err)
{
	const char *url = agent_key_url(agent);
	size_t len = strlen(url);
	if (w->len == 0 || w->len > sizeof(b->wrapped) || len >= sizeof(b->key_url))
		return errmsg_set(err, EBADMSG,
			"%s: the provider wrapped to %zu bytes, expected 1 to %zu", url, w->len,
			sizeof(b->wrapped));
	*b = (struct binding){.token = -1, .keyslot = -1, .wrapped_len = w->len};
	memcpy(b->key_url, url, len + 1);
	(void)snprintf(b->key_version, sizeof(b->key_version), "%s", w->version);
	(void)snprintf(b->alg, sizeof(b->alg), "%s", w->alg);
	memcpy(b->wrapped, w->data, w->len);
	return 0;
}

static int unwrap(
	struct agent *agent, const struct binding *b, struct secret **plain, struct errmsg *err)
{
	struct agent_answer answer = {.verdict = CMK_UNREACHABLE};
	agent_unwrap(agent, b->key_version, b->alg, b->wrapped, b->wrapped_len, plain, &answer);
	return answer_errno(&answer, err);
}

int rebind_make(
	struct agent *agent, struct secret **slot_secret, struct binding *b, struct errmsg *err)
{
	struct secret *fresh scoped(secret_free) = NULL, *back scoped(secret_free) = NULL;
	struct agent_answer answer = {.verdict = CMK_UNREACHABLE};
	struct cmk_wrapped w;
	int rc = secret_random(SLOT_SECRET_LEN, &fresh);
	if (rc)
		return errmsg_set(err, -rc, "no memory for a secret: %s", strerror(-rc));
	agent_wrap(agent, fresh, &w, &answer);
	rc = answer_errno(&answer, err);
	if (!rc)
		rc = fill_binding(agent, &w, b, err);
	if (!rc)
		rc = unwrap(agent, b, &back, err);
	if (rc)
		return rc;
	if (!secret_equal(back, fresh))
		return errmsg_set(err, EKEYREJECTED,
			"%s: the key store unwrapped something else than it had wrapped; no "
			"header was written",
			b->key_url);
	*slot_secret = TAKE(fresh);
	return 0;
}

int rebind_newest(struct agent *agent, struct cmk_key_info *out, struct errmsg *err)
{
	struct agent_answer answer = {.verdict = CMK_UNREACHABLE};
	char sentence[512];
	agent_describe(agent, "", out, &answer);
	if (answer.verdict == CMK_DENIED) {
		*out = (struct cmk_key_info){.enabled = -1};
		return 0;
	}
	int rc = answer_errno(&answer, err);
	if (rc)
		return rc;
	if (!*out->version)
		return errmsg_set(err, EDOM,
			"%s: the provider does not tell which version of the key is the newest",
			agent_key_url(agent));
	if (out->enabled == 0)
		return errmsg_set(err, EKEYREVOKED,
			"%s: its newest version %s is disabled; enable it, or make another",
			agent_key_url(agent), out->version);
	rc = key_dates_judge(agent_key_url(agent), out->version, out->nbf, out->exp,
		clock_wall_s(clock_real()), sentence, sizeof(sentence));
	return rc ? errmsg_set(err, -rc, "%s", sentence) : 0;
}

void rebind_free(struct rebind **r)
{
	if (!*r)
		return;
	secret_free(&(*r)->slot_secret);
	free(*r);
	*r = NULL;
}

static bool is_replaced(const struct binding *b, const struct binding *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (binding_replaces(&all[i], b))
			return true;
	return false;
}

// 0 or an error; 1 if none of them can be used.
static int take_standing(struct agent *agent, const char *version, const struct binding *there,
	size_t count, struct rebind *r, struct errmsg *err)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(there[i].key_url, agent_key_url(agent)) ||
			strcmp(there[i].key_version, version) ||
			is_replaced(&there[i], there, count))
			continue;
		int rc = unwrap(agent, &there[i], &r->slot_secret, err);
		// Damaged, or of a former key of that name: it goes with the old ones.
		if (rc == -EBADMSG)
			continue;
		r->binding = there[i];
		r->stands = true;
		return rc;
	}
	return 1;
}

static int make_new(struct agent *agent, const char *version, const struct binding *there,
	size_t count, struct rebind *r, struct errmsg *err)
{
	struct secret *fresh scoped(secret_free) = NULL;
	struct binding b;
	int rc = rebind_make(agent, &fresh, &b, err);
	if (rc)
		return rc;
	if (*version && strcmp(b.key_version, version))
		return errmsg_set(err, EAGAIN,
			"%s: the key store wrapped with version %s, where version %s is its "
			"newest; try again, or see whether that one may be used",
			b.key_url, b.key_version, version);
	rc = *version ? 1 : take_standing(agent, b.key_version, there, count, r, err);
	if (rc != 1)
		return rc;
	r->binding = b;
	r->slot_secret = TAKE(fresh);
	return 0;
}

int rebind_prepare(struct agent *agent, const char *version, const struct binding *there,
	size_t count, struct rebind **out, struct errmsg *err)
{
	struct rebind *r scoped(rebind_free) = calloc(1, sizeof(*r));
	if (!r)
		return errmsg_set(err, ENOMEM, "out of memory");
	int rc = *version ? take_standing(agent, version, there, count, r, err) : 1;
	if (rc == 1)
		rc = make_new(agent, version, there, count, r, err);
	if (rc)
		return rc;
	*out = TAKE(r);
	return 0;
}
