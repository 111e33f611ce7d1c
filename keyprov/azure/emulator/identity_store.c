// SPDX-License-Identifier: MIT
// identities.json and the key that signs tokens: loading and saving; see identity_model.h.
#include "emu_file.h"
#include "identity_model.h"

#include "kp_base64.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#define STATE_FILE "identities.json"
#define KEY_FILE "token-key.pem"
#define HEADER_FILE "app-service-secret"
#define KEY_BITS 2048
#define FILE_MAX (16 * 1024 * 1024)

static int read_file(
	const struct identities *i, const char *name, char **out, size_t *len, struct kp_err *err)
{
	autofree char *path = NULL;
	if (asprintf(&path, "%s/%s", i->dir, name) < 0) {
		path = NULL;
		return kp_fail(err, ENOMEM, "no memory to read %s", name);
	}
	return emu_file_read(path, FILE_MAX, out, len, err);
}

static void bio_free(BIO **p)
{
	BIO_free(*p);
}

static int load_key(struct identities *i, struct kp_err *err)
{
	autofree char *pem = NULL;
	size_t len;
	int ret = read_file(i, KEY_FILE, &pem, &len, err);
	if (ret)
		return ret;
	scoped(bio_free) BIO *bio = BIO_new_mem_buf(pem, (int)len);
	i->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	explicit_bzero(pem, len);
	if (!i->key)
		return kp_fail(err, EBADMSG,
			"%s/" KEY_FILE
			": is no private key in PEM form; remove it, and a new one is "
			"made",
			i->dir);
	return jwt_key_name(i->key, i->kid);
}

static int make_key(struct identities *i, struct kp_err *err)
{
	scoped(jwt_key_free) EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
	scoped(bio_free) BIO *bio = BIO_new(BIO_s_secmem());
	char *pem = NULL;
	if (!key || !bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) <= 0)
		return kp_fail(err, ENOMEM, "no memory for the key that signs tokens");
	long len = BIO_get_mem_data(bio, &pem);
	int ret = emu_file_write(i->dir, KEY_FILE, 0600, pem, (size_t)len, err);
	if (ret)
		return ret;
	i->key = TAKE(key);
	return jwt_key_name(i->key, i->kid);
}

static int load_header(struct identities *i, struct kp_err *err)
{
	autofree char *text = NULL;
	size_t len;
	int ret = read_file(i, HEADER_FILE, &text, &len, err);
	if (ret == -ENOENT) {
		char made[65];
		ret = emu_random_hex(made, 32);
		if (ret == 0)
			ret = emu_file_write(i->dir, HEADER_FILE, 0600, made, 64, err);
		if (ret == 0)
			ret = identity_secret_make(made, &i->header);
		explicit_bzero(made, sizeof(made));
		return ret;
	}
	if (ret)
		return ret;
	text[strcspn(text, "\r\n")] = '\0';
	ret = identity_secret_make(text, &i->header);
	explicit_bzero(text, len);
	return ret;
}

static bool get_bytes(const struct kp_json *j, const char *member, uint8_t *out, size_t want)
{
	size_t len = want;
	const char *text = kp_json_str(j, member);
	return text && kp_base64_decode(text, out, &len) == 0 && len == want;
}

static int load_secret(struct identity *id, const struct kp_json *j)
{
	const char *hint = kp_json_str(j, "hint");
	struct client_secret s = {0};
	if (!hint || strlen(hint) >= sizeof(s.hint) ||
		!get_bytes(j, "salt", s.salt, sizeof(s.salt)) ||
		!get_bytes(j, "hash", s.hash, sizeof(s.hash)))
		return -EBADMSG;
	memcpy(s.hint, hint, strlen(hint) + 1);
	struct client_secret *list =
		reallocarray(id->secrets, id->secret_count + 1, sizeof(*id->secrets));
	if (!list)
		return -ENOMEM;
	id->secrets = list;
	list[id->secret_count++] = s;
	return 0;
}

static int load_identity(struct identities *i, const struct kp_json *j, struct kp_err *err)
{
	struct identity *list = reallocarray(i->ids, i->count + 1, sizeof(*i->ids));
	if (!list)
		return -ENOMEM;
	i->ids = list;
	struct identity *id = &list[i->count++];
	*id = (struct identity){0};
	int ret = identity_read(j, id, err);
	if (ret)
		return ret;
	(void)kp_json_int(j, "challenge", &id->challenge);
	(void)kp_json_int(j, "answered", &id->answered);
	const struct kp_json *s = kp_json_first(kp_json_get(j, "secrets"));
	for (; s && ret == 0; s = kp_json_next(s))
		ret = load_secret(id, s);
	return ret;
}

static bool get_text(const struct kp_json *j, const char *member, char *out, size_t size)
{
	const char *text = kp_json_str(j, member);
	return text && (size_t)snprintf(out, size, "%s", text) < size;
}

