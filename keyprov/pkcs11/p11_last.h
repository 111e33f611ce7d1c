// SPDX-License-Identifier: MIT
// Which token last did its work for a key: one that answers in its place without having the key
// says nothing about the key. Goes on in the next process, as a note of the host's.
#ifndef CMK_P11_LAST_H
#define CMK_P11_LAST_H

#include "p11_session.h"

struct p11_last {
	char token[P11_FINGERPRINT]; // "": none yet
	char serial[17];	     // printable, for sentences
};

// The session's token has granted something. Notes it with the host if it is another than before.
void p11_last_granted(
	struct p11_last *last, const struct p11_context *c, const struct p11_session *s);
// True, with the sentence, if the session's token is another one than granted before.
bool p11_last_is_other(
	const struct p11_last *last, const struct p11_session *s, struct kp_outcome *o) must_use;
// Takes over what an earlier process noted of this key, "name=value"; ignores what is none of this.
void p11_last_remember(struct p11_last *last, const struct p11_config *config, const char *note);

#endif
