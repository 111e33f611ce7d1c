// SPDX-License-Identifier: MIT
// Tries, permission by permission, what a disk needs of the key that a key set names.
#ifndef CMK_KEYSET_PROBE_H
#define CMK_KEYSET_PROBE_H

#include "agent.h"
#include "attr.h"
#include "errmsg.h"
#include "keyguard.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>
#include <stddef.h>

struct cli;
struct keyset;

// As a key store's owner names them.
enum permission { PERMISSION_GET, PERMISSION_WRAP, PERMISSION_UNWRAP, PERMISSION_COUNT };
extern const char *const permission_names[PERMISSION_COUNT]; // "get", "wrapKey", "unwrapKey"

struct probe_try {
	bool asked; // unwrapKey cannot be tried on nothing
	struct agent_answer answer;
};

// One version of the key.
struct probe_row {
	bool used;					 // new disks are bound to it
	bool named;					 // by the key URL
	bool newest;					 // as far as the store tells
	char version[CMK_VERSION_MAX], alg[CMK_ALG_MAX]; // "" unknown
	struct probe_try tries[PERMISSION_COUNT];
	struct cmk_key_info info; // known if get was granted
	int dates;		  // 0, or -EKEYEXPIRED with the sentence
	struct errmsg dates_sentence;
	struct keyguard_warnings warnings;
	int rc; // 0 if a disk can live on it, else the worst as answer_errno() has it
};

struct probe {
	struct probe_row rows[2];
	size_t count;
	int rc; // the worst of the rows
};

#define PROBE_SENTENCE_MAX sizeof(((struct agent_answer *)NULL)->sentence)

// What the store said, without the permission's name if that stands in it.
void probe_sentence(const struct probe_try *t, char out[PROBE_SENTENCE_MAX]);
// Whether both failed and the store said the same of them, apart from its ids of the requests, or
// refused the identity both times.
bool probe_fails_alike(const struct probe_row *row, enum permission p, enum permission q);

// Asks afresh, with key agents of its own: the version that the URL names, if it does, and the
// newest. -errno with a sentence only if nothing can be asked.
int probe_key(const struct cli *cli, const struct keyset *k, struct probe *out,
	struct errmsg *err) must_use;

#endif
