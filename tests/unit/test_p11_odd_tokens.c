// SPDX-License-Identifier: MIT
// Tokens that are not like SoftHSM: its functions are replaced one by one by those of stranger
// ones.
#include "p11_crypto_fixture.h"

#include <openssl/evp.h>

// What the replaced functions do; one test at a time.
static struct {
	struct fixture *f;
	CK_ULONG decrypted_len; // what C_Decrypt says
	CK_RV decrypt_rv;	// what C_Decrypt fails with, `failures` times
	int failures;
	int decrypts, wraps, logins, destroyed;
	CK_RV login_rv;
	CK_ULONG value_len; // of the last C_UnwrapKey's template; 0 none
	CK_FLAGS flags;	    // of the mechanism
} odd;

static const CK_FUNCTION_LIST *real(void)
{
	return odd.f->rig.f;
}

static int odd_setup(void **state)
{
	memset(&odd, 0, sizeof(odd));
	int ret = fixture_setup(state);
	odd.f = *state;
	return ret;
}
#define ODD(t) cmocka_unit_test_setup_teardown(t, odd_setup, fixture_teardown)

static const struct p11_key *new_rsa(struct fixture *f)
{
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1", .bits = 2048});
	return the_key(f);
}

static CK_RV decrypt_says_length(
	CK_SESSION_HANDLE h, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *len)
{
	CK_RV rv = real()->C_Decrypt(h, in, in_len, out, len);
	if (odd.decrypted_len != 1)
		*len = odd.decrypted_len;
	else
		out[0] ^= 1;
	return rv;
}

static void lengths_that_cannot_be_are_not_believed(void **state)
{
	struct fixture *f = *state;
	static const CK_ULONG lengths[] = {0, 1025, 1UL << 32, CK_UNAVAILABLE_INFORMATION};
	const struct p11_key *k = new_rsa(f);
	expect(f, ask_wrap(f, k), CMK_GRANTED);
	f->f.C_Decrypt = decrypt_says_length;
	struct cmk_wrapped good = f->w;
	for (size_t i = 0; i < 4; i++) {
		odd.decrypted_len = lengths[i];
		f->w = good;
		expect(f, ask_unwrap(f, k), CMK_UNREACHABLE);
		assert_non_null(strstr(f->o.err.text, "C_Decrypt"));
		expect(f, ask_wrap(f, k), CMK_UNREACHABLE);
	}
	f->w = good;
	odd.decrypted_len = CMK_PLAIN_MAX + 1;
	expect(f, ask_unwrap(f, k), CMK_BAD_BLOB);
}

static void a_round_trip_that_gives_other_bytes_binds_no_disk(void **state)
{
	struct fixture *f = *state;
	const struct p11_key *k = new_rsa(f);
	f->f.C_Decrypt = decrypt_says_length;
	odd.decrypted_len = 1; // changes a byte instead
	expect(f, ask_wrap(f, k), CMK_MISCONFIGURED);
	assert_non_null(strstr(f->o.err.text, "other bytes"));
	odd.decrypted_len = 31;
	expect(f, ask_wrap(f, k), CMK_MISCONFIGURED);
}

static CK_RV decrypt_fails(
	CK_SESSION_HANDLE h, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *len)
{
	CK_RV rv = real()->C_Decrypt(h, in, in_len, out, len);
	odd.decrypts++;
	return odd.failures-- > 0 ? odd.decrypt_rv : rv;
}

static void a_vague_error_is_no_bad_blob_while_the_key_does_not_work(void **state)
{
	struct fixture *f = *state;
	static const CK_RV errors[] = {
		CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_DATA_INVALID, CKR_VENDOR_DEFINED | 1};
	const struct p11_key *k = new_rsa(f);
	expect(f, ask_wrap(f, k), CMK_GRANTED);
	f->f.C_Decrypt = decrypt_fails;
	for (size_t i = 0; i < 4; i++) {
		odd.decrypt_rv = errors[i];
		odd.failures = 100;
		expect(f, ask_unwrap(f, k), CMK_UNREACHABLE);
		odd.failures = 1; // gone when the blob is shown again
		expect(f, ask_unwrap(f, k), CMK_GRANTED);
	}
	odd.failures = 0;
	f->w.data[9] ^= 1;
	odd.decrypts = 0;
	expect(f, ask_unwrap(f, k), CMK_BAD_BLOB); // SoftHSM itself says CKR_GENERAL_ERROR
	assert_int_equal(odd.decrypts, 3);
	assert_int_equal(f->s.lost, CKR_OK);
}

