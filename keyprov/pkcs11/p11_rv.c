// SPDX-License-Identifier: MIT
// See p11_rv.h.
#include "p11_rv.h"

#include <stddef.h>
#include <stdio.h>

// What is more to be known about a row.
enum { NONE, LOST, UNSUPPORTED };

struct row {
	CK_RV rv;
	const char *name;
	int kind;
	enum cmk_verdict verdict;
	enum cmk_reason reason;
	const char *means; // and what to do; NULL: nobody can tell
};

// The causes that several of them share.
#define GONE "the HSM or its connection is gone; look whether it runs and can be reached"
#define RESTARTED "the module has lost its session; look whether the HSM was started anew"
#define UNFIT \
	"the token does not do this with such a key; look at what its firmware and policy permit"
#define NOT_OURS "these bytes are not this key's work; restore the disk's header from a copy"
#define NO_HANDLE \
	"the token does not know a key that it found itself just now; look whether it was reset"
#define BAD_PIN "the PIN is wrong; write the right one into the PIN file, or give it again"
#define TEMPLATE \
	"the token does not take an object with these attributes; look at what its policy permits"
#define NO_THREADS "the module cannot work in a program with threads; install a newer one"
#define READ_ONLY "the token cannot be written now; look at its write protection"

#define N(rv)                                                         \
	{                                                             \
		rv, #rv, NONE, CMK_UNREACHABLE, CMK_REASON_NONE, NULL \
	}
#define U(rv, kind, means)                                             \
	{                                                              \
		rv, #rv, kind, CMK_UNREACHABLE, CMK_REASON_NONE, means \
	}
#define M(rv, kind, means)                                               \
	{                                                                \
		rv, #rv, kind, CMK_MISCONFIGURED, CMK_REASON_NONE, means \
	}
#define D(rv, kind, reason, means)                                    \
	{                                                             \
		rv, #rv, kind, CMK_DENIED, CMK_REASON_##reason, means \
	}
#define B(rv)                                                          \
	{                                                              \
		rv, #rv, NONE, CMK_BAD_BLOB, CMK_REASON_NONE, NOT_OURS \
	}

