// SPDX-License-Identifier: MIT
// What the files of the program cmkdisk-tokenkey share: `cmkdisk tokenkey`, which makes and changes
// keys in a token, and `cmkdisk byok`, which takes one out, wrapped for a vault.
#ifndef CMK_P11_TOOL_H
#define CMK_P11_TOOL_H

#include "kp_err.h"
#include "kp_json.h"
#include "kp_scope.h"
#include "p11_key.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum tool_option {
	OPT_KEY = 1 << 0,
	OPT_TYPE = 1 << 1,
	OPT_BITS = 1 << 2,
	OPT_STARTS = 1 << 3,
	OPT_ENDS = 1 << 4,
	OPT_EXPORTABLE = 1 << 5,
	OPT_JSON = 1 << 6,
	OPT_VERSION = 1 << 7,
	OPT_ALL = 1 << 8,
	OPT_YES = 1 << 9,
	OPT_KEK = 1 << 10,
	OPT_OUT = 1 << 11,
	OPT_KID = 1 << 12,
	OPT_FORCE = 1 << 13,
	OPT_HELP = 1 << 14,
};

// A day of UTC as PKCS#11 has it, or none.
struct tool_date {
	bool set;
	CK_DATE date;
};
#define TOOL_DATE_LEN 11 // of "2026-11-22" with NUL
// "2026-11-22", or "none" where allowed. -EINVAL.
int tool_date_parse(const char *text, bool none_allowed, struct tool_date *out) must_use;
void tool_date_of(int64_t unix_time, struct tool_date *out);
// The day of a key's nbf; or the last day before its exp. "" for 0.
void tool_date_print(int64_t unix_time, char out[TOOL_DATE_LEN]);
int64_t tool_last_day(int64_t exp); // a second of the last day before exp; 0 for 0

// The operator's key URL, taken apart.
struct tool_url {
	char *key;   // what stands before '?'; owned
	char *query; // what stands after it, but for a PIN; "" none; owned
	char *pin;   // "CMKDISK_PIN=...", secret memory; NULL if none is known
	bool source; // the provider's core will read the PIN from its file
};
// arg is an argument of this process: a PIN in it is wiped there, also one that stands where it
// does not belong, before the '?', which is refused. Reads pin-source=fd:N.
int tool_url_take(char *arg, struct tool_url *out, struct kp_err *err) must_use;
void tool_url_free(struct tool_url *u);

struct tool_options {
	unsigned given; // of enum tool_option
	struct tool_url url;
	CK_KEY_TYPE type; // CKK_RSA if not given
	uint32_t bits;	  // 0 if not given
	struct tool_date starts, ends;
	char version[CMK_VERSION_MAX]; // "" if not given
	const char *kek, *out, *kid;   // of argv
};

// One verb, or a command that has none: which options it takes and needs, what it does.
struct tool_verb {
	const char *name;
	unsigned options, required; // OPT_KEY included
	const char *synopsis;
	const char *help;
	int (*run)(const struct tool_options *o, struct kp_err *err);
};

// Fills o from the arguments after the verb; tool_options_free() in any case. -EINVAL with a
// sentence; 0 also if --help was given (then the rest is not checked).
int tool_options_parse(const struct tool_verb *verb, int argc, char **argv, struct tool_options *o,
	struct kp_err *err) must_use;
void tool_options_free(struct tool_options *o);
void tool_options_print(unsigned which, FILE *f); // for --help, one line each

// A token, logged in.
struct tool {
	struct p11_config config;
	struct p11_modules modules;
	struct p11_pin_memory pins;
	struct p11_context context;
	struct p11_session session;
	bool begun;
};
// Asks for the PIN on the terminal if none is known. t must stay where it is; tool_close() in any
// case.
int tool_open(
	const struct tool_url *url, bool read_write, struct tool *t, struct kp_err *err) must_use;
