// SPDX-License-Identifier: MIT
// Token services played by a script, on a machine whose clocks and files the test owns: answers one
// after the other, and everything that was asked is kept.
#ifndef CMK_TOKEN_RIG_H
#define CMK_TOKEN_RIG_H

#include "provider_host.h"

#include "cred.h"
#include "kp_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#define TENANT "11111111-2222-3333-4444-555555555555"
#define OTHER_TENANT "99999999-2222-3333-4444-555555555555"
#define CLIENT "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
#define SECRET "s3cr3t~of.the application/+&="
#define VAULT "https://vault.azure.net"
#define ENTRA_URL "https://login.microsoftonline.com/" TENANT "/oauth2/v2.0/token"
#define TOKEN(n) "eyJ0eXAiOiJKV1QiLCJhbGciOi." n ".signature-of-the-token"
#define GRANT(n, life) \
	"{\"token_type\":\"Bearer\",\"expires_in\":" life ",\"access_token\":\"" TOKEN(n) "\"}"

struct token_rig;

struct step {
	int status; // 0: no reply, see failure
	const char *body;
	const char *challenge, *retry_after; // or NULL
	enum http_failure failure;
	void (*meanwhile)(struct token_rig *r); // or NULL
	char *(*make)(struct token_rig *r);	// or NULL: the body, in secret memory
};

struct asked {
	char method[8], url[2048], headers[4][256], body[24576];
	bool direct, this_host;
	uint32_t timeout_ms;
};

#define STEPS 24

struct token_rig {
	struct provider_host host; // first: what was logged is found from it
	struct azure_config config;
	struct azure_identity *id; // of config
	struct cred_system system;
	char dir[4000], arc_dir[4096], file[4200];
	int64_t boot_ms;
	uint64_t slept_ms;
	struct step steps[STEPS];
	size_t planned, count; // steps; questions asked
	bool blind;	       // keeps nothing of what was asked
	struct asked asked[STEPS];
	char log[16384];
	struct token_source *tokens;
	struct kp_outcome o;
};

int token_rig_setup(void **state);
int token_rig_teardown(void **state);

void plan(struct token_rig *r, struct step s);
// PLAN(r, 200, "the body", .retry_after = "7")
#define PLAN(r, code, ...) plan(r, (struct step){.status = (code), .body = __VA_ARGS__})
#define PLAN_FAILURE(r, why) plan(r, (struct step){.failure = (why)})

// A complete client secret in the environment.
void use_secret(struct token_rig *r);
// token_source_new_on(), which must give this.
void start(struct token_rig *r, enum cmk_verdict wanted);
// token_get() for VAULT and the configured tenant; the token, or NULL and r->o. The whole script
// must have been used.
const char *get(struct token_rig *r);
const char *get_want(struct token_rig *r, const struct token_want *want);
// Both clocks go on.
void pass(struct token_rig *r, int64_t seconds);

void require_verdict(const struct token_rig *r, enum cmk_verdict v, const char *words);
void require_header(const struct asked *a, const char *header);
// The value of a field in a form or query, decoded; "" if it is not there.
const char *field(const char *form, const char *name);
void put_file(struct token_rig *r, const char *path, const char *text);
// Neither the log nor the sentence has it.
void require_unsaid(const struct token_rig *r, const char *what);

#endif
