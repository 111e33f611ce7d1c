// SPDX-License-Identifier: MIT
// Making a key in tokens that do not take every template: what a key can do without is left out,
// and what protects it never is.
#include "p11_world.h"

#include "tool.h"

#include <errno.h>
#include <string.h>

static struct {
	struct tool tool;
	struct tool_options o;
	struct p11_key key;
	bool dated;
	struct kp_err err;
	CK_ATTRIBUTE_TYPE hates; // an attribute that makes the module fail, and how
	CK_RV says;
	bool drops_dates; // takes them and forgets them
	int tries;
	CK_ATTRIBUTE_TYPE lies_of; // an attribute of private keys that is told the other way round
	bool shows_none;	   // finds no object
} g;

static const CK_ATTRIBUTE *find(const CK_ATTRIBUTE *a, CK_ULONG count, CK_ATTRIBUTE_TYPE type)
{
	for (CK_ULONG i = 0; i < count; i++)
		if (a[i].type == type)
			return &a[i];
	return NULL;
}

static void require(const CK_ATTRIBUTE *a, CK_ULONG count, CK_ATTRIBUTE_TYPE type, CK_BBOOL value)
{
	const CK_ATTRIBUTE *found = find(a, count, type);
	if (!found || *(CK_BBOOL *)found->pValue != value)
		fail_msg("try %d: attribute %#lx is not %d", g.tries, type, value);
}

static CK_RV generate_pair(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *pub, CK_ULONG pubs,
	CK_ATTRIBUTE *priv, CK_ULONG privs, CK_OBJECT_HANDLE *a, CK_OBJECT_HANDLE *b)
{
	g.tries++;
	require(priv, privs, CKA_PRIVATE, CK_TRUE);
	require(priv, privs, CKA_SENSITIVE, CK_TRUE);
	require(priv, privs, CKA_EXTRACTABLE, CK_FALSE);
	require(priv, privs, CKA_DECRYPT, CK_TRUE);
	require(priv, privs, CKA_TOKEN, CK_TRUE);
	if (g.says != CKR_OK && (find(pub, pubs, g.hates) || find(priv, privs, g.hates)))
		return g.says;
	for (CK_ULONG i = 0; g.drops_dates && i < pubs; i++)
		if (pub[i].type == CKA_START_DATE || pub[i].type == CKA_END_DATE)
			pub[i--] = pub[--pubs];
	for (CK_ULONG i = 0; g.drops_dates && i < privs; i++)
		if (priv[i].type == CKA_START_DATE || priv[i].type == CKA_END_DATE)
			priv[i--] = priv[--privs];
	return p11_world.real->C_GenerateKeyPair(s, m, pub, pubs, priv, privs, a, b);
}

static CK_RV get_attributes(
	CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *a, CK_ULONG count)
{
	CK_RV rv = p11_world.real->C_GetAttributeValue(s, object, a, count);
	for (CK_ULONG i = 0; g.lies_of && i < count; i++)
		if (a[i].type == g.lies_of && a[i].ulValueLen == sizeof(CK_BBOOL))
			*(CK_BBOOL *)a[i].pValue = !*(CK_BBOOL *)a[i].pValue;
	return rv;
}

static CK_RV find_objects(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *out, CK_ULONG max, CK_ULONG *count)
{
	*count = 0;
	return g.shows_none ? CKR_OK : p11_world.real->C_FindObjects(s, out, max, count);
}

static CK_RV destroy_refused(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE object)
{
	(void)s, (void)object;
	return CKR_ACTION_PROHIBITED;
}

static CK_ULONG objects(void)
{
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE t = {CKA_TOKEN, &yes, sizeof(yes)};
	CK_OBJECT_HANDLE found[8];
	CK_ULONG count = 0;
	const CK_FUNCTION_LIST *f = p11_world.real;
	assert_int_equal(f->C_FindObjectsInit(g.tool.session.handle, &t, 1), CKR_OK);
	assert_int_equal(f->C_FindObjects(g.tool.session.handle, found, 8, &count), CKR_OK);
	assert_int_equal(f->C_FindObjectsFinal(g.tool.session.handle), CKR_OK);
	return count;
}

static int setup(void **state)
{
	struct p11_world *w = &p11_world;
	int ret = p11_world_setup(state);
	memset(&g, 0, sizeof(g));
	p11_world_load("pkcs11:token=bank;object=disk");
	w->list.C_GenerateKeyPair = generate_pair;
	w->list.C_GetAttributeValue = get_attributes;
	w->list.C_FindObjects = find_objects;
	require_outcome(p11_world_begin(true), CMK_GRANTED, CMK_REASON_NONE, "");
	g.tool.config.uri = w->config.uri;
	g.tool.context = w->c;
	g.tool.session = w->s;
	g.o = (struct tool_options){.type = CKK_RSA, .bits = 2048};
	assert_int_equal(tool_date_parse("2026-11-23", false, &g.o.starts), 0);
	return ret;
}

static int make(void)
{
	static const uint8_t id[] = {7, 7};
	return tool_generate(&g.tool, &g.o, id, sizeof(id), &g.key, &g.dated, &g.err);
}

