// SPDX-License-Identifier: MIT
// The seal: each field that it covers is covered, alone; and its token is read strictly.
#include "seal.h"

#include "scope.h"
#include "secret.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <string.h>

struct sample {
	struct secret *dek;
	struct binding bindings[2];
	struct seal_fields fields;
	struct seal seal;
};

static void sample_free(struct sample *s)
{
	secret_free(&s->dek);
}

static void sample_make(struct sample *s)
{
	uint8_t key[VOLUME_KEY_LEN];

	*s = (struct sample){0};
	memset(key, 7, sizeof(key));
	assert_int_equal(secret_dup(key, sizeof(key), &s->dek), 0);
	for (int i = 0; i < 2; i++)
		s->bindings[i] = (struct binding){.token = i,
			.keyslot = i,
			.key_url = "https://v.example/keys/k",
			.key_version = "0123",
			.alg = "RSA-OAEP-256",
			.wrapped_len = 256,
			.created = 1};
	s->fields = (struct seal_fields){
		.uuid = "01234567-89ab-cdef-0123-456789abcdef",
		.cipher = VOLUME_CIPHER,
		.key_len = VOLUME_KEY_LEN,
		.sector_size = 4096,
		.data_offset = 16 << 20,
		.policy = {3600000, 86400000, true, false, 1 << 30},
		.bindings = s->bindings,
		.binding_count = 2,
	};
	s->seal = (struct seal){
		.token = 2, .policy = s->fields.policy, .mac_count = 1, .pending_keyslot = -1};
	assert_int_equal(seal_mac(&s->fields, s->dek, s->seal.mac[0]), 0);
}

static int verify(struct sample *s)
{
	struct errmsg err = {0};
	int ret = seal_verify(&s->seal, &s->fields, s->dek, &err);
	assert_int_equal(err.text[0] != 0, ret != 0);
	return ret;
}

// The change, then the proof that it is noticed, then the way back and the proof of that.
#define COVERED(sample, lvalue, changed)                    \
	do {                                                \
		__typeof__(lvalue) before_ = (lvalue);      \
		(lvalue) = (changed);                       \
		assert_int_equal(verify(sample), -EBADMSG); \
		(lvalue) = before_;                         \
		assert_int_equal(verify(sample), 0);        \
	} while (0)

static void each_covered_field_breaks_the_seal_alone(void **state)
{
	(void)state;
	struct sample s scoped(sample_free);
	sample_make(&s);
	struct seal_fields *f = &s.fields;
	struct binding *b = &s.bindings[1];

	assert_int_equal(verify(&s), 0);
	COVERED(&s, f->uuid[35], '0');
	COVERED(&s, f->cipher[4], 'y');
	COVERED(&s, f->key_len, 32);
	COVERED(&s, f->sector_size, 512);
	COVERED(&s, f->data_offset, 1 << 20);
	COVERED(&s, f->digest[31], 1);
	COVERED(&s, f->policy.grace_denied_ms, 3600001);
	COVERED(&s, f->policy.grace_unreachable_ms, 86400001);
	COVERED(&s, f->policy.expiry_stops, false);
	COVERED(&s, f->policy.thin, true);
	COVERED(&s, f->policy.size, (1 << 30) - 4096);
	COVERED(&s, f->binding_count, 1);
	COVERED(&s, b->token, 5);
	COVERED(&s, b->keyslot, 7);
	COVERED(&s, b->key_url[8], 'w');
	COVERED(&s, b->key_version[0], '1');
	COVERED(&s, b->alg[8], 0);
	COVERED(&s, b->wrapped[255], 1);
	COVERED(&s, b->wrapped_len, 255);
	COVERED(&s, b->digest[0], 1);
	COVERED(&s, b->created, 2);
	COVERED(&s, b->replaces_count, 1);
}

