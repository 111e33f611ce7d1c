// SPDX-License-Identifier: MIT
// A PKCS#11 module that passes every call on to SoftHSM and misbehaves as a file says: see
// deviant_control.h. It only works in the process that loaded it, as modules do that were not made
// for fork(). For tests only. Deeds of single functions:
//   C_GetFunctionList=null:1  no list at all    C_GetFunctionList=version:N  0x0300 is 3.0
//   C_Xyz=null                that function's pointer is NULL
//   C_GetSlotList=less        says one slot too few when asked how many (then one came in between)
//   C_GetSlotList=count:N     says N slots, whatever there are
//   C_GetSlotList=blink:N     there are none, for N milliseconds from the first call
//   C_GetTokenInfo=painted    strings without blanks, with control characters and bad UTF-8
//   C_GetTokenInfo=flags:N    these flags, too
//   C_GetTokenInfo=spare:N    returns N for the slot whose token is not initialised
//   C_FindObjects=same        the first handle, as often as there is room, for ever
//   C_FindObjects=count:N     says that it found N
//   C_GetAttributeValue=length:N  every length is N
//   C_GetAttributeValue=mute  does not tell CKA_DECRYPT and CKA_UNWRAP
//   C_Decrypt=wrong, C_Decrypt=length:N   other bytes; a length of N
//   slots=move                slots have other ids after each C_Initialize
//   handles=stale             a handle from an earlier session is the key "decoy"
#include "deviant_control.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REAL_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define SLOT_STEP 0x100000000ul
#define HANDLE_STEP 0x100000ul

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST list;
static pid_t loaded_by;
static unsigned long starts, sessions;

// --- Slots and handles that move -----------------------------------------------------------------

static CK_SLOT_ID slot_out(CK_SLOT_ID id)
{
	return deed_asked("slots", "move", NULL) ? id + starts * SLOT_STEP : id;
}

static CK_SLOT_ID slot_in(CK_SLOT_ID id)
{
	if (deed_asked("slots", "move", NULL) && id / SLOT_STEP != starts)
		deviant_log("slots ! move");
	return deed_asked("slots", "move", NULL) ? id - starts * SLOT_STEP : id;
}

static CK_OBJECT_HANDLE decoy(CK_SESSION_HANDLE s)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE like[] = {{CKA_LABEL, (void *)"decoy", 5}, {CKA_CLASS, &class, sizeof(class)}};
	CK_OBJECT_HANDLE found = 0;
	CK_ULONG n = 0;
	deviant_log("handles ! stale");
	if (real->C_FindObjectsInit(s, like, 2) == CKR_OK) {
		(void)real->C_FindObjects(s, &found, 1, &n);
		(void)real->C_FindObjectsFinal(s);
	}
	return found;
}

static CK_OBJECT_HANDLE handle_in(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h)
{
	unsigned long session = h / HANDLE_STEP;
	return session == 0 || session == sessions ? h % HANDLE_STEP : decoy(s);
}

// --- Functions that only pass on -----------------------------------------------------------------

