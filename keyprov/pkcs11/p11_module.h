// SPDX-License-Identifier: MIT
// The PKCS#11 modules that a key may be in, loaded through p11-kit: the one that module-path or
// module-name names, or every one that is registered. One thread. Loaded once for each process;
// initialised anew when they seem to have lost their way.
#ifndef CMK_P11_MODULE_H
#define CMK_P11_MODULE_H

#include "kp_outcome.h"
#include "kp_scope.h"
#include "p11_config.h"

#include <p11-kit/p11-kit.h>
#include <stdbool.h>
#include <stddef.h>

struct p11_module {
	CK_FUNCTION_LIST *f;
	char *name;	     // for sentences: p11-kit's name, or the path
	char *reserved;	     // p11-kit's x-init-reserved, for C_Initialize; NULL none
	bool ours;	     // we initialised it, so we finalise it
	bool ready;	     // initialised
	CK_RV refused;	     // what C_Initialize said last, when it is not ready
	const char *missing; // a function that it ought to have; then it is never called; or NULL
};

struct p11_modules {
	struct p11_module *all;
	size_t count;
};

// Puts config->environment into the process's own first: modules read it when they are loaded. A
// module-path must be absolute and, with its directory, belong to root or the present user and be
// writable for nobody else. CKR_CRYPTOKI_ALREADY_INITIALIZED counts as initialised. CMK_GRANTED if
// at least one is ready; else CMK_MISCONFIGURED (no such module, no module registered, functions
// that all must have are missing), or CMK_UNREACHABLE (none can be initialised); *out is empty
// then, and the next question loads anew.
enum cmk_verdict p11_modules_load(
	const struct p11_config *config, struct p11_modules *out, struct kp_outcome *o) must_use;
// C_Finalize of those that are ours and C_Initialize of all: what is to be done once when sessions
// or slots make no sense any more, and what makes many modules see a token that was not there
// before. Open sessions are gone then. Verdicts as above.
enum cmk_verdict p11_modules_restart(struct p11_modules *m, struct kp_outcome *o) must_use;
// The same after a pause of P11_PAUSE_MS, for a second look at a token that did not seem to be
// there. SoftHSM (2.6.1) empties the file of a token at each login and fills it a moment later: who
// looks then sees no token. Two looks at once would both fall into that moment.
#define P11_PAUSE_MS 80
enum cmk_verdict p11_modules_restart_later(struct p11_modules *m, struct kp_outcome *o) must_use;
void p11_modules_free(struct p11_modules *m);

// "softhsm2, tpm2_pkcs11 (cannot be initialised: CKR_DEVICE_ERROR)", cut to size: which ones were
// asked, and which could not be.
void p11_modules_list(const struct p11_modules *m, char *out, size_t size);

// For p11_modules_load(): of the functions that are used here, the first that the list lacks, or
// NULL; and false if the library (of dlopen(), or NULL) answers with no list, which p11-kit
// believes it would have.
const char *p11_module_missing(const CK_FUNCTION_LIST *f);
bool p11_module_has_list(void *handle);

#endif
