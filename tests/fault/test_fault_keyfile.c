// SPDX-License-Identifier: MIT
// The file provider when memory, OpenSSL or the file system fail: a grant, or an answer that says
// nothing about the key. Short memory is never called a damaged bundle or a foreign blob, and a
// bundle is replaced whole or not at all.
#include "keyfile_fixture.h"
#include "nth_fault.h"
#include "nth_fault_crypto.h"

#include <cjson/cJSON.h>
#include <errno.h>

#define ALL_MEMORY (FAULT_MEMORY | FAULT_LIBRARY)

static const int short_of_memory[] = {ENOMEM, 0};

// Verdicts for fault_every(): a grant is 0, "unreachable" -ENOMEM, all else is not allowed.
static int outcome(struct fixture *f, enum cmk_verdict v, struct errmsg *err)
{
	if (v == CMK_GRANTED)
		return 0;
	(void)errmsg_set(err, 0, "%s", f->host.sentence);
	return v == CMK_UNREACHABLE ? -ENOMEM : -EPROTO - (int)v;
}

static int open_key(void *ctx, struct errmsg *err)
{
	struct fixture *f = ctx;
	const struct cmk_key_ref ref = {sizeof(ref), f->url, "{}", "", NULL};
	void *key = NULL;
	enum cmk_verdict v = f->prov->open(&f->host.api, &ref, &key);
	if (v == CMK_GRANTED)
		f->prov->close(key);
	return outcome(f, v, err);
}

static int wrap(void *ctx, struct errmsg *err)
{
	struct fixture *f = ctx;
	struct cmk_wrapped w = {.len = 0};
	f->host.sentence[0] = '\0';
	return outcome(f, f->prov->wrap(f->key, f->plain, sizeof(f->plain), &w), err);
}

static int unwrap(void *ctx, struct errmsg *err)
{
	struct fixture *f = ctx;
	uint8_t out[64] = {0};
	size_t len = sizeof(out);
	f->host.sentence[0] = '\0';
	enum cmk_verdict v =
		f->prov->unwrap(f->key, f->w.version, f->w.alg, f->w.data, f->w.len, out, &len);
	if (v == CMK_GRANTED && (len != sizeof(f->plain) || memcmp(out, f->plain, len) != 0))
		return -EPROTO;
	return outcome(f, v, err);
}

static int describe(void *ctx, struct errmsg *err)
{
	struct fixture *f = ctx;
	struct cmk_key_info info = {.bits = 0};
	f->host.sentence[0] = '\0';
	return outcome(f, f->prov->describe(f->key, "", &info), err);
}

static void no_secret_is_left(void *ctx, int result)
{
	struct fixture *f = ctx;
	(void)result;
	assert_int_equal(f->host.secrets, 0);
}

static void make_bundle(struct fixture *f, enum bundle_kty kty)
{
	struct bundle *b = NULL;
	struct bundle_version *v;
	struct kp_err err = {""};
	assert_int_equal(bundle_new(&f->host.api, kty, &b), 0);
	assert_int_equal(bundle_add(b, &v), 0);
	assert_int_equal(key_make(b, kty == BUNDLE_RSA ? 2048 : 256, v, &err), 0);
	v->enabled = true;
	put_bundle(f, b, true);
	bundle_free(&b);
}

static void questions(struct fixture *f, enum bundle_kty kty)
{
	make_bundle(f, kty);
	assert_int_equal(ask_wrap(f), CMK_GRANTED);
	FAULT_EVERY("open", ALL_MEMORY, open_key, .ctx = f, .errors = short_of_memory,
		.after = no_secret_is_left);
	FAULT_EVERY("describe", ALL_MEMORY, describe, .ctx = f, .errors = short_of_memory,
		.after = no_secret_is_left);
	FAULT_EVERY("wrap", ALL_MEMORY, wrap, .ctx = f, .errors = short_of_memory,
		.after = no_secret_is_left);
	FAULT_EVERY("unwrap", ALL_MEMORY, unwrap, .ctx = f, .errors = short_of_memory,
		.after = no_secret_is_left);
	FAULT_EVERY("wrap, OpenSSL", FAULT_CRYPTO, wrap, .ctx = f, .errors = short_of_memory,
		.after = no_secret_is_left);
	FAULT_EVERY("unwrap, OpenSSL", FAULT_CRYPTO, unwrap, .ctx = f, .errors = short_of_memory,
		.after = no_secret_is_left);
}

static void short_memory_says_nothing_about_an_rsa_key(void **state)
{
	questions(*state, BUNDLE_RSA);
}

static void short_memory_says_nothing_about_an_aes_key(void **state)
{
	questions(*state, BUNDLE_OCT);
}

static int said(int r, const struct kp_err *kp, struct errmsg *err)
{
	if (r)
		(void)errmsg_set(err, 0, "%s", kp->text);
	return r;
}

