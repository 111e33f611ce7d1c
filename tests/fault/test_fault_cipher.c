// SPDX-License-Identifier: MIT
// When OpenSSL fails, or has no memory: a cipher is made whole or not at all, a request fails with
// EIO and hands nothing out, no context and no entry to the lease is lost, and later calls work.
#include "nth_fault.h"

#include "cipher.h"
#include "disk_case.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LEN 32768u
#define HANG_S 280u // a context or lease that is never given back shows as a hang

static int new_cipher(void *ctx, struct errmsg *err)
{
	struct disk_rig *rig = ctx;
	struct cipher *c scoped(cipher_free) = NULL;
	(void)err;
	int r = cipher_new(rig->dek, 4096, &c);
	return !r == (c != NULL) ? r : -EBADMSG;
}

// Must be the first: afterwards there are pages for keys.
static void without_a_page_for_keys_there_is_no_cipher(void **state)
{
	struct disk_rig rig = {.sector_size = 4096};
	(void)state;
	assert_int_equal(secret_random(CIPHER_KEY_LEN, &rig.dek), 0);
	fault_arm(FAULT_PAGES, 1, true, ENOMEM);
	int r = new_cipher(&rig, NULL);
	assert_true(fault_disarm() > 0);
	assert_int_equal(r, -ENOMEM);
	assert_int_equal(new_cipher(&rig, NULL), 0);
	assert_true(cipher_memory_locked());
	secret_free(&rig.dek);
}

static void a_cipher_is_made_whole_or_not_at_all(void **state)
{
	static const int errors[] = {ENOMEM, ENOSYS, 0};
	// What is short of memory is not the lack of an algorithm.
	FAULT_EVERY("cipher, memory", FAULT_MALLOC, new_cipher, .ctx = *state, .no_sentence = true);
	FAULT_EVERY("cipher, OpenSSL", FAULT_CRYPTO, new_cipher, .ctx = *state, .errnum = EINVAL,
		.errors = errors, .no_sentence = true);
}

struct crypting {
	struct cipher *cipher;
	bool decrypt;
	uint8_t plain[LEN], crypt[LEN], out[LEN];
};

static int crypt_once(void *ctx, struct errmsg *err)
{
	struct crypting *c = ctx;
	(void)err;
	return c->decrypt ? cipher_decrypt(c->cipher, 0, c->crypt, c->out, LEN)
			  : cipher_encrypt(c->cipher, 0, c->plain, c->out, LEN);
}

static void crypts_again(void *ctx, int result)
{
	struct crypting *c = ctx;
	(void)result;
	memset(c->out, 0, LEN);
	assert_int_equal(crypt_once(c, NULL), 0);
	assert_memory_equal(c->out, c->decrypt ? c->plain : c->crypt, LEN);
}

static void a_failed_call_is_eio_and_the_next_one_works(void **state)
{
	struct disk_rig *rig = *state;
	struct crypting *c autofree = calloc(1, sizeof(*c));
	struct cipher *cipher scoped(cipher_free) = NULL;
	assert_int_equal(cipher_new(rig->dek, rig->sector_size, &cipher), 0);
	c->cipher = cipher;
	memset(c->plain, 0x31, LEN);
	assert_int_equal(cipher_encrypt(cipher, 0, c->plain, c->crypt, LEN), 0);
	for (int i = 0; i < 2; i++) {
		c->decrypt = i;
		FAULT_EVERY(i ? "decryption" : "encryption", FAULT_CRYPTO, crypt_once, .ctx = c,
			.errnum = EIO, .no_sentence = true, .after = crypts_again);
	}
	// Nothing is allocated on the way of a request.
	fault_arm(FAULT_MALLOC, 1, true, ENOMEM);
	int r = crypt_once(c, NULL);
	assert_int_equal(fault_disarm(), 0);
	assert_int_equal(r, 0);
}

// One request to a disk that holds the pattern.
struct asking {
	struct disk_rig *rig;
	enum { READS, WRITES, ZEROES } what;
	uint64_t off;
	size_t len;
	const uint8_t *model; // the disk before
	uint8_t *buf;
	struct disk_counters before;
};