void tool_close(struct tool *t);
// The keys of this URL and version ("" any). -ENOENT if there is none; -EDOM if what is there is no
// key that can be used.
int tool_keys(
	struct tool *t, const char *version, struct p11_keys *out, struct kp_err *err) must_use;
// Opens the token and finds the keys that a change is about. -EINVAL if that would be every key of
// the token, for the URL and the version name none; before a PIN is asked for.
int tool_begin(const struct tool_options *o, struct tool *t, struct p11_keys *keys,
	struct kp_err *err) must_use;
// The public objects with the key's CKA_ID and the URL's label.
#define TOOL_HALVES 16
int tool_public_halves(struct tool *t, const struct p11_key *key, CK_OBJECT_HANDLE out[TOOL_HALVES],
	size_t *count, struct kp_err *err) must_use;
// The sentence for a call that failed; -errno.
int tool_failed(struct tool *t, CK_RV rv, const char *call, struct kp_err *err) must_use;
int tool_outcome(const struct kp_outcome *o, struct kp_err *err) must_use;
// Bytes of the URL's object; NULL if it has none. The config's.
const CK_ATTRIBUTE *tool_attribute(const struct tool *t, CK_ATTRIBUTE_TYPE type);

// Asks on /dev/tty. out is NUL-terminated, without the newline; signals find the terminal as it
// was. -ENOTTY if there is no terminal, -E2BIG if the answer does not fit, -EIO at its end.
int tool_ask(const char *prompt, bool echo, char *out, size_t size) must_use;

// A template under construction; values are borrowed.
#define TOOL_ATTRIBUTES 24
struct tool_template {
	CK_ATTRIBUTE at[TOOL_ATTRIBUTES];
	size_t count;
};
void tool_put(struct tool_template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len);
void tool_put_bool(struct tool_template *t, CK_ATTRIBUTE_TYPE type, bool value);
// value: must live as long as the template.
void tool_put_ulong(struct tool_template *t, CK_ATTRIBUTE_TYPE type, const CK_ULONG *value);

// Makes the new object, and its public half: o says what it is to be like; id is the CKA_ID.
// *key is how the token then shows it. *dated: the token keeps dates. What is not as it was asked
// for, or less protected, is destroyed again.
int tool_generate(struct tool *t, const struct tool_options *o, const uint8_t *id, size_t id_len,
	struct p11_key *key, bool *dated, struct kp_err *err) must_use;
// The sentence for a change of the key that the token does not let through; -errno.
int tool_refused(struct tool *t, const struct p11_key *key, CK_RV rv, const char *call,
	struct kp_err *err) must_use;
// Takes dates that the token cannot tell off the object; false if that was so.
bool tool_tidy_dates(struct tool *t, CK_OBJECT_HANDLE object);
// Every object of the token (also public) that has this CKA_ID and the URL's label.
int tool_destroy_objects(struct tool *t, const struct p11_key *key, struct kp_err *err) must_use;
// A UUIDv7 that is later than those of the keys.
int tool_new_id(const struct p11_keys *keys, uint8_t id[16], struct kp_err *err) must_use;

// A key as JSON: version, type, bits, dates, what it may do.
int tool_key_json(const struct p11_key *key, struct kp_json **out) must_use;
const char *tool_key_type(const struct p11_key *key);
int tool_print_json(const struct kp_json *j, struct kp_err *err) must_use; // to standard output

// The verbs. 0 or -errno with a sentence.
int tool_new(const struct tool_options *o, struct kp_err *err);
int tool_rotate(const struct tool_options *o, struct kp_err *err);
int tool_show(const struct tool_options *o, struct kp_err *err);
int tool_dates(const struct tool_options *o, struct kp_err *err);
int tool_enable(const struct tool_options *o, struct kp_err *err);
int tool_disable(const struct tool_options *o, struct kp_err *err);
int tool_destroy(const struct tool_options *o, struct kp_err *err);
int tool_byok(const struct tool_options *o, struct kp_err *err);

#endif
