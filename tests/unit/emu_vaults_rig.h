// SPDX-License-Identifier: MIT
// The emulator's vaults in a directory of their own, asked without a network: what stands beside
// them (tokens, permissions, faults, the audit log) is played here and can be told what to answer.
#ifndef EMU_VAULTS_RIG_H
#define EMU_VAULTS_RIG_H

#include "kv_crypto.h"
#include "vaults.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

struct rig {
	char dir[64];
	struct emu_clock clock;
	struct vaults *v;
	// What the neighbours answer.
	enum token_fault token;
	const char *denied, *denied_version; // permission and version that are not allowed
	int fault_status;		     // 0: none
	uint32_t fault_delay;
	// What they were asked last; not noted when several threads ask.
	bool unnoted;
	char permission[32], version[40], audience[64];
	char fault_operation[32], fault_key[64];
	char audit_operation[32], audit_text[1400];
	int audit_status;
	// Of the next request; NULL: the usual.
	const char *query, *host, *authority, *client_request_id;
	struct emu_reply reply;
	char *text; // what json points into
	struct kp_json *json;
};
int rig_setup(void **state); // with a vault "contoso" and a Managed HSM "vaulty"
int rig_teardown(void **state);
void rig_reopen(struct rig *r);

// The status. path goes to contoso, or to vaulty if it begins with "hsm:".
int ask(struct rig *r, const char *method, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
// A member of the answer: "key.kid". str() is "" where there is none, and num() is -1.
const char *str(const struct rig *r, const char *path);
int64_t num(const struct rig *r, const char *path);
const struct kp_json *member(const struct rig *r, const char *path);
const char *header(const struct rig *r, const char *name); // "" if there is none
// An action with its arguments as JSON; the error's number and, in err, sentence.
int act(struct rig *r, const char *action, const char *args, struct kp_err *err);
#define ACT(r, action, args) assert_int_equal(act(r, action, args, NULL), 0)
#define ASK(r, status, ...) assert_int_equal(ask(r, __VA_ARGS__), status)
// error.code and innererror.code are these.
void assert_refusal(const struct rig *r, int status, const char *code, const char *inner);

// A version of a key as its file has it: the member "private" or "k". The caller frees it.
char *exported(const struct rig *r, const char *file, size_t version);
EVP_PKEY *exported_key(const struct rig *r, const char *file, size_t version);
char *base64(const void *data, size_t len); // the caller frees it
size_t unbase64(const char *text, void *out, size_t room);

#endif
