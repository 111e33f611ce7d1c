// SPDX-License-Identifier: MIT
// Key transfer blobs from tokens that SoftHSM is not: ones that do all in one step, wrap in another
// way than RFC 5649, lie about lengths, or take no keys from outside. No secret is ever asked for.
#include "p11_world.h"

#include "byok.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct {
	struct tool tool;
	struct p11_key key;
	struct byok_kek kek;
	struct byok_blob blob;
	struct kp_err err;
	CK_MECHANISM_TYPE also;	 // that the token has beside SoftHSM's
	CK_MECHANISM_TYPE lacks; // and one that it has not
	CK_RV whole_says;	 // of CKM_RSA_AES_KEY_WRAP
	bool whole_right;	 // asked for with the parameters that a vault demands
	CK_MECHANISM_TYPE used;	 // for the key itself
	int key_wrapped;	 // so often
	bool odd_padding;	 // wraps in a way of its own
	bool no_import;		 // takes no secret key from outside
	CK_ULONG claims;	 // of the length, if not 0
	CK_RV key_says;		 // of wrapping the key itself, if not CKR_OK
} b;

static CK_RV mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	if (type == b.lacks)
		return CKR_MECHANISM_INVALID;
	if (type != b.also)
		return p11_world.real->C_GetMechanismInfo(slot, type, info);
	*info = (CK_MECHANISM_INFO){.flags = CKF_WRAP};
	return CKR_OK;
}

static CK_RV wrap_whole(const CK_MECHANISM *m, CK_BYTE *out, CK_ULONG *len)
{
	const struct {
		CK_ULONG bits;
		CK_RSA_PKCS_OAEP_PARAMS *oaep;
	} *p = m->pParameter;
	b.whole_right = m->ulParameterLen == sizeof(*p) && p->bits == 256 &&
			p->oaep->hashAlg == CKM_SHA_1 && p->oaep->mgf == CKG_MGF1_SHA1 &&
			p->oaep->source == CKZ_DATA_SPECIFIED && p->oaep->ulSourceDataLen == 0;
	if (b.whole_says != CKR_OK)
		return b.whole_says;
	assert_true(*len >= 256 + 40);
	memset(out, 0xab, 256 + 40);
	*len = 256 + 40;
	return CKR_OK;
}

static CK_RV wrap_key(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE under,
	CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *len)
{
	CK_MECHANISM real = *m;
	if (m->mechanism == CKM_RSA_AES_KEY_WRAP)
		return wrap_whole(m, out, len);
	if (m->mechanism == CKM_AES_KEY_WRAP_KWP)
		real.mechanism = CKM_AES_KEY_WRAP_PAD;
	bool is_key = key == b.key.handle;
	b.key_wrapped += is_key;
	if (is_key)
		b.used = m->mechanism;
	if (is_key && b.key_says != CKR_OK)
		return b.key_says;
	CK_RV rv = p11_world.real->C_WrapKey(s, &real, under, key, out, len);
	if (rv == CKR_OK && b.odd_padding && m->mechanism == CKM_AES_KEY_WRAP_PAD)
		out[0] ^= 1;
	if (rv == CKR_OK && is_key && b.claims)
		*len = b.claims;
	return rv;
}

static CK_RV create_object(
	CK_SESSION_HANDLE s, CK_ATTRIBUTE *a, CK_ULONG count, CK_OBJECT_HANDLE *out)
{
	bool secret = *(CK_OBJECT_CLASS *)a[0].pValue == CKO_SECRET_KEY;
	if (secret && b.no_import)
		return CKR_TEMPLATE_INCONSISTENT;
	return p11_world.real->C_CreateObject(s, a, count, out);
}

static CK_RV get_attributes(
	CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a, CK_ULONG count)
{
	for (CK_ULONG i = 0; i < count; i++)
		if (a[i].type == CKA_VALUE || a[i].type == CKA_PRIVATE_EXPONENT)
			fail_msg("a secret was asked for");
	return p11_world.real->C_GetAttributeValue(s, object, a, count);
}

static CK_ULONG session_objects(void)
{
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE t = {CKA_TOKEN, &no, sizeof(no)};
	CK_OBJECT_HANDLE found[8];
	CK_ULONG count = 0;
	const CK_FUNCTION_LIST *f = p11_world.real;
	assert_int_equal(f->C_FindObjectsInit(b.tool.session.handle, &t, 1), CKR_OK);
	assert_int_equal(f->C_FindObjects(b.tool.session.handle, found, 8, &count), CKR_OK);
	assert_int_equal(f->C_FindObjectsFinal(b.tool.session.handle), CKR_OK);
	return count;
}

