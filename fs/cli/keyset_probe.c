// SPDX-License-Identifier: MIT
// The questions of `cmkdisk keyset check`. A permission is granted when the store has done it: a
// random secret is wrapped, unwrapped and compared, as for a disk.
#include "keyset_probe.h"
#include "cli.h"
#include "clock.h"
#include "command_agent.h"
#include "credentials.h"
#include "keydates.h"
#include "keyset.h"
#include "keyurl.h"
#include "pin.h"
#include "scope.h"
#include "secret.h"
#include "verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PROBE_SECRET_LEN 32 // as long as a disk's

const char *const permission_names[PERMISSION_COUNT] = {"get", "wrapKey", "unwrapKey"};

// From harmless to hopeless: an outage passes by itself, a wrong set-up says nothing about the key.
static const int severity[] = {0, -EHOSTUNREACH, -EKEYEXPIRED, -EBADMSG, -EKEYREVOKED, -EDOM};

static int worse(int a, int b)
{
	size_t rank_a = 0, rank_b = 0;
	for (size_t i = 0; i < sizeof(severity) / sizeof(severity[0]); i++) {
		rank_a = severity[i] == a ? i : rank_a;
		rank_b = severity[i] == b ? i : rank_b;
	}
	return rank_a >= rank_b ? a : b;
}

static bool granted(const struct probe_row *row, enum permission p)
{
	return row->tries[p].asked && row->tries[p].answer.verdict == CMK_GRANTED;
}

static bool failed(const struct probe_row *row, enum permission p)
{
	return row->tries[p].asked && row->tries[p].answer.verdict != CMK_GRANTED;
}

static bool refused_identity(const struct probe_row *row, enum permission p)
{
	const struct agent_answer *a = &row->tries[p].answer;
	return a->verdict == CMK_DENIED && a->reason == CMK_REASON_IDENTITY;
}

static void cut(char *text, const char *part)
{
	char *at = *part ? strstr(text, part) : NULL;
	if (at)
		memmove(at, at + strlen(part), strlen(at + strlen(part)) + 1);
}

void probe_sentence(const struct probe_try *t, char out[PROBE_SENTENCE_MAX])
{
	char name[32];
	(void)snprintf(out, PROBE_SENTENCE_MAX, "%s", t->answer.sentence);
	for (enum permission p = 0; p < PERMISSION_COUNT; p++) {
		(void)snprintf(name, sizeof(name), " %s:", permission_names[p]);
		cut(out, name);
	}
}

bool probe_fails_alike(const struct probe_row *row, enum permission p, enum permission q)
{
	char a[PROBE_SENTENCE_MAX], b[PROBE_SENTENCE_MAX];
	if (!failed(row, p) || !failed(row, q))
		return false;
	// Who is refused is so for all of them, whatever the second sentence adds.
	if (refused_identity(row, p) && refused_identity(row, q))
		return true;
	probe_sentence(&row->tries[p], a);
	probe_sentence(&row->tries[q], b);
	cut(a, row->tries[p].answer.request_id);
	cut(b, row->tries[q].answer.request_id);
	return !strcmp(a, b);
}

static void describe(struct agent *agent, const char *version, struct probe_row *row)
{
	struct probe_try *get = &row->tries[PERMISSION_GET];
	get->asked = true;
	agent_describe(agent, version, &row->info, &get->answer);
	if (get->answer.verdict != CMK_GRANTED)
		row->info = (struct cmk_key_info){.enabled = -1};
}

// How something wrapped by a key looks.
struct form {
	const char *alg;
	size_t len;
};

#define OCT_FORM                               \
	{                                      \
		"A256KW", PROBE_SECRET_LEN + 8 \
	} // RFC 3394

// Of a key that may not be seen, the likeliest first.
static const struct form guesses[] = {
	{"RSA-OAEP-256", 384}, {"RSA-OAEP-256", 256}, {"RSA-OAEP-256", 512}, OCT_FORM};

