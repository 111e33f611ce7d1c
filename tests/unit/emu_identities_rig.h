// SPDX-License-Identifier: MIT
// What the tests of the emulator's identities share: a state directory, requests without a
// network, and a client that signs assertions by itself.
#ifndef CMK_EMU_IDENTITIES_RIG_H
#define CMK_EMU_IDENTITIES_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emu_jwt.h"
#include "identities.h"

#include <errno.h>

#define TENANT "11111111-2222-4333-8444-555555555555"
#define CLIENT "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
#define OBJECT "99999999-8888-4777-8666-555555555555"
#define AUTHORITY "https://login.vault.localhost:8443"
#define TOKEN_URL AUTHORITY "/" TENANT "/oauth2/v2.0/token"
#define VAULT "https://vault.localhost"
#define SCOPE "scope=https%3A%2F%2Fvault.localhost%2F.default"
#define SECRET "correct-horse-battery-staple"
#define BY_SECRET "grant_type=client_credentials&client_id=" CLIENT "&client_secret=" SECRET
#define BY_ASSERTION                                                                    \
	"grant_type=client_credentials&client_id=" CLIENT "&" SCOPE                     \
	"&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer" \
	"&client_assertion="

struct rig {
	struct emu_clock clock;
	char dir[256];
	struct identities *ids;
	struct emu_reply reply; // the last one
	char *text;		// its body, what json points into
	struct kp_json *json;	// its body, or NULL
	struct kp_err err;	// of the last action
	struct kp_json *result; // of the last action
	char token[4096];	// of the last reply that had one
};

int rig_setup(void **state);
int rig_teardown(void **state);
void rig_reopen(struct rig *r);

// "identity.add" and its arguments, with ' for ". The sentence is in r->err.
int act(struct rig *r, const char *action, const char *args);
// The same, which must do.
void must_act(struct rig *r, const char *action, const char *args);
// disk-host with SECRET, CLIENT and OBJECT.
void add_disk_host(struct rig *r);

// POST to path; the status.
int post(struct rig *r, const char *path, const char *body);
int ask_token(struct rig *r, const char *body); // the same at the v2.0 endpoint
// GET; query as "a=b&c=d" without escapes, headers as "A: b|C: d", either may be NULL.
int get(struct rig *r, enum emu_port port, const char *path, const char *query,
	const char *headers);
const char *reply_header(const struct rig *r, const char *name); // "" if absent
#define assert_member(r, member, value) \
	assert_string_equal(            \
		kp_json_str((r)->json, member) ? kp_json_str((r)->json, member) : "(none)", value)
// A refusal of the token endpoint, of the whole shape.
void assert_refused(struct rig *r, int status, const char *error);

enum token_fault authenticate(struct rig *r, const char *token, struct caller *c);
bool allowed(struct rig *r, const char *vault, const char *key, const char *version,
	const char *permission); // disk-host

// A signed token: header and claims with ' for ". The caller frees it.
char *sign(EVP_PKEY *key, const char *alg, const char *header, const char *claims);
// A self-signed certificate, PEM with \n escaped for JSON; its thumbprints in base64url.
struct test_cert {
	EVP_PKEY *key;
	char *json, *der64; // der64: base64 of the DER
	char s256[64], s1[64], hex[64];
};
void cert_make(struct test_cert *c, long from, long to); // seconds from now
void cert_end(struct test_cert *c);

#endif