static void what_a_binding_replaces_is_covered(void **state)
{
	(void)state;
	struct sample s scoped(sample_free);
	sample_make(&s);
	struct binding *b = &s.bindings[1];

	b->replaces_count = 2;
	assert_int_equal(verify(&s), -EBADMSG);
	assert_int_equal(seal_mac(&s.fields, s.dek, s.seal.mac[0]), 0);
	assert_int_equal(verify(&s), 0);
	COVERED(&s, b->replaces_count, 1);
	COVERED(&s, b->replaces_count, 0);
	COVERED(&s, b->replaces[0][0], 1);
	COVERED(&s, b->replaces[1][31], 1);
}

static void characters_cannot_move_from_one_field_to_the_next(void **state)
{
	(void)state;
	struct sample s scoped(sample_free);
	sample_make(&s);

	// "k" + "0123" and "k0" + "123" must not be the same bytes.
	strcpy(s.bindings[0].key_url, "https://v.example/keys/k0");
	strcpy(s.bindings[0].key_version, "123");
	assert_int_equal(verify(&s), -EBADMSG);
}

static void another_data_key_makes_another_seal(void **state)
{
	(void)state;
	struct sample s scoped(sample_free);
	sample_make(&s);

	s.dek->data[63] ^= 1;
	assert_int_equal(verify(&s), -EBADMSG);
}

static void during_a_change_both_sets_are_accepted_and_no_third(void **state)
{
	(void)state;
	struct sample s scoped(sample_free);
	sample_make(&s);

	s.fields.binding_count = 1;
	assert_int_equal(verify(&s), -EBADMSG);
	assert_int_equal(seal_mac(&s.fields, s.dek, s.seal.mac[1]), 0);
	s.seal.mac_count = 2;
	assert_int_equal(verify(&s), 0);
	s.fields.binding_count = 2;
	assert_int_equal(verify(&s), 0);
	s.fields.binding_count = 0;
	assert_int_equal(verify(&s), -EBADMSG);
}

// The MAC of one fixed input, computed with an independent implementation of the documented bytes,
// so that the format cannot drift.
static void the_mac_is_the_documented_one(void **state)
{
	(void)state;
	struct sample s scoped(sample_free);
	sample_make(&s);
	static const uint8_t expected[MAC_LEN] = {0x7a, 0xe3, 0x68, 0x72, 0xa6, 0x73, 0x23, 0x57,
		0xd3, 0xa4, 0x8c, 0x70, 0xc1, 0x24, 0x00, 0xcd, 0xb2, 0x98, 0x62, 0x9a, 0x0f, 0xbd,
		0x18, 0xc1, 0x69, 0x55, 0xa5, 0x05, 0xeb, 0x14, 0xac, 0x67};

	assert_memory_equal(s.seal.mac[0], expected, MAC_LEN);
}

static void what_is_printed_is_read_again(void **state)
{
	(void)state;
	struct sample s scoped(sample_free);
	struct seal again;
	struct errmsg err;

	sample_make(&s);
	for (int pending = -1; pending < 32; pending += 8) {
		char *text autofree = NULL;
		s.seal.pending_keyslot = pending;
		s.seal.mac_count = pending < 0 ? 1 : 2;
		s.seal.policy.thin = pending < 0;
		s.seal.policy.expiry_stops = pending < 0;
		assert_int_equal(seal_print(&s.seal, &text), 0);
		assert_int_equal(seal_parse(2, text, strlen(text), &again, &err), 0);
		assert_memory_equal(&s.seal.policy.size, &again.policy.size, sizeof(uint64_t));
		assert_int_equal(again.policy.thin, s.seal.policy.thin);
		assert_int_equal(again.policy.expiry_stops, s.seal.policy.expiry_stops);
		assert_int_equal(again.policy.grace_denied_ms, 3600000);
		assert_int_equal(again.policy.grace_unreachable_ms, 86400000);
		assert_int_equal(again.mac_count, s.seal.mac_count);
		assert_int_equal(again.pending_keyslot, pending);
		assert_memory_equal(again.mac[0], s.seal.mac[0], MAC_LEN);
	}
}

#define M "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define HEAD "{\"type\":\"cmkdisk-seal\",\"version\":1,"
#define GRACES "\"grace_denied_ms\":1,\"grace_unreachable_ms\":2,"
#define REST "\"thin\":false,\"on_expiry\":\"stop\",\"mac\":[\"" M "\"]}"

