// SPDX-License-Identifier: MIT
// See p11_rig.h.
//
// The rig uses a copy of the module's file: to the dynamic linker that is another library, with
// another state. So what is under test can load, initialise and finalise the installed one as if it
// were alone, and the rig changes the tokens under its feet as another process would.
#include "p11_rig.h"

// cmocka.h wants these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS_MAX 64
#define TEMPLATE_MAX 20

static CK_UTF8CHAR *text(const char *s)
{
	return (CK_UTF8CHAR *)(uintptr_t)s;
}

static void require_ok(CK_RV rv, const char *call)
{
	if (rv != CKR_OK)
		fail_msg("SoftHSM: %s: 0x%lx", call, rv);
}

static void copy_module(const char *to)
{
	int in = open(P11_RIG_MODULE, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		fail_msg("%s: %s; install softhsm2", P11_RIG_MODULE, strerror(errno));
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	assert_true(out >= 0);
	while (sendfile(out, in, NULL, 1 << 24) > 0)
		;
	assert_int_equal(lseek(in, 0, SEEK_CUR), lseek(in, 0, SEEK_END));
	(void)close(in);
	assert_int_equal(close(out), 0);
}

static void make_directory(struct p11_rig *r)
{
	char path[128];
	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/cmk-p11-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	(void)snprintf(path, sizeof(path), "%s/tokens", r->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/softhsm2.conf", r->dir);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_true(
		fprintf(f, "directories.tokendir = %s/tokens\nlog.level = ERROR\n", r->dir) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(setenv("SOFTHSM2_CONF", path, 1), 0);
}

void p11_rig_new(struct p11_rig *r)
{
	char path[128];
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	memset(r, 0, sizeof(*r));
	make_directory(r);
	(void)snprintf(path, sizeof(path), "%s/module.so", r->dir);
	copy_module(path);
	r->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!r->handle)
		fail_msg("%s", dlerror());
	CK_C_GetFunctionList list = (CK_C_GetFunctionList)dlsym(r->handle, "C_GetFunctionList");
	assert_non_null(list);
	require_ok(list(&r->f), "C_GetFunctionList");
	require_ok(r->f->C_Initialize(&args), "C_Initialize");
	p11_rig_token(r, "bank");
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
	(void)st, (void)flag, (void)walk;
	return remove(path);
}

void p11_rig_free(struct p11_rig *r)
{
	if (r->f)
		(void)r->f->C_Finalize(NULL);
	if (r->handle)
		(void)dlclose(r->handle);
	if (*r->dir)
		(void)nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	memset(r, 0, sizeof(*r));
}

static bool has_label(const CK_TOKEN_INFO *info, const char *label)
{
	size_t len = strlen(label);
	return len <= sizeof(info->label) && memcmp(info->label, label, len) == 0 &&
	       (len == sizeof(info->label) || info->label[len] == ' ');
}

// The slot of the token with this label, or of one without a token in it (NULL).
static CK_SLOT_ID slot_of(struct p11_rig *r, const char *label)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG count = SLOTS_MAX;
	// Only a call without a buffer makes SoftHSM offer a new empty slot.
	require_ok(r->f->C_GetSlotList(CK_TRUE, NULL, &count), "C_GetSlotList");
	count = SLOTS_MAX;
	require_ok(r->f->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
	for (CK_ULONG i = 0; i < count; i++) {
		CK_TOKEN_INFO info;
		if (r->f->C_GetTokenInfo(slots[i], &info) != CKR_OK)
			continue;
		bool used = info.flags & CKF_TOKEN_INITIALIZED;
		if (label ? used && has_label(&info, label) : !used)
			return slots[i];
	}
	fail_msg("no slot of token %s", label ? label : "(none)");
	return 0;
}

void p11_rig_token(struct p11_rig *r, const char *label)
{
	CK_UTF8CHAR padded[32];
	CK_SLOT_ID slot = slot_of(r, NULL);
	CK_SESSION_HANDLE s;
	memset(padded, ' ', sizeof(padded));
	assert_in_range(strlen(label), 1, sizeof(padded));
	memcpy(padded, label, strlen(label));
	require_ok(r->f->C_InitToken(slot, text(P11_RIG_SO_PIN), strlen(P11_RIG_SO_PIN), padded),
		"C_InitToken");
	require_ok(r->f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s),
		"C_OpenSession");
	require_ok(r->f->C_Login(s, CKU_SO, text(P11_RIG_SO_PIN), strlen(P11_RIG_SO_PIN)),
		"C_Login (SO)");
	require_ok(r->f->C_InitPIN(s, text(P11_RIG_PIN), strlen(P11_RIG_PIN)), "C_InitPIN");
	require_ok(r->f->C_CloseSession(s), "C_CloseSession");
}

CK_SESSION_HANDLE p11_rig_session(struct p11_rig *r, const char *token)
{
	CK_SESSION_HANDLE s;
	require_ok(r->f->C_OpenSession(
			   slot_of(r, token), CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s),
		"C_OpenSession");
	CK_RV rv = r->f->C_Login(s, CKU_USER, text(P11_RIG_PIN), strlen(P11_RIG_PIN));
	if (rv != CKR_USER_ALREADY_LOGGED_IN)
		require_ok(rv, "C_Login");
	return s;
}