static int ask(void *ctx, struct errmsg *err)
{
	struct asking *a = ctx;
	(void)err;
	a->before = case_counters(a->rig);
	memset(a->buf, 0x6e, a->len);
	switch (a->what) {
	case READS:
		return disk_read(a->rig->disk, a->off, a->buf, a->len);
	case WRITES:
		return disk_write(a->rig->disk, a->off, a->buf, a->len);
	default:
		return disk_zero(a->rig->disk, a->off, a->len);
	}
}

static void assert_counted(const struct asking *a, int result)
{
	struct disk_counters now = case_counters(a->rig);
	// The store did not fail, and the lease did not refuse.
	assert_int_equal(now.store_errors, a->before.store_errors);
	assert_int_equal(now.refused, a->before.refused);
	assert_int_equal(now.reads, a->before.reads + (!result && a->what == READS));
	assert_int_equal(now.writes, a->before.writes + (!result && a->what == WRITES));
}

// Whatever happened to the sectors that were asked for, the others are as they were; and the key
// can be taken away, so nobody was left inside.
static void nothing_else_changed(void *ctx, int result)
{
	struct asking *a = ctx;
	const uint64_t unit = a->rig->sector_size, end = a->off + a->len;
	uint64_t from = a->off / unit * unit, to = (end + unit - 1) / unit * unit;
	uint8_t *got autofree = malloc(CASE_SIZE);
	assert_counted(a, result);
	if (a->what == READS && result)
		case_assert_all(a->buf, 0, a->len);
	if (a->what == READS && !result)
		assert_memory_equal(a->buf, a->model + a->off, a->len);
	lease_lock(a->rig->lease, "locked by a test");
	rig_wait_ms(a->rig, 1);
	rig_unlock(a->rig);
	for (uint64_t at = 0; at < CASE_SIZE; at += CASE_LARGE)
		assert_int_equal(disk_read(a->rig->disk, at, got + at, CASE_LARGE), 0);
	assert_memory_equal(got, a->model, from);
	assert_memory_equal(got + to, a->model + to, CASE_SIZE - to);
	// The bytes around it in its own sectors, too: they were merged, or nothing was written.
	assert_memory_equal(got + from, a->model + from, a->off - from);
	assert_memory_equal(got + end, a->model + end, to - end);
	for (uint64_t i = 0; !result && a->what != READS && i < a->len; i++)
		assert_int_equal(got[a->off + i], a->what == WRITES ? 0x6e : 0);
	// What was asked for is old or new, never ciphertext decrypted twice or with a hole.
	for (uint64_t i = a->off; result && i < end; i++)
		assert_true(got[i] == a->model[i] || got[i] == (a->what == WRITES ? 0x6e : 0));
	case_fill(a->rig, a->model);
}

static void each(struct disk_rig *rig, const char *name, int what, uint64_t off, size_t len)
{
	uint8_t *model autofree = case_pattern(CASE_SIZE, 0), *buf autofree = malloc(len);
	struct asking a = {rig, what, off, len, model, buf, {0}};
	case_fill(rig, model);
	FAULT_EVERY(name, FAULT_CRYPTO, ask, .ctx = &a, .errnum = EIO, .no_sentence = true,
		.after = nothing_else_changed);
}

static void a_request_whose_cipher_fails_hands_nothing_out(void **state)
{
	struct disk_rig *rig = *state;
	each(rig, "read of a sector", READS, 8192, 4096);
	each(rig, "read inside a sector", READS, 8200, 100);
	each(rig, "write of a sector", WRITES, 8192, 4096);
	each(rig, "write inside a sector", WRITES, 8200, 100);
	each(rig, "write across sectors", WRITES, 8200, 9000);
}

static void a_large_request_whose_cipher_fails_hands_nothing_out(void **state)
{
	struct disk_rig *rig = *state;
	each(rig, "large read", READS, 4097, 270000);
	each(rig, "large write", WRITES, 4097, 270000);
}