static void what_is_said_of_the_bytes_counts_at_once(void **state)
{
	struct fixture *f = *state;
	static const CK_RV errors[] = {CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE,
		CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE};
	const struct p11_key *k = new_rsa(f);
	expect(f, ask_wrap(f, k), CMK_GRANTED);
	f->f.C_Decrypt = decrypt_fails;
	for (size_t i = 0; i < 4; i++) {
		odd.decrypt_rv = errors[i];
		odd.failures = 1;
		odd.decrypts = 0;
		expect(f, ask_unwrap(f, k), CMK_BAD_BLOB);
		assert_int_equal(odd.decrypts, 1);
	}
}

static void a_lost_device_is_noted_and_says_nothing_about_the_key(void **state)
{
	struct fixture *f = *state;
	static const CK_RV errors[] = {CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT,
		CKR_SESSION_HANDLE_INVALID, CKR_DEVICE_ERROR};
	const struct p11_key *k = new_rsa(f);
	expect(f, ask_wrap(f, k), CMK_GRANTED);
	f->f.C_Decrypt = decrypt_fails;
	for (size_t i = 0; i < 4; i++) {
		odd.decrypt_rv = errors[i];
		odd.failures = 1;
		expect(f, ask_unwrap(f, k), CMK_UNREACHABLE);
		assert_int_equal(f->s.lost, errors[i]);
	}
}

static CK_RV login_counts(CK_SESSION_HANDLE h, CK_USER_TYPE type, CK_UTF8CHAR *pin, CK_ULONG len)
{
	(void)h;
	odd.logins++;
	assert_int_equal(type, CKU_CONTEXT_SPECIFIC);
	assert_int_equal(len, 4);
	assert_memory_equal(pin, "1234", 4);
	return odd.login_rv;
}

// What a session's end does: the operation that wanted the PIN is over.
static enum cmk_verdict ask_anew(struct fixture *f, const struct p11_key *k)
{
	CK_BYTE none[1] = {0}, out[512];
	CK_ULONG len = sizeof(out);
	(void)real()->C_Decrypt(f->s.handle, none, sizeof(none), out, &len);
	return ask_unwrap(f, k);
}

// A PIN that a person gave: the session of this test logged in without one.
static void give_pin(struct fixture *f, const char *pin)
{
	f->config.pin = f->host.api.secret_alloc(&f->host.api, strlen(pin) + 1);
	assert_non_null(f->config.pin);
	memcpy(f->config.pin, pin, strlen(pin));
}

static void a_key_that_wants_the_pin_each_time_gets_it_each_time(void **state)
{
	struct fixture *f = *state;
	struct p11_key k = *new_rsa(f);
	expect(f, ask_wrap(f, &k), CMK_GRANTED);
	f->f.C_Login = login_counts;
	k.always_authenticate = true;
	expect(f, ask_anew(f, &k), CMK_MISCONFIGURED); // none is known: none is shown
	assert_int_equal(odd.logins, 0);
	give_pin(f, "1234"); // the token wants no login, so no session fetched it
	expect(f, ask_anew(f, &k), CMK_GRANTED);
	expect(f, ask_anew(f, &k), CMK_GRANTED);
	assert_int_equal(odd.logins, 2);
	odd.login_rv = CKR_PIN_INCORRECT;
	for (int i = 0; i < 3; i++) {
		expect(f, ask_anew(f, &k), CMK_DENIED);
		assert_int_equal(f->o.reason, CMK_REASON_IDENTITY);
		assert_non_null(strstr(f->o.err.text, "disk"));
	}
	assert_int_equal(odd.logins, 3);
	p11_pin_free(&f->host.api, &f->s.pin);
}

static void a_pin_for_each_use_is_not_tried_where_the_token_warns(void **state)
{
	struct fixture *f = *state;
	struct p11_key k = *new_rsa(f);
	expect(f, ask_wrap(f, &k), CMK_GRANTED);
	f->f.C_Login = login_counts;
	k.always_authenticate = true;
	give_pin(f, "1234");
	f->s.token.flags = CKF_USER_PIN_FINAL_TRY;
	expect(f, ask_anew(f, &k), CMK_DENIED);
	assert_non_null(strstr(f->o.err.text, "next wrong one"));
	assert_int_equal(odd.logins, 0);
	f->s.token.flags = 0;
	// Neither a refusal nor a grant: shown once a question, whatever else is tried then.
	odd.login_rv = CKR_GENERAL_ERROR;
	expect(f, ask_anew(f, &k), CMK_UNREACHABLE);
	assert_int_equal(odd.logins, 1);
	expect(f, ask_anew(f, &k), CMK_DENIED);
	expect(f, ask_anew(f, &k), CMK_DENIED);
	assert_int_equal(odd.logins, 2);
	p11_pin_free(&f->host.api, &f->s.pin);
}

