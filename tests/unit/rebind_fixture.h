// SPDX-License-Identifier: MIT
// A disk and two keys, for the tests of fs/rebind.
#ifndef CMK_REBIND_FIXTURE_H
#define CMK_REBIND_FIXTURE_H

#include "../helpers/fake_agent.h"
#include "../helpers/volume_rig.h"

#include "rebind.h"
#include "scope.h"
#include "secret.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <string.h>

#define KEY "file:///etc/cmkdisk/test.key"
#define OTHER "file:///etc/cmkdisk/other.key"

// A disk bound to v1 of a key whose newest version is v2, and a second key.
struct world {
	struct volume_rig rig;
	struct agent key, other;
	struct volume *v;
	struct secret *dek;
	size_t removed;
	struct errmsg err;
};

static inline void world_end(struct world *w)
{
	secret_free(&w->dek);
	volume_close(&w->v);
	rig_end(&w->rig);
}

static inline void world_begin(struct world *w)
{
	*w = (struct world){
		.key = {.key_url = KEY, .newest = 1}, .other = {.key_url = OTHER, .newest = 1}};
	rig_begin(&w->rig);
	fake_wrap(&w->key, 1, w->rig.slot->data, &w->rig.binding);
	rig_create(&w->rig);
	rig_unlock(&w->rig, &w->v, &w->dek);
	w->key.newest = 2;
}

#define AUTO_WORLD(w)                     \
	struct world w scoped(world_end); \
	world_begin(&w)

static inline size_t bindings(const struct world *w)
{
	return volume_info(w->v)->binding_count;
}

static inline int prepare(struct world *w, struct agent *a, const char *version, struct rebind **r)
{
	return rebind_prepare(a, version, volume_info(w->v)->bindings, bindings(w), r, &w->err);
}

// The binding opens the disk with what its key unwraps.
static inline int opens(struct world *w, struct agent *a, const struct binding *b)
{
	struct secret *slot scoped(secret_free) = NULL, *dek scoped(secret_free) = NULL;
	struct agent_answer answer;
	agent_unwrap(a, b->key_version, b->alg, b->wrapped, b->wrapped_len, &slot, &answer);
	assert_int_equal(answer.verdict, CMK_GRANTED);
	int rc = volume_unlock(w->v, b, slot, &dek, &w->err);
	assert_true(rc || secret_equal(dek, w->dek));
	return rc;
}

// A binding of which no move knows.
static inline struct binding add_on_purpose(struct world *w, struct agent *a)
{
	struct secret *slot scoped(secret_free) = NULL;
	struct binding b;
	assert_int_equal(rebind_make(a, &slot, &b, &w->err), 0);
	assert_int_equal(volume_add_binding(w->v, w->dek, &b, slot, &w->err), 0);
	return b;
}

#endif
