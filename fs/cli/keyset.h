// SPDX-License-Identifier: MIT
// A key set: the JSON file that `az disk-encryption-set show` prints, or the same with `properties`
// as the resource API gives it. Members of ours stand under "cmkdisk". See cmkdisk-keyset(5).
#ifndef CMK_KEYSET_H
#define CMK_KEYSET_H

#include "attr.h"
#include "binding.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stdint.h>

struct cli_option;
struct secret;

#define DURATION_UNSET UINT64_MAX
#define GRACE_UNREACHABLE_MIN_MS 1000

enum keyset_rotation { KEYSET_ROTATION_UNSET, KEYSET_ROTATION_ON, KEYSET_ROTATION_OFF };

// Which key a command was told to use. Durations are DURATION_UNSET when the set does not say.
struct keyset {
	char key_url[BINDING_URL_MAX]; // what names the key: a pkcs11: URI without its query
	char *config; // JSON object handed to the provider, whole; owned. Never to be printed
	uint64_t grace_denied_ms, grace_unreachable_ms, interval_ms;
	bool on_expiry_given, expiry_stops;
	enum keyset_rotation rotation; // rotationToLatestKeyVersionEnabled; null is unset
	uint64_t near_expiry_s;	       // seconds; 0 when the set does not say
	const char *encryption_type;   // one of Azure's three names, static; NULL if not said
	// Of a key in a token: the PIN that came with the key URL, with a NUL behind it, owned, or
	// NULL; and whether the provider is told where else it lies.
	struct secret *pin;
	bool pin_source;
};

void keyset_free(struct keyset *k); // for scoped()

// With nothing set, for scoped() before the first use.
#define KEYSET_NONE                                                                        \
	{                                                                                  \
		.grace_denied_ms = DURATION_UNSET, .grace_unreachable_ms = DURATION_UNSET, \
		.interval_ms = DURATION_UNSET                                              \
	}

// From --set FILE. -EBADMSG with a sentence naming the file and the member.
int keyset_read(const char *path, struct keyset *out, struct errmsg *err) must_use;
// From --key URL: checks that it has a scheme and fits. The query of a pkcs11: URI becomes
// cmkdisk.pkcs11.query of the config.
int keyset_of_url(const char *key_url, struct keyset *out, struct errmsg *err) must_use;
// The set's text with rotationToLatestKeyVersionEnabled false, so that the provider keeps to the
// version that the URL names. The caller frees *out. -ENOMEM.
int keyset_config_pinned(const struct keyset *k, char **out) must_use;

// What --key and --set of a command said; keyset_choose sets it, for cli_parse().
struct key_choice {
	const char *key, *set;
};
int keyset_choose(
	void *key_choice, const struct cli_option *o, const char *value, struct errmsg *err);
// For a command that has both options, of which one may be given: the key that they name. Returns 1
// if one is, 0 if none; -errno with a sentence.
int keyset_pin(const char *command, const char *key, const char *set, struct keyset *out,
	struct errmsg *err) must_use;
// Whether a pin lets this key be asked: key_url_same(). NULL pins nothing.
bool keyset_pins(const struct keyset *pin, const char *key_url);

#endif
