// SPDX-License-Identifier: MIT
// The rig of the emulator's identities; see emu_identities_rig.h.
#include "emu_identities_rig.h"

#include "kp_base64.h"

#include <ftw.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <unistd.h>

// Stands for the connection of a request.
struct fake {
	char text[2][1024];
	struct {
		const char *name, *value;
	} pair[2][12];
};

static const char *find(const struct fake *f, int which, const char *name)
{
	for (size_t i = 0; i < 12 && f && f->pair[which][i].name; i++)
		if (strcasecmp(f->pair[which][i].name, name) == 0)
			return f->pair[which][i].value;
	return NULL;
}

const char *emu_query(const struct emu_request *q, const char *name)
{
	return find(q->connection, 0, name);
}

const char *emu_header(const struct emu_request *q, const char *name)
{
	return find(q->connection, 1, name);
}

static void fake_fill(
	struct fake *f, int which, const char *pairs, const char *ends, const char *eq)
{
	(void)snprintf(f->text[which], sizeof(f->text[which]), "%s", pairs ? pairs : "");
	char *p = *f->text[which] ? f->text[which] : NULL;
	for (size_t i = 0; p && i < 12; i++) {
		char *pair = strsep(&p, ends);
		char *value = strstr(pair, eq);
		assert_non_null(value);
		*value = '\0';
		f->pair[which][i].name = pair;
		f->pair[which][i].value = value + strlen(eq);
	}
}

static char *quoted(const char *text)
{
	char *copy = strdup(text);
	assert_non_null(copy);
	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	return copy;
}

static void open_ids(struct rig *r)
{
	struct identities_config c = {
		.dir = r->dir, .clock = &r->clock, .tenant = TENANT, .authority = AUTHORITY};
	if (identities_open(&c, &r->ids, &r->err))
		fail_msg("%s", r->err.text);
}

int rig_setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	memcpy(r->dir, "/tmp/emu-identities-XXXXXX", sizeof("/tmp/emu-identities-XXXXXX"));
	assert_non_null(mkdtemp(r->dir));
	open_ids(r);
	*state = r;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void forget_reply(struct rig *r)
{
	kp_json_free(&r->json);
	free(r->text);
	r->text = NULL;
	emu_reply_end(&r->reply);
}

