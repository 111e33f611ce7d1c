// SPDX-License-Identifier: MIT
// What the tests of modules, tokens and sessions share: a SoftHSM (p11_rig.h), a host, a key in
// it, and between the provider and the real module a function list that counts, and answers what a
// test wants instead.
#ifndef CMK_P11_WORLD_H
#define CMK_P11_WORLD_H

// cmocka.h wants these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "p11_rig.h"
#include "p11_session.h"
#include "provider_host.h"

#include <cmocka.h>

struct p11_world {
	struct p11_rig rig;
	struct provider_host host;
	struct p11_config config;
	struct p11_modules modules;
	struct p11_pin_memory memory;
	struct p11_context c;
	struct p11_session s;
	struct kp_outcome o;
	char pin_path[128];
	char url[256], json[512]; // what config was read from

	CK_FUNCTION_LIST *real; // SoftHSM as the provider loaded it
	CK_FUNCTION_LIST list;	// what the provider calls; tests may put functions of theirs here
	int initialised, finalised, logins, opened, closed;
	CK_FLAGS init_flags, open_flags; // of the last call
	CK_ULONG login_len;
	CK_USER_TYPE login_user;
	bool login_null;
	// Answered instead of asking SoftHSM, unless CKR_OK.
	CK_RV init_says, final_says, open_says, login_says, close_says;
	CK_FLAGS set, clear; // in each token's flags
	CK_FLAGS login_sets; // from the next login on
	char serial;	     // the first digit of each token's serial number, unless 0
};

extern struct p11_world p11_world;

// The directory, the token, no modules loaded.
int p11_world_setup(void **state);
int p11_world_teardown(void **state);

// The settings: the key URL and the member cmkdisk.pkcs11.query.
void p11_world_config(const char *url, const char *query);
// p11_world_config() with module-path and pin-source, loads SoftHSM and puts the list before it.
void p11_world_load(const char *url);
// Writes a new PIN file in the place of the old one.
void p11_world_write_pin(const char *pin);
// Moves the tokens' directory away, or back.
void p11_world_pull(bool away);

enum cmk_verdict p11_world_begin(bool read_write); // ends what was there before
void require_outcome(
	enum cmk_verdict got, enum cmk_verdict verdict, enum cmk_reason reason, const char *part);

#endif
