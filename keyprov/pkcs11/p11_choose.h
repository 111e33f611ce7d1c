// SPDX-License-Identifier: MIT
// Which of the keys that were found a question is about. Pure. Private to the provider.
#ifndef CMK_P11_CHOOSE_H
#define CMK_P11_CHOOSE_H

#include "p11_crypto.h"

// Of objects with one CKA_ID, the one that alg fits. CMK_BAD_BLOB if it fits none of them,
// CMK_MISCONFIGURED with a list if it fits several. keys has at least one.
enum cmk_verdict p11_choose_version(const struct p11_keys *keys, const char *alg, const char *where,
	const struct p11_key **out, struct kp_outcome *o) must_use;

// Why nothing of what was found is a key: it is not told what it is (CMK_UNREACHABLE), it has no id
// or is of another kind (CMK_MISCONFIGURED). CMK_GRANTED if nothing was found. keys has none.
enum cmk_verdict p11_choose_unfit(
	const struct p11_keys *keys, const char *where, struct kp_outcome *o) must_use;

// What several objects with one CKA_ID are together, where it is not known which of them a disk is
// bound to: the first, with the latest start and the earliest end of all, and what any of them may
// do. CMK_MISCONFIGURED if a date of one cannot be read. keys has at least one.
enum cmk_verdict p11_choose_strictest(const struct p11_keys *keys, const char *where,
	struct p11_key *out, struct kp_outcome *o) must_use;

// The newest that may unwrap and is inside its dates. Without one: CMK_DENIED (not permitted), or,
// with any_state, the newest of all. CMK_MISCONFIGURED if no order can be proved or if a date of
// the chosen one cannot be read.
enum cmk_verdict p11_choose_newest(const struct p11_keys *keys, int64_t wall_s, bool any_state,
	const char *where, struct p11_key *out, struct kp_outcome *o) must_use;

#endif
