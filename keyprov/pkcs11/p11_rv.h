// SPDX-License-Identifier: MIT
// From what a PKCS#11 function returned (PKCS #11 v2.40/3.0, section "Function return values") to
// what the host must do: one table for the whole provider. Pure.
#ifndef CMK_P11_RV_H
#define CMK_P11_RV_H

#include "kp_outcome.h"

#include <p11-kit/pkcs11.h>
#include <stdbool.h>

// "CKR_DEVICE_REMOVED"; "CKR_0x80000001" for what the standard does not name.
#define P11_RV_TEXT 48
void p11_rv_name(CK_RV rv, char out[P11_RV_TEXT]);

// The device, the token, the session or a handle just found went away, or the module does not know
// itself: worth one new start of the module, and p11_rv_verdict() if that does not help.
bool p11_rv_is_lost(CK_RV rv);
// The token does not do this mechanism, or not with these parameters: another one may do.
bool p11_rv_is_unsupported(CK_RV rv);

// Of C_Login: the token found the PIN wrong, expired or locked.
bool p11_rv_refuses_pin(CK_RV rv);
// Of C_Login: the PIN did not get as far as being counted as a wrong one.
bool p11_rv_spares_pin(CK_RV rv);

// Fills o with the verdict for a call that failed: where is the token's name for people, call e.g.
// "C_Decrypt". What it does not know is CMK_UNREACHABLE: no error of a module says by itself that a
// key was taken away, but for CKR_KEY_FUNCTION_NOT_PERMITTED and the PIN's: an invalid handle is
// one of a key that was found just before.
enum cmk_verdict p11_rv_verdict(
	CK_RV rv, const char *where, const char *call, struct kp_outcome *o) must_use;

#endif
