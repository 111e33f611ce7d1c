// SPDX-License-Identifier: MIT
// What the tests of the file provider share: a private directory, a host, bundles on demand, and
// questions to the provider in one line each.
#ifndef CMK_KEYFILE_FIXTURE_H
#define CMK_KEYFILE_FIXTURE_H

#include "provider_host.h"

#include "bundle_file.h"
#include "key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

const struct cmk_keyprov *cmk_keyprov_init(void);

struct fixture {
	struct provider_host host;
	const struct cmk_keyprov *prov;
	char dir[4000], path[4096], url[4200];
	void *key;	      // open on url
	struct cmk_wrapped w; // what ask_wrap() made
	uint8_t plain[64];    // what it wrapped
};

// An oct bundle of one version, k = 00 01 … 1f, before anything is changed about it.
#define K1 "00000000000000000000000000000001"
#define K2 "00000000000000000000000000000002"
#define OCT_K "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define OCT_VERSION(name, attributes) \
	"{\"version\":\"" name "\",\"key\":{\"k\":\"" OCT_K "\"},\"attributes\":{" attributes "}}"
#define OCT_BUNDLE(versions)                                                                       \
	"{\"format\":1,\"kty\":\"oct\",\"created\":1,\"deletedDate\":null,\"versions\":[" versions \
	"]}"
#define OCT_SIMPLE OCT_BUNDLE(OCT_VERSION(K1, "\"enabled\":true,\"created\":5"))

static inline int fixture_setup(void **state)
{
	static struct fixture f;
	memset(&f, 0, sizeof(f));
	provider_host_init(&f.host);
	f.prov = cmk_keyprov_init();
	char cwd[3000];
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	(void)snprintf(f.dir, sizeof(f.dir), "%s/keyfile.XXXXXX", cwd);
	assert_non_null(mkdtemp(f.dir));
	(void)snprintf(f.path, sizeof(f.path), "%s/k.json", f.dir);
	(void)snprintf(f.url, sizeof(f.url), "file:%s", f.path);
	for (size_t i = 0; i < sizeof(f.plain); i++)
		f.plain[i] = (uint8_t)(i * 7 + 1);
	struct cmk_key_ref ref = {sizeof(ref), f.url, "{}", "", NULL};
	assert_int_equal(f.prov->open(&f.host.api, &ref, &f.key), CMK_GRANTED);
	*state = &f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	f->prov->close(f->key);
	assert_int_equal(f->host.secrets, 0);
	char cmd[4100];
	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", f->dir);
	return system(cmd);
}

// Replaces the bundle atomically, as an editor would.
static inline void put_text_mode(struct fixture *f, const char *text, mode_t mode)
{
	char temp[4200];
	(void)snprintf(temp, sizeof(temp), "%s.edit", f->path);
	FILE *out = fopen(temp, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(temp, mode), 0);
	assert_int_equal(rename(temp, f->path), 0);
}

static inline void put_text(struct fixture *f, const char *text)
{
	put_text_mode(f, text, 0600);
}

// Stores b as `cmkdisk keyfile` does.
static inline void put_bundle(struct fixture *f, const struct bundle *b, bool create)
{
	struct bundle_lock *lock = NULL;
	struct kp_err err = {""};
	assert_int_equal(bundle_lock(f->path, &lock, &err), 0);
	assert_int_equal(bundle_store(lock, b, create, &err), 0);
	bundle_unlock(&lock);
}

static inline struct bundle *get_bundle(struct fixture *f)
{
	struct bundle *b = NULL;
	struct kp_err err = {""};
	if (bundle_load(&f->host.api, f->path, &b, &err))
		fail_msg("%s", err.text);
	return b;
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
	uint8_t out[64] = {0};
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

#define assert_denied(f, verdict, why)                                  \
	do {                                                            \
		assert_int_equal(verdict, CMK_DENIED);                  \
		assert_int_equal((f)->host.reason, why);                \
		assert_non_null(strstr((f)->host.sentence, (f)->path)); \
	} while (0)

#endif
