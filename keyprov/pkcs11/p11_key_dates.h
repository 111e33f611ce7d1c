// SPDX-License-Identifier: MIT
// The dates of a key object. Private to the provider.
#ifndef CMK_P11_KEY_DATES_H
#define CMK_P11_KEY_DATES_H

#include "p11_key.h"

// Reads nbf, exp and bad_date of a key whose handle, class, type and id are known.
enum cmk_verdict p11_key_read_dates(
	struct p11_session *s, struct p11_key *key, struct kp_outcome *o) must_use;

#endif
