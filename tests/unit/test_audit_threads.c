// SPDX-License-Identifier: MIT
// Many threads post, and nobody waits for the log. Prints what a post costs.
#include "audit_rig.h"

#include "clock.h"
#include "scope.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define POSTERS 6
#define EACH 400 // all of them together fit into what may wait

struct poster {
	struct audit *a;
	unsigned number;
	bool went_back; // the sequence, as the statistics told it
	atomic_bool *go;
};

static void *post_main(void *arg)
{
	struct poster *p = arg;
	struct audit_stats s;
	uint64_t before = 0;
	while (!atomic_load(p->go))
		;
	for (unsigned i = 0; i < EACH; i++) {
		char text[128];
		(void)snprintf(text, sizeof(text),
			"{\"time\":\"2026-11-23T04:30:00.000000Z\",\"event\":\"control\",\"who\":%"
			"u,"
			"\"n\":%u}",
			p->number, i);
		audit_post(p->a, text);
		audit_stats(p->a, &s);
		p->went_back = p->went_back || s.sequence < before;
		before = s.sequence;
	}
	return NULL;
}

// What one thread posted stands in its order.
static void assert_in_order(struct audit_rig *r, unsigned who)
{
	char begin[64];
	size_t len;
	unsigned next = 0;
	char *text autofree = rig_text(r->path, &len);
	(void)snprintf(begin, sizeof(begin), "\"who\":%u,\"n\":", who);
	for (char *p = text; (p = strstr(p, begin)); p++)
		assert_int_equal(strtoul(p + strlen(begin), NULL, 10), next++);
	assert_int_equal(next, EACH);
}

static void what_many_threads_post_is_one_chain(void **state)
{
	struct audit_rig *r = *state;
	struct poster posters[POSTERS];
	pthread_t threads[POSTERS];
	atomic_bool go = false;
	rig_start(r);
	for (unsigned i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){r->a, i, false, &go};
		assert_int_equal(pthread_create(&threads[i], NULL, post_main, &posters[i]), 0);
	}
	atomic_store(&go, true);
	for (unsigned i = 0; i < POSTERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(posters[i].went_back);
	}
	rig_end(r);
	rig_unbroken(r, r->path, NULL, POSTERS * EACH);
	for (unsigned i = 0; i < POSTERS; i++)
		assert_in_order(r, i);
}

static void a_post_costs_little(void **state)
{
	struct audit_rig *r = *state;
	rig_start(r);
	uint64_t start = clock_boot_ns(clock_real());
	for (int i = 0; i < 2000; i++)
		audit_post(r->a, "{\"time\":\"2026-11-23T04:30:00.000000Z\",\"event\":\"x\"}");
	uint64_t ns = clock_boot_ns(clock_real()) - start;
	print_message("a post: %d ns\n", (int)(ns / 2000));
	rig_end(r);
	rig_unbroken(r, r->path, NULL, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUDIT_TEST(what_many_threads_post_is_one_chain),
		AUDIT_TEST(a_post_costs_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
