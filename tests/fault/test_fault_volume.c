// SPDX-License-Identifier: MIT
// The header of a disk when memory, random numbers or hashing fail: an operation succeeds or says
// that memory was short (never that the header is broken), and the disk opens before as after.
#include "nth_fault.h"
#include "volume_rig.h"

#include "scope.h"
#include "secret.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ALL_MEMORY (FAULT_MEMORY | FAULT_LIBRARY)
#define SECOND_SECRET 0x33

// Error lists. Hashing that fails with EOPNOTSUPP stands for an OpenSSL without SHA-256.
static const int no_hash[] = {EOPNOTSUPP, 0};

static int print_and_parse(void *ctx, struct errmsg *err)
{
	struct binding b = rig_binding("v1"), again;
	struct seal s = {.token = 1,
			    .mac_count = 2,
			    .pending_keyslot = 3,
			    .policy = {.size = 4096, .grace_denied_ms = 5}},
		    twin;
	char *binding autofree = NULL, *seal autofree = NULL;
	(void)ctx;
	b.token = b.keyslot = 0;
	int r = binding_print(&b, &binding);
	if (!r)
		r = binding_parse(0, binding, strlen(binding), &again, err);
	if (!r && (strcmp(again.key_version, "v1") != 0 || again.wrapped_len != b.wrapped_len))
		return -EPROTO;
	if (!r)
		r = seal_print(&s, &seal);
	if (!r)
		r = seal_parse(1, seal, strlen(seal), &twin, err);
	if (!r && (twin.pending_keyslot != 3 || twin.policy.grace_denied_ms != 5))
		return -EPROTO;
	return r;
}

static int compute_seal(void *ctx, struct errmsg *err)
{
	struct binding b = rig_binding("v1");
	struct seal_fields f = {.cipher = VOLUME_CIPHER, .bindings = &b, .binding_count = 1};
	struct seal s = {.mac_count = 1};
	struct secret *dek scoped(secret_free) = NULL;
	(void)ctx;
	int r = rig_secret(1, &dek);
	if (!r)
		r = seal_mac(&f, dek, s.mac[0]);
	if (!r)
		r = seal_verify(&s, &f, dek, err);
	return r;
}

static void tokens_and_seal_are_whole_or_enomem(void **state)
{
	(void)state;
	FAULT_EVERY("tokens", ALL_MEMORY, print_and_parse, .no_sentence = true);
	FAULT_EVERY("seal, memory", FAULT_MEMORY, compute_seal, .no_sentence = true);
	FAULT_EVERY("seal, hashing", FAULT_CRYPTO, compute_seal, .errnum = EOPNOTSUPP,
		.no_sentence = true);
}

