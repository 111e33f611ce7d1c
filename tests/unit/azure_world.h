// SPDX-License-Identifier: MIT
// The Azure provider as its host sees it, with a vault by script, a token source that does as it is
// told and a clock that is set: what the tests of whole questions share. azure_world.c holds the
// token source and the clock; its symbols win over those of the libraries.
#ifndef CMK_AZURE_WORLD_H
#define CMK_AZURE_WORLD_H

#include "azure_fixture.h"
#include "http_script.h"

#include <stdlib.h>

const struct cmk_keyprov *cmk_keyprov_init(void);

#define ASKED_MAX 16
#define JSON_TYPE "Content-Type: application/json; charset=utf-8\r\nx-ms-request-id: req-1\r\n"
#define RESOURCE "https://vault.localhost"
#define CHALLENGE_OF(tenant, resource)                                                       \
	"WWW-Authenticate: Bearer authorization=\"https://login.microsoftonline.com/" tenant \
	"\", resource=\"" resource "\"\r\n"
#define CHALLENGE CHALLENGE_OF(TENANT, RESOURCE)
#define UNAUTHORIZED                                                   \
	"{\"error\":{\"code\":\"Unauthorized\",\"message\":\"AKV10000" \
	": Request is missing a Bearer or PoP token.\"}}"
#define FORBIDDEN(inner)                                                       \
	"{\"error\":{\"code\":\"Forbidden\",\"message\":\"m\",\"innererror\":" \
	"{\"code\":\"" inner "\"}}}"
#define NOT_FOUND "{\"error\":{\"code\":\"KeyNotFound\",\"message\":\"A key was not found\"}}"

// What the token source was asked, and what it is to say.
struct fake_tokens {
	size_t asked, made, doubted;
	struct {
		char resource[256], tenant[128], claims[256];
		bool fresh;
	} want[ASKED_MAX];
	enum cmk_verdict verdict; // if not granted
	char bearer[32];	  // "token-1", and another number for each fresh one
};

struct azure_world {
	struct provider_host host;
	struct http_script *script;
	struct fake_tokens tokens;
	uint64_t clock; // ms
	uint32_t retry_after;
	char request_id[64];
	char log[16384]; // all lines
	const struct cmk_keyprov *prov;
	void *key;
	char origin[120], url[300], config[1000];
	uint8_t plain[CMK_PLAIN_MAX];
	size_t plain_len;
	struct cmk_wrapped wrapped;
	struct cmk_key_info info;
};

extern struct azure_world azure_world; // also the fakes' state

int azure_world_setup(void **state);
int azure_world_teardown(void **state);

// Opens the key with this path behind its name ("" or "/VERSION") and further members of
// cmkdisk.azure (",\"a\":1") and of the key set.
void azure_world_open(const char *version, const char *azure, const char *set);

enum cmk_verdict azure_world_unwrap(const char *version); // of 4 bytes with RSA-OAEP-256
enum cmk_verdict azure_world_wrap(void);		  // of 32 bytes, 0, 1, ...
enum cmk_verdict azure_world_describe(const char *version);

// The vault's next answers.
void vault_challenges(void);
void vault_says(int status, const char *body);
void vault_says_with(int status, const char *headers, const char *body);
// {"kid":URL of version,"value":...}
void vault_result(const char *version, const char *value);
// A KeyBundle: version, then members of key and of attributes.
void vault_key(const char *version, const char *key, const char *attributes);

// The verdict, the reason and a part of the sentence.
void require_said(
	enum cmk_verdict got, enum cmk_verdict verdict, enum cmk_reason reason, const char *part);
const char *request_head(size_t n);
const char *request_body(size_t n);

#define PLAIN32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" // 00 01 ... 1f

#endif
