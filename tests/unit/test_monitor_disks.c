// SPDX-License-Identifier: MIT
// What the monitor does for disks that differ: short graces, many at once, what is told of each,
// and how long one waits for its store when it is mounted.
#include "monitor_fixture.h"

#include "log.h"

static void a_healthy_disk_does_not_flap_however_short_its_grace(void **state)
{
	(void)state;
	struct fixture f;
	struct lease_policy brief = default_policy;
	brief.grace_unreachable_ms = 1000; // and the interval is a minute
	build(&f, 1, &default_policy);
	(void)mount_add(&f.mount, f.key, "v1", &brief);
	struct errmsg err;
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 1, &err), 0);
	run_for(&f.mount, 10 * MINUTE);
	assert_int_equal(seen(f.mount.lease[1]).stops, 0);
	assert_int_equal(alive(&f), 2);
	// So it must be the asking that keeps it.
	f.store.unwrap = CMK_UNREACHABLE;
	run_for(&f.mount, SECOND);
	assert_int_equal(alive(&f), 1);
	finish(&f);
}

static void many_disks_of_one_mount_ask_for_the_attributes_once(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 0, &default_policy);
	for (int i = 0; i < 100; i++)
		(void)mount_add(&f.mount, f.key, "v1", &default_policy);
	mount_unlock(&f.mount);
	assert_int_equal(f.store.describes, 1);
	assert_int_equal(f.store.unwraps, 100);
	finish(&f);
}

static void every_sentence_names_its_disk_once(void **state)
{
	(void)state;
	struct fixture f;
	struct errmsg err;
	build(&f, 0, &default_policy);
	f.mount.name[0] = "token 0"; // with which the opener's own sentence begins
	f.mount.name[1] = "/srv/b.img";
	(void)mount_add(&f.mount, f.key, "v1", &default_policy);
	(void)mount_add(&f.mount, f.key, "v1", &default_policy);
	f.store.unwrap = CMK_DENIED;
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 1, &err), -EKEYREVOKED);
	assert_string_equal(err.text, "/srv/b.img: the store says 1");
	f.store.unwrap = CMK_GRANTED;
	f.mount.opener_error = -EBADMSG;
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 0, &err), -EBADMSG);
	assert_string_equal(err.text, "token 0: another disk than before");
	finish(&f);
}

static void why_a_disk_does_not_resume_is_logged_once(void **state)
{
	(void)state;
	struct fixture f;
	struct logger *log = NULL;
	int lines[2], saved = dup(STDERR_FILENO);
	char text[4096] = "";
	build(&f, 0, &default_policy);
	f.mount.name[0] = "/srv/a.img";
	(void)mount_add(&f.mount, f.key, "v1", &default_policy);
	mount_unlock(&f.mount);
	assert_int_equal(pipe(lines), 0);
	assert_int_equal(dup2(lines[1], STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(logger_new("test", LOG_LEVEL_WARNING, &log), 0);
	f.mount.monitor->config.log = log;
	f.store.unwrap = CMK_DENIED;
	run_for(&f.mount, 2 * HOUR);
	f.store.unwrap = CMK_GRANTED;
	f.mount.opener_error = -EBADMSG;
	run_for(&f.mount, HOUR);
	f.mount.monitor->config.log = NULL;
	logger_free(&log);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	(void)close(saved);
	(void)close(lines[1]);
	assert_true(read(lines[0], text, sizeof(text) - 1) > 0);
	(void)close(lines[0]);
	const char *first = strstr(text, "/srv/a.img: token 0: another disk");
	assert_non_null(first);
	assert_null(strstr(first + 1, "/srv/a.img"));
	finish(&f);
}

static void a_first_unlock_is_patient_with_a_busy_store(void **state)
{
	(void)state;
	struct fixture f;
	struct errmsg err = {""};
	build(&f, 2, &default_policy);
	for (int i = 0; i < 2; i++)
		lease_lock(f.mount.lease[i], "by hand");
	f.store.busy = 3;
	f.store.retry_after_ms = 1;
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 0, &err), -EHOSTUNREACH);
	assert_int_equal(f.store.unwraps, 1);
	f.mount.monitor->config.patience_ms = 60000;
	// One that says when to come again.
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 0, &err), 0);
	assert_int_equal(f.store.unwraps, 4);
	// One that said nothing, but has granted another disk.
	f.store.retry_after_ms = 0;
	f.store.busy = 1;
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 1, &err), 0);
	// Not longer than that; and a refusal is one at once.
	f.store.busy = 2;
	f.store.retry_after_ms = 60001;
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 1, &err), -EHOSTUNREACH);
	f.store.busy = 0;
	f.store.unwrap = CMK_DENIED;
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 1, &err), -EKEYREVOKED);
	finish(&f);
}