// Length 0 if no disk can live on such a key. A store need not tell how long an AES key is.
static struct form form_of(const struct cmk_key_info *info)
{
	bool rsa = !strncmp(info->kty, "RSA", 3), oct = !strncmp(info->kty, "oct", 3);
	if (rsa && info->bits >= 2048 && info->bits <= 4096)
		return (struct form){"RSA-OAEP-256", info->bits / 8};
	if (oct && (info->bits == 0 || info->bits == 256))
		return (struct form)OCT_FORM;
	return (struct form){"", 0};
}

// With nothing wrapped, a store that may unwrap says of noise that it is not the key's work. False
// if its answer says something about the form, at most.
static bool noise_is_answered(struct agent *agent, struct probe_row *row, const struct form *f)
{
	struct secret *noise scoped(secret_free) = NULL, *plain scoped(secret_free) = NULL;
	struct probe_try *unwrap = &row->tries[PERMISSION_UNWRAP];
	if (secret_random(f->len, &noise))
		return false;
	noise->data[0] = 0; // below every modulus
	agent_unwrap(agent, row->version, f->alg, noise->data, f->len, &plain, &unwrap->answer);
	unwrap->asked = unwrap->answer.verdict != CMK_MISCONFIGURED;
	if (unwrap->answer.verdict == CMK_BAD_BLOB) {
		unwrap->answer.verdict = CMK_GRANTED;
		unwrap->answer.sentence[0] = '\0';
	}
	return unwrap->asked;
}

static void unwrap_noise(struct agent *agent, struct probe_row *row)
{
	const struct form known = form_of(&row->info);
	bool seen = granted(row, PERMISSION_GET);
	if (seen && known.len)
		(void)noise_is_answered(agent, row, &known);
	for (size_t i = 0; !seen && i < sizeof(guesses) / sizeof(guesses[0]); i++)
		if (noise_is_answered(agent, row, &guesses[i]))
			return;
}

static int wrap_and_unwrap(struct agent *agent, struct probe_row *row, struct errmsg *err)
{
	struct secret *plain scoped(secret_free) = NULL, *back scoped(secret_free) = NULL;
	struct cmk_wrapped w;
	struct probe_try *wrap = &row->tries[PERMISSION_WRAP],
			 *unwrap = &row->tries[PERMISSION_UNWRAP];
	int rc = secret_random(PROBE_SECRET_LEN, &plain);
	if (rc)
		return errmsg_set(err, -rc, "no memory for a secret: %s", strerror(-rc));
	wrap->asked = true;
	agent_wrap(agent, plain, &w, &wrap->answer);
	if (wrap->answer.verdict == CMK_DENIED)
		unwrap_noise(agent, row);
	if (wrap->answer.verdict != CMK_GRANTED)
		return 0;
	(void)snprintf(row->version, sizeof(row->version), "%s", w.version);
	(void)snprintf(row->alg, sizeof(row->alg), "%s", w.alg);
	unwrap->asked = true;
	agent_unwrap(agent, w.version, w.alg, w.data, w.len, &back, &unwrap->answer);
	if (!back || secret_equal(back, plain))
		return 0;
	unwrap->answer.verdict = CMK_BAD_BLOB;
	(void)snprintf(unwrap->answer.sentence, sizeof(unwrap->answer.sentence),
		"%.300s: the key store unwrapped something else than it had wrapped",
		agent_key_url(agent));
	return 0;
}

