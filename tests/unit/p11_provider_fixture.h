// SPDX-License-Identifier: MIT
// What the tests of the PKCS#11 plug-in share: a SoftHSM, a host, and questions in one line each.
#ifndef CMK_P11_PROVIDER_FIXTURE_H
#define CMK_P11_PROVIDER_FIXTURE_H

#include "p11_rig.h"
#include "provider_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

const struct cmk_keyprov *cmk_keyprov_init(void);

struct fixture {
	struct provider_host host;
	const struct cmk_keyprov *prov;
	struct p11_rig rig;
	CK_SESSION_HANDLE s; // the administrator's, in token "bank"
	char url[256], config[512];
	void *key;	      // open on url
	struct cmk_wrapped w; // what ask_wrap() made
	uint8_t plain[32];    // what it wrapped
};

// The key of that URI; alg NULL: any.
static inline void open_key(struct fixture *f, const char *url, const char *alg)
{
	if (f->key)
		f->prov->close(f->key);
	f->key = NULL;
	(void)snprintf(f->url, sizeof(f->url), "%s", url);
	(void)snprintf(f->config, sizeof(f->config),
		"{\"cmkdisk\":{\"pkcs11\":{\"query\":\"module-path=%s&pin-source=file:%s/"
		"pin\"%s%s%s}}}",
		P11_RIG_MODULE, f->rig.dir, alg ? ",\"alg\":\"" : "", alg ? alg : "",
		alg ? "\"" : "");
	struct cmk_key_ref ref = {sizeof(ref), f->url, f->config, "", NULL};
	enum cmk_verdict v = f->prov->open(&f->host.api, &ref, &f->key);
	if (v != CMK_GRANTED)
		fail_msg("open: %s", f->host.sentence);
}

static inline int fixture_setup(void **state)
{
	static struct fixture f;
	char path[128];
	memset(&f, 0, sizeof(f));
	provider_host_init(&f.host);
	p11_rig_new(&f.rig);
	f.s = p11_rig_session(&f.rig, "bank");
	(void)snprintf(path, sizeof(path), "%s/pin", f.rig.dir);
	FILE *pin = fopen(path, "we");
	assert_non_null(pin);
	assert_int_equal(fchmod(fileno(pin), 0600), 0);
	assert_true(fprintf(pin, "%s\n", P11_RIG_PIN) > 0);
	assert_int_equal(fclose(pin), 0);
	f.prov = cmk_keyprov_init();
	for (size_t i = 0; i < sizeof(f.plain); i++)
		f.plain[i] = (uint8_t)(i * 7 + 1);
	open_key(&f, "pkcs11:token=bank;object=disk", NULL);
	*state = &f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	f->prov->close(f->key);
	assert_int_equal(f->host.secrets, 0);
	p11_rig_free(&f->rig);
	return 0;
}

static inline CK_OBJECT_HANDLE make_key(struct fixture *f, const struct p11_rig_key *key)
{
	return p11_rig_generate(&f->rig, f->s, key);
}

static inline void set_bool(
	struct fixture *f, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool value)
{
	CK_BBOOL b = value;
	CK_ATTRIBUTE a = {type, &b, sizeof(b)};
	assert_int_equal(f->rig.f->C_SetAttributeValue(f->s, object, &a, 1), CKR_OK);
}

static inline void expect(struct fixture *f, enum cmk_verdict got, enum cmk_verdict want)
{
	if (got != want)
		fail_msg("verdict %d instead of %d: %s", (int)got, (int)want, f->host.sentence);
}

static inline enum cmk_verdict ask_wrap(struct fixture *f)
{
	memset(&f->w, 0, sizeof(f->w));
	f->host.reason = CMK_REASON_NONE;
	f->host.sentence[0] = '\0';
	return f->prov->wrap(f->key, f->plain, sizeof(f->plain), &f->w);
}

// Unwraps f->w; a grant must give the very bytes back.
static inline enum cmk_verdict ask_unwrap(struct fixture *f)
{
	uint8_t out[CMK_PLAIN_MAX] = {0};
	size_t len = sizeof(out);
	f->host.reason = CMK_REASON_NONE;
	f->host.sentence[0] = '\0';
	enum cmk_verdict v =
		f->prov->unwrap(f->key, f->w.version, f->w.alg, f->w.data, f->w.len, out, &len);
	if (v == CMK_GRANTED) {
		assert_int_equal(len, sizeof(f->plain));
		assert_memory_equal(out, f->plain, sizeof(f->plain));
	}
	return v;
}

static inline enum cmk_verdict ask_describe(
	struct fixture *f, const char *version, struct cmk_key_info *info)
{
	memset(info, 0, sizeof(*info));
	f->host.reason = CMK_REASON_NONE;
	f->host.sentence[0] = '\0';
	return f->prov->describe(f->key, version, info);
}

static inline void expect_denied(struct fixture *f, enum cmk_verdict v, enum cmk_reason why)
{
	expect(f, v, CMK_DENIED);
	assert_int_equal(f->host.reason, why);
	assert_non_null(strstr(f->host.sentence, f->url));
	assert_non_null(strstr(f->host.sentence, "bank"));
}

#endif
