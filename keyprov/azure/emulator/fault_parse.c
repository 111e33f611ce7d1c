// SPDX-License-Identifier: MIT
// Faults from JSON; see fault.h.
#include "fault.h"

#include "emu_time.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const kinds[] = {
	[FAULT_STATUS] = "status",
	[FAULT_LATENCY] = "latency",
	[FAULT_HANG] = "hang",
	[FAULT_RESET] = "reset",
	[FAULT_TRUNCATE] = "truncate",
	[FAULT_HTML] = "html",
	[FAULT_EMPTY] = "empty",
	[FAULT_OVERSIZE] = "oversize",
	[FAULT_DRIP] = "drip",
	[FAULT_WRONG_TYPE] = "wrong-type",
	[FAULT_CAE] = "cae",
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

const char *fault_kind_name(enum fault_kind kind)
{
	return kinds[kind];
}

void fault_free(struct fault **f)
{
	if (!*f)
		return;
	free((*f)->name);
	free((*f)->operation);
	free((*f)->vault);
	free((*f)->key);
	free((*f)->version);
	free((*f)->endpoint);
	free((*f)->code);
	free((*f)->inner);
	free((*f)->message);
	free(*f);
	*f = NULL;
}

void faults_print_kinds(FILE *f)
{
	for (size_t i = 0; i < KINDS; i++)
		(void)fprintf(f, "%s%s", i ? ", " : "", kinds[i]);
}

static int copy(const struct kp_json *args, const char *member, char **out, struct kp_err *err)
{
	const char *text = kp_json_str(args, member);
	if (!text && !kp_json_is_null(kp_json_get(args, member)))
		return kp_fail(err, EINVAL, "%s: expected a string", member);
	*out = text ? strdup(text) : NULL;
	return text && !*out ? kp_fail(err, ENOMEM, "out of memory") : 0;
}

static int number(const struct kp_json *args, const char *member, int64_t low, int64_t high,
	int64_t *out, struct kp_err *err)
{
	int64_t n;
	if (kp_json_is_null(kp_json_get(args, member)))
		return 0;
	if (!kp_json_int(args, member, &n) || n < low || n > high)
		return kp_fail(err, EINVAL, "%s: expected a whole number from %lld to %lld", member,
			(long long)low, (long long)high);
	*out = n;
	return 0;
}

static int parse_kind(const struct kp_json *args, struct fault *f, struct kp_err *err)
{
	const char *kind = kp_json_str(args, "kind");
	char known[160] = "";
	for (size_t i = 0; i < KINDS; i++) {
		if (kind && strcmp(kind, kinds[i]) == 0) {
			f->kind = (enum fault_kind)i;
			return 0;
		}
		size_t n = strlen(known);
		(void)snprintf(known + n, sizeof(known) - n, "%s%s", i ? ", " : "", kinds[i]);
	}
	return kp_fail(err, EINVAL, "kind: expected one of %s", known);
}

static int parse_probability(const struct kp_json *args, double *out, struct kp_err *err)
{
	autofree char *text = NULL;
	const struct kp_json *given = kp_json_get(args, "probability");
	*out = 1;
	if (kp_json_is_null(given))
		return 0;
	if (kp_json_print(given, false, &text))
		return kp_fail(err, ENOMEM, "out of memory");
	char *end;
	double p = strtod(text, &end);
	if (*end || end == text || !isfinite(p) || p < 0 || p > 1)
		return kp_fail(err, EINVAL, "probability: expected a number from 0 to 1");
	*out = p;
	return 0;
}

// Whether name is one of the words, which are separated by ", ".
static bool is_word_of(const char *words, const char *name)
{
	for (const char *p = words; *(p += strspn(p, ", "));) {
		size_t len = strcspn(p, ", ");
		if (strlen(name) == len && strncasecmp(p, name, len) == 0)
			return true;
		p += len;
	}
	return false;
}

int faults_operation(const char *name, struct kp_err *err)
{
	static const char known[] =
		"Token, Metadata, KeyGet, KeyWrap, KeyUnwrap, KeyEncrypt, KeyDecrypt, KeySign, "
		"KeyVerify, KeyList, KeyListVersions, KeyCreate, KeyImport, KeyUpdate, KeyRotate, "
		"KeyDelete, KeyListDeleted, KeyGetDeleted, KeyRecover, KeyPurge, KeyBackup, "
		"KeyRestore, KeyRotationPolicyGet, KeyRotationPolicySet, KeyRelease, "
		"KeySecureWrap, KeySecureUnwrap, RandomNumbersGet";
	return is_word_of(known, name)
		       ? 0
		       : kp_fail(err, EINVAL, "operation: %.40s is none; there are %s", name,
				 known);
}

