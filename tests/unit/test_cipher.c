// SPDX-License-Identifier: MIT
// The cipher against published vectors and against XTS put together here from single AES blocks;
// and that no piece of the key outlives it.
#include "bytes.h"
#include "cipher.h"
#include "keymem.h"
#include "memscan.h"
#include "secret.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HALF (CIPHER_KEY_LEN / 2)

// IEEE 1619, vectors 10 to 14: one key, one plaintext (0, 1, ... 255, twice), five data units.
static const uint8_t ieee_key[CIPHER_KEY_LEN] = {
	0x27,
	0x18,
	0x28,
	0x18,
	0x28,
	0x45,
	0x90,
	0x45,
	0x23,
	0x53,
	0x60,
	0x28,
	0x74,
	0x71,
	0x35,
	0x26,
	0x62,
	0x49,
	0x77,
	0x57,
	0x24,
	0x70,
	0x93,
	0x69,
	0x99,
	0x59,
	0x57,
	0x49,
	0x66,
	0x96,
	0x76,
	0x27,
	0x31,
	0x41,
	0x59,
	0x26,
	0x53,
	0x58,
	0x97,
	0x93,
	0x23,
	0x84,
	0x62,
	0x64,
	0x33,
	0x83,
	0x27,
	0x95,
	0x02,
	0x88,
	0x41,
	0x97,
	0x16,
	0x93,
	0x99,
	0x37,
	0x51,
	0x05,
	0x82,
	0x09,
	0x74,
	0x94,
	0x45,
	0x92,
};

// First and last 16 bytes of each ciphertext of 512.
static const struct {
	uint64_t unit;
	const char *first, *last;
} ieee_rows[] = {
	{0xff, "1c3b3a102f770386e4836c99e370cf9b", "4f36ffda9fcea70b9c6e693e148c151"},
	{0xffff, "77a31251618a15e6b92d1d66dffe7b50", "a4f9e27b42af8100cb9d59cef9645803"},
	{0xffffff, "e387aaa58ba483afa7e8eb469778317e", "263a1eef52dd6888c309f5a7d712826"},
	{0xffffffff, "bf53d2dade78e822a4d949a9bc6766b0",
		"d86322c4bd84c82f335abb152c4a93411373aaa8220"},
	{0xffffffffff, "64497e5a831e4a932c09be3e5393376d", "bd609d273ad5b0d59631c531f6a0a57b9"},
};

static struct cipher *cipher_of(const uint8_t key[CIPHER_KEY_LEN], uint32_t sector)
{
	struct secret *dek scoped(secret_free) = NULL;
	struct cipher *c = NULL;
	assert_int_equal(secret_dup(key, CIPHER_KEY_LEN, &dek), 0);
	assert_int_equal(cipher_new(dek, sector, &c), 0);
	return c;
}

static void it_gives_the_published_ciphertexts(void **state)
{
	(void)state;
	struct cipher *c scoped(cipher_free) = cipher_of(ieee_key, 512);
	uint8_t plain[512], out[512];
	char hex[2 * 512 + 1];
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(ieee_rows) / sizeof(ieee_rows[0]); i++) {
		uint64_t off = ieee_rows[i].unit * 512;
		assert_int_equal(cipher_encrypt(c, off, plain, out, sizeof(out)), 0);
		hex_encode(out, sizeof(out), hex);
		size_t tail = strlen(ieee_rows[i].last);
		assert_memory_equal(hex, ieee_rows[i].first, 32);
		assert_string_equal(hex + sizeof(hex) - 1 - tail, ieee_rows[i].last);
		assert_int_equal(cipher_decrypt(c, off, out, out, sizeof(out)), 0);
		assert_memory_equal(out, plain, sizeof(out));
	}
}

// One AES-256 block.
static void block(const uint8_t key[HALF], const uint8_t in[16], uint8_t out[16])
{
	int n = 0;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_256_ecb(), NULL, key, NULL), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, out, &n, in, 16), 1);
	assert_int_equal(n, 16);
	EVP_CIPHER_CTX_free(ctx);
}

// Multiplication by x in GF(2^128), least significant byte first.
static void twice(uint8_t t[16])
{
	unsigned carry = 0;
	for (unsigned i = 0; i < 16; i++) {
		unsigned v = ((unsigned)t[i] << 1) | carry;
		carry = v >> 8;
		t[i] = (uint8_t)v;
	}
	if (carry)
		t[0] ^= 0x87;
}