static const struct {
	const char *text, *said;
} bad[] = {
	{HEAD "\"size\":512," GRACES REST, "\"keyslots\""},
	{HEAD "\"keyslots\":[\"0\"],\"size\":512," GRACES REST, "\"keyslots\""},
	{HEAD "\"keyslots\":[]," GRACES REST, "\"size\""},
	{HEAD "\"keyslots\":[],\"size\":\"512\"," GRACES REST, "\"size\""},
	{HEAD "\"keyslots\":[],\"size\":0," GRACES REST, "\"size\""},
	{HEAD "\"keyslots\":[],\"size\":1e300," GRACES REST, "\"size\""},
	{HEAD "\"keyslots\":[],\"size\":512," REST, "\"grace_denied_ms\""},
	{HEAD "\"keyslots\":[],\"size\":512,\"grace_denied_ms\":-1," REST, "\"grace_denied_ms\""},
	{HEAD "\"keyslots\":[],\"size\":512,\"grace_denied_ms\":1,\"grace_unreachable_ms\":"
	      "9007199254740992," REST,
		"\"grace_unreachable_ms\""},
	{HEAD "\"keyslots\":[],\"size\":512," GRACES "\"on_expiry\":\"stop\",\"mac\":[\"" M "\"]}",
		"\"thin\""},
	{HEAD "\"keyslots\":[],\"size\":512," GRACES
	      "\"thin\":0,\"on_expiry\":\"stop\",\"mac\":[\"" M "\"]}",
		"\"thin\""},
	{HEAD "\"keyslots\":[],\"size\":512," GRACES
	      "\"thin\":true,\"on_expiry\":\"go\",\"mac\":[\"" M "\"]}",
		"\"on_expiry\""},
	{HEAD "\"keyslots\":[],\"size\":512," GRACES
	      "\"thin\":true,\"on_expiry\":\"stop\",\"mac\":[]}",
		"\"mac\""},
	{HEAD "\"keyslots\":[],\"size\":512," GRACES
	      "\"thin\":true,\"on_expiry\":\"stop\",\"mac\":[\"" M "\",\"" M "\",\"" M "\"]}",
		"\"mac\""},
	{HEAD "\"keyslots\":[],\"size\":512," GRACES
	      "\"thin\":true,\"on_expiry\":\"stop\",\"mac\":[\"QUJD\"]}",
		"\"mac\""},
	{HEAD "\"keyslots\":[],\"size\":512," GRACES
	      "\"thin\":true,\"on_expiry\":\"stop\",\"mac\":[5]}",
		"\"mac\""},
	{HEAD "\"keyslots\":[],\"pending_keyslot\":32,\"size\":512," GRACES REST,
		"\"pending_keyslot\""},
	{"{\"type\":\"cmkdisk-seal\",\"version\":9}", "format version 9"},
	{"{\"type\":\"cmkdisk\",\"version\":1}", "\"type\""},
};

static void every_defect_has_its_sentence(void **state)
{
	(void)state;
	struct seal s;
	struct errmsg err;
	static const char good[] = HEAD "\"keyslots\":[],\"size\":512," GRACES REST;

	assert_int_equal(seal_parse(3, good, strlen(good), &s, &err), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err = (struct errmsg){0};
		assert_int_equal(
			seal_parse(3, bad[i].text, strlen(bad[i].text), &s, &err), -EBADMSG);
		if (!strstr(err.text, bad[i].said) || !strstr(err.text, "token 3"))
			fail_msg("%s: said \"%s\", expected \"%s\"", bad[i].text, err.text,
				bad[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_covered_field_breaks_the_seal_alone),
		cmocka_unit_test(what_a_binding_replaces_is_covered),
		cmocka_unit_test(characters_cannot_move_from_one_field_to_the_next),
		cmocka_unit_test(another_data_key_makes_another_seal),
		cmocka_unit_test(during_a_change_both_sets_are_accepted_and_no_third),
		cmocka_unit_test(the_mac_is_the_documented_one),
		cmocka_unit_test(what_is_printed_is_read_again),
		cmocka_unit_test(every_defect_has_its_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
