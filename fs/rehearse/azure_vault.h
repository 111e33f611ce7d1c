// SPDX-License-Identifier: MIT
// The process of a stage's own cmkdisk-vault, and what takes more than one action of it.
#ifndef CMK_AZURE_VAULT_H
#define CMK_AZURE_VAULT_H

#include "attr.h"
#include "errmsg.h"

struct azure_vault;
struct stage;

// s stays the caller's and must live longer. A failed one has *out set as well.
int azure_vault_new(struct stage *s, struct azure_vault **out, struct errmsg *err) must_use;
void azure_vault_free(struct azure_vault **v); // ends the process; NULL allowed

// Starts it, waits until it answers, and fills in the stage's key set and key URL.
int azure_vault_start(struct azure_vault *v, struct errmsg *err) must_use;

// `cmkdisk-vault do WORDS`, NULL-terminated. *out, if wanted, is what it printed, the caller's.
int azure_vault_do(
	struct azure_vault *v, const char *const *words, char **out, struct errmsg *err) must_use;

// A copy of the key's file, and the vault started again with it in its place.
int azure_vault_backup(struct azure_vault *v, struct errmsg *err) must_use;
int azure_vault_restore(struct azure_vault *v, struct errmsg *err) must_use;
// A new version, when the identity's rights are on the present one only.
int azure_vault_rotate_ungranted(struct azure_vault *v, struct errmsg *err) must_use;
int azure_vault_disable_old(struct azure_vault *v, struct errmsg *err) must_use;

const char *azure_vault_client(const struct azure_vault *v);	  // its id
const char *azure_vault_object(const struct azure_vault *v);	  // the identity's object id
const char *azure_vault_secret_file(const struct azure_vault *v); // path
const char *azure_vault_slow(const struct azure_vault *v); // how long a slow answer takes: "7s"

#endif
