// SPDX-License-Identifier: MIT
// Backup and restore of a key with all its versions; see kv_vaults.h. A blob is opaque to its
// owner: nonce, tag and AES-256-GCM of the key as the state directory keeps it, behind a letter for
// the kind of vault, under a key of this state directory.
#include "kp_base64.h"
#include "kv_ssl.h"
#include "kv_vaults.h"

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>

#define NONCE 12
#define TAG 16
#define FRONT (NONCE + TAG)

static int seal(const struct vaults *v, const uint8_t *text, size_t len, uint8_t *blob)
{
	scoped(kv_cctx_free) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;
	if (!ctx || RAND_bytes(blob, NONCE) != 1)
		return -ENOMEM;
	if (EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, v->backup_key, blob) <= 0 ||
		EVP_EncryptUpdate(ctx, blob + FRONT, &n, text, (int)len) <= 0 ||
		EVP_EncryptFinal_ex(ctx, blob + FRONT + n, &n) <= 0 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, blob + NONCE) <= 0)
		return -ENOMEM;
	return 0;
}

// text has room for len - FRONT bytes.
static bool open_sealed(const struct vaults *v, uint8_t *blob, size_t len, uint8_t *text)
{
	scoped(kv_cctx_free) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;
	return ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, v->backup_key, blob) > 0 &&
	       EVP_DecryptUpdate(ctx, text, &n, blob + FRONT, (int)(len - FRONT)) > 0 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, blob + NONCE) > 0 &&
	       EVP_DecryptFinal_ex(ctx, text + n, &n) > 0;
}

static int print_key(const struct kv_call *c, const struct kv_key *k, struct kv_bytes *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	(void)fputc(c->vault->hsm ? 'h' : 'v', f);
	int ret = kv_key_print(k, f);
	if (fclose(f) != 0 && ret == 0)
		ret = -ENOMEM;
	*out = (struct kv_bytes){(uint8_t *)text, len};
	return ret;
}

int kv_backup(struct kv_call *c, FILE *out)
{
	scoped(kv_bytes_end) struct kv_bytes plain = {0}, blob = {0};
	struct kv_key *k;
	int ret = kv_live(c, &k);
	if (ret == 0)
		ret = print_key(c, k, &plain);
	if (ret == 0)
		ret = kv_bytes_new(plain.len + FRONT, &blob);
	if (ret == 0)
		ret = seal(c->vs, plain.data, plain.len, blob.data);
	if (ret)
		return ret;
	autofree char *text = malloc(KP_BASE64_LEN(blob.len) + 1);
	if (!text)
		return -ENOMEM;
	kp_base64_encode(blob.data, blob.len, text);
	(void)fprintf(out, "{\"value\":\"%s\"}", text);
	return 0;
}

static int corrupt(struct kv_call *c)
{
	return kv_refuse(c->no, 400, "Malformed backup blob", NULL, "Backup blob is corrupt.");
}

// The key in a blob, of which plain keeps the text.
static int read_blob(struct kv_call *c, struct kv_bytes *plain, struct kv_key **k)
{
	scoped(kv_bytes_end) struct kv_bytes blob = {0};
	int ret = kv_bytes_member(c->body, "value", true, &blob, c->no);
	if (ret)
		return ret;
	if (blob.len <= FRONT + 1)
		return corrupt(c);
	ret = kv_bytes_new(blob.len - FRONT, plain);
	if (ret)
		return ret;
	if (!open_sealed(c->vs, blob.data, blob.len, plain->data))
		return corrupt(c);
	if (plain->data[0] != (c->vault->hsm ? 'h' : 'v'))
		return kv_bad(c->no, "The backup was not made by this kind of vault.\r\n");
	ret = kv_key_parse((char *)plain->data + 1, plain->len - 1, k);
	return ret == -EBADMSG ? corrupt(c) : ret;
}

int kv_restore(struct kv_call *c, FILE *out)
{
	scoped(kv_bytes_end) struct kv_bytes plain = {0};
	scoped(kv_key_free) struct kv_key *k = NULL;
	int ret = read_blob(c, &plain, &k);
	if (ret == 0)
		ret = kv_free_name(c, k->name);
	if (ret)
		return ret;
	if (kv_vault_key(c->vault, k->name))
		return kv_refuse(c->no, 409, "Conflict", NULL,
			"A key with the name %s already exists in this vault.", k->name);
	k->hidden_until = 0;
	ret = kv_show_key(c, k, kv_key_latest(k), out);
	return ret ? ret : kv_vault_put(c->vs, c->vault, &k);
}
