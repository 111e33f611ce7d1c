// SPDX-License-Identifier: MIT
// The inside of vaults.h: what the files kv_*.c and vaults.c share. A vault lives until
// vaults_free(), also when it was removed, so its address may be kept without the lock; its keys
// may not. Keys are never changed in place: a changed copy is written to disk first, then takes
// the old one's place, so that what is answered is what a restart will find.
#ifndef CMK_EMU_KV_VAULTS_H
#define CMK_EMU_KV_VAULTS_H

#include "kv_crypto.h"
#include "kv_model.h"
#include "kv_refusal.h"
#include "vaults.h"

#include <pthread.h>

#define KV_VAULT_NAME_MAX 24
#define KV_BASE_MAX 320 // "https://host:port"

struct kv_settings {
	int64_t days; // of soft delete; 0: none
	bool purge_protection;
	bool rbac;	    // else access policies
	bool firewall;	    // refuses everybody
	bool public_access; // false: refuses everybody
	int64_t lag;	    // seconds of 404 after delete and recover
};

struct kv_vault {
	char name[KV_VAULT_NAME_MAX + 1];
	bool hsm;
	bool removed;
	struct kv_settings set;
	struct kv_key **keys; // by name
	size_t count;
};

struct vaults {
	struct vaults_config c;
	char *dir, *authority; // dir: "STATE/vaults"
	char port[8];	       // ":8443" as in the authority's URL, or ""
	uint8_t backup_key[32];
	pthread_mutex_t lock; // guards everything below and all that hangs there
	struct kv_vault **vaults;
	size_t count;
};
void kv_lock(struct vaults *v);
void kv_unlock(struct vaults **v); // for scoped()

// kv_dir.c: the state directory. All with the lock held.
int kv_dir_open(struct vaults *v, const char *state, struct kp_err *err) must_use;
int kv_dir_add(struct vaults *v, const struct kv_vault *vault) must_use; // or its settings again
int kv_dir_remove(struct vaults *v, const struct kv_vault *vault) must_use;
int kv_dir_put(struct vaults *v, const struct kv_vault *vault, const struct kv_key *k) must_use;
int kv_dir_drop(struct vaults *v, const struct kv_vault *vault, const char *key) must_use;

// kv_hold.c: finding and replacing keys. All with the lock held; names in any case.
struct kv_vault *kv_vault_find(const struct vaults *v, const char *name);
void kv_vault_free(struct kv_vault **v);			     // one that was not added
int kv_vault_add(struct vaults *v, struct kv_vault *fresh) must_use; // owns fresh on success
// Forgets keys whose retention has ended. Before every use of the keys.
int kv_vault_sweep(struct vaults *v, struct kv_vault *vault, int64_t now) must_use;
struct kv_key *kv_vault_key(const struct kv_vault *vault, const char *name); // deleted ones too
// Puts *k in the place of the key of its name, on disk first, and takes it.
int kv_vault_put(struct vaults *v, struct kv_vault *vault, struct kv_key **k) must_use;
int kv_vault_drop(struct vaults *v, struct kv_vault *vault, struct kv_key *k) must_use;

// One request on its way, or one action of the administrator.
struct kv_call {
	struct vaults *vs;
	struct kv_vault *vault;
	struct kv_settings set;	     // of the vault, when the call began
	const struct emu_request *q; // NULL for an action
	const struct kp_json *body;  // NULL if there is none
	const char *key, *version;   // of the path; "" if there is none
	const char *api;	     // api-version
	const char *verb;	     // the permission it takes: "wrapKey"
	char base[KV_BASE_MAX];	     // for kid: "https://contoso.vault.localhost:8443"
	struct caller caller;
	int64_t now;
	int status; // of success
	struct kv_refusal *no;
};

// kv_key_action.c: the vault that an action names, or the only one; NULL with a sentence.
struct kv_vault *kv_vault_choose(struct vaults *v, const char *name, struct kp_err *err);

// kv_lookup.c: the key of the call, or its refusal. With the lock held.
int kv_live(struct kv_call *c, struct kv_key **out) must_use; // not deleted
int kv_deleted(struct kv_call *c, struct kv_key **out) must_use;
int kv_live_version(struct kv_call *c, struct kv_key **key, struct kv_version **out) must_use;
// The same where nobody swept the vault before.
int kv_current(struct kv_call *c, struct kv_key **key, struct kv_version **out) must_use;
int kv_free_name(struct kv_call *c, const char *name) must_use; // or 409
int kv_no_name(struct kv_call *c) must_use;			// 404

// kv_show.c: JSON of keys, in the service's order of members (a Managed HSM sorts them).
int kv_show_key(const struct kv_call *c, const struct kv_key *k, const struct kv_version *v,
	FILE *out) must_use;
// One element of a list; with the version in its kid or without.
int kv_show_item(const struct kv_call *c, const struct kv_key *k, const struct kv_version *v,
	bool with_version, FILE *out) must_use;
const char *kv_recovery_level(const struct kv_settings *s);

// What is done. Each writes the body of its success to out; with the lock held or not, as
// kv_route.c says. 0, -EPERM with a refusal, or another -errno.
typedef int kv_run(struct kv_call *c, FILE *out);
kv_run kv_create, kv_import, kv_get, kv_list, kv_versions, kv_update, kv_delete, kv_rotate;
kv_run kv_list_deleted, kv_get_deleted, kv_recover, kv_purge;
kv_run kv_policy_get, kv_policy_set, kv_backup, kv_restore;
kv_run kv_cipher, kv_sign_digest, kv_verify_digest, kv_random, kv_unsupported;

// kv_make.c: a change of the versions of one key; *copy is for the caller to change and put.
int kv_change_begin(struct kv_call *c, struct kv_key **copy, struct kv_version **v) must_use;

// kv_list.c: the query's maxresults and $skiptoken.
struct kv_page {
	int64_t max;
	char after[KV_NAME_MAX + 1]; // the last one shown before, or ""
};
int kv_page_read(const struct kv_call *c, struct kv_page *p) must_use;

// kv_route.c
struct kv_route {
	const char *audit;	// "KeyUnwrap"
	const char *permission; // "unwrapKey"
	const char *action;	// "wrap/action", behind ".../vaults/keys/"
	kv_run *run;
	bool locked;	  // run with the lock held
	bool per_version; // a permission on the latest version counts when none is named
	bool hsm_only;
};
// The path cut up.
struct kv_path {
	char key[KV_NAME_MAX + 1], version[KV_VERSION_LEN + 1]; // "" if there is none
	const struct kv_route *route;				// NULL: refused
};
int kv_route_find(
	const char *method, const char *path, struct kv_path *out, struct kv_refusal *no) must_use;

// kv_guard.c: who asks, and may they. 0, or -EPERM with a refusal; the reply gets the challenge.
int kv_authenticate(struct kv_call *c, struct emu_reply *r) must_use;
int kv_authorize(struct kv_call *c, const struct kv_route *route) must_use;
// vaults.c: the first label of a host name, and the kind that the rest tells; false if it is none
// of ours.
bool kv_host_kind(const char *host, bool *hsm, char name[KV_VAULT_NAME_MAX + 1]);
// Begins a call on this vault: its settings, base and time. With the lock held.
void kv_call_begin(struct kv_call *c, struct kv_vault *vault, const char *authority);
int kv_response_headers(
	const struct kv_call *c, const char *request_id, struct emu_reply *r) must_use;

#endif