static const struct row rows[] = {
	N(CKR_OK),
	U(CKR_CANCEL, NONE, "it was cancelled at the token; confirm it there the next time"),
	U(CKR_HOST_MEMORY, NONE, "the module has no memory; free some on this host"),
	U(CKR_SLOT_ID_INVALID, LOST, GONE),
	U(CKR_GENERAL_ERROR, LOST, "the module cannot go on; look into its own log"),
	U(CKR_FUNCTION_FAILED, LOST, "the module could not do it; look into its own log"),
	M(CKR_ARGUMENTS_BAD, UNSUPPORTED, UNFIT),
	N(CKR_NO_EVENT),
	M(CKR_NEED_TO_CREATE_THREADS, NONE, NO_THREADS),
	M(CKR_CANT_LOCK, NONE, NO_THREADS),
	M(CKR_ATTRIBUTE_READ_ONLY, NONE, TEMPLATE),
	M(CKR_ATTRIBUTE_SENSITIVE, NONE,
		"the token keeps what it unwraps to itself; make a key with CKA_DECRYPT"),
	M(CKR_ATTRIBUTE_TYPE_INVALID, NONE, TEMPLATE),
	M(CKR_ATTRIBUTE_VALUE_INVALID, NONE, TEMPLATE),
	M(CKR_ACTION_PROHIBITED, NONE,
		"the object itself forbids this; use the HSM's own tool as its security officer"),
	N(CKR_DATA_INVALID),
	M(CKR_DATA_LEN_RANGE, UNSUPPORTED, UNFIT),
	U(CKR_DEVICE_ERROR, LOST, GONE),
	U(CKR_DEVICE_MEMORY, NONE, "the token is full; remove sessions or objects from it"),
	U(CKR_DEVICE_REMOVED, LOST, GONE),
	B(CKR_ENCRYPTED_DATA_INVALID),
	B(CKR_ENCRYPTED_DATA_LEN_RANGE),
	U(CKR_FUNCTION_CANCELED, NONE,
		"it was cancelled at the token; confirm it there the next time"),
	N(CKR_FUNCTION_NOT_PARALLEL),
	M(CKR_FUNCTION_NOT_SUPPORTED, UNSUPPORTED, UNFIT),
	U(CKR_KEY_HANDLE_INVALID, LOST, NO_HANDLE),
	M(CKR_KEY_SIZE_RANGE, UNSUPPORTED, UNFIT),
	M(CKR_KEY_TYPE_INCONSISTENT, UNSUPPORTED, UNFIT),
	N(CKR_KEY_NOT_NEEDED),
	N(CKR_KEY_CHANGED),
	N(CKR_KEY_NEEDED),
	N(CKR_KEY_INDIGESTIBLE),
	D(CKR_KEY_FUNCTION_NOT_PERMITTED, NONE, NOT_PERMITTED,
		"the key's attributes or the token's policy do not permit it; permit it there "
		"(CKA_DECRYPT or CKA_UNWRAP)"),
	M(CKR_KEY_NOT_WRAPPABLE, UNSUPPORTED, UNFIT),
	M(CKR_KEY_UNEXTRACTABLE, NONE, UNFIT),
	M(CKR_MECHANISM_INVALID, UNSUPPORTED, UNFIT),
	M(CKR_MECHANISM_PARAM_INVALID, UNSUPPORTED, UNFIT),
	U(CKR_OBJECT_HANDLE_INVALID, LOST, RESTARTED),
	N(CKR_OPERATION_ACTIVE),
	N(CKR_OPERATION_NOT_INITIALIZED),
	D(CKR_PIN_INCORRECT, NONE, IDENTITY, BAD_PIN),
	D(CKR_PIN_INVALID, NONE, IDENTITY, BAD_PIN),
	D(CKR_PIN_LEN_RANGE, NONE, IDENTITY, BAD_PIN),
	D(CKR_PIN_EXPIRED, NONE, IDENTITY, "the PIN has expired; set a new one in the token"),
	D(CKR_PIN_LOCKED, NONE, IDENTITY,
		"the PIN is locked after wrong ones; have the security officer set a new one"),
	U(CKR_SESSION_CLOSED, LOST, RESTARTED),
	U(CKR_SESSION_COUNT, NONE, "the token has no session left; end other programs that use it"),
	U(CKR_SESSION_HANDLE_INVALID, LOST, RESTARTED),
	N(CKR_SESSION_PARALLEL_NOT_SUPPORTED),
	M(CKR_SESSION_READ_ONLY, NONE, READ_ONLY),
	N(CKR_SESSION_EXISTS),
	N(CKR_SESSION_READ_ONLY_EXISTS),
	U(CKR_SESSION_READ_WRITE_SO_EXISTS, NONE,
		"the security officer is at the token; ask again when that is over"),
	N(CKR_SIGNATURE_INVALID),
	N(CKR_SIGNATURE_LEN_RANGE),
	M(CKR_TEMPLATE_INCOMPLETE, NONE, TEMPLATE),
	M(CKR_TEMPLATE_INCONSISTENT, NONE, TEMPLATE),
	U(CKR_TOKEN_NOT_PRESENT, LOST, "there is no token in the slot; put it in"),
	U(CKR_TOKEN_NOT_RECOGNIZED, LOST, "what is in the slot is no token that the module knows"),
	M(CKR_TOKEN_WRITE_PROTECTED, NONE, READ_ONLY),
	U(CKR_UNWRAPPING_KEY_HANDLE_INVALID, LOST, NO_HANDLE),
	M(CKR_UNWRAPPING_KEY_SIZE_RANGE, UNSUPPORTED, UNFIT),
	M(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, UNSUPPORTED, UNFIT),
	N(CKR_USER_ALREADY_LOGGED_IN),
	U(CKR_USER_NOT_LOGGED_IN, LOST,
		"the token has forgotten the login; look whether it was reset"),
	// SoftHSM says it, too, while another process writes its token.
	U(CKR_USER_PIN_NOT_INITIALIZED, LOST,
		"the token has no user PIN; if that stays so, have its security officer set one"),
	N(CKR_USER_TYPE_INVALID),
	U(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, NONE,
		"somebody else is logged in to the token; ask again when that is over"),
	U(CKR_USER_TOO_MANY_TYPES, NONE,
		"somebody else is logged in to the token; ask again when that is over"),
	B(CKR_WRAPPED_KEY_INVALID),
	B(CKR_WRAPPED_KEY_LEN_RANGE),
	U(CKR_WRAPPING_KEY_HANDLE_INVALID, LOST, NO_HANDLE),
	M(CKR_WRAPPING_KEY_SIZE_RANGE, UNSUPPORTED, UNFIT),
	M(CKR_WRAPPING_KEY_TYPE_INCONSISTENT, UNSUPPORTED, UNFIT),
	N(CKR_RANDOM_SEED_NOT_SUPPORTED),
	N(CKR_RANDOM_NO_RNG),
	M(CKR_DOMAIN_PARAMS_INVALID, NONE, UNFIT),
	M(CKR_CURVE_NOT_SUPPORTED, NONE, UNFIT),
	N(CKR_BUFFER_TOO_SMALL),
	N(CKR_SAVED_STATE_INVALID),
	N(CKR_INFORMATION_SENSITIVE),
	N(CKR_STATE_UNSAVEABLE),
	U(CKR_CRYPTOKI_NOT_INITIALIZED, LOST, RESTARTED),
	N(CKR_CRYPTOKI_ALREADY_INITIALIZED),
	N(CKR_MUTEX_BAD),
	N(CKR_MUTEX_NOT_LOCKED),
	N(CKR_NEW_PIN_MODE),
	N(CKR_NEXT_OTP),
	N(CKR_EXCEEDED_MAX_ITERATIONS),
	U(CKR_FIPS_SELF_TEST_FAILED, NONE,
		"the module's self-test failed; have it examined, and do not trust it until then"),
	M(CKR_LIBRARY_LOAD_FAILED, NONE, "a library that the module needs is missing; install it"),
	M(CKR_PIN_TOO_WEAK, NONE, "the token does not take so weak a PIN; choose another"),
	N(CKR_PUBLIC_KEY_INVALID),
	U(CKR_FUNCTION_REJECTED, NONE,
		"it was refused at the token; confirm it there the next time"),
};