static int make_file(const struct volume_rig *r)
{
	int fd autoclose = open(r->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : ftruncate(fd, (off_t)((1 << 20) + r->params.policy.size));
}

static int create(void *ctx, struct errmsg *err)
{
	struct volume_rig *r = ctx;
	struct binding b = rig_binding("v1");
	if (make_file(r))
		return -EPROTO;
	return volume_create(r->path, &r->params, &b, r->slot, err);
}

static void opens_only_if_it_was_made(void *ctx, int result)
{
	struct volume_rig *r = ctx;
	struct errmsg err;
	int opened = rig_try(r, 0, r->slot, &err);
	assert_int_equal(opened, result ? -EBADMSG : 0);
}

static int open_and_unlock(void *ctx, struct errmsg *err)
{
	struct volume_rig *r = ctx;
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	int ret = volume_open(r->path, false, &v, err);
	if (!ret)
		ret = volume_unlock(v, &volume_info(v)->bindings[0], r->slot, &dek, err);
	return !ret == (dek != NULL) ? ret : -EPROTO;
}

// Everything the header shows opens with its secret, and the change can be ended.
static void each_binding_opens(void *ctx, int result)
{
	struct volume_rig *r = ctx;
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;
	struct secret *second scoped(secret_free) = NULL;
	struct errmsg err = {.text = ""};
	(void)result;
	assert_int_equal(rig_secret(SECOND_SECRET, &second), 0);
	if (volume_open(r->path, true, &v, &err))
		fail_msg("%s", err.text);
	for (int settled = 0; settled < 2; settled++) {
		const struct volume_info *info = volume_info(v);
		assert_true(info->binding_count >= 1);
		for (size_t i = 0; i < info->binding_count; i++) {
			bool first = strcmp(info->bindings[i].key_version, "v1") == 0;
			secret_free(&dek);
			if (volume_unlock(
				    v, &info->bindings[i], first ? r->slot : second, &dek, &err))
				fail_msg("%s", err.text);
		}
		if (volume_settle(v, dek, &err))
			fail_msg("%s", err.text);
	}
	// No keyslot of ours without a binding.
	assert_int_equal(volume_info(v)->keyslot_count, volume_info(v)->binding_count);
}

static void a_disk_is_made_whole_or_refused(void **state)
{
	FAULT_EVERY("create, memory", ALL_MEMORY, create, .ctx = *state,
		.after = opens_only_if_it_was_made);
	FAULT_EVERY("create, random numbers", FAULT_RANDOM, create, .ctx = *state, .errnum = ENOSYS,
		.after = opens_only_if_it_was_made);
	FAULT_EVERY("create, hashing", FAULT_CRYPTO, create, .ctx = *state, .errnum = EOPNOTSUPP,
		.errors = no_hash, .after = opens_only_if_it_was_made);
}

static void short_memory_is_never_called_a_broken_header(void **state)
{
	rig_create(*state);
	FAULT_EVERY("open and unlock, memory", ALL_MEMORY, open_and_unlock, .ctx = *state);
	FAULT_EVERY("open and unlock, hashing", FAULT_CRYPTO, open_and_unlock, .ctx = *state,
		.errnum = EOPNOTSUPP, .errors = no_hash);
	each_binding_opens(*state, 0);
}

// A disk that stays open while its changes fail.
struct changing {
	struct volume_rig *rig;
	struct volume *v;
	struct secret *dek, *second;
};

static int change(void *ctx, struct errmsg *err)
{
	struct changing *c = ctx;
	struct binding b = rig_binding("v2");
	int r = volume_add_binding(c->v, c->dek, &b, c->second, err);
	if (r)
		return r;
	struct volume_policy p = volume_info(c->v)->policy;
	p.grace_denied_ms++;
	r = volume_set_policy(c->v, c->dek, &p, err);
	if (!r)
		r = volume_remove_binding(c->v, c->dek, b.token, err);
	return r;
}

static void opens_and_can_be_tidied(void *ctx, int result)
{
	struct changing *c = ctx;
	struct errmsg err = {.text = ""};
	each_binding_opens(c->rig, result);
	while (volume_settle(c->v, c->dek, &err) == 0 && volume_info(c->v)->binding_count > 1)
		if (volume_remove_binding(c->v, c->dek, volume_info(c->v)->bindings[1].token, &err))
			break;
	if (err.text[0])
		fail_msg("%s", err.text);
}

static void a_failed_change_leaves_a_disk_that_opens(void **state)
{
	struct changing c = {.rig = *state};
	rig_create(*state);
	rig_unlock(*state, &c.v, &c.dek);
	assert_int_equal(rig_secret(SECOND_SECRET, &c.second), 0);
	// What a secret without pages leads to is what one without its struct leads to.
	FAULT_EVERY("changes, memory", FAULT_MALLOC, change, .ctx = &c,
		.after = opens_and_can_be_tidied);
	FAULT_EVERY("changes, hashing", FAULT_CRYPTO, change, .ctx = &c, .errnum = EOPNOTSUPP,
		.errors = no_hash, .after = opens_and_can_be_tidied);
	secret_free(&c.dek);
	secret_free(&c.second);
	volume_close(&c.v);
}

static int set_up(void **state)
{
	struct volume_rig *r = calloc(1, sizeof(*r));
	if (!r)
		return -1;
	rig_begin(r);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	rig_end(*state);
	free(*state);
	return 0;
}

#define WITH_RIG(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_and_seal_are_whole_or_enomem),
		WITH_RIG(a_disk_is_made_whole_or_refused),
		WITH_RIG(short_memory_is_never_called_a_broken_header),
		WITH_RIG(a_failed_change_leaves_a_disk_that_opens),
	};
	// No medium is pulled out here: to wait for one would take most of the time.
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	cJSON_InitHooks(&(cJSON_Hooks){fault_malloc, fault_free});
	return cmocka_run_group_tests(tests, NULL, NULL);
}