static void by_the_book(
	const uint8_t *key, uint64_t unit, const uint8_t *in, uint8_t *out, size_t len)
{
	uint8_t t[16] = {0}, x[16];
	store_le64(t, unit);
	block(key + HALF, t, t);
	for (size_t i = 0; i < len; i += 16, twice(t)) {
		for (unsigned k = 0; k < 16; k++)
			x[k] = in[i + k] ^ t[k];
		block(key, x, x);
		for (unsigned k = 0; k < 16; k++)
			out[i + k] = x[k] ^ t[k];
	}
}

static void compare_with_the_book(uint32_t sector, uint64_t off)
{
	struct cipher *c scoped(cipher_free) = cipher_of(ieee_key, sector);
	uint8_t plain[3 * 4096], want[3 * 4096], out[3 * 4096];
	size_t len = 3 * sector;
	for (size_t i = 0; i < len; i++)
		plain[i] = (uint8_t)(i * 31 + i / 256);
	for (size_t i = 0; i < len; i += sector)
		by_the_book(ieee_key, (off + i) / 512, plain + i, want + i, sector);
	assert_int_equal(cipher_encrypt(c, off, plain, out, len), 0);
	assert_memory_equal(out, want, len);
	assert_int_equal(cipher_decrypt(c, off, want, out, len), 0);
	assert_memory_equal(out, plain, len);
	memcpy(out, plain, len);
	assert_int_equal(cipher_encrypt(c, off, out, out, len), 0);
	assert_memory_equal(out, want, len);
}

static void the_tweak_counts_512_bytes_with_either_sector_size(void **state)
{
	(void)state;
	static const uint64_t offs[] = {0, 4096, 1ull << 20, (1ull << 41) - 8192,
		(1ull << 41) - 4096, 1ull << 41, 1ull << 52, (1ull << 63) - 12288};
	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		compare_with_the_book(512, offs[i]);
		compare_with_the_book(4096, offs[i]);
	}
}

static void a_sector_does_not_depend_on_its_company(void **state)
{
	(void)state;
	struct cipher *c scoped(cipher_free) = cipher_of(ieee_key, 4096);
	uint8_t *plain = calloc(1, 64 * 4096), *all = calloc(1, 64 * 4096), one[4096];
	assert_int_equal(cipher_encrypt(c, 8192, plain, all, 64 * 4096), 0);
	for (size_t i = 0; i < 64; i++) {
		assert_int_equal(cipher_encrypt(c, 8192 + i * 4096, plain, one, 4096), 0);
		assert_memory_equal(one, all + i * 4096, 4096);
	}
	assert_int_equal(cipher_encrypt(c, 0, plain, all, 0), 0);
	free(plain);
	free(all);
}

static void a_broken_key_is_refused(void **state)
{
	(void)state;
	struct secret *dek scoped(secret_free) = NULL, *shorter scoped(secret_free) = NULL;
	struct cipher *c = NULL;
	assert_int_equal(secret_new(CIPHER_KEY_LEN, &dek), 0);
	assert_int_equal(cipher_new(dek, 4096, &c), -EINVAL);
	memset(dek->data, 7, dek->len);
	assert_int_equal(cipher_new(dek, 4096, &c), -EINVAL);
	dek->data[40] ^= 1;
	assert_int_equal(cipher_new(dek, 1024, &c), -EINVAL);
	assert_int_equal(secret_dup(ieee_key, HALF, &shorter), 0);
	assert_int_equal(cipher_new(shorter, 4096, &c), -EINVAL);
	assert_null(c);
	assert_int_equal(cipher_new(dek, 4096, &c), 0);
	cipher_free(&c);
	assert_null(c);
	cipher_free(&c);
}

struct share {
	struct cipher *c;
	const uint8_t *plain, *want;
	int wrong;
};

static void *encrypt_often(void *arg)
{
	struct share *s = arg;
	uint8_t out[4096];
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t off = (i % 16) * 4096;
		if (cipher_encrypt(s->c, off, s->plain + off, out, 4096) ||
			memcmp(out, s->want + off, 4096) != 0 ||
			cipher_decrypt(s->c, off, out, out, 4096) ||
			memcmp(out, s->plain + off, 4096) != 0)
			s->wrong++;
	}
	return NULL;
}

static void more_threads_than_contexts_may_share_one_cipher(void **state)
{
	(void)state;
	struct cipher *c scoped(cipher_free) = cipher_of(ieee_key, 4096);
	uint8_t *plain = calloc(1, 16 * 4096), *want = calloc(1, 16 * 4096);
	pthread_t t[12];
	struct share shares[12];
	for (size_t i = 0; i < 16 * 4096; i++)
		plain[i] = (uint8_t)(i * 7);
	assert_int_equal(cipher_encrypt(c, 0, plain, want, 16 * 4096), 0);
	for (unsigned i = 0; i < 12; i++) {
		shares[i] = (struct share){c, plain, want, 0};
		assert_int_equal(pthread_create(&t[i], NULL, encrypt_often, &shares[i]), 0);
	}
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(pthread_join(t[i], NULL), 0);
		assert_int_equal(shares[i].wrong, 0);
	}
	free(plain);
	free(want);
}

