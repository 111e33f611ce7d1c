// SPDX-License-Identifier: MIT
// cmkdisk byok: from a key in a token to a file that a vault imports; see byok.h.
#include "byok.h"

#include "kp_base64.h"
#include "kp_program.h"

#include <errno.h>
#include <string.h>
#include <time.h>

// https://VAULT/keys/NAME/VERSION
static int check_kid(const char *kid, struct kp_err *err)
{
	const char *keys = strstr(kid, "/keys/");
	const char *version = keys ? strchr(keys + 6, '/') : NULL;
	if (strncmp(kid, "https://", 8) != 0 || !version || !version[1] ||
		strlen(kid) >= BYOK_KID_MAX)
		return kp_fail(err, EINVAL,
			"--kid %.200s: write the key exchange key's name with its version, as in "
			"https://VAULT.vault.azure.net/keys/NAME/VERSION",
			kid);
	return 0;
}

static int read_kek(const struct tool_options *o, struct byok_kek *kek, struct kp_err *err)
{
	int ret = byok_kek_read(o->kek, kek, err);
	if (ret == 0 && o->kid) {
		ret = check_kid(o->kid, err);
		if (ret == 0)
			(void)snprintf(kek->kid, sizeof(kek->kid), "%s", o->kid);
	} else if (ret == 0 && *kek->kid) {
		ret = check_kid(kek->kid, err);
	}
	return ret;
}

// False if a vault would not take the blob, with a warning that tells why.
static bool check_import(const struct tool_options *o, const struct byok_kek *kek)
{
	if (kek->other_uses)
		kp_program_warn("%s: may do more than import; a vault takes a blob only for a key "
				"exchange key whose sole operation is import",
			o->kek);
	if (!*kek->kid)
		kp_program_warn("%s: names no key exchange key, which a vault needs; make it anew "
				"with --kid https://VAULT.vault.azure.net/keys/NAME/VERSION",
			o->out);
	return !kek->other_uses && *kek->kid;
}

// The key that the URL means: the only one, or the newest.
static int choose(struct tool *t, struct p11_key *out, struct kp_err *err)
{
	struct p11_keys *keys autofree = calloc(1, sizeof(*keys));
	struct kp_outcome o = {0};
	if (!keys)
		return kp_fail(err, ENOMEM, "no memory");
	int ret = tool_keys(t, "", keys, err);
	if (ret)
		return ret;
	const struct p11_key *newest =
		p11_key_newest(keys, (int64_t)time(NULL), t->session.where, &o);
	if (!newest)
		return tool_outcome(&o, err);
	*out = *newest;
	if (out->bits == 0 || out->bits > 4096)
		return kp_fail(err, EDOM,
			"%s: version %s has a size of which no vault has keys; an RSA key has "
			"2048, "
			"3072 or 4096 bits, an AES key 128, 192 or 256",
			t->session.where, out->version);
	return 0;
}

// Fixed-size and blank-padded; what is not printable is left out.
static size_t put_text(char *out, size_t room, const unsigned char *text, size_t len)
{
	size_t n = 0;
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == 0))
		len--;
	for (size_t i = 0; i < len && n + 1 < room; i++)
		if (text[i] >= 0x20 && text[i] < 0x7f)
			out[n++] = (char)text[i];
	out[n] = '\0';
	return n;
}

static int build(
	const struct tool *t, const struct byok_kek *kek, const struct byok_blob *blob, char **out)
{
	scoped(kp_json_free) struct kp_json *root = NULL, *header = NULL;
	const CK_TOKEN_INFO *info = &t->session.token;
	char *base64 autofree = malloc(KP_BASE64_LEN(blob->len) + 1);
	char generator[160], maker[40], model[24];
	if (!base64)
		return -ENOMEM;
	kp_base64_encode(blob->data, blob->len, base64);
	(void)put_text(maker, sizeof(maker), info->manufacturerID, sizeof(info->manufacturerID));
	(void)put_text(model, sizeof(model), info->model, sizeof(info->model));
	(void)snprintf(generator, sizeof(generator), "cmkdisk %s; %s %s firmware %u.%u",
		CMKDISK_VERSION, maker, model, info->firmwareVersion.major,
		info->firmwareVersion.minor);
	int ret = kp_json_object(&root);
	ret = ret ? ret : kp_json_object(&header);
	ret = ret ? ret : kp_json_add_str(header, "kid", kek->kid);
	ret = ret ? ret : kp_json_add_str(header, "alg", "dir");
	ret = ret ? ret : kp_json_add_str(header, "enc", "CKM_RSA_AES_KEY_WRAP");
	ret = ret ? ret : kp_json_add_str(root, "schema_version", "1.0.0");
	ret = ret ? ret : kp_json_add(root, "header", TAKE(header));
	ret = ret ? ret : kp_json_add_str(root, "ciphertext", base64);
	ret = ret ? ret : kp_json_add_str(root, "generator", generator);
	return ret ? ret : kp_json_print(root, true, out);
}

// Before anything is wrapped: whoever owns this key will own the one that is wrapped for it.
static void tell_kek(const struct byok_kek *kek)
{
	(void)printf("For         %s\nSHA-256     %s\n",
		*kek->kid ? kek->kid : "a key without a name", kek->fingerprint);
	(void)fflush(stdout);
}

static void tell(
	const struct tool_options *o, const struct p11_key *key, const struct byok_kek *kek)
{
	(void)printf("Wrapped     version %s (%s, %u bits)\nBlob        %s\n", key->version,
		tool_key_type(key), key->bits, o->out);
	(void)fflush(stdout);
	if (!check_import(o, kek))
		return;
	if (key->type == CKK_AES)
		(void)printf(
			"Next step   az keyvault key import --hsm-name HSM --name NAME --kty oct "
			"--byok-file '%s'\n",
			o->out);
	else
		(void)printf("Next step   az keyvault key import --vault-name VAULT --name NAME "
			     "--protection hsm --byok-file '%s'\n",
			o->out);
}

int tool_byok(const struct tool_options *o, struct kp_err *err)
{
	scoped(tool_close) struct tool t = {0};
	struct byok_kek kek;
	struct byok_blob *blob autofree = calloc(1, sizeof(*blob));
	char *text autofree = NULL;
	struct p11_key key;
	bool force = o->given & OPT_FORCE;
	if (!blob)
		return kp_fail(err, ENOMEM, "no memory");
	int ret = read_kek(o, &kek, err);
	// Before anybody types a PIN; what decides is byok_store().
	if (ret == 0 && !force && access(o->out, F_OK) == 0)
		return kp_fail(err, EEXIST,
			"%s: exists already; choose another name, or replace it with --force",
			o->out);
	if (ret)
		return ret;
	tell_kek(&kek);
	ret = tool_open(&o->url, false, &t, err);
	ret = ret ? ret : choose(&t, &key, err);
	ret = ret ? ret : byok_wrap(&t, &key, &kek, blob, err);
	if (ret)
		return ret;
	if (build(&t, &kek, blob, &text))
		return kp_fail(err, ENOMEM, "no memory");
	ret = byok_store(o->out, text, force, err);
	if (ret == 0)
		tell(o, &key, &kek);
	return ret;
}