static void zeroing_whose_cipher_fails_spares_the_neighbours(void **state)
{
	each(*state, "zeroing across sectors", ZEROES, 8200, 20000);
}

// A lease whose key cannot be made.
static int stop_and_unlock(void *ctx, struct errmsg *err)
{
	struct disk_rig *rig = ctx;
	(void)err;
	lease_lock(rig->lease, "locked by a test");
	rig_wait_ms(rig, 1);
	const struct lease_verdict granted = {.verdict = CMK_GRANTED, .asked_ns = rig->now_ns};
	return lease_unlock(rig->lease, rig->dek, &granted, true);
}

static void stays_stopped_until_the_next_grant(void *ctx, int result)
{
	struct disk_rig *rig = ctx;
	struct lease_view view;
	uint8_t byte;
	lease_view(rig->lease, &view);
	assert_int_equal(view.key_present, !result);
	assert_int_equal(view.state, result ? LEASE_STOPPED : LEASE_ACTIVE);
	assert_int_equal(disk_read(rig->disk, 0, &byte, 1), result ? -EIO : 0);
	if (!result)
		return;
	assert_int_equal(view.cause, LEASE_CAUSE_LOCKED);
	rig_wait_ms(rig, 1);
	rig_unlock(rig);
	assert_int_equal(disk_read(rig->disk, 0, &byte, 1), 0);
}

static int new_lease(void *ctx, struct errmsg *err)
{
	struct lease *l scoped(lease_free) = NULL;
	(void)err;
	return rig_lease(ctx, &l);
}

static void a_lease_whose_key_cannot_be_made_stays_stopped(void **state)
{
	static const int errors[] = {ENOMEM, ENOSYS, 0};
	FAULT_EVERY("lease", FAULT_MALLOC, new_lease, .ctx = *state, .no_sentence = true);
	FAULT_EVERY("unlock, memory", FAULT_MALLOC, stop_and_unlock, .ctx = *state,
		.no_sentence = true, .after = stays_stopped_until_the_next_grant);
	FAULT_EVERY("unlock, OpenSSL", FAULT_CRYPTO, stop_and_unlock, .ctx = *state,
		.errnum = EINVAL, .errors = errors, .no_sentence = true,
		.after = stays_stopped_until_the_next_grant);
}

// Must be the last: it cannot be undone.
static void key_memory_that_cannot_be_locked_is_reported(void **state)
{
	struct disk_rig *rig = *state;
	struct cipher *made[200] = {NULL};
	assert_true(cipher_memory_locked());
	fault_arm(FAULT_LOCK, 1, true, ENOMEM);
	for (size_t i = 0; i < 200 && cipher_memory_locked(); i++)
		if (cipher_new(rig->dek, 4096, &made[i]))
			break;
	assert_true(fault_disarm() > 0);
	assert_false(cipher_memory_locked());
	for (size_t i = 0; i < 200; i++)
		cipher_free(&made[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_page_for_keys_there_is_no_cipher),
		ON(plain_4096, a_cipher_is_made_whole_or_not_at_all),
		ON(plain_4096, a_failed_call_is_eio_and_the_next_one_works),
		ON(plain_512, a_failed_call_is_eio_and_the_next_one_works),
		ON(plain_4096, a_request_whose_cipher_fails_hands_nothing_out),
		ON(plain_512, a_request_whose_cipher_fails_hands_nothing_out),
		ON(plain_4096, a_large_request_whose_cipher_fails_hands_nothing_out),
		ON(plain_helped, a_large_request_whose_cipher_fails_hands_nothing_out),
		ON(thin_4096, zeroing_whose_cipher_fails_spares_the_neighbours),
		ON(plain_4096, a_lease_whose_key_cannot_be_made_stays_stopped),
		ON(plain_4096, key_memory_that_cannot_be_locked_is_reported),
	};
	if (cipher_init_process())
		return 1;
	(void)alarm(HANG_S);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
