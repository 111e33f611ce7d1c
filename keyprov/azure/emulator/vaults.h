// SPDX-License-Identifier: MIT
// The vaults and their keys: the data plane of Key Vault and Managed HSM. Thread-safe. One
// directory of the state directory per vault, one file per key, written atomically (0600). This is
// an emulator: private keys lie there as PEM, guarded by the files' modes alone.
#ifndef CMK_EMU_VAULTS_H
#define CMK_EMU_VAULTS_H

#include "audit.h"
#include "emu_action.h"
#include "emu_clock.h"
#include "emu_http.h"
#include "faults.h"
#include "identities.h"

struct vaults;

struct vaults_config {
	const char *dir; // state directory, exists
	const struct emu_clock *clock;
	struct identities *identities;
	struct faults *faults;
	struct audit *audit;
	const char *authority; // for challenges: "https://login.vault.localhost:8443/TENANT"
};
int vaults_open(const struct vaults_config *c, struct vaults **out, struct kp_err *err) must_use;
void vaults_free(struct vaults **v);

// Whether a host name is one of ours: NAME.vault.localhost or NAME.managedhsm.localhost.
bool vaults_host(const char *host);
// The whole way of a request to a vault: route, authenticate (challenge), faults, authorize,
// perform, audit.
int vaults_handle(struct vaults *v, struct emu_request *q, struct emu_reply *r) must_use;

// As the vault's own administrator, who may everything.
//
// "vault.*": add {name, hsm, days, purgeProtection, model}, set (the same members but hsm, and
// firewall, publicAccess, notFoundLag), remove, list. days of soft delete: 7 to 90 (default), 0
// for none. model: "rbac" (default) or "policy": how a refusal is worded. notFoundLag: a duration,
// for which a key stays 404 after delete and recover.
//
// "key.*": create {kty, size, crv, ops, exp, nbf, enabled, tags}, import {jwk, ...}, set (the
// latest version, or version), enable, disable, expire {exp} (all versions, or version), delete,
// recover, purge, rotate, list. exp, nbf: Unix seconds, or a duration from now. Each but list
// takes key; all take vault, which may be left out where there is only one. The result describes
// the key: vault, key, kid and version (the latest), deletedDate, versions.
int vaults_action(void *vaults, const char *verb, const struct kp_json *args,
	struct kp_json **result, struct kp_err *err);
// Whether the vault that an action names is there, and the key and the version in it (or in any
// vault, if it names none): -ENOENT with a sentence. Deleted keys are there.
int vaults_place(struct vaults *v, const struct kp_json *args, struct kp_err *err) must_use;
int keys_action(void *vaults, const char *verb, const struct kp_json *args, struct kp_json **result,
	struct kp_err *err);

#endif
