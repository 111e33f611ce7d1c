// SPDX-License-Identifier: MIT
// What the two halves of azure_config_read() share: the key set, the environment, and the text of
// the sentence that refuses them.
#ifndef CMK_AZURE_CONFIG_READ_H
#define CMK_AZURE_CONFIG_READ_H

#include "azure_config.h"
#include "kp_json.h"

struct config_reader {
	const struct cmk_host *host;
	const char *const *environment; // NULL-terminated, or NULL
	const char *key_url;
	const struct kp_json *set;   // the key set's root
	const struct kp_json *azure; // its cmkdisk.azure, or NULL
	struct azure_config *c;
	struct kp_outcome *o;
};

// What azure_config_free() frees.
struct config_memory {
	const struct cmk_host *host;
	struct kp_json *tree;
	char *text;				    // under the tree
	char *tenants;				    // allowed ones, joined
	char *client_secret, *certificate_password; // the host's secret memory
	const char **suffixes;
	char user_agent[160];
};

// The value of a variable, borrowed, or "" when it is not there.
const char *config_env(const struct config_reader *r, const char *name);

// A text member of object; *out stays as it is when it is absent. `where` is the object's path in
// sentences. Not granted: another type.
enum cmk_verdict config_text(const struct config_reader *r, const struct kp_json *object,
	const char *where, const char *name, const char **out) must_use;
enum cmk_verdict config_flag(const struct config_reader *r, const struct kp_json *object,
	const char *where, const char *name, bool *out) must_use;

// Every member must be in the list (ends with NULL): a misspelt one would be a rule that is not
// kept.
enum cmk_verdict config_known(const struct config_reader *r, const struct kp_json *object,
	const char *where, const char *const *names) must_use;

// The whole of a small private file in secret memory, without the line end at its end. The caller
// frees *out with the host's secret_free. `what` is the member that names it.
enum cmk_verdict config_secret_file(
	const struct config_reader *r, const char *what, const char *path, char **out) must_use;

// Who we are: c->identity.
enum cmk_verdict config_identity(const struct config_reader *r) must_use;

#endif
