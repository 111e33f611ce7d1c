// SPDX-License-Identifier: MIT
// What the tests of wrapping in tokens share: a SoftHSM, and a session of its administrator's as
// the provider would have opened it, whose functions a test may replace.
#ifndef CMK_P11_CRYPTO_FIXTURE_H
#define CMK_P11_CRYPTO_FIXTURE_H

#include "p11_crypto.h"
#include "p11_rig.h"
#include "provider_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
	struct provider_host host;
	struct p11_rig rig;
	CK_FUNCTION_LIST f; // SoftHSM's, with what the test puts into it
	struct p11_config config;
	struct p11_pin_memory pin_memory;
	struct p11_context c;
	struct p11_session s;
	struct p11_keys keys; // of ask_find()
	struct kp_outcome o;
	struct cmk_wrapped w;
	uint8_t plain[32];
};

static inline int fixture_setup(void **state)
{
	static struct fixture f;
	CK_SESSION_INFO info;
	struct cmk_key_ref ref = {sizeof(ref), "pkcs11:token=bank;object=disk", "{}", "", NULL};
	memset(&f, 0, sizeof(f));
	provider_host_init(&f.host);
	p11_rig_new(&f.rig);
	assert_int_equal(p11_config_read(&f.host.api, &ref, &f.config, &f.o), CMK_GRANTED);
	f.f = *f.rig.f;
	f.s.f = &f.f;
	f.s.handle = p11_rig_session(&f.rig, "bank");
	assert_int_equal(f.f.C_GetSessionInfo(f.s.handle, &info), CKR_OK);
	f.s.slot = info.slotID;
	(void)snprintf(f.s.where, sizeof(f.s.where), "token \"bank\"");
	f.c = (struct p11_context){&f.host.api, &f.config, NULL, &f.pin_memory};
	for (size_t i = 0; i < sizeof(f.plain); i++)
		f.plain[i] = (uint8_t)(i * 7 + 1);
	*state = &f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	p11_config_free(&f->host.api, &f->config);
	assert_int_equal(f->host.secrets, 0);
	p11_rig_free(&f->rig);
	return 0;
}

static inline CK_OBJECT_HANDLE make_key(struct fixture *f, const struct p11_rig_key *key)
{
	return p11_rig_generate(&f->rig, f->s.handle, key);
}

static inline void expect(struct fixture *f, enum cmk_verdict got, enum cmk_verdict want)
{
	if (got != want)
		fail_msg("verdict %d instead of %d: %s", (int)got, (int)want, f->o.err.text);
}

static inline enum cmk_verdict ask_find(struct fixture *f)
{
	memset(&f->o, 0, sizeof(f->o));
	f->s.lost = CKR_OK;
	return p11_keys_find(&f->c, &f->s, "", &f->keys, &f->o);
}

// The one key that there is.
static inline const struct p11_key *the_key(struct fixture *f)
{
	expect(f, ask_find(f), CMK_GRANTED);
	assert_int_equal(f->keys.count, 1);
	return &f->keys.at[0];
}

static inline enum cmk_verdict ask_wrap_len(
	struct fixture *f, const struct p11_key *k, const uint8_t *plain, size_t len)
{
	memset(&f->o, 0, sizeof(f->o));
	memset(&f->w, 0, sizeof(f->w));
	f->s.lost = CKR_OK;
	return p11_wrap(&f->c, &f->s, k, plain, len, &f->w, &f->o);
}

static inline enum cmk_verdict ask_wrap(struct fixture *f, const struct p11_key *k)
{
	return ask_wrap_len(f, k, f->plain, sizeof(f->plain));
}

// Unwraps f->w; a grant must give the very bytes back.
static inline enum cmk_verdict ask_unwrap(struct fixture *f, const struct p11_key *k)
{
	uint8_t out[CMK_PLAIN_MAX];
	size_t len = 0;
	memset(&f->o, 0, sizeof(f->o));
	f->s.lost = CKR_OK;
	enum cmk_verdict v =
		p11_unwrap(&f->c, &f->s, k, f->w.alg, f->w.data, f->w.len, out, &len, &f->o);
	if (v == CMK_GRANTED) {
		assert_int_equal(len, sizeof(f->plain));
		assert_memory_equal(out, f->plain, sizeof(f->plain));
	}
	return v;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

#endif