static const struct row *find(CK_RV rv)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].rv == rv)
			return &rows[i];
	return NULL;
}

void p11_rv_name(CK_RV rv, char out[P11_RV_TEXT])
{
	const struct row *row = find(rv);
	if (row)
		(void)snprintf(out, P11_RV_TEXT, "%s", row->name);
	else
		(void)snprintf(out, P11_RV_TEXT, "CKR_0x%08lx", rv);
}

bool p11_rv_is_lost(CK_RV rv)
{
	const struct row *row = find(rv);
	return row && row->kind == LOST;
}

bool p11_rv_is_unsupported(CK_RV rv)
{
	const struct row *row = find(rv);
	return row && row->kind == UNSUPPORTED;
}

bool p11_rv_refuses_pin(CK_RV rv)
{
	return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE ||
	       rv == CKR_PIN_EXPIRED || rv == CKR_PIN_LOCKED;
}

bool p11_rv_spares_pin(CK_RV rv)
{
	static const CK_RV gone[] = {CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED,
		CKR_DEVICE_REMOVED, CKR_SLOT_ID_INVALID, CKR_CRYPTOKI_NOT_INITIALIZED,
		CKR_SESSION_CLOSED, CKR_SESSION_COUNT, CKR_SESSION_HANDLE_INVALID,
		CKR_SESSION_READ_ONLY_EXISTS, CKR_SESSION_READ_WRITE_SO_EXISTS};
	// It does not come to looking at the PIN, or a person said no at the token.
	static const CK_RV refused[] = {CKR_USER_ANOTHER_ALREADY_LOGGED_IN, CKR_USER_TOO_MANY_TYPES,
		CKR_USER_TYPE_INVALID, CKR_USER_PIN_NOT_INITIALIZED, CKR_OPERATION_NOT_INITIALIZED,
		CKR_FUNCTION_NOT_SUPPORTED, CKR_ARGUMENTS_BAD, CKR_CANCEL, CKR_FUNCTION_CANCELED,
		CKR_FUNCTION_REJECTED};
	for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++)
		if (gone[i] == rv)
			return true;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (refused[i] == rv)
			return true;
	return false;
}

enum cmk_verdict p11_rv_verdict(CK_RV rv, const char *where, const char *call, struct kp_outcome *o)
{
	const struct row *row = find(rv);
	char name[P11_RV_TEXT];
	p11_rv_name(rv, name);
	return kp_outcome_set(o, row ? row->verdict : CMK_UNREACHABLE,
		row ? row->reason : CMK_REASON_NONE, "%s: %s said %s: %s", where, call, name,
		row && row->means ? row->means
				  : "this tells nothing about the key; look into the module's own "
				    "log and manual");
}