static int parse_match(const struct kp_json *args, struct fault *f, struct kp_err *err)
{
	static const char members[] = "operation, vault, key, version, endpoint";
	static const char endpoints[] = "vault, entra, imds, appservice, arc";
	const struct kp_json *match = kp_json_get(args, "match");
	if (!kp_json_is_null(match) && !kp_json_is_object(match))
		return kp_fail(err, EINVAL, "match: expected an object");
	for (const struct kp_json *m = kp_json_first_member(match); m; m = kp_json_next(m)) {
		const char *text = kp_json_text(m);
		if (!is_word_of(members, kp_json_name(m)))
			return kp_fail(err, EINVAL, "match has no member \"%.40s\"; it takes %s",
				kp_json_name(m), members);
		if (!text || !*text)
			return kp_fail(err, EINVAL,
				"match: \"%s\" must be a string that is not empty",
				kp_json_name(m));
	}
	int ret = copy(match, "operation", &f->operation, err);
	if (!ret)
		ret = copy(match, "vault", &f->vault, err);
	if (!ret)
		ret = copy(match, "key", &f->key, err);
	if (!ret)
		ret = copy(match, "version", &f->version, err);
	if (!ret)
		ret = copy(match, "endpoint", &f->endpoint, err);
	if (!ret && f->operation)
		ret = faults_operation(f->operation, err);
	if (!ret && f->endpoint && !is_word_of(endpoints, f->endpoint))
		ret = kp_fail(err, EINVAL, "match: there is no endpoint %.40s; there are %s",
			f->endpoint, endpoints);
	return ret;
}

static int parse_limits(const struct kp_json *args, struct fault *f, struct kp_err *err)
{
	int64_t delay = f->kind == FAULT_LATENCY ? 1000 : 0;
	int ret = number(args, "count", 1, INT32_MAX, &f->count, err);
	if (!ret)
		ret = number(args, "after", 0, INT32_MAX, &f->after, err);
	if (!ret)
		ret = emu_arg_duration(args, "delay", &delay, err);
	if (!ret)
		ret = emu_arg_duration(args, "for", &f->lasts, err);
	if (!ret && delay > 86400000)
		ret = kp_fail(err, EINVAL, "delay: expected a day at most");
	if (!ret)
		ret = parse_probability(args, &f->probability, err);
	f->delay_ms = (uint32_t)delay;
	f->left = f->count;
	f->until = f->lasts ? emu_monotonic_ms() + f->lasts : 0;
	return ret;
}

static int parse_answer(const struct kp_json *args, struct fault *f, struct kp_err *err)
{
	int64_t status = f->kind == FAULT_STATUS ? 503 : f->kind == FAULT_HTML ? 502 : 200;
	int ret = number(args, "status", 200, 599, &status, err);
	if (!ret)
		ret = number(args, "retryAfter", 0, 86400, &f->retry_after, err);
	if (!ret)
		ret = copy(args, "code", &f->code, err);
	if (!ret)
		ret = copy(args, "innererror", &f->inner, err);
	f->status = (int)status;
	return ret ? ret : copy(args, "message", &f->message, err);
}

static int make_name(
	const struct kp_json *args, uint64_t serial, struct fault *f, struct kp_err *err)
{
	int ret = copy(args, "name", &f->name, err);
	if (ret || f->name)
		return ret;
	if (asprintf(&f->name, "fault-%llu", (unsigned long long)serial) >= 0)
		return 0;
	f->name = NULL;
	return kp_fail(err, ENOMEM, "out of memory");
}

int fault_parse(const struct kp_json *args, uint64_t serial, struct fault **out, struct kp_err *err)
{
	scoped(fault_free) struct fault *f = calloc(1, sizeof(*f));
	if (!f)
		return kp_fail(err, ENOMEM, "out of memory");
	f->retry_after = f->count = -1;
	int ret = make_name(args, serial, f, err);
	if (!ret)
		ret = parse_kind(args, f, err);
	if (!ret)
		ret = parse_match(args, f, err);
	if (!ret)
		ret = parse_limits(args, f, err);
	if (!ret)
		ret = parse_answer(args, f, err);
	if (!ret)
		*out = TAKE(f);
	return ret;
}

int faults_check(const struct kp_json *args, struct kp_err *err)
{
	scoped(fault_free) struct fault *f = NULL;
	return fault_parse(args, 1, &f, err);
}