// Sanitizers make mlock() a function that does nothing.
static bool locking_shows(void)
{
	static uint8_t page[4096];
	size_t before = memscan_locked_kib();
	bool shows = mlock(page, sizeof(page)) == 0 && memscan_locked_kib() > before;
	(void)munlock(page, sizeof(page));
	return shows;
}

static void key_memory_is_locked(void **state)
{
	(void)state;
	struct cipher *c scoped(cipher_free) = cipher_of(ieee_key, 4096);
	assert_true(cipher_memory_locked());
	if (locking_shows())
		assert_true(memscan_locked_kib() >= 64);
	else
		print_message("mlock() has no effect here: the kernel's view was not compared\n");
}

static void no_piece_of_the_key_is_left_after_cipher_free(void **state)
{
	(void)state;
	struct secret *dek scoped(secret_free) = NULL;
	struct cipher *c scoped(cipher_free) = NULL;
	struct masked halves[2];
	uint8_t data[4096] = {0};
	assert_int_equal(secret_random(CIPHER_KEY_LEN, &dek), 0);
	mask(&halves[0], dek->data, HALF);
	mask(&halves[1], dek->data + HALF, HALF);
	assert_true(memscan_count(&halves[0]) > 0);

	assert_int_equal(cipher_new(dek, 4096, &c), 0);
	secret_free(&dek);
	assert_int_equal(cipher_encrypt(c, 0, data, data, sizeof(data)), 0);
	assert_int_equal(cipher_decrypt(c, 0, data, data, sizeof(data)), 0);
	// The first round keys are the key itself, so it must be there now.
	assert_true(memscan_count(&halves[0]) > 0);
	assert_true(memscan_count(&halves[1]) > 0);

	cipher_free(&c);
	assert_int_equal(memscan_count(&halves[0]), 0);
	assert_int_equal(memscan_count(&halves[1]), 0);
}

static void freed_key_memory_is_wiped_even_if_openssl_does_not(void **state)
{
	(void)state;
	struct masked needle;
	uint8_t bytes[48];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 89 + 3);
	mask(&needle, bytes, sizeof(bytes));
	keymem_scope_begin();
	uint8_t *a = OPENSSL_malloc(sizeof(bytes)), *other = OPENSSL_malloc(70000);
	keymem_scope_end();
	assert_non_null(a);
	assert_null(other); // larger than a chunk: refused, not put elsewhere
	memcpy(a, bytes, sizeof(bytes));
	explicit_bzero(bytes, sizeof(bytes));
	assert_int_equal(memscan_count(&needle), 1);
	uint8_t *b = OPENSSL_realloc(a, 5000); // outside the scope: stays key memory
	assert_non_null(b);
	assert_int_equal(memscan_count(&needle), 1);
	OPENSSL_free(b);
	assert_int_equal(memscan_count(&needle), 0);
}

static void key_memory_grows_and_is_used_again(void **state)
{
	(void)state;
	struct cipher *many[60];
	size_t before = 0;
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 60; i++)
			many[i] = cipher_of(ieee_key, 4096);
		for (unsigned i = 0; i < 60; i++)
			cipher_free(&many[i]);
		if (round == 1)
			before = memscan_locked_kib();
	}
	assert_int_equal(memscan_locked_kib(), before);
}

static void a_second_initialisation_is_refused(void **state)
{
	(void)state;
	assert_int_equal(cipher_init_process(), -EBUSY);
	assert_true(cipher_memory_locked());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_gives_the_published_ciphertexts),
		cmocka_unit_test(the_tweak_counts_512_bytes_with_either_sector_size),
		cmocka_unit_test(a_sector_does_not_depend_on_its_company),
		cmocka_unit_test(a_broken_key_is_refused),
		cmocka_unit_test(more_threads_than_contexts_may_share_one_cipher),
		cmocka_unit_test(key_memory_is_locked),
		cmocka_unit_test(no_piece_of_the_key_is_left_after_cipher_free),
		cmocka_unit_test(freed_key_memory_is_wiped_even_if_openssl_does_not),
		cmocka_unit_test(key_memory_grows_and_is_used_again),
		cmocka_unit_test(a_second_initialisation_is_refused),
	};
	// Before OpenSSL is used for anything, as every program must.
	if (cipher_init_process())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
