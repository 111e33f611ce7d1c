// SPDX-License-Identifier: MIT
// A rotation, or a move to another key, whose process dies at any write of the header: each binding
// that is there afterwards opens the disk, the old one is there until the new one is, and the same
// move again brings it to its end.
#include "../helpers/crash_file.h"
#include "../helpers/fake_agent.h"
#include "../helpers/luks2_edit.h"
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
#include <sys/wait.h>
#include <unistd.h>

#define KEY "file:///etc/cmkdisk/test.key"
#define OTHER "file:///etc/cmkdisk/other.key"
#define WRITES_MAX 400

static const struct crash_plan tears[] = {
	{.arrived = 0},
	{.half = true},
	{.arrived = 0, .lose_unsynced = true},
	{.arrived = SIZE_MAX, .lose_unsynced = true},
};
#define TEARS (sizeof(tears) / sizeof(tears[0]))

struct world {
	struct volume_rig rig;
	struct agent key, other;
	bool rekey;
	bool on_purpose; // the other key has a binding already
	char image[160];
};

static struct agent *agent_of(struct world *w, const struct binding *b)
{
	return strcmp(b->key_url, OTHER) ? &w->key : &w->other;
}

static int unlock(struct world *w, struct volume *v, const struct binding *b, struct secret **dek,
	struct errmsg *err)
{
	struct secret *slot scoped(secret_free) = NULL;
	struct agent_answer answer;
	agent_unwrap(
		agent_of(w, b), b->key_version, b->alg, b->wrapped, b->wrapped_len, &slot, &answer);
	return answer.verdict == CMK_GRANTED ? volume_unlock(v, b, slot, dek, err) : -EKEYREVOKED;
}

// As the commands do it.
static int pass(struct world *w, struct errmsg *err)
{
	struct volume *v scoped(volume_close) = NULL;
	struct rebind *r scoped(rebind_free) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	struct agent *to = w->rekey ? &w->other : &w->key;
	struct binding present;
	size_t order[BINDINGS_MAX], removed = 0;
	struct cmk_key_info newest;
	int rc = volume_open(w->rig.path, true, &v, err);
	if (!rc)
		rc = rebind_newest(to, &newest, err);
	if (!rc)
		rc = rebind_prepare(to, newest.version, volume_info(v)->bindings,
			volume_info(v)->binding_count, &r, err);
	if (rc)
		return rc;
	binding_order(volume_info(v)->bindings, volume_info(v)->binding_count, order);
	present = volume_info(v)->bindings[w->on_purpose ? 0 : order[0]];
	rc = unlock(w, v, &present, &dek, err);
	if (!rc)
		rc = volume_settle(v, dek, err);
	if (!rc)
		rc = rebind_commit(v, dek, &present, r, err);
	return rc ? rc : rebind_retire(v, dek, r, &removed, err);
}

// As a mount does it, which knows nothing of the move but what the header says. False if there was
// nothing to finish.
static bool finish(struct world *w)
{
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	struct errmsg err = {""};
	size_t order[BINDINGS_MAX], removed = 0;
	assert_int_equal(volume_open(w->rig.path, true, &v, &err), 0);
	const struct volume_info *info = volume_info(v);
	binding_order(info->bindings, info->binding_count, order);
	const struct binding b = info->bindings[order[0]];
	if (!rebind_left(&b, info->bindings, info->binding_count))
		return false;
	assert_int_equal(unlock(w, v, &b, &dek, &err), 0);
	assert_int_equal(volume_settle(v, dek, &err), 0);
	assert_int_equal(rebind_finish(v, dek, &b, &removed, &err), 0);
	assert_int_equal(removed, 1);
	return true;
}

// True if it came to its end before the crash.
static bool run_until_crash(struct world *w, const struct crash_plan *tear, unsigned at)
{
	struct crash_plan plan = *tear;
	int status;
	plan.path = w->rig.path;
	plan.at = at;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct errmsg err;
		crash_arm(&plan);
		int rc = pass(w, &err);
		_exit(rc ? 1 : crash_writes() < at ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != CRASH_STATUS))
		fail_msg("write %u: status %#x", at, (unsigned)status);
	return WEXITSTATUS(status) == 0;
}

// How many bindings to the old version there are, and to the new one; all of them open the disk.
static int look(struct world *w, size_t *old, size_t *new, struct errmsg *err)
{
	struct volume *v scoped(volume_close) = NULL;
	int rc = volume_open(w->rig.path, false, &v, err);
	*old = *new = 0;
	for (size_t i = 0; !rc && i < volume_info(v)->binding_count; i++) {
		const struct binding *b = &volume_info(v)->bindings[i];
		struct secret *dek scoped(secret_free) = NULL;
		bool first = !strcmp(b->key_url, KEY) && !strcmp(b->key_version, "v1");
		*(first ? old : new) += 1;
		rc = unlock(w, v, b, &dek, err);
	}
	return rc;
}

