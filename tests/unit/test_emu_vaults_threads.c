// SPDX-License-Identifier: MIT
// The emulator's vaults asked by several threads at once, while their administrator changes them.
#include "emu_vaults_rig.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define THREADS 4
#define ROUNDS 40
#define ROUNDS_MOST 100000

struct asker {
	struct rig rig; // its own answers, the same vaults
	size_t asked, granted, refused, odd;
};

// Wraps and unwraps; a key that is disabled or deleted at this moment is a fair answer. Refusals
// are quick: goes on until it was granted something, as it is at the latest when the changes are
// over.
static void *use_the_key(void *arg)
{
	struct asker *a = arg;
	for (int i = 0; i < ROUNDS || (!a->granted && i < ROUNDS_MOST); i++) {
		char value[400];
		a->asked++;
		int status = ask(&a->rig, "POST", "/keys/k/wrapkey",
			"{\"alg\":\"RSA-OAEP\",\"value\":\"AAAA\"}");
		if (status == 200) {
			(void)snprintf(value, sizeof(value), "%s", str(&a->rig, "value"));
			char path[120];
			(void)snprintf(path, sizeof(path), "%s/unwrapkey",
				strstr(str(&a->rig, "kid"), "/keys"));
			status = ask(&a->rig, "POST", path,
				"{\"alg\":\"RSA-OAEP\",\"value\":\"%s\"}", value);
		}
		a->granted += status == 200;
		a->refused += status == 403 || status == 404;
		a->odd += status == 200 && strcmp(str(&a->rig, "value"), "AAAA") != 0;
	}
	return NULL;
}

static void *change_the_key(void *arg)
{
	struct asker *a = arg;
	static const char *const path[][2] = {{"PATCH", "/keys/k"}, {"DELETE", "/keys/k"},
		{"POST", "/deletedkeys/k/recover"}, {"GET", "/keys/k/versions"}, {"GET", "/keys"}};
	for (int i = 0; i < ROUNDS; i++) {
		const char *const *p = path[i % 5];
		bool on = i % 2;
		int status = ask(&a->rig, p[0], p[1], "{\"attributes\":{\"enabled\":%s}}",
			on ? "true" : "false");
		a->asked++;
		a->granted += status == 200;
		a->odd += status != 200;
		struct kp_err err;
		if (i % 10 == 9)
			(void)act(&a->rig, "vault.set",
				"{\"vault\":\"contoso\",\"model\":\"policy\"}", &err);
	}
	return NULL;
}

static void threads_get_right_answers_or_fair_refusals(void **state)
{
	struct rig *r = *state;
	struct asker askers[THREADS + 1] = {0};
	pthread_t threads[THREADS + 1];
	ACT(r, "key.create", "{\"vault\":\"contoso\",\"key\":\"k\"}");
	r->unnoted = true;
	for (int i = 0; i <= THREADS; i++) {
		askers[i].rig = (struct rig){.v = r->v};
		assert_int_equal(pthread_create(&threads[i], NULL,
					 i < THREADS ? use_the_key : change_the_key, &askers[i]),
			0);
	}
	for (int i = 0; i <= THREADS; i++) {
		struct asker *a = &askers[i];
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(a->odd, 0);
		assert_int_equal(a->granted + a->refused, a->asked);
		assert_true(a->granted > 0);
		kp_json_free(&a->rig.json);
		free(a->rig.text);
		emu_reply_end(&a->rig.reply);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			threads_get_right_answers_or_fair_refusals, rig_setup, rig_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