static int load_grant(struct identities *i, const struct kp_json *j)
{
	struct grant g = {.until = IDENTITY_FOREVER};
	const char *permission = kp_json_str(j, "permission");
	g.permission = permission ? access_permission(permission) : NULL;
	if (!g.permission || !get_text(j, "identity", g.object_id, sizeof(g.object_id)) ||
		!get_text(j, "vault", g.vault, sizeof(g.vault)) ||
		!get_text(j, "key", g.key, sizeof(g.key)) ||
		!get_text(j, "version", g.version, sizeof(g.version)) ||
		!kp_json_int(j, "from", &g.from))
		return -EBADMSG;
	(void)kp_json_int(j, "until", &g.until);
	return access_add(i, &g);
}

static int load_state(struct identities *i, struct kp_err *err)
{
	autofree char *text = NULL;
	size_t len;
	int ret = read_file(i, STATE_FILE, &text, &len, err);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	scoped(kp_json_free) struct kp_json *j = NULL;
	ret = kp_json_parse(text, len, &j);
	const struct kp_json *v = kp_json_first(kp_json_get(j, "identities"));
	for (; v && ret == 0; v = kp_json_next(v))
		ret = load_identity(i, v, err);
	v = kp_json_first(kp_json_get(j, "access"));
	for (; v && ret == 0; v = kp_json_next(v))
		ret = load_grant(i, v);
	if (ret == -EBADMSG || ret == -EINVAL)
		return kp_fail(err, EBADMSG,
			"%s/" STATE_FILE ": is damaged; restore it, or remove it to begin anew",
			i->dir);
	return ret;
}

int identity_load(struct identities *i, struct kp_err *err)
{
	int ret = load_key(i, err);
	if (ret == -ENOENT)
		ret = make_key(i, err);
	if (ret == 0)
		ret = load_header(i, err);
	if (ret == 0)
		ret = load_state(i, err);
	return ret;
}

static int add_bytes(struct kp_json *j, const char *member, const uint8_t *data, size_t len)
{
	char text[KP_BASE64_LEN(IDENTITY_HASH) + 1];
	kp_base64_encode(data, len, text);
	return kp_json_add_str(j, member, text);
}

static int save_secrets(struct kp_json *parent, const struct identity *id)
{
	struct kp_json *list;
	int ret = kp_json_array(&list);
	if (ret == 0)
		ret = kp_json_add(parent, "secrets", list);
	for (size_t n = 0; n < id->secret_count && ret == 0; n++) {
		const struct client_secret *s = &id->secrets[n];
		struct kp_json *j;
		ret = kp_json_object(&j);
		if (ret == 0)
			ret = kp_json_push(list, j);
		if (ret == 0 && (kp_json_add_str(j, "hint", s->hint) ||
					add_bytes(j, "salt", s->salt, sizeof(s->salt)) ||
					add_bytes(j, "hash", s->hash, sizeof(s->hash))))
			ret = -ENOMEM;
	}
	return ret;
}

static int save_identity(struct kp_json *list, const struct identity *id)
{
	struct kp_json *j;
	int ret = identity_print(id, true, &j);
	if (ret == 0)
		ret = kp_json_push(list, j);
	if (ret == 0)
		ret = save_secrets(j, id);
	if (ret == 0 && (kp_json_add_int(j, "challenge", id->challenge) ||
				kp_json_add_int(j, "answered", id->answered)))
		ret = -ENOMEM;
	return ret;
}

static int save_grant(struct kp_json *list, const struct grant *g)
{
	struct kp_json *j;
	int ret = kp_json_object(&j);
	if (ret == 0)
		ret = kp_json_push(list, j);
	if (ret == 0 &&
		(kp_json_add_str(j, "identity", g->object_id) ||
			kp_json_add_str(j, "vault", g->vault) ||
			kp_json_add_str(j, "key", g->key) ||
			kp_json_add_str(j, "version", g->version) ||
			kp_json_add_str(j, "permission", g->permission) ||
			kp_json_add_int(j, "from", g->from) ||
			(g->until != IDENTITY_FOREVER && kp_json_add_int(j, "until", g->until))))
		ret = -ENOMEM;
	return ret;
}

static int print_state(const struct identities *i, char **out)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	struct kp_json *ids = NULL, *access = NULL;
	int ret = kp_json_object(&j);
	if (ret == 0)
		ret = kp_json_array(&ids);
	if (ret == 0)
		ret = kp_json_add(j, "identities", ids);
	for (size_t n = 0; n < i->count && ret == 0; n++)
		ret = save_identity(ids, &i->ids[n]);
	if (ret == 0)
		ret = kp_json_array(&access);
	if (ret == 0)
		ret = kp_json_add(j, "access", access);
	for (size_t n = 0; n < i->grant_count && ret == 0; n++)
		ret = save_grant(access, &i->grants[n]);
	return ret ? ret : kp_json_print(j, true, out);
}

int identity_save(struct identities *i, struct kp_err *err)
{
	autofree char *text = NULL;
	int ret = print_state(i, &text);
	if (ret)
		return kp_fail(err, -ret, "no memory to write the identities");
	return emu_file_write(i->dir, STATE_FILE, 0600, text, strlen(text), err);
}