static CK_RV unwrap_wants_length(CK_SESSION_HANDLE h, CK_MECHANISM *m, CK_OBJECT_HANDLE key,
	CK_BYTE *in, CK_ULONG in_len, CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *out)
{
	for (CK_ULONG i = 0; i < n; i++)
		if (t[i].type == CKA_VALUE_LEN) {
			memcpy(&odd.value_len, t[i].pValue, sizeof(odd.value_len));
			return real()->C_UnwrapKey(h, m, key, in, in_len, t, n - 1, out);
		}
	return CKR_TEMPLATE_INCOMPLETE;
}

static void a_token_that_wants_a_length_is_told_it(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	const struct p11_key *k = the_key(f);
	f->f.C_UnwrapKey = unwrap_wants_length;
	expect(f, ask_wrap(f, k), CMK_GRANTED);
	assert_int_equal(odd.value_len, 32);
	expect(f, ask_unwrap(f, k), CMK_GRANTED);
}

static CK_RV mechanism_flags(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	CK_RV rv = real()->C_GetMechanismInfo(slot, type, info);
	info->flags = odd.flags;
	return rv;
}

static CK_RV cipher_init(CK_SESSION_HANDLE h, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
	(void)h, (void)m, (void)key;
	return CKR_OK;
}

static const CK_BYTE cipher_key[32] = {7};

static CK_RV cipher(bool wrap, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *len)
{
	int n = 0;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	assert_int_equal(
		EVP_CipherInit_ex(ctx, EVP_aes_256_wrap(), NULL, cipher_key, NULL, wrap), 1);
	bool ok = EVP_CipherUpdate(ctx, out, &n, in, (int)in_len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	*len = (CK_ULONG)n;
	return ok ? CKR_OK : CKR_ENCRYPTED_DATA_INVALID;
}

static CK_RV encrypt(CK_SESSION_HANDLE h, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *len)
{
	(void)h;
	odd.wraps++;
	return cipher(true, in, in_len, out, len);
}

static CK_RV decrypt(CK_SESSION_HANDLE h, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *len)
{
	(void)h;
	odd.decrypts++;
	return cipher(false, in, in_len, out, len);
}

// Key wrap by way of C_Encrypt and C_Decrypt only.
static void cipher_token(struct fixture *f)
{
	f->f.C_EncryptInit = f->f.C_DecryptInit = cipher_init;
	f->f.C_Encrypt = encrypt;
	f->f.C_Decrypt = decrypt;
	f->f.C_GetMechanismInfo = mechanism_flags;
	odd.flags = CKF_ENCRYPT | CKF_DECRYPT;
}

static void key_wrap_by_encryption_works_as_well(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1", .no_unwrap = true});
	const struct p11_key *k = the_key(f);
	cipher_token(f);
	expect(f, ask_wrap(f, k), CMK_GRANTED);
	assert_string_equal(f->w.alg, "A256KW");
	assert_int_equal(odd.wraps, 1);
	assert_int_equal(odd.decrypts, 1);
	expect(f, ask_unwrap(f, k), CMK_GRANTED);
	f->w.data[0] ^= 1;
	expect(f, ask_unwrap(f, k), CMK_BAD_BLOB);
}

static CK_RV create_refused(
	CK_SESSION_HANDLE h, CK_ATTRIBUTE *t, CK_ULONG n, CK_OBJECT_HANDLE *object)
{
	(void)h, (void)t, (void)n, (void)object;
	return CKR_TEMPLATE_INCONSISTENT;
}

static void a_token_that_takes_no_secret_from_outside_may_still_encrypt(void **state)
{
	struct fixture *f = *state;
	make_key(f, &(struct p11_rig_key){.label = "disk", .id = "a1"});
	const struct p11_key *k = the_key(f);
	cipher_token(f);
	odd.flags = 0; // tells nothing of what it does
	f->f.C_CreateObject = create_refused;
	expect(f, ask_wrap(f, k), CMK_GRANTED);
	assert_int_equal(odd.wraps, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ODD(lengths_that_cannot_be_are_not_believed),
		ODD(a_round_trip_that_gives_other_bytes_binds_no_disk),
		ODD(a_vague_error_is_no_bad_blob_while_the_key_does_not_work),
		ODD(what_is_said_of_the_bytes_counts_at_once),
		ODD(a_lost_device_is_noted_and_says_nothing_about_the_key),
		ODD(a_key_that_wants_the_pin_each_time_gets_it_each_time),
		ODD(a_pin_for_each_use_is_not_tried_where_the_token_warns),
		ODD(a_token_that_wants_a_length_is_told_it),
		ODD(key_wrap_by_encryption_works_as_well),
		ODD(a_token_that_takes_no_secret_from_outside_may_still_encrypt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
