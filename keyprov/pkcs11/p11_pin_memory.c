// SPDX-License-Identifier: MIT
// See p11_pin_memory.h.
#include "p11_pin_memory.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME "pin-"

static void free_digest(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static bool begin(EVP_MD_CTX **ctx, const CK_TOKEN_INFO *token)
{
	*ctx = EVP_MD_CTX_new();
	return *ctx && EVP_DigestInit_ex(*ctx, EVP_sha256(), NULL) == 1 &&
	       EVP_DigestUpdate(*ctx, token->serialNumber, sizeof(token->serialNumber)) == 1 &&
	       EVP_DigestUpdate(*ctx, token->manufacturerID, sizeof(token->manufacturerID)) == 1 &&
	       EVP_DigestUpdate(*ctx, token->model, sizeof(token->model)) == 1;
}

static bool end(EVP_MD_CTX *ctx, char out[P11_FINGERPRINT])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	bool ok = EVP_DigestFinal_ex(ctx, sum, NULL) == 1;
	for (size_t i = 0; i < P11_FINGERPRINT / 2; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", sum[i]);
	explicit_bzero(sum, sizeof(sum));
	return ok;
}

bool p11_token_fingerprint(const CK_TOKEN_INFO *token, char out[P11_FINGERPRINT])
{
	scoped(free_digest) EVP_MD_CTX *ctx = NULL;
	return begin(&ctx, token) && end(ctx, out);
}

bool p11_pin_fingerprint(const CK_TOKEN_INFO *token, CK_USER_TYPE user, const struct p11_pin *pin,
	char out[P11_FINGERPRINT])
{
	scoped(free_digest) EVP_MD_CTX *ctx = NULL;
	const int64_t numbers[] = {(int64_t)user, pin->written.tv_sec, pin->written.tv_nsec};
	return begin(&ctx, token) && EVP_DigestUpdate(ctx, numbers, sizeof(numbers)) == 1 &&
	       EVP_DigestUpdate(ctx, pin->text, pin->len) == 1 && end(ctx, out);
}

static size_t find(const struct p11_pin_memory *memory, const char *key)
{
	size_t i = 0;
	while (i < memory->count && strcmp(memory->at[i].key, key) != 0)
		i++;
	return i;
}

struct p11_pin_record p11_pin_recall(const struct p11_pin_memory *memory, const char *key)
{
	size_t i = find(memory, key);
	return i < memory->count ? memory->at[i]
				 : (struct p11_pin_record){.state = P11_PIN_UNKNOWN};
}

static void keep(struct p11_pin_memory *memory, const char *key, enum p11_pin_state state, CK_RV rv)
{
	size_t old = find(memory, key);
	if (old == memory->count && memory->count == P11_PINS_KNOWN)
		old = 0;
	if (old < memory->count) {
		memory->count--;
		memmove(&memory->at[old], &memory->at[old + 1],
			(memory->count - old) * sizeof(memory->at[0]));
	}
	if (state == P11_PIN_UNKNOWN)
		return;
	struct p11_pin_record *r = &memory->at[memory->count++];
	r->state = state;
	r->rv = rv;
	(void)snprintf(r->key, sizeof(r->key), "%s", key);
}

void p11_pin_note(struct p11_pin_memory *memory, const struct cmk_host *host, const char *key,
	enum p11_pin_state state, CK_RV rv)
{
	char name[sizeof(NAME) + P11_FINGERPRINT], value[CMK_NOTE_VALUE_MAX] = "";
	if (state == P11_PIN_TRIED)
		rv = (CK_RV)getpid();
	keep(memory, key, state, rv);
	if (!CMK_HAS(host, struct cmk_host, note))
		return;
	(void)snprintf(name, sizeof(name), NAME "%s", key);
	if (state == P11_PIN_TRIED)
		(void)snprintf(value, sizeof(value), "tried %lu", rv);
	else if (state == P11_PIN_GOOD)
		(void)snprintf(value, sizeof(value), "good");
	else if (state != P11_PIN_UNKNOWN)
		(void)snprintf(value, sizeof(value), "%s 0x%lx",
			state == P11_PIN_DOUBTED ? "doubted" : "refused", rv);
	host->note(host, name, value);
	explicit_bzero(name, sizeof(name));
}

bool p11_pin_is_being_shown(const struct p11_pin_record *r)
{
	pid_t pid = (pid_t)r->rv;
	return r->state == P11_PIN_TRIED && pid != getpid() &&
	       (kill(pid, 0) == 0 || errno != ESRCH);
}

static enum p11_pin_state read_state(const char *value, CK_RV *rv)
{
	*rv = CKR_OK;
	if (strcmp(value, "good") == 0)
		return P11_PIN_GOOD;
	if (sscanf(value, "refused %lx", rv) == 1)
		return P11_PIN_REFUSED;
	if (sscanf(value, "doubted %lx", rv) == 1)
		return P11_PIN_DOUBTED;
	if (sscanf(value, "tried %lu", rv) == 1 && *rv > 0 && *rv <= INT_MAX)
		return P11_PIN_TRIED;
	return P11_PIN_UNKNOWN;
}

void p11_pin_remember(struct p11_pin_memory *memory, const char *note)
{
	const size_t head = sizeof(NAME) - 1, len = P11_FINGERPRINT - 1;
	char key[P11_FINGERPRINT];
	CK_RV rv;
	if (strncmp(note, NAME, head) != 0 || strspn(note + head, "0123456789abcdef") != len ||
		note[head + len] != '=')
		return;
	(void)snprintf(key, sizeof(key), "%s", note + head);
	enum p11_pin_state state = read_state(note + head + len + 1, &rv);
	keep(memory, key, state, rv);
	explicit_bzero(key, sizeof(key));
}