static int setup(void **state)
{
	struct p11_world *w = &p11_world;
	int ret = p11_world_setup(state);
	memset(&b, 0, sizeof(b));
	CK_SESSION_HANDLE s = p11_rig_session(&w->rig, "bank");
	const struct p11_rig_key key = {.label = "disk", .id = "1", .extractable = true};
	(void)p11_rig_generate(&w->rig, s, &key);
	p11_world_load("pkcs11:token=bank;object=disk");
	w->list.C_GetMechanismInfo = mechanism_info;
	w->list.C_WrapKey = wrap_key;
	w->list.C_CreateObject = create_object;
	w->list.C_GetAttributeValue = get_attributes;
	require_outcome(p11_world_begin(false), CMK_GRANTED, CMK_REASON_NONE, "");
	b.tool.context = w->c;
	b.tool.session = w->s;
	struct p11_keys *keys = calloc(1, sizeof(*keys));
	assert_non_null(keys);
	assert_int_equal(p11_keys_find(&w->c, &w->s, "", keys, &w->o), CMK_GRANTED);
	assert_int_equal(keys->count, 1);
	b.key = keys->at[0];
	free(keys);
	b.kek.n_len = 256;
	memset(b.kek.n, 0xc3, 256); // any odd number does: nobody opens these blobs
	memcpy(b.kek.e, "\1\0\1", b.kek.e_len = 3);
	return ret;
}

static void wraps(int wanted, const char *part)
{
	int ret = byok_wrap(&b.tool, &b.key, &b.kek, &b.blob, &b.err);
	if (ret != -wanted)
		fail_msg("%d: %s", ret, b.err.text);
	if (!strstr(b.err.text, part))
		fail_msg("'%s' is not in: %s", part, b.err.text);
	assert_int_equal(session_objects(), 0);
}

static void two_halves_are_as_long_as_they_must_be(void **state)
{
	(void)state;
	wraps(0, "");
	assert_int_equal(b.blob.len, 256 + 40);
	assert_int_equal(b.used, CKM_AES_KEY_WRAP_PAD);
	assert_false(b.whole_right);
}

static void one_step_is_preferred_with_sha1_and_256_bits(void **state)
{
	(void)state;
	b.also = CKM_RSA_AES_KEY_WRAP;
	wraps(0, "");
	assert_true(b.whole_right);
	assert_int_equal(b.key_wrapped, 0);
	assert_int_equal(b.blob.len, 256 + 40);
	assert_int_equal(b.blob.data[0], 0xab);
}

static void one_step_that_is_not_done_after_all_becomes_two(void **state)
{
	(void)state;
	b.also = CKM_RSA_AES_KEY_WRAP;
	b.whole_says = CKR_MECHANISM_PARAM_INVALID;
	wraps(0, "");
	assert_true(b.whole_right);
	assert_int_equal(b.key_wrapped, 1);
	b.whole_says = CKR_DEVICE_ERROR;
	wraps(EHOSTUNREACH, "C_WrapKey");
	assert_int_equal(b.key_wrapped, 1);
}

static void kwp_is_preferred_to_pad(void **state)
{
	(void)state;
	b.also = CKM_AES_KEY_WRAP_KWP;
	wraps(0, "");
	assert_int_equal(b.used, CKM_AES_KEY_WRAP_KWP);
}

static void what_is_not_rfc5649_wraps_no_key(void **state)
{
	(void)state;
	b.odd_padding = true;
	wraps(EDOM, "RFC 5649");
	assert_int_equal(b.key_wrapped, 0);
	b.also = CKM_AES_KEY_WRAP_KWP;
	wraps(0, "");
	b.odd_padding = false;
	b.lacks = CKM_AES_KEY_WRAP_PAD;
	b.also = 0;
	wraps(EDOM, "RFC 5649");
	assert_int_equal(b.key_wrapped, 1);
}

static void a_token_that_takes_no_known_key_is_not_tried_before(void **state)
{
	(void)state;
	b.no_import = true;
	wraps(0, "");
	assert_int_equal(b.blob.len, 256 + 40);
}

static void lengths_are_not_believed(void **state)
{
	static const CK_ULONG claims[] = {UINT32_MAX, CK_UNAVAILABLE_INFORMATION, 39, 48, 32, 1};
	(void)state;
	for (size_t i = 0; i < sizeof(claims) / sizeof(*claims); i++) {
		b.claims = claims[i];
		int ret = byok_wrap(&b.tool, &b.key, &b.kek, &b.blob, &b.err);
		if (ret == 0)
			fail_msg("a length of %lu was believed", claims[i]);
		assert_true(b.blob.len <= sizeof(b.blob.data));
	}
	b.claims = 40;
	wraps(0, "");
}

static void why_a_key_may_not_leave_is_said(void **state)
{
	(void)state;
	b.key_says = CKR_KEY_NOT_WRAPPABLE;
	wraps(EPERM, "CKA_WRAP_WITH_TRUSTED");
	b.key_says = CKR_KEY_UNEXTRACTABLE;
	wraps(EPERM, "not to be exported");
	b.key_wrapped = 0;
	b.key.extractable = false;
	wraps(EPERM, "not to be exported");
	assert_int_equal(b.key_wrapped, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, p11_world_teardown)
	const struct CMUnitTest tests[] = {
		T(two_halves_are_as_long_as_they_must_be),
		T(one_step_is_preferred_with_sha1_and_256_bits),
		T(one_step_that_is_not_done_after_all_becomes_two),
		T(kwp_is_preferred_to_pad),
		T(what_is_not_rfc5649_wraps_no_key),
		T(a_token_that_takes_no_known_key_is_not_tried_before),
		T(lengths_are_not_believed),
		T(why_a_key_may_not_leave_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