int rig_teardown(void **state)
{
	struct rig *r = *state;
	forget_reply(r);
	kp_json_free(&r->result);
	identities_free(&r->ids);
	assert_int_equal(nftw(r->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(r);
	return 0;
}

void rig_reopen(struct rig *r)
{
	identities_free(&r->ids);
	open_ids(r);
}

int act(struct rig *r, const char *action, const char *args)
{
	char *text = quoted(args);
	struct kp_json *j = NULL;
	kp_json_free(&r->result);
	r->err.text[0] = '\0';
	assert_int_equal(kp_json_parse(text, strlen(text), &j), 0);
	int ret = strncmp(action, "access.", 7) == 0
			  ? access_action(r->ids, action + 7, j, &r->result, &r->err)
			  : identities_action(
				    r->ids, strchr(action, '.') + 1, j, &r->result, &r->err);
	kp_json_free(&j);
	free(text);
	return ret;
}

void must_act(struct rig *r, const char *action, const char *args)
{
	if (act(r, action, args))
		fail_msg("%s: %s", action, r->err.text);
}

void add_disk_host(struct rig *r)
{
	must_act(r, "identity.add",
		"{'name':'disk-host','clientId':'" CLIENT "','objectId':'" OBJECT
		"','secret':'" SECRET "'}");
}

static void keep_reply(struct rig *r, int ret)
{
	assert_int_equal(ret, 0);
	if (!r->reply.body)
		return;
	r->text = strdup(r->reply.body);
	assert_non_null(r->text);
	assert_int_equal(r->reply.len, strlen(r->text));
	assert_int_equal(kp_json_parse(r->text, r->reply.len, &r->json), 0);
	const char *token = kp_json_str(r->json, "access_token");
	if (token)
		assert_true((size_t)snprintf(r->token, sizeof(r->token), "%s", token) <
			    sizeof(r->token));
}

int post(struct rig *r, const char *path, const char *body)
{
	struct fake f = {0};
	char *copy = strdup(body);
	fake_fill(
		&f, 1, "Content-Type: application/x-www-form-urlencoded; charset=utf-8", "|", ": ");
	struct emu_request q = {.port = EMU_TLS,
		.method = "POST",
		.host = "login.vault.localhost",
		.authority = "login.vault.localhost:8443",
		.path = path,
		.client = "127.0.0.1",
		.body = copy,
		.len = strlen(body),
		.connection = &f};
	forget_reply(r);
	keep_reply(r, identities_entra(r->ids, &q, &r->reply));
	for (size_t i = 0; i < q.len; i++)
		assert_int_equal(copy[i], 0); // wiped
	free(copy);
	return r->reply.status;
}

int ask_token(struct rig *r, const char *body)
{
	return post(r, "/" TENANT "/oauth2/v2.0/token", body);
}

int get(struct rig *r, enum emu_port port, const char *path, const char *query, const char *headers)
{
	struct fake f = {0};
	fake_fill(&f, 0, query, "&", "=");
	fake_fill(&f, 1, headers, "|", ": ");
	struct emu_request q = {.port = port,
		.method = "GET",
		.host = "login.vault.localhost",
		.authority = "login.vault.localhost:8443",
		.path = path,
		.client = "127.0.0.1",
		.connection = &f};
	forget_reply(r);
	keep_reply(r, port == EMU_TLS ? identities_entra(r->ids, &q, &r->reply)
				      : identities_managed(r->ids, &q, &r->reply));
	return r->reply.status;
}

const char *reply_header(const struct rig *r, const char *name)
{
	for (size_t i = 0; i < r->reply.header_count; i++) {
		const char *h = r->reply.headers[i];
		if (strncmp(h, name, strlen(name)) == 0 && strncmp(h + strlen(name), ": ", 2) == 0)
			return h + strlen(name) + 2;
	}
	return "";
}

void assert_refused(struct rig *r, int status, const char *error)
{
	int64_t code = 0;
	assert_member(r, "error", error);
	assert_int_equal(r->reply.status, status);
	const char *text = kp_json_str(r->json, "error_description");
	assert_non_null(text);
	char *list;
	assert_int_equal(kp_json_print(kp_json_get(r->json, "error_codes"), false, &list), 0);
	code = strtol(list + 1, NULL, 10);
	free(list);
	assert_true(code > 0);
	char prefix[32];
	(void)snprintf(prefix, sizeof(prefix), "AADSTS%lld: ", (long long)code);
	assert_true(strncmp(text, prefix, strlen(prefix)) == 0);
	assert_non_null(kp_json_str(r->json, "timestamp"));
	assert_non_null(kp_json_str(r->json, "trace_id"));
	assert_non_null(kp_json_str(r->json, "correlation_id"));
	assert_null(kp_json_str(r->json, "access_token"));
}

enum token_fault authenticate(struct rig *r, const char *token, struct caller *c)
{
	char header[8192];
	struct caller unused;
	(void)snprintf(header, sizeof(header), "Bearer %s", token);
	return identities_authenticate(r->ids, header, VAULT, c ? c : &unused);
}

bool allowed(struct rig *r, const char *vault, const char *key, const char *version,
	const char *permission)
{
	struct caller c = {.name = "disk-host", .app_id = CLIENT, .object_id = OBJECT};
	return identities_allowed(r->ids, &c, vault, key, version, permission);
}

char *sign(EVP_PKEY *key, const char *alg, const char *header, const char *claims)
{
	char text[2048], *c = quoted(claims), *h, *content, *out;
	(void)snprintf(text, sizeof(text), "{'alg':'%s','typ':'JWT'%s%s}", alg, *header ? "," : "",
		header);
	h = quoted(text);
	char h64[4096], c64[4096], s64[2048];
	kp_base64_encode(h, strlen(h), h64);
	kp_base64_encode(c, strlen(c), c64);
	int len = asprintf(&content, "%s.%s", h64, c64);
	assert_true(len > 0);
	unsigned char sig[512];
	size_t sig_len = sizeof(sig);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	assert_int_equal(EVP_DigestSignInit(md, &ctx, EVP_sha256(), NULL, key), 1);
	if (strcmp(alg, "PS256") == 0) {
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32), 1);
	}
	assert_int_equal(
		EVP_DigestSign(md, sig, &sig_len, (unsigned char *)content, (size_t)len), 1);
	EVP_MD_CTX_free(md);
	kp_base64_encode(sig, sig_len, s64);
	assert_true(asprintf(&out, "%s.%s", content, s64) > 0);
	free(content);
	free(h);
	free(c);
	return out;
}

static void thumbprint(X509 *x, const EVP_MD *md, char *b64, char *hex)
{
	unsigned char d[EVP_MAX_MD_SIZE];
	unsigned len;
	assert_int_equal(X509_digest(x, md, d, &len), 1);
	kp_base64_encode(d, len, b64);
	for (unsigned i = 0; hex && i < len; i++)
		(void)snprintf(hex + 2 * (size_t)i, 3, "%02X", d[i]);
}

static void encode_cert(struct test_cert *c, X509 *x)
{
	unsigned char *der = NULL;
	char *pem;
	int len = i2d_X509(x, &der);
	assert_true(len > 0);
	c->der64 = calloc(1, (size_t)len * 2);
	(void)EVP_EncodeBlock((unsigned char *)c->der64, der, len);
	OPENSSL_free(der);
	BIO *bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	long n = BIO_get_mem_data(bio, &pem);
	char *out = c->json = calloc(2, (size_t)n + 1);
	for (long i = 0; i < n; i++) {
		if (pem[i] == '\n')
			*out++ = '\\';
		*out++ = pem[i] == '\n' ? 'n' : pem[i];
	}
	BIO_free(bio);
}

void cert_make(struct test_cert *c, long from, long to)
{
	*c = (struct test_cert){.key = EVP_RSA_gen(2048)};
	X509 *x = X509_new();
	assert_non_null(x);
	assert_non_null(c->key);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	(void)X509_gmtime_adj(X509_getm_notBefore(x), from);
	(void)X509_gmtime_adj(X509_getm_notAfter(x), to);
	assert_int_equal(X509_set_pubkey(x, c->key), 1);
	assert_true(X509_sign(x, c->key, EVP_sha256()) > 0);
	thumbprint(x, EVP_sha256(), c->s256, NULL);
	thumbprint(x, EVP_sha1(), c->s1, c->hex);
	encode_cert(c, x);
	X509_free(x);
}

void cert_end(struct test_cert *c)
{
	EVP_PKEY_free(c->key);
	free(c->json);
	free(c->der64);
}
