// SPDX-License-Identifier: MIT
// The identities as their files share them. Private to identity_*.c: every function here wants the
// lock held. What an emulator keeps protects nothing real; even so client secrets are kept as
// salted hashes, never as such.
#ifndef CMK_EMU_IDENTITY_MODEL_H
#define CMK_EMU_IDENTITY_MODEL_H

#include "emu_jwt.h"
#include "emu_text.h"
#include "identities.h"

#include <pthread.h>

#define IDENTITY_HASH 32
#define IDENTITY_LIFETIME 3599 // seconds a token lives unless the identity says otherwise
#define IDENTITY_ARC_KEYS 16   // challenges that may be open at a time
#define IDENTITY_FOREVER INT64_MAX

struct client_secret {
	char hint[4]; // the first characters, as portals show them
	uint8_t salt[16], hash[IDENTITY_HASH];
};
struct federated {
	char *issuer, *subject, *audience;
	char *key; // PEM, JWK or JWK set
};
enum managed { MANAGED_NO, MANAGED_SYSTEM, MANAGED_USER };

struct identity {
	char name[64], client_id[EMU_GUID], object_id[EMU_GUID];
	enum managed managed;
	char *resource_id; // of a user-assigned managed identity; NULL otherwise
	bool enabled;
	int64_t lifetime;  // of its tokens, seconds
	int64_t challenge; // what a token must answer, see identity_token.c; 0: nothing
	int64_t answered;  // when the first token answered it; 0: not yet
	struct client_secret *secrets;
	size_t secret_count;
	char *certificates; // PEM, one after the other; or NULL
	struct federated *federated;
	size_t federated_count;
};

// One permission in one place. It holds from `from` until `until`.
struct grant {
	char object_id[EMU_GUID];
	char vault[128], key[128], version[64]; // "" all
	const char *permission;			// of the table
	int64_t from, until;
};

struct identities {
	pthread_mutex_t lock;
	const struct emu_clock *clock;
	char *dir, *tenant, *authority, *arc_dir;
	EVP_PKEY *key;		     // signs the tokens
	char kid[44];		     // its name
	struct client_secret header; // of App Service
	struct identity *ids;
	size_t count;
	struct grant *grants;
	size_t grant_count;
	struct {
		char *path; // NULL: free
		uint8_t hash[IDENTITY_HASH];
	} arc[IDENTITY_ARC_KEYS];
};

static inline struct identities *identities_lock(struct identities *i)
{
	(void)pthread_mutex_lock(&i->lock);
	return i;
}
static inline void identities_unlock(struct identities **i)
{
	(void)pthread_mutex_unlock(&(*i)->lock);
}

// identity_members.c: reading an identity's members from arguments or the state file. Absent
// members stay as they are; lists that are there replace. -EINVAL with a sentence.
int identity_read(const struct kp_json *j, struct identity *id, struct kp_err *err) must_use;
void identity_end(struct identity *id);
// By name, client id or object id (any case of GUIDs); NULL if there is none.
struct identity *identity_find(struct identities *i, const char *who);
// The one that args' member "identity" names; without the member the only one there is.
int identity_wanted(struct identities *i, const struct kp_json *args, struct identity **out,
	struct kp_err *err) must_use;

// identity_print.c: as a new object; whole: with certificates and federated credentials.
int identity_print(const struct identity *id, bool whole, struct kp_json **out) must_use;

// identity_secret.c. hash: of salt and text. The comparison takes the same time for every secret
// of the same length.
int identity_secret_make(const char *text, struct client_secret *out) must_use;
bool identity_secret_is(const struct client_secret *s, const char *text);
void identity_hash(
	const void *a, size_t a_len, const void *b, size_t b_len, uint8_t out[IDENTITY_HASH]);
bool identity_hash_same(const uint8_t a[IDENTITY_HASH], const uint8_t b[IDENTITY_HASH]);

// identity_store.c: identities.json, the signing key, the App Service secret.
int identity_load(struct identities *i, struct kp_err *err) must_use;
int identity_save(struct identities *i, struct kp_err *err) must_use;

// identity_access.c.
const char *access_permission(const char *name); // as the table spells it; NULL if unknown
int access_add(struct identities *i, const struct grant *g) must_use;
void access_drop(struct identities *i, const char *object_id);

// identity_token.c.
struct token_wish {
	const struct identity *identity;
	const char *audience; // normal form
	bool cp1;	      // the client says that it understands claims challenges
	bool answers;	      // the request answers the identity's challenge
	bool certificate;     // proven by a key, not by a shared secret
};
int token_issue(struct identities *i, const struct token_wish *w, char **out) must_use;
// The audience in normal form for a resource that is one of ours ("https://vault.localhost", with
// or without a slash at the end; the names of the public clouds too). False if it is not.
bool token_audience(const char *resource, char out[64]);

// identity_assertion.c: whether an assertion proves to be the identity.
struct entra_refusal {
	int status, code;
	const char *error;
	char text[320];
};
int assertion_check(struct identities *i, const struct identity *id, const char *assertion,
	const char *const *audiences, struct entra_refusal *no) must_use; // -EACCES: *no says why
int refuse(struct entra_refusal *no, int status, const char *error, int code, const char *fmt, ...)
	printf_like(5, 6) must_use; // -EACCES

#endif
