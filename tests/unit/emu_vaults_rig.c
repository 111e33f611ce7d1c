// SPDX-License-Identifier: MIT
// See emu_vaults_rig.h.
#include "emu_vaults_rig.h"

#include "kp_base64.h"

#include <errno.h>
#include <ftw.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// What a request carries besides its path; emu_request.connection points here.
struct extras {
	char *query; // name=value&name=value, decoded
	const char *client_request_id;
	char value[2048];
};

const char *emu_query(const struct emu_request *q, const char *name)
{
	struct extras *e = q->connection;
	size_t len = strlen(name);
	for (const char *p = e->query; p && *p; p += strcspn(p, "&"), p += *p == '&')
		if (strncmp(p, name, len) == 0 && p[len] == '=') {
			size_t n = strcspn(p + len + 1, "&");
			// A slot for each of the three that are ever asked for.
			char *out = e->value + (*name == '$' ? 0 : (*name == 'm' ? 512 : 1024));
			(void)snprintf(out, 512, "%.*s", (int)n, p + len + 1);
			return out;
		}
	return NULL;
}

const char *emu_header(const struct emu_request *q, const char *name)
{
	const struct extras *e = q->connection;
	if (strcmp(name, "Authorization") == 0)
		return "Bearer x";
	return strcmp(name, "x-ms-client-request-id") == 0 ? e->client_request_id : NULL;
}

static void note(const struct rig *r, char *out, size_t room, const char *text)
{
	if (!r->unnoted)
		(void)snprintf(out, room, "%s", text ? text : "");
}

enum token_fault identities_authenticate(
	struct identities *i, const char *authorization, const char *audience, struct caller *out)
{
	struct rig *r = (struct rig *)i;
	assert_string_equal(authorization, "Bearer x");
	note(r, r->audience, sizeof(r->audience), audience);
	*out = (struct caller){"", "", "", "https://sts.windows.net/other/"};
	if (r->token == TOKEN_GOOD)
		*out = (struct caller){
			"disk-host", "app-1", "object-1", "https://sts.windows.net/t/"};
	return r->token;
}

int identities_claims(struct identities *i, const struct caller *c, char **json)
{
	(void)i;
	(void)c;
	*json = strdup("{\"access_token\":{\"nbf\":1}}");
	return *json ? 0 : -ENOMEM;
}

bool identities_allowed(struct identities *i, const struct caller *c, const char *vault,
	const char *key, const char *version, const char *permission)
{
	struct rig *r = (struct rig *)i;
	(void)c;
	(void)vault;
	(void)key;
	note(r, r->permission, sizeof(r->permission), permission);
	note(r, r->version, sizeof(r->version), version);
	if (r->denied && strcmp(r->denied, permission) == 0)
		return r->denied_version && strcmp(r->denied_version, r->version) != 0;
	return true;
}

int faults_apply(struct faults *f, const struct fault_subject *s, struct emu_reply *reply)
{
	struct rig *r = (struct rig *)f;
	note(r, r->fault_operation, sizeof(r->fault_operation), s->operation);
	note(r, r->fault_key, sizeof(r->fault_key), s->key);
	reply->delay_ms = r->fault_delay;
	reply->status = r->fault_status;
	return r->fault_status != 0;
}

void audit_write(struct audit *a, const struct emu_request *q, const struct audit_event *e)
{
	struct rig *r = (struct rig *)a;
	(void)q;
	note(r, r->audit_operation, sizeof(r->audit_operation), e->operation);
	note(r, r->audit_text, sizeof(r->audit_text), e->description);
	if (!r->unnoted)
		r->audit_status = e->status;
}

static void open_vaults(struct rig *r)
{
	struct vaults_config c = {.dir = r->dir,
		.clock = &r->clock,
		.identities = (struct identities *)r,
		.faults = (struct faults *)r,
		.audit = (struct audit *)r,
		.authority = "https://login.vault.localhost:8443/tenant"};
	struct kp_err err = {""};
	if (vaults_open(&c, &r->v, &err))
		fail_msg("%s", err.text);
}

void rig_reopen(struct rig *r)
{
	vaults_free(&r->v);
	open_vaults(r);
}

