// SPDX-License-Identifier: MIT
// Faults on request: which requests are answered otherwise, how, for how long. Seeded, so that a
// run can be repeated. Thread-safe.
#ifndef CMK_EMU_FAULTS_H
#define CMK_EMU_FAULTS_H

#include "emu_action.h"
#include "emu_clock.h"
#include "emu_http.h"

#include <stdio.h>

struct faults;

int faults_new(uint64_t seed, struct faults **out) must_use;
void faults_free(struct faults **f);
// For "cae" challenges: "https://login.vault.localhost:8443/TENANT". Once, before the first
// request.
int faults_authority(struct faults *f, const char *authority) must_use;

// What a request is, for matching. Strings NULL when it has none.
struct fault_subject {
	const char *operation; // as the audit log names it: "KeyUnwrap", "KeyGet", "Token"
	const char *vault, *key, *version;
	const char *endpoint; // "vault", "entra", "imds", "appservice", "arc"
	bool hsm;	      // for the resource that a "cae" challenge names
};
// Answered otherwise: 1 and *reply is filled in (status, body, headers, delay, manner). 0: the
// handler goes on and fills it in, leaving delay_ms and manner, which may be set (latency,
// truncate, drip). -ENOMEM.
int faults_apply(struct faults *f, const struct fault_subject *s, struct emu_reply *reply) must_use;

// Whether fault.add would take this: -EINVAL with a sentence.
int faults_check(const struct kp_json *args, struct kp_err *err) must_use;
// Whether requests have such an operation, in any case of letters: -EINVAL with all there are.
int faults_operation(const char *name, struct kp_err *err) must_use;
// The kinds, separated by ", ".
void faults_print_kinds(FILE *f);

// "fault.*": add, clear, list. What add and list show of a fault is what was set, left (strikes to
// come), seen and struck (requests).
int faults_action(void *faults, const char *verb, const struct kp_json *args,
	struct kp_json **result, struct kp_err *err);

#endif