static void judge(const struct keyset *k, struct probe_row *row)
{
	const struct probe_try *get = &row->tries[PERMISSION_GET];
	int64_t now = clock_wall_s(clock_real());
	bool seen = granted(row, PERMISSION_GET);
	bool told = probe_fails_alike(row, PERMISSION_GET, PERMISSION_WRAP) ||
		    probe_fails_alike(row, PERMISSION_GET, PERMISSION_UNWRAP);
	keyguard_look(k, seen ? &row->info : NULL, told ? NULL : get->answer.sentence, now,
		&row->warnings);
	row->dates = key_dates_judge(k->key_url, row->version, row->info.nbf, row->info.exp, now,
		row->dates_sentence.text, sizeof(row->dates_sentence.text));
	if (!k->on_expiry_given || k->expiry_stops)
		row->rc = worse(row->rc, row->dates);
	for (enum permission p = 0; p < PERMISSION_COUNT; p++) {
		// A disk lives without: it only cannot see what is coming.
		bool spared = p == PERMISSION_GET && get->answer.verdict == CMK_DENIED;
		if (row->tries[p].asked && !spared)
			row->rc = worse(row->rc, answer_errno(&row->tries[p].answer, NULL));
	}
}

// k: the set, with the URL and the text that make its provider use this row's version.
static int fill_row(
	const struct cli *cli, const struct keyset *k, struct probe_row *row, struct errmsg *err)
{
	struct agent *agent scoped(agent_free) = NULL;
	int rc = command_agent(cli, k->key_url, k, NULL, "", &agent, err);
	if (rc)
		return rc;
	describe(agent, "", row);
	(void)snprintf(row->version, sizeof(row->version), "%s", row->info.version);
	if (!*row->version && row->named)
		key_url_version(k->key_url, row->version);
	rc = wrap_and_unwrap(agent, row, err);
	// The newest may be one that cannot be used, and the store may have gone back.
	if (!rc && granted(row, PERMISSION_GET) && strcmp(row->version, row->info.version)) {
		row->newest = false;
		describe(agent, row->version, row);
	}
	if (!rc)
		judge(k, row);
	return rc;
}

// The newest version under the set's own settings, and the named one under those that keep to it.
static int fill_both(const struct cli *cli, const struct keyset *k, const char *unversioned,
	struct probe *out, struct errmsg *err)
{
	struct keyset newest = *k, named = *k;
	char *pinned autofree = NULL;
	(void)snprintf(newest.key_url, sizeof(newest.key_url), "%s", unversioned);
	int rc = keyset_config_pinned(k, &pinned);
	if (rc)
		return errmsg_set(err, -rc, "the key set: %s", strerror(-rc));
	rc = pin_provide(cli, k, k->key_url, NULL, err);
	if (rc)
		return rc;
	// Nobody is asked twice for one PIN. -ENOENT: nobody was asked at all.
	rc = credentials_same_pin(cli->credentials, k->key_url, unversioned);
	if (rc && rc != -ENOENT)
		return errmsg_set(err, -rc, "the PIN of %s: %s", unversioned, strerror(-rc));
	named.config = pinned;
	bool follows = k->rotation == KEYSET_ROTATION_ON && key_url_rotates(k->key_url);
	out->rows[0] = (struct probe_row){.named = true, .used = !follows};
	out->rows[1] = (struct probe_row){.newest = true, .used = follows};
	rc = fill_row(cli, &named, &out->rows[0], err);
	if (!rc)
		rc = fill_row(cli, &newest, &out->rows[1], err);
	if (rc)
		return rc;
	out->count = 2;
	if (!*out->rows[0].version || strcmp(out->rows[0].version, out->rows[1].version))
		return 0;
	out->rows[0].newest = out->rows[0].used = true;
	out->count = 1;
	return 0;
}

int probe_key(const struct cli *cli, const struct keyset *k, struct probe *out, struct errmsg *err)
{
	char unversioned[BINDING_URL_MAX];
	memset(out, 0, sizeof(*out));
	int rc = 0;
	key_url_unversioned(k->key_url, unversioned);
	if (strcmp(unversioned, k->key_url)) {
		rc = fill_both(cli, k, unversioned, out, err);
	} else {
		bool named = key_url_has_version(k->key_url);
		out->rows[0] = (struct probe_row){.named = named, .newest = true, .used = true};
		out->count = 1;
		rc = fill_row(cli, k, &out->rows[0], err);
	}
	for (size_t i = 0; i < out->count; i++)
		out->rc = worse(out->rc, out->rows[i].rc);
	return rc;
}