#define PASS(name, params, ...)                               \
	static CK_RV pass_##name params                       \
	{                                                     \
		struct deed d;                                \
		CK_RV rv;                                     \
		if (deed_begin(#name, &d, &rv))               \
			return rv;                            \
		return deed_end(&d, real->name(__VA_ARGS__)); \
	}

PASS(C_GetInfo, (CK_INFO * info), info)
PASS(C_GetSlotInfo, (CK_SLOT_ID id, CK_SLOT_INFO *info), slot_in(id), info)
PASS(C_GetMechanismList, (CK_SLOT_ID id, CK_MECHANISM_TYPE *m, CK_ULONG *n), slot_in(id), m, n)
PASS(C_GetMechanismInfo, (CK_SLOT_ID id, CK_MECHANISM_TYPE m, CK_MECHANISM_INFO *info), slot_in(id),
	m, info)
PASS(C_CloseSession, (CK_SESSION_HANDLE s), s)
PASS(C_CloseAllSessions, (CK_SLOT_ID id), slot_in(id))
PASS(C_GetSessionInfo, (CK_SESSION_HANDLE s, CK_SESSION_INFO *info), s, info)
PASS(C_Login, (CK_SESSION_HANDLE s, CK_USER_TYPE who, CK_UTF8CHAR *p, CK_ULONG n), s, who, p, n)
PASS(C_Logout, (CK_SESSION_HANDLE s), s)
PASS(C_CreateObject, (CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *out), s,
	t, n, out)
PASS(C_DestroyObject, (CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h), s, handle_in(s, h))
PASS(C_FindObjectsInit, (CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n), s, t, n)
PASS(C_FindObjectsFinal, (CK_SESSION_HANDLE s), s)
PASS(C_EncryptInit, (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE h), s, m,
	handle_in(s, h))
PASS(C_DecryptInit, (CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE h), s, m,
	handle_in(s, h))
PASS(C_WrapKey,
	(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE w, CK_OBJECT_HANDLE k, CK_BYTE *out,
		CK_ULONG *len),
	s, m, handle_in(s, w), handle_in(s, k), out, len)
PASS(C_UnwrapKey,
	(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE h, CK_BYTE *in, CK_ULONG len,
		CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *out),
	s, m, handle_in(s, h), in, len, t, n, out)

// --- Functions with deeds of their own -----------------------------------------------------------

static CK_RV pass_C_Initialize(void *args)
{
	struct deed d;
	CK_RV rv;
	const CK_C_INITIALIZE_ARGS *a = args;
	deviant_log("C_Initialize flags 0x%lx", a ? a->flags : 0ul);
	if (deed_begin("C_Initialize", &d, &rv))
		return rv;
	if (getpid() != loaded_by) {
		deviant_log("C_Initialize foreign");
		return deed_end(&d, CKR_GENERAL_ERROR);
	}
	starts++;
	return deed_end(&d, real->C_Initialize(args));
}

static CK_RV pass_C_Finalize(void *reserved)
{
	struct deed d;
	CK_RV rv;
	if (deed_begin("C_Finalize", &d, &rv))
		return rv;
	return deed_end(&d, real->C_Finalize(reserved));
}

static unsigned long ms_since_first(void)
{
	static struct timespec first;
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (!first.tv_sec)
		first = now;
	long ms = (now.tv_sec - first.tv_sec) * 1000 + (now.tv_nsec - first.tv_nsec) / 1000000;
	return (unsigned long)ms;
}

static CK_RV pass_C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *ids, CK_ULONG *n)
{
	struct deed d;
	CK_RV rv;
	if (deed_begin("C_GetSlotList", &d, &rv))
		return rv;
	rv = real->C_GetSlotList(present, ids, n);
	for (CK_ULONG i = 0; rv == CKR_OK && ids && i < *n; i++)
		ids[i] = slot_out(ids[i]);
	if (deed_is(&d, "blink") && ms_since_first() < d.value)
		*n = 0;
	if (deed_is(&d, "less") && !ids && *n > 0)
		--*n;
	if (deed_is(&d, "count"))
		*n = d.value;
	return deed_end(&d, rv);
}

static CK_RV pass_C_GetTokenInfo(CK_SLOT_ID id, CK_TOKEN_INFO *info)
{
	struct deed d;
	CK_RV rv;
	if (deed_begin("C_GetTokenInfo", &d, &rv))
		return rv;
	rv = real->C_GetTokenInfo(slot_in(id), info);
	if (deed_is(&d, "flags") && rv == CKR_OK)
		info->flags |= d.value;
	if (deed_is(&d, "spare") && rv == CKR_OK && !(info->flags & CKF_TOKEN_INITIALIZED))
		rv = d.value;
	if (deed_is(&d, "painted") && rv == CKR_OK) {
		memcpy(info->serialNumber, "7\n\033[31mred\r\a\xff\xfe\xc3(..",
			sizeof("0123456789abcdef") - 1);
		memset(info->manufacturerID, '\n', sizeof(info->manufacturerID));
		memset(info->model, 0xc3, sizeof(info->model));
	}
	return deed_end(&d, rv);
}

static CK_RV pass_C_OpenSession(
	CK_SLOT_ID id, CK_FLAGS flags, void *app, CK_NOTIFY notify, CK_SESSION_HANDLE *out)
{
	struct deed d;
	CK_RV rv;
	if (deed_begin("C_OpenSession", &d, &rv))
		return rv;
	sessions++;
	return deed_end(&d, real->C_OpenSession(slot_in(id), flags, app, notify, out));
}

static CK_RV pass_C_FindObjects(
	CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *out, CK_ULONG room, CK_ULONG *n)
{
	struct deed d;
	CK_RV rv;
	static CK_OBJECT_HANDLE first;
	if (deed_begin("C_FindObjects", &d, &rv))
		return rv;
	rv = real->C_FindObjects(s, out, room, n);
	if (rv == CKR_OK && *n > 0)
		first = *out;
	if (deed_is(&d, "same")) {
		*n = room;
		for (CK_ULONG i = 0; i < room; i++)
			out[i] = first;
	}
	for (CK_ULONG i = 0; deed_asked("handles", "stale", NULL) && i < *n; i++)
		out[i] += sessions * HANDLE_STEP;
	if (deed_is(&d, "count"))
		*n = d.value;
	return deed_end(&d, rv);
}

static CK_RV pass_C_GetAttributeValue(
	CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ATTRIBUTE *t, CK_ULONG n)
{
	struct deed d;
	CK_RV rv;
	if (deed_begin("C_GetAttributeValue", &d, &rv))
		return rv;
	rv = real->C_GetAttributeValue(s, handle_in(s, h), t, n);
	for (CK_ULONG i = 0; deed_is(&d, "length") && i < n; i++)
		t[i].ulValueLen = d.value;
	for (CK_ULONG i = 0; deed_is(&d, "mute") && i < n; i++)
		if (t[i].type == CKA_DECRYPT || t[i].type == CKA_UNWRAP) {
			t[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
			rv = CKR_ATTRIBUTE_TYPE_INVALID;
		}
	return deed_end(&d, rv);
}

static CK_RV pass_C_Decrypt(
	CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *len)
{
	struct deed d;
	CK_RV rv;
	if (deed_begin("C_Decrypt", &d, &rv))
		return rv;
	rv = real->C_Decrypt(s, in, in_len, out, len);
	if (deed_is(&d, "wrong") && rv == CKR_OK && out && *len > 0)
		out[*len - 1] ^= 1;
	if (deed_is(&d, "length") && rv == CKR_OK)
		*len = d.value;
	return deed_end(&d, rv);
}

// --- The list ------------------------------------------------------------------------------------

#define OF(name)                                        \
	{                                               \
#name, offsetof(CK_FUNCTION_LIST, name) \
	}

static void leave_holes(void)
{
	static const struct {
		const char *name;
		size_t at;
	} all[] = {OF(C_GetInfo), OF(C_GetSlotList), OF(C_GetTokenInfo), OF(C_OpenSession),
		OF(C_Login), OF(C_FindObjectsInit), OF(C_GetAttributeValue), OF(C_DecryptInit),
		OF(C_Decrypt), OF(C_Finalize)};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (deed_asked(all[i].name, "null", NULL)) {
			memset((char *)&list + all[i].at, 0, sizeof(void (*)(void)));
			deviant_log("%s ! null", all[i].name);
		}
}

static void fill_list(void)
{
	list = *real;
#define OURS(name) list.name = pass_##name
	OURS(C_Initialize);
	OURS(C_Finalize);
	OURS(C_GetInfo);
	list.C_GetFunctionList = C_GetFunctionList;
	OURS(C_GetSlotList);
	OURS(C_GetSlotInfo);
	OURS(C_GetTokenInfo);
	OURS(C_GetMechanismList);
	OURS(C_GetMechanismInfo);
	OURS(C_OpenSession);
	OURS(C_CloseSession);
	OURS(C_CloseAllSessions);
	OURS(C_GetSessionInfo);
	OURS(C_Login);
	OURS(C_Logout);
	OURS(C_CreateObject);
	OURS(C_DestroyObject);
	OURS(C_GetAttributeValue);
	OURS(C_FindObjectsInit);
	OURS(C_FindObjects);
	OURS(C_FindObjectsFinal);
	OURS(C_EncryptInit);
	OURS(C_DecryptInit);
	OURS(C_Decrypt);
	OURS(C_WrapKey);
	OURS(C_UnwrapKey);
}

__attribute__((constructor)) static void loaded(void)
{
	loaded_by = getpid();
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
	struct deed d;
	CK_RV rv;
	unsigned long version;
	if (deed_begin("C_GetFunctionList", &d, &rv))
		return rv;
	void *handle = real ? NULL : dlopen(REAL_MODULE, RTLD_NOW | RTLD_LOCAL);
	CK_C_GetFunctionList get = NULL;
	if (handle)
		*(void **)&get = dlsym(handle, "C_GetFunctionList");
	if (get && get(&real) != CKR_OK)
		real = NULL;
	if (!real)
		return deed_end(&d, CKR_GENERAL_ERROR);
	fill_list();
	leave_holes();
	if (deed_asked("C_GetFunctionList", "version", &version))
		list.version =
			(CK_VERSION){.major = (CK_BYTE)(version >> 8), .minor = (CK_BYTE)version};
	*out = deed_is(&d, "null") ? NULL : &list;
	return deed_end(&d, CKR_OK);
}