static void a_dead_store_is_not_waited_for(void **state)
{
	(void)state;
	struct fixture f;
	struct errmsg err = {""};
	build(&f, 1, &default_policy);
	f.mount.monitor->config.patience_ms = 60000;
	atomic_store(&f.mount.monitor->keys[0]->granted, false);
	lease_lock(f.mount.lease[0], "by hand");
	f.store.unwrap = CMK_UNREACHABLE;
	int before = f.store.unwraps;
	assert_int_equal(monitor_first_unlock(f.mount.monitor, 0, &err), -EHOSTUNREACH);
	assert_int_equal(f.store.unwraps, before + 1);
	finish(&f);
}

static void whoever_wants_to_know_hears_once_why_a_disk_stays_stopped(void **state)
{
	(void)state;
	struct fixture f;
	build(&f, 1, &default_policy);
	f.store.unwrap = CMK_DENIED;
	run_for(&f.mount, 2 * HOUR);
	f.store.unwrap = CMK_GRANTED;
	f.mount.opener_error = -EBADMSG;
	run_for(&f.mount, HOUR);
	assert_int_equal(f.mount.refusals, 1);
	assert_int_equal(f.mount.refused_with, -EBADMSG);
	finish(&f);
}

static void a_disk_that_waits_for_a_hand_is_told_of_once(void **state)
{
	(void)state;
	struct fixture f;
	struct lease_policy manual = default_policy;
	manual.resume_auto = false;
	build(&f, 2, &manual);
	lease_lock(f.mount.lease[1], "by hand"); // needs no telling
	f.store.unwrap = CMK_DENIED;
	run_for(&f.mount, 2 * HOUR);
	assert_int_equal(f.mount.refusals, 0);
	f.store.unwrap = CMK_GRANTED;
	run_for(&f.mount, HOUR);
	assert_int_equal(f.mount.refusals, 1);
	assert_int_equal(f.mount.refused_with, -EPERM);
	finish(&f);
}

static void answers_are_counted_by_verdict_and_by_the_time_they_took(void **state)
{
	(void)state;
	struct fixture f;
	struct monitor_view v;
	static const struct {
		enum cmk_verdict verdict;
		uint32_t took_ms;
		size_t slot;
	} answers[] = {{CMK_DENIED, 5, 0}, {CMK_UNREACHABLE, 10001, 11}, {CMK_MISCONFIGURED, 26, 3},
		{CMK_BAD_BLOB, 10000, 10}, {CMK_GRANTED, 6, 1}};
	build(&f, 1, &default_policy);
	monitor_view(f.mount.monitor, 0, &v);
	const struct monitor_view before = v;
	for (size_t i = 0; i < 5; i++) {
		f.store.unwrap = answers[i].verdict;
		f.store.took_ms = answers[i].took_ms;
		const uint64_t had = v.took[answers[i].slot];
		run_for(&f.mount, 70 * SECOND);
		monitor_view(f.mount.monitor, 0, &v);
		assert_true(v.took[answers[i].slot] > had);
	}
	assert_true(v.denials > before.denials && v.unreachable > 0 && v.misconfigured > 0);
	assert_true(v.bad_blob > 0 && v.grants > before.grants);
	assert_int_equal(v.unreachable + v.misconfigured + v.bad_blob, v.failures);
	assert_int_equal(v.grants + v.denials + v.failures, v.checks);
	uint64_t counted = 0;
	for (size_t i = 0; i <= MONITOR_LATENCIES; i++)
		counted += v.took[i];
	assert_int_equal(counted, v.checks);
	assert_true(v.took_sum_ms >= 5 + 10001 + 26 + 10000 + 6);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_disk_does_not_flap_however_short_its_grace),
		cmocka_unit_test(many_disks_of_one_mount_ask_for_the_attributes_once),
		cmocka_unit_test(every_sentence_names_its_disk_once),
		cmocka_unit_test(why_a_disk_does_not_resume_is_logged_once),
		cmocka_unit_test(a_first_unlock_is_patient_with_a_busy_store),
		cmocka_unit_test(a_dead_store_is_not_waited_for),
		cmocka_unit_test(whoever_wants_to_know_hears_once_why_a_disk_stays_stopped),
		cmocka_unit_test(a_disk_that_waits_for_a_hand_is_told_of_once),
		cmocka_unit_test(answers_are_counted_by_verdict_and_by_the_time_they_took),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