// A new bundle with one key of each size that is quickly made, printed and read back.
static int make_and_read(void *ctx, struct errmsg *err)
{
	struct fixture *f = ctx;
	struct kp_err kp = {""};
	scoped(bundle_free) struct bundle *b = NULL, *again = NULL;
	struct bundle_version *v;
	char *text;
	size_t len;
	int r = bundle_new(&f->host.api, BUNDLE_OCT, &b);
	for (int i = 0; i < 3 && !r; i++) {
		r = bundle_add(b, &v);
		if (!r)
			r = key_make(b, 256, v, &kp);
	}
	if (!r)
		r = bundle_print(b, &text, &len, &kp);
	if (!r)
		r = bundle_parse(&f->host.api, text, len, &again, &kp);
	if (!r && again->count != 3)
		return -EPROTO;
	if (r && !kp.text[0])
		(void)kp_fail(&kp, -r, "bundle_new and bundle_add have no sentences");
	return said(r, &kp, err);
}

static int make_rsa(void *ctx, struct errmsg *err)
{
	struct fixture *f = ctx;
	struct kp_err kp = {""};
	scoped(bundle_free) struct bundle *b = NULL;
	struct bundle_version *v;
	int r = bundle_new(&f->host.api, BUNDLE_RSA, &b);
	if (!r)
		r = bundle_add(b, &v);
	if (r)
		return errmsg_set(err, -r, "bundle_new and bundle_add have no sentences");
	return said(key_make(b, 2048, v, &kp), &kp, err);
}

static void a_key_is_made_whole_or_not_at_all(void **state)
{
	FAULT_EVERY("bundle made and read, memory", ALL_MEMORY, make_and_read, .ctx = *state,
		.after = no_secret_is_left);
	FAULT_EVERY("bundle made and read, OpenSSL", FAULT_CRYPTO, make_and_read, .ctx = *state,
		.after = no_secret_is_left);
	FAULT_EVERY("RSA key, memory", FAULT_MEMORY, make_rsa, .ctx = *state,
		.after = no_secret_is_left);
	FAULT_EVERY("RSA key, OpenSSL", FAULT_CRYPTO, make_rsa, .ctx = *state,
		.after = no_secret_is_left);
}

// Reads the bundle, disables or enables its version, stores it.
static int change(void *ctx, struct errmsg *err)
{
	struct fixture *f = ctx;
	struct kp_err kp = {""};
	scoped(bundle_free) struct bundle *b = NULL;
	scoped(bundle_unlock) struct bundle_lock *lock = NULL;
	int r = bundle_lock(f->path, &lock, &kp);
	if (!r)
		r = bundle_load(&f->host.api, f->path, &b, &kp);
	if (r)
		return said(r, &kp, err);
	b->versions[0].enabled = !b->versions[0].enabled;
	return said(bundle_store(lock, b, false, &kp), &kp, err);
}

// A lock file that could not be looked at is left alone, since it may be somebody else's by now;
// the next change uses it, and takes it away.
static void the_bundle_is_whole_and_can_be_changed(void *ctx, int result)
{
	struct fixture *f = ctx;
	struct bundle *b = get_bundle(f);
	struct errmsg err = {.text = ""};
	char lock[4200];
	assert_int_equal(b->count, 1);
	bundle_free(&b);
	if (result && change(ctx, &err))
		fail_msg("%s", err.text);
	(void)snprintf(lock, sizeof(lock), "%.4000s/.k.json.lock", f->dir);
	assert_int_equal(access(lock, F_OK), -1);
	no_secret_is_left(ctx, result);
}

static void a_bundle_is_replaced_whole_or_not_at_all(void **state)
{
	make_bundle(*state, BUNDLE_OCT);
	FAULT_EVERY("change, memory", ALL_MEMORY, change, .ctx = *state,
		.after = the_bundle_is_whole_and_can_be_changed);
	FAULT_EVERY("change, medium", FAULT_FILE, change, .ctx = *state, .errnum = EIO,
		.after = the_bundle_is_whole_and_can_be_changed);
	FAULT_EVERY("change, space", FAULT_FILE, change, .ctx = *state, .errnum = ENOSPC,
		.after = the_bundle_is_whole_and_can_be_changed);
}

#define WITH_FIXTURE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(short_memory_says_nothing_about_an_rsa_key),
		WITH_FIXTURE(short_memory_says_nothing_about_an_aes_key),
		WITH_FIXTURE(a_key_is_made_whole_or_not_at_all),
		WITH_FIXTURE(a_bundle_is_replaced_whole_or_not_at_all),
	};
	cJSON_InitHooks(&(cJSON_Hooks){fault_malloc, fault_free});
	if (!fault_into_openssl())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
