// SPDX-License-Identifier: MIT
// What a vault is made of: keys, their versions, the key material, the rotation policy. Plain
// values without a lock; who holds them is said in kv_vaults.h.
#ifndef CMK_EMU_KV_MODEL_H
#define CMK_EMU_KV_MODEL_H

#include "kp_json.h"
#include "kv_refusal.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define KV_NAME_MAX 127
#define KV_VERSION_LEN 32
#define KV_TIME_LEN 24 // of an ISO 8601 duration

enum kv_ops {
	KV_ENCRYPT = 1,
	KV_DECRYPT = 2,
	KV_SIGN = 4,
	KV_VERIFY = 8,
	KV_WRAP = 16,
	KV_UNWRAP = 32,
	KV_IMPORT = 64,
	KV_EXPORT = 128,
	KV_SECURE_WRAP = 256,
	KV_SECURE_UNWRAP = 512,
};
#define KV_OPS 10
// The name of bit i ("wrapKey"); 0 for a name that is none.
const char *kv_op_name(unsigned i);
unsigned kv_op_bit(const char *name);

enum kv_kty { KV_RSA, KV_EC, KV_OCT };

// What a version computes with. Copies share the OpenSSL key.
struct kv_material {
	enum kv_kty kty;
	bool hsm;	 // "RSA-HSM" and so on; a name only
	const char *crv; // "P-256", ...; static; NULL unless EC
	unsigned bits;
	EVP_PKEY *pkey; // RSA, EC
	uint8_t oct[32];
};
const char *kv_kty_name(const struct kv_material *m);
int kv_material_copy(const struct kv_material *from, struct kv_material *to) must_use;
void kv_material_end(struct kv_material *m);

struct kv_version {
	char id[KV_VERSION_LEN + 1];
	struct kv_material material;
	unsigned ops;
	bool enabled, exportable;
	int64_t nbf, exp; // Unix seconds; 0: none
	int64_t created, updated;
	char *tags, *release; // JSON text, or NULL
};

struct kv_action {
	bool rotate; // else notify
	bool after;  // time after creation, else before expiry
	char time[KV_TIME_LEN];
};
struct kv_policy {
	int64_t created, updated; // 0: never set
	char expiry[KV_TIME_LEN]; // empty: none
	struct kv_action actions[2];
	size_t count;
};

struct kv_key {
	char name[KV_NAME_MAX + 1];
	size_t count;
	struct kv_version *versions; // in order of creation
	struct kv_policy policy;
	int64_t deleted, purge_at; // 0: not deleted
	int64_t hidden_until;	   // after delete and recover: not found before
};
int kv_key_new(const char *name, struct kv_key **out) must_use;
int kv_key_copy(const struct kv_key *from, struct kv_key **out) must_use;
void kv_key_free(struct kv_key **k);
// Appends an empty version with a fresh id.
int kv_key_add(struct kv_key *k, int64_t now, struct kv_version **out) must_use;
struct kv_version *kv_key_latest(const struct kv_key *k);
// version NULL or "": the latest. NULL if there is none.
struct kv_version *kv_key_find(const struct kv_key *k, const char *version);

bool kv_name_ok(const char *name);
bool kv_version_ok(const char *version);

// One key as the state directory keeps it, private parts included, and back. text is changed.
int kv_key_print(const struct kv_key *k, FILE *out) must_use;
int kv_key_parse(char *text, size_t len, struct kv_key **out) must_use;

// What create, import and update ask for besides the material. Absent members stay absent.
struct kv_change {
	bool has_ops, has_enabled, has_nbf, has_exp, has_exportable;
	unsigned ops;
	bool enabled, exportable;
	int64_t nbf, exp;
	char *tags, *release; // owned
};
// body: {key_ops, attributes, tags, release_policy}.
int kv_change_read(
	const struct kp_json *body, struct kv_change *out, struct kv_refusal *no) must_use;
int kv_change_ops(const struct kp_json *ops, struct kv_change *out, struct kv_refusal *no) must_use;
// Moves the texts over.
void kv_change_apply(struct kv_change *c, struct kv_version *v, int64_t now);
void kv_change_end(struct kv_change *c);

// ISO 8601 "P90D", "P1Y2M", "P4W", also with a time part; months have 30 days, years 365.
bool kv_duration(const char *text, int64_t *seconds);

#endif