static void all_of_it_is_asked_for_first(void **state)
{
	(void)state;
	assert_int_equal(make(), 0);
	assert_int_equal(g.tries, 1);
	assert_true(g.dated);
	assert_string_equal(g.key.version, "0707");
	assert_true(g.key.decrypt && g.key.unwrap && !g.key.extractable);
}

static void what_a_token_does_not_take_is_left_out(void **state)
{
	static const struct {
		CK_ATTRIBUTE_TYPE hates;
		CK_RV says;
		bool dated, unwrap;
	} cases[] = {
		{CKA_VERIFY, CKR_GENERAL_ERROR, true, true},
		{CKA_SIGN, CKR_TEMPLATE_INCONSISTENT, true, true},
		{CKA_WRAP, CKR_ATTRIBUTE_TYPE_INVALID, true, false},
		{CKA_START_DATE, CKR_ATTRIBUTE_TYPE_INVALID, false, true},
		{CKA_SIGN, CKR_FUNCTION_FAILED, true, true},
	};
	(void)state;
	CK_SESSION_HANDLE s = p11_rig_session(&p11_world.rig, "bank");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		g.hates = cases[i].hates;
		g.says = cases[i].says;
		g.tries = 0;
		if (make() != 0)
			fail_msg("case %zu: %s", i, g.err.text);
		assert_true(g.tries > 1);
		assert_int_equal(g.dated, cases[i].dated);
		assert_int_equal(g.key.nbf != 0, cases[i].dated);
		assert_true(g.key.decrypt);
		// SoftHSM says yes for what nobody mentioned; only what was asked for is sure.
		assert_true(!cases[i].unwrap || g.key.unwrap);
		p11_rig_destroy(&p11_world.rig, s, "disk");
	}
}

// A TPM that is busy says what it says of a template that it does not like.
static void a_token_that_is_busy_costs_no_dates(void **state)
{
	static const CK_RV says[] = {CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED};
	static const CK_ATTRIBUTE_TYPE hates[] = {CKA_START_DATE, CKA_UNWRAP, CKA_TOKEN};
	(void)state;
	for (size_t i = 0; i < sizeof(hates) / sizeof(*hates); i++) {
		g.says = says[i % 2];
		g.hates = hates[i];
		g.tries = 0;
		assert_int_equal(make(), -EHOSTUNREACH);
		assert_int_equal(g.tries, 2);
		assert_int_equal(objects(), 0);
	}
}

static void dates_that_are_forgotten_are_noticed(void **state)
{
	(void)state;
	g.drops_dates = true;
	assert_int_equal(make(), 0);
	assert_false(g.dated);
	assert_int_equal(g.tries, 1);
}

static void what_is_needed_is_never_left_out(void **state)
{
	static const CK_ATTRIBUTE_TYPE needed[] = {
		CKA_SENSITIVE, CKA_PRIVATE, CKA_DECRYPT, CKA_MODULUS_BITS, CKA_ID};
	(void)state;
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		g.hates = needed[i];
		g.says = CKR_ATTRIBUTE_VALUE_INVALID;
		assert_int_equal(make(), -EDOM);
		assert_non_null(strstr(g.err.text, "CKR_ATTRIBUTE_VALUE_INVALID"));
	}
	g.says = CKR_DEVICE_REMOVED;
	g.tries = 0;
	assert_int_equal(make(), -EHOSTUNREACH);
	assert_int_equal(g.tries, 1);
}

static void what_is_less_protected_than_asked_for_is_not_kept(void **state)
{
	static const struct {
		CK_ATTRIBUTE_TYPE lies_of;
		const char *says;
	} cases[] = {{CKA_PRIVATE, "not private"}, {CKA_SENSITIVE, "not sensitive"},
		{CKA_EXTRACTABLE, "is extractable"}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		g.lies_of = cases[i].lies_of;
		assert_int_equal(make(), -EDOM);
		assert_non_null(strstr(g.err.text, cases[i].says));
		assert_non_null(strstr(g.err.text, "not kept"));
		assert_int_equal(objects(), 0);
	}
	g.lies_of = 0;
	assert_int_equal(make(), 0);
	assert_int_equal(objects(), 2);
}

static void a_new_key_that_is_not_seen_afterwards_is_destroyed(void **state)
{
	(void)state;
	g.shows_none = true;
	assert_int_equal(make(), -ENOENT);
	assert_int_equal(objects(), 0);
	p11_world.list.C_DestroyObject = destroy_refused;
	assert_int_equal(make(), -ENOENT);
	assert_non_null(strstr(g.err.text, "cannot be destroyed"));
	assert_int_equal(objects(), 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, p11_world_teardown)
	const struct CMUnitTest tests[] = {
		T(all_of_it_is_asked_for_first),
		T(what_a_token_does_not_take_is_left_out),
		T(a_token_that_is_busy_costs_no_dates),
		T(dates_that_are_forgotten_are_noticed),
		T(what_is_needed_is_never_left_out),
		T(what_is_less_protected_than_asked_for_is_not_kept),
		T(a_new_key_that_is_not_seen_afterwards_is_destroyed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