// A template under construction; what it points to lives as long as the call.
struct recipe {
	CK_ATTRIBUTE at[TEMPLATE_MAX];
	CK_ULONG count;
	CK_BBOOL yes, no;
	CK_ULONG bits, bytes;
	CK_DATE start, end;
};

static void add(struct recipe *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
	assert_true(t->count < TEMPLATE_MAX);
	t->at[t->count++] =
		(CK_ATTRIBUTE){.type = type, .pValue = (void *)(uintptr_t)value, .ulValueLen = len};
}

static void add_bool(struct recipe *t, CK_ATTRIBUTE_TYPE type, bool value)
{
	add(t, type, value ? &t->yes : &t->no, sizeof(CK_BBOOL));
}

static void add_date(struct recipe *t, CK_ATTRIBUTE_TYPE type, const char *date, CK_DATE *room)
{
	if (!date)
		return;
	assert_int_equal(strlen(date), 8);
	memcpy(room, date, 8);
	add(t, type, room, sizeof(*room));
}

// What every key has, public halves too.
static void add_names(struct recipe *t, const struct p11_rig_key *key)
{
	t->yes = CK_TRUE;
	t->no = CK_FALSE;
	add_bool(t, CKA_TOKEN, true);
	if (key->label)
		add(t, CKA_LABEL, key->label, strlen(key->label));
	if (key->id)
		add(t, CKA_ID, key->id, key->id_len ? key->id_len : strlen(key->id));
	add_date(t, CKA_START_DATE, key->start, &t->start);
	add_date(t, CKA_END_DATE, key->end, &t->end);
}

static void add_secrecy(struct recipe *t, const struct p11_rig_key *key)
{
	add_bool(t, CKA_PRIVATE, true);
	add_bool(t, CKA_SENSITIVE, !key->extractable);
	add_bool(t, CKA_EXTRACTABLE, key->extractable);
	add_bool(t, CKA_DECRYPT, !key->no_decrypt);
	add_bool(t, CKA_UNWRAP, !key->no_unwrap);
}

static CK_OBJECT_HANDLE generate_pair(
	struct p11_rig *r, CK_SESSION_HANDLE session, const struct p11_rig_key *key)
{
	CK_MECHANISM mechanism = {.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN};
	struct recipe public = {.bits = key->bits}, private = {0};
	CK_OBJECT_HANDLE public_half, private_half;
	add_names(&public, key);
	add(&public, CKA_MODULUS_BITS, &public.bits, sizeof(public.bits));
	add(&public, CKA_PUBLIC_EXPONENT, "\1\0\1", 3);
	add_bool(&public, CKA_ENCRYPT, !key->no_decrypt);
	add_bool(&public, CKA_WRAP, !key->no_unwrap);
	add_names(&private, key);
	add_secrecy(&private, key);
	require_ok(r->f->C_GenerateKeyPair(session, &mechanism, public.at, public.count, private.at,
			   private.count, &public_half, &private_half),
		"C_GenerateKeyPair");
	return private_half;
}

CK_OBJECT_HANDLE p11_rig_generate(
	struct p11_rig *r, CK_SESSION_HANDLE session, const struct p11_rig_key *key)
{
	CK_MECHANISM mechanism = {.mechanism = CKM_AES_KEY_GEN};
	struct recipe t = {.bytes = 32};
	CK_OBJECT_HANDLE handle;
	if (key->bits)
		return generate_pair(r, session, key);
	add_names(&t, key);
	add_secrecy(&t, key);
	add(&t, CKA_VALUE_LEN, &t.bytes, sizeof(t.bytes));
	add_bool(&t, CKA_ENCRYPT, !key->no_decrypt);
	add_bool(&t, CKA_WRAP, !key->no_unwrap);
	require_ok(
		r->f->C_GenerateKey(session, &mechanism, t.at, t.count, &handle), "C_GenerateKey");
	return handle;
}

void p11_rig_destroy(struct p11_rig *r, CK_SESSION_HANDLE session, const char *label)
{
	CK_ATTRIBUTE at = {
		.type = CKA_LABEL, .pValue = (void *)(uintptr_t)label, .ulValueLen = strlen(label)};
	CK_OBJECT_HANDLE found[SLOTS_MAX];
	CK_ULONG count;
	require_ok(r->f->C_FindObjectsInit(session, &at, 1), "C_FindObjectsInit");
	require_ok(r->f->C_FindObjects(session, found, SLOTS_MAX, &count), "C_FindObjects");
	require_ok(r->f->C_FindObjectsFinal(session), "C_FindObjectsFinal");
	for (CK_ULONG i = 0; i < count; i++)
		require_ok(r->f->C_DestroyObject(session, found[i]), "C_DestroyObject");
}

void p11_rig_set_pin(struct p11_rig *r, const char *token, const char *old_pin, const char *new_pin)
{
	CK_SESSION_HANDLE s;
	require_ok(r->f->C_OpenSession(
			   slot_of(r, token), CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s),
		"C_OpenSession");
	require_ok(
		r->f->C_SetPIN(s, text(old_pin), strlen(old_pin), text(new_pin), strlen(new_pin)),
		"C_SetPIN");
	require_ok(r->f->C_CloseSession(s), "C_CloseSession");
}
