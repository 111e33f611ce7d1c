// SPDX-License-Identifier: MIT
// The program cmkdisk-vault: what its files share. The only place that knows all parts of the
// emulator.
#ifndef CMK_EMU_APP_H
#define CMK_EMU_APP_H

#include "audit.h"
#include "emu_ca.h"
#include "emu_clock.h"
#include "emu_socket.h"
#include "faults.h"
#include "identities.h"
#include "timeline.h"
#include "vaults.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>

#define APP_VAULTS_MOST 32
#define APP_NAME_ROOM 32
#define APP_PORT_OFF (-1)
#define APP_KEY "disk-key"
#define APP_IDENTITY "disk-host"
#define APP_SECRET_FILE "disk-host.secret"

// The command line.
enum app_option {
	OPT_STATE,
	OPT_LISTEN,
	OPT_TIMELINE,
	OPT_SEED,
	OPT_AUDIT,
	OPT_VAULT,
	OPT_HSM,
	OPT_IMDS,
	OPT_APP_SERVICE,
	OPT_ARC,
	OPT_ARC_DIR,
	OPT_EMPTY,
	OPT_ALLOW_REMOTE,
	OPT_READY_FD,
	OPT_PRINT,
	OPT_JSON,
	OPT_HELP,
	OPT_COUNT
};
struct app_vault {
	const char *name;
	bool hsm;
};
struct app_options {
	char state[PATH_MAX]; // absolute
	bool own_state;	      // --state was given
	const char *listen, *timeline, *audit, *arc_dir;
	uint64_t seed;
	struct app_vault vaults[APP_VAULTS_MOST];
	size_t vault_count;
	int ports[EMU_PORTS]; // 0: the kept one, or one that is free; APP_PORT_OFF
	bool empty, allow_remote, json, help;
	int ready_fd; // -1: none
	int arg_count;
	char **args; // what follows the options
};
// One verb: which options it takes (bits of enum app_option), whether operands, what it does.
struct app_verb {
	const char *name;
	unsigned options;
	bool operands;
	const char *usage, *help;
	int (*run)(const struct app_options *o, struct kp_err *err);
};
// -EINVAL with a sentence.
int app_parse_options(const struct app_verb *verb, int argc, char **argv, struct app_options *o,
	struct kp_err *err) must_use;
// Those of a verb, or all if it is NULL.
void app_print_options(const struct app_verb *verb, FILE *f);

// The verbs. 0 or -errno with a sentence.
int app_serve(const struct app_options *o, struct kp_err *err) must_use;
int app_do(const struct app_options *o, struct kp_err *err) must_use;
int app_env(const struct app_options *o, struct kp_err *err) must_use;

// What outlives a run, in DIR/emulator.json.
struct app_settings {
	char tenant[40], client_id[40];
	char vault[APP_NAME_ROOM]; // whose key the key set names
	int ports[EMU_PORTS];	   // 0: none yet
	bool seeded;
};
// Makes the directory (0700) where it is missing, and takes the lock that keeps a second emulator
// out of it: -EBUSY. *lock lives as long as it is to be held.
int app_state_lock(const char *dir, int *lock, struct kp_err *err) must_use;
// Fills in what was not there.
int app_settings_load(const char *dir, struct app_settings *s, struct kp_err *err) must_use;
int app_settings_save(const char *dir, const struct app_settings *s, struct kp_err *err) must_use;

// A running emulator.
struct app {
	const struct app_options *options;
	struct app_settings settings;
	struct emu_clock clock;
	struct emu_cert cert;
	struct faults *faults;
	struct audit *audit;
	struct identities *identities;
	struct vaults *vaults;
	struct emu_http *http;
	struct timeline *timeline;
	struct {
		char name[APP_NAME_ROOM];
		bool hsm;
	} keys[APP_VAULTS_MOST]; // the vaults that have a disk-key; the key set names the first
	size_t key_count;
	char bound[EMU_PORTS][EMU_ADDRESS_ROOM]; // "" if it does not listen
	char login[128];			 // "https://login.vault.localhost:8443"
	_Atomic bool ready;			 // false: requests are told to wait
	int lock;
};

// app_actions.c. Carries out {"do":...}, which was checked: -EINVAL, -ENOENT, ..., with a sentence.
int app_act(struct app *a, const char *action, const struct kp_json *args, struct kp_json **result,
	struct kp_err *err) must_use;
const char *app_port_name(enum emu_port port);

// app_table.c
bool app_knows(const char *action);
// Whether an action from outside is one that the table has, with no member but its own (and "at"
// if it is a step of a timeline), before anything is done: -EINVAL with a sentence.
int app_check(const struct kp_json *args, bool step, struct kp_err *err) must_use;
int app_list_actions(struct kp_json **out) must_use;
void app_print_actions(FILE *f);

// app_route.c: the handler of all listeners; ctx is the app.
int app_route(void *ctx, struct emu_request *q, struct emu_reply *r);
// An action that nobody asked for by a request: into the audit log like those of the admin port.
void app_note(struct app *a, const struct emu_request *q, const char *action,
	const struct kp_json *args, int ret, const struct kp_err *err);

// app_seed.c: vaults, key and identity of a first start, and the vaults of the command line. Finds
// out a->keys.
int app_seed(struct app *a, struct kp_err *err) must_use;

// app_print.c: key set, environment and the info that is printed, as files of the state directory
// and on stdout.
int app_write_files(const struct app *a, struct kp_err *err) must_use;
int app_announce(const struct app *a, struct kp_err *err) must_use;

#endif