static void demand_one_binding_and_no_remains(struct world *w, unsigned at)
{
	struct volume *v scoped(volume_close) = NULL;
	struct errmsg err = {""};
	size_t old = 0, new = 0;
	int rc = look(w, &old, &new, &err);
	if (rc || old != 0 || new != 1)
		fail_msg("write %u, again: %d, %zu and %zu bindings, \"%s\"", at, rc, old, new,
			err.text);
	assert_int_equal(volume_open(w->rig.path, false, &v, &err), 0);
	assert_int_equal(volume_info(v)->keyslot_count, 1);
	assert_false(volume_info(v)->pending);
}

static void cut_everywhere(struct world *w, size_t ways)
{
	unsigned both = 0, pending = 0, finished = 0;
	for (size_t t = 0; t < ways; t++) {
		bool ended = false;
		for (unsigned at = 1; !ended; at++) {
			struct errmsg err = {""};
			size_t old = 0, new = 0;
			assert_true(at < WRITES_MAX);
			rig_copy(w->image, w->rig.path);
			ended = run_until_crash(w, &tears[t], at);
			int rc = look(w, &old, &new, &err);
			if (rc || old + new < 1 || (old == 0 && new != 1) || old > 1 || new > 1)
				fail_msg("write %u: %d, %zu and %zu bindings, \"%s\"", at, rc, old,
					new, err.text);
			both += old && new;
			char *json autofree = luks2_json(w->rig.path);
			pending += strstr(json, "pending_keyslot") != NULL;
			// Either way must end it, so one write is for the one, and one for the
			// other.
			const bool by_header = at % 2 && finish(w);
			finished += by_header;
			if (at % 2 && !by_header && old && new && !w->on_purpose)
				fail_msg("write %u: the header does not tell what is to go", at);
			if (!by_header)
				assert_int_equal(pass(w, &err), 0);
			demand_one_binding_and_no_remains(w, at);
		}
	}
	// It was cut where it matters.
	assert_true(both > ways && pending > ways && finished > 0);
}

static void world_begin(struct world *w, bool rekey)
{
	*w = (struct world){.key = {.key_url = KEY, .newest = 1},
		.other = {.key_url = OTHER, .newest = 1},
		.rekey = rekey};
	rig_begin(&w->rig);
	fake_wrap(&w->key, 1, w->rig.slot->data, &w->rig.binding);
	rig_create(&w->rig);
	w->key.newest = rekey ? 1 : 2;
	(void)snprintf(w->image, sizeof(w->image), "%s/image", w->rig.dir);
	rig_copy(w->rig.path, w->image);
}

static void add_on_purpose(struct world *w)
{
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL, *slot scoped(secret_free) = NULL;
	struct errmsg err;
	struct binding b;
	rig_unlock(&w->rig, &v, &dek);
	assert_int_equal(rebind_make(&w->other, &slot, &b, &err), 0);
	assert_int_equal(volume_add_binding(v, dek, &b, slot, &err), 0);
	volume_close(&v);
	rig_copy(w->rig.path, w->image);
	w->on_purpose = true;
}

static void a_rekey_to_a_binding_that_is_there_can_be_cut_anywhere(void **state)
{
	(void)state;
	struct world w;
	world_begin(&w, true);
	add_on_purpose(&w);
	cut_everywhere(&w, 2);
	rig_end(&w.rig);
}

static void a_rotation_can_be_cut_anywhere(void **state)
{
	(void)state;
	struct world w;
	world_begin(&w, false);
	cut_everywhere(&w, TEARS);
	rig_end(&w.rig);
}

static void a_rekey_can_be_cut_anywhere(void **state)
{
	(void)state;
	struct world w;
	world_begin(&w, true);
	cut_everywhere(&w, TEARS);
	rig_end(&w.rig);
}

// Before the move is made, what is demanded at its end is not so.
static void the_demand_can_fail(void **state)
{
	(void)state;
	struct world w;
	struct errmsg err;
	size_t old = 0, new = 0;
	world_begin(&w, false);
	assert_int_equal(look(&w, &old, &new, &err), 0);
	assert_true(old == 1 && new == 0);
	w.key.disabled[1] = true;
	assert_int_equal(look(&w, &old, &new, &err), -EKEYREVOKED);
	rig_end(&w.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_demand_can_fail),
		cmocka_unit_test(a_rotation_can_be_cut_anywhere),
		cmocka_unit_test(a_rekey_can_be_cut_anywhere),
		cmocka_unit_test(a_rekey_to_a_binding_that_is_there_can_be_cut_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
