// SPDX-License-Identifier: MIT
// What came of showing PINs to tokens, so that a wrong one is never shown twice: a token locks
// itself after a few. It goes on in the next process, as notes of the host's (note() of struct
// cmk_host). A PIN is known by what it is, by the time its file was last written, and by the token:
// what one token refused says nothing about another, a file that was written since holds a new PIN,
// and one that was copied, linked or given other rights does not.
#ifndef CMK_P11_PIN_MEMORY_H
#define CMK_P11_PIN_MEMORY_H

#include "p11_pin.h"

#include <stdbool.h>

#define P11_FINGERPRINT 33 // 32 hex digits and a NUL
#define P11_PINS_KNOWN 64

enum p11_pin_state {
	P11_PIN_UNKNOWN,
	P11_PIN_TRIED,	 // shown, and no answer came yet: see p11_pin_is_being_shown()
	P11_PIN_GOOD,	 // the token took it
	P11_PIN_DOUBTED, // the token answered something that says nothing about the PIN
	P11_PIN_REFUSED,
};

struct p11_pin_record {
	char key[P11_FINGERPRINT];
	enum p11_pin_state state;
	CK_RV rv; // what the token said, of those doubted and refused; of those tried, the process
};

// A short PIN can be found from its record: secret memory, or wiped.
struct p11_pin_memory {
	struct p11_pin_record at[P11_PINS_KNOWN]; // the oldest first
	size_t count;
};

// What this token is known by: serial number, maker and model. False without memory.
bool p11_token_fingerprint(const CK_TOKEN_INFO *token, char out[P11_FINGERPRINT]) must_use;
// What this PIN for this token is known by; the user's and that of a single use (CKU_USER,
// CKU_CONTEXT_SPECIFIC) may be two. A PIN without text is the one that a keypad asks for.
bool p11_pin_fingerprint(const CK_TOKEN_INFO *token, CK_USER_TYPE user, const struct p11_pin *pin,
	char out[P11_FINGERPRINT]) must_use;

// P11_PIN_UNKNOWN in state if nothing is known.
struct p11_pin_record p11_pin_recall(const struct p11_pin_memory *memory, const char *key);
// Notes it, here and with the host; P11_PIN_UNKNOWN forgets it. The host has it when this returns.
void p11_pin_note(struct p11_pin_memory *memory, const struct cmk_host *host, const char *key,
	enum p11_pin_state state, CK_RV rv);
// Of one that another process tried: whether that one still runs, so that an answer may come yet.
bool p11_pin_is_being_shown(const struct p11_pin_record *r);
// Takes over what an earlier process noted, "name=value"; what is nothing of this is ignored.
void p11_pin_remember(struct p11_pin_memory *memory, const char *note);

#endif