int rig_setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/emu-vaults-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	open_vaults(r);
	ACT(r, "vault.add", "{\"name\":\"contoso\"}");
	ACT(r, "vault.add", "{\"name\":\"vaulty\",\"hsm\":true}");
	*state = r;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int rig_teardown(void **state)
{
	struct rig *r = *state;
	kp_json_free(&r->json);
	free(r->text);
	emu_reply_end(&r->reply);
	vaults_free(&r->v);
	(void)nftw(r->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(r);
	return 0;
}

static void take_answer(struct rig *r)
{
	kp_json_free(&r->json);
	free(r->text);
	r->text = NULL;
	if (!r->reply.body)
		return;
	r->text = strdup(r->reply.body);
	assert_non_null(r->text);
	if (kp_json_parse(r->text, strlen(r->text), &r->json))
		fail_msg("not JSON: %s", r->reply.body);
}

int ask(struct rig *r, const char *method, const char *path, const char *fmt, ...)
{
	autofree char *body = NULL;
	bool hsm = strncmp(path, "hsm:", 4) == 0;
	const char *host = hsm ? "vaulty.managedhsm.localhost" : "contoso.vault.localhost";
	char authority[128], query[512];
	va_list ap;
	va_start(ap, fmt);
	if (fmt)
		assert_true(vasprintf(&body, fmt, ap) >= 0);
	va_end(ap);
	(void)snprintf(query, sizeof(query), "%s", r->query ? r->query : "api-version=7.4");
	(void)snprintf(authority, sizeof(authority), "%s:8443", r->host ? r->host : host);
	struct extras e = {.query = query, .client_request_id = r->client_request_id};
	struct emu_request q = {.port = EMU_TLS,
		.method = method,
		.host = r->host ? r->host : host,
		.authority = r->authority ? r->authority : authority,
		.path = hsm ? path + 4 : path,
		.client = "127.0.0.1",
		.body = body ? body : (char[]){""},
		.len = body ? strlen(body) : 0,
		.connection = &e};
	emu_reply_end(&r->reply);
	assert_int_equal(vaults_handle(r->v, &q, &r->reply), 0);
	take_answer(r);
	return r->reply.status;
}

const struct kp_json *member(const struct rig *r, const char *path)
{
	const struct kp_json *j = r->json;
	autofree char *copy = strdup(path);
	char *rest = copy;
	for (char *part = strsep(&rest, "."); part && rest; part = strsep(&rest, "."))
		j = kp_json_get(j, part);
	return j;
}

static const char *last(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot ? dot + 1 : path;
}

const char *str(const struct rig *r, const char *path)
{
	const char *s = kp_json_str(member(r, path), last(path));
	return s ? s : "";
}

int64_t num(const struct rig *r, const char *path)
{
	int64_t n;
	return kp_json_int(member(r, path), last(path), &n) ? n : -1;
}

const char *header(const struct rig *r, const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < r->reply.header_count; i++)
		if (strncasecmp(r->reply.headers[i], name, len) == 0 &&
			strncmp(r->reply.headers[i] + len, ": ", 2) == 0)
			return r->reply.headers[i] + len + 2;
	return "";
}

int act(struct rig *r, const char *action, const char *args, struct kp_err *err)
{
	autofree char *text = strdup(args);
	scoped(kp_json_free) struct kp_json *j = NULL, *result = NULL;
	struct kp_err own = {""};
	assert_int_equal(kp_json_parse(text, strlen(text), &j), 0);
	const char *verb = strchr(action, '.') + 1;
	int ret = strncmp(action, "key.", 4) == 0
			  ? keys_action(r->v, verb, j, &result, err ? err : &own)
			  : vaults_action(r->v, verb, j, &result, err ? err : &own);
	if (ret && !err)
		fail_msg("%s: %s", action, own.text);
	kp_json_free(&r->json);
	free(r->text);
	r->text = NULL;
	r->json = TAKE(result);
	return ret;
}

void assert_refusal(const struct rig *r, int status, const char *code, const char *inner)
{
	assert_int_equal(r->reply.status, status);
	assert_string_equal(str(r, "error.code"), code);
	assert_string_equal(str(r, "error.innererror.code"), inner);
	assert_true(strlen(str(r, "error.message")) > 10);
}

char *exported(const struct rig *r, const char *file, size_t version)
{
	char path[256];
	(void)snprintf(path, sizeof(path), "%s/vaults/%s", r->dir, file);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	autofree char *text = calloc(1, 1 << 20);
	assert_non_null(text);
	size_t len = fread(text, 1, (1 << 20) - 1, f);
	assert_int_equal(fclose(f), 0);
	scoped(kp_json_free) struct kp_json *j = NULL;
	assert_int_equal(kp_json_parse(text, len, &j), 0);
	const struct kp_json *v = kp_json_first(kp_json_get(j, "versions"));
	for (; version; version--)
		v = kp_json_next(v);
	const char *s = kp_json_str(v, "private");
	char *out = strdup(s ? s : kp_json_str(v, "k"));
	assert_non_null(out);
	return out;
}

EVP_PKEY *exported_key(const struct rig *r, const char *file, size_t version)
{
	autofree char *pem = exported(r, file, version);
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	assert_non_null(key);
	return key;
}

char *base64(const void *data, size_t len)
{
	char *text = malloc(KP_BASE64_LEN(len) + 1);
	assert_non_null(text);
	kp_base64_encode(data, len, text);
	return text;
}

size_t unbase64(const char *text, void *out, size_t room)
{
	assert_int_equal(kp_base64_decode(text, out, &room), 0);
	return room;
}
