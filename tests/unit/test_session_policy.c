// SPDX-License-Identifier: MIT
// Which policy is in force: sealed, key set, mount options. Only ever stricter.
#include "session_internal.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <string.h>

struct setting {
	struct session session;
	struct session_disk disk;
	struct keyset set;
	char backing[16];
};

static void begin(struct setting *t)
{
	memset(t, 0, sizeof(*t));
	t->set = (struct keyset)KEYSET_NONE;
	(void)strcpy(t->backing, "/srv/d.img");
	t->session.options.grace_denied_ms = DURATION_UNSET;
	t->session.options.grace_unreachable_ms = DURATION_UNSET;
	t->disk.session = &t->session;
	t->disk.backing = t->backing;
	t->disk.info.policy.grace_denied_ms = 5000;
	t->disk.info.policy.grace_unreachable_ms = 50000;
}

static int apply(struct setting *t)
{
	struct errmsg err;
	return session_policy(&t->disk, &err);
}

static void expect(const struct setting *t, uint64_t denied, uint64_t unreachable, bool stops)
{
	assert_int_equal(t->disk.policy.grace_denied_ms, denied);
	assert_int_equal(t->disk.policy.grace_unreachable_ms, unreachable);
	assert_int_equal(t->disk.policy.expiry_stops, stops);
}

static void without_a_word_it_is_what_was_sealed(void **state)
{
	(void)state;
	static struct setting t;
	begin(&t);
	assert_int_equal(apply(&t), 0);
	expect(&t, 5000, 50000, false);
	t.session.pin = &t.set; // a pinned key without a policy
	assert_int_equal(apply(&t), 0);
	expect(&t, 5000, 50000, false);
}

static void a_key_set_shortens_and_never_lengthens(void **state)
{
	(void)state;
	static struct setting t;
	begin(&t);
	t.session.pin = &t.set;
	t.set.grace_denied_ms = 3000;
	t.set.grace_unreachable_ms = 70000;
	t.set.on_expiry_given = t.set.expiry_stops = true;
	assert_int_equal(apply(&t), 0);
	expect(&t, 3000, 50000, true);
	t.disk.info.policy.expiry_stops = true;
	t.set.expiry_stops = false;
	assert_int_equal(apply(&t), 0);
	expect(&t, 3000, 50000, true);
}

static void mount_options_come_before_the_set_but_not_before_the_seal(void **state)
{
	(void)state;
	static struct setting t;
	begin(&t);
	t.session.pin = &t.set;
	t.set.grace_denied_ms = 3000;
	t.set.on_expiry_given = t.set.expiry_stops = true;
	t.session.options.grace_denied_ms = 4000;
	t.session.options.on_expiry_given = true; // ignore, as sealed
	assert_int_equal(apply(&t), 0);
	expect(&t, 4000, 50000, false);
	t.session.options.grace_denied_ms = 5001;
	assert_int_equal(apply(&t), -EDOM);
	t.session.options.grace_denied_ms = 4000;
	t.disk.info.policy.expiry_stops = true;
	assert_int_equal(apply(&t), -EDOM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_word_it_is_what_was_sealed),
		cmocka_unit_test(a_key_set_shortens_and_never_lengthens),
		cmocka_unit_test(mount_options_come_before_the_set_but_not_before_the_seal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
