// SPDX-License-Identifier: MIT
// The real pkcs11 provider in a real key agent, with a module that misbehaves on request: see
// tests/helpers/deviant_control.h for what can be asked of it. AGENT_PROGRAM, PROVIDER_DIR and
// DEVIANT_MODULE come from CMake.
#ifndef CMK_P11_DEVIANT_RIG_H
#define CMK_P11_DEVIANT_RIG_H

#include "agent_rig.h"
#include "p11_rig.h"

#include <stdbool.h>

#define RIG_KEY "pkcs11:token=bank;object=disk"	   // RSA 2048
#define RIG_AES_KEY "pkcs11:token=bank;object=aes" // AES-256

struct deviant_rig {
	struct p11_rig p11; // token "bank": keys "disk", "aes", "decoy"
	char control[128], log[128], pin[128];
	char config[1024];		 // for the provider: module, PIN file, environment
	struct credentials *credentials; // of all agents, as of those of one command
};

// For cmocka's group: *state becomes a rig.
int deviant_rig_setup(void **state);
int deviant_rig_teardown(void **state);

// What the module is to do from the next call on, "" nothing. The log is emptied.
void rig_order(const struct deviant_rig *r, const char *text);
void rig_write_pin(const struct deviant_rig *r, const char *pin);

// As if another command began: nothing is known of what agents noted.
void rig_forget(struct deviant_rig *r);
struct agent *rig_start(const struct deviant_rig *r, const char *key_url, uint32_t deadline_ms);
// One question of each kind. rig_ask: true if granted; the bytes are then the right ones, unless
// the module was asked for wrong ones.
void rig_make(struct agent *a, struct cmk_wrapped *out, struct agent_answer *answer);
bool rig_ask(struct agent *a, const struct cmk_wrapped *w, struct agent_answer *answer);
// Asks until it is granted, as the host does: not before a back-off is over. False if an answer in
// between is anything but the back-off.
bool rig_recovers(struct agent *a, const struct cmk_wrapped *w);

// Lines of the log that contain the text; of one process if pid is not 0.
unsigned rig_logged(const struct deviant_rig *r, int pid, const char *text);
// Fails if a session was left open, if C_Initialize was called without CKF_OS_LOCKING_OK, or
// outside of the process pid.
void rig_orderly(const struct deviant_rig *r, int pid);
// The number behind the first "text" in the log.
long rig_logged_number(const struct deviant_rig *r, const char *text);
int rig_pid(const struct agent *a);
bool rig_is_alive(int pid);

#endif
