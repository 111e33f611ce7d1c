// SPDX-License-Identifier: MIT
// AES-256-XTS through OpenSSL's EVP. A context can serve one thread at a time and only in one
// direction, so the cipher keeps a few pairs, all made at construction; a thread takes the pair of
// its processor for one call. Nothing is allocated afterwards.
#include "cipher.h"

#include "bytes.h"
#include "keymem.h"
#include "scope.h"
#include "secret.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define TWEAK_UNIT 512u // bytes per tweak step, whatever the sector size
#define SLOTS_MIN 2u
#define SLOTS_MAX 8u
#define CACHE_LINE 64u

struct slot {
	_Alignas(CACHE_LINE) atomic_bool taken;
	EVP_CIPHER_CTX *enc, *dec; // guarded by taken
};

struct cipher {
	uint32_t sector_size;
	unsigned count;
	struct slot slots[];
};

int cipher_init_process(void)
{
	return keymem_install();
}

bool cipher_memory_locked(void)
{
	return keymem_locked();
}

static unsigned slots_wanted(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (cpus < (long)SLOTS_MIN)
		return SLOTS_MIN;
	return cpus > (long)SLOTS_MAX ? SLOTS_MAX : (unsigned)cpus;
}

static void scope_evp_free(EVP_CIPHER **evp)
{
	EVP_CIPHER_free(*evp);
}

static EVP_CIPHER_CTX *context_new(const EVP_CIPHER *evp, const struct secret *dek, int encrypt)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (ctx && EVP_CipherInit_ex2(ctx, evp, dek->data, NULL, encrypt, NULL) == 1)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

static int slots_fill(struct cipher *c, const EVP_CIPHER *evp, const struct secret *dek)
{
	for (unsigned i = 0; i < c->count; i++) {
		c->slots[i].enc = context_new(evp, dek, 1);
		c->slots[i].dec = context_new(evp, dek, 0);
		if (!c->slots[i].enc || !c->slots[i].dec)
			return -ENOMEM;
	}
	return 0;
}

int cipher_new(const struct secret *dek, uint32_t sector_size, struct cipher **out)
{
	const size_t half = CIPHER_KEY_LEN / 2;
	if (!keymem_installed())
		return -EPERM;
	if (dek->len != CIPHER_KEY_LEN || (sector_size != 512 && sector_size != 4096))
		return -EINVAL;
	if (CRYPTO_memcmp(dek->data, dek->data + half, half) == 0)
		return -EINVAL;

	// Looked up, and the thread's error state made, outside the scope: they outlive the key.
	ERR_clear_error();
	errno = 0;
	EVP_CIPHER *evp scoped(scope_evp_free) = EVP_CIPHER_fetch(NULL, "AES-256-XTS", NULL);
	if (!evp)
		return errno == ENOMEM ? -ENOMEM : -ENOSYS;
	unsigned count = slots_wanted();
	size_t room = sizeof(struct cipher) + count * sizeof(struct slot);
	struct cipher *c scoped(cipher_free) = aligned_alloc(CACHE_LINE, room);
	if (!c)
		return -ENOMEM;
	memset(c, 0, room);
	c->sector_size = sector_size;
	c->count = count;

	keymem_scope_begin();
	int r = slots_fill(c, evp, dek);
	keymem_scope_end();
	ERR_clear_error();
	if (r)
		return r;
	*out = TAKE(c);
	return 0;
}

void cipher_free(struct cipher **c)
{
	if (!*c)
		return;
	// Contexts live in key memory, which is wiped as they are freed.
	for (unsigned i = 0; i < (*c)->count; i++) {
		EVP_CIPHER_CTX_free((*c)->slots[i].enc);
		EVP_CIPHER_CTX_free((*c)->slots[i].dec);
	}
	free(*c);
	*c = NULL;
}

// A call lasts microseconds, so a thread that finds every pair taken gives its turn away.
static struct slot *slot_take(struct cipher *c)
{
	int cpu = sched_getcpu();
	unsigned i = cpu < 0 ? 0 : (unsigned)cpu % c->count;
	for (unsigned tries = 1;; tries++) {
		struct slot *s = &c->slots[i];
		if (!atomic_exchange_explicit(&s->taken, true, memory_order_acquire))
			return s;
		i = i + 1 == c->count ? 0 : i + 1;
		if (tries % c->count == 0)
			(void)sched_yield();
	}
}

static void slot_leave(struct slot *s)
{
	atomic_store_explicit(&s->taken, false, memory_order_release);
}

static int crypt_sectors(EVP_CIPHER_CTX *ctx, uint32_t sector, uint64_t off, const uint8_t *in,
	uint8_t *out, size_t len)
{
	uint8_t tweak[16] = {0};
	for (size_t done = 0; done < len; done += sector) {
		int n = 0;
		store_le64(tweak, (off + done) / TWEAK_UNIT);
		if (EVP_CipherInit_ex2(ctx, NULL, NULL, tweak, -1, NULL) != 1 ||
			EVP_CipherUpdate(ctx, out + done, &n, in + done, (int)sector) != 1 ||
			(uint32_t)n != sector)
			return -EIO;
	}
	return 0;
}

static void assert_whole_sectors(const struct cipher *c, uint64_t off, size_t len)
{
	assert(off % c->sector_size == 0);
	assert(len % c->sector_size == 0);
}

int cipher_encrypt(struct cipher *c, uint64_t off, const void *in, void *out, size_t len)
{
	assert_whole_sectors(c, off, len);
	struct slot *s = slot_take(c);
	int r = crypt_sectors(s->enc, c->sector_size, off, in, out, len);
	slot_leave(s);
	return r;
}

int cipher_decrypt(struct cipher *c, uint64_t off, const void *in, void *out, size_t len)
{
	assert_whole_sectors(c, off, len);
	struct slot *s = slot_take(c);
	int r = crypt_sectors(s->dec, c->sector_size, off, in, out, len);
	slot_leave(s);
	return r;
}
