// SPDX-License-Identifier: MIT
// A PIN, or another secret of the module's, is in secret memory and nowhere else in the process,
// and in none at all when it is done with: neither the one from a file nor the one from the person
// who mounted the disk.
#include "p11_fixture.h"

#include "memscan.h"
#include "p11_pin_memory.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#define VARIABLE "CMKDISK_PIN="
#define PIN_LEN 24

struct secret {
	char *line; // "CMKDISK_PIN=" and the PIN, in secret memory
	struct masked needle;
};

static void make(struct world *w, struct secret *s)
{
	uint8_t random[PIN_LEN];
	assert_int_equal(getrandom(random, sizeof(random), 0), (ssize_t)sizeof(random));
	s->line = w->host.api.secret_alloc(&w->host.api, sizeof(VARIABLE) + PIN_LEN);
	assert_non_null(s->line);
	memcpy(s->line, VARIABLE, strlen(VARIABLE));
	char *volatile pin = s->line + strlen(VARIABLE);
	for (size_t i = 0; i < PIN_LEN; i++)
		pin[i] = (char)('A' + random[i] % 26);
	mask(&s->needle, (const uint8_t *)pin, PIN_LEN);
	assert_int_equal(memscan_count(&s->needle), 1);
}

static void drop(struct world *w, struct secret *s)
{
	w->host.api.secret_free(&w->host.api, s->line);
	assert_int_equal(memscan_count(&s->needle), 0);
}

static void nothing_is_left_of_a_pin_from_its_file(void **state)
{
	struct world *w = *state;
	static const CK_TOKEN_INFO token = {.label = "bank"};
	char key[P11_FINGERPRINT];
	struct p11_pin pin;
	struct secret s;
	char set[4400];
	make(w, &s);
	int fd = open(w->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, s.line + strlen(VARIABLE), PIN_LEN), PIN_LEN);
	assert_int_equal(close(fd), 0);
	drop(w, &s);
	(void)snprintf(set, sizeof(set), QUERY("pin-source=file:%s"), w->path);
	assert_int_equal(world_read(w, URL, set, NULL), CMK_GRANTED);
	assert_int_equal(memscan_count(&s.needle), 0);
	assert_int_equal(p11_pin_get(&w->host.api, &w->c, &pin, &w->o), CMK_GRANTED);
	assert_int_equal(memscan_count(&s.needle), 1);
	assert_true(p11_pin_fingerprint(&token, CKU_USER, &pin, key));
	assert_int_equal(memscan_count(&s.needle), 1);
	p11_pin_free(&w->host.api, &pin);
	assert_int_equal(memscan_count(&s.needle), 0);
	assert_int_equal(w->host.secrets, 0);
}

static void nothing_is_left_of_a_pin_that_a_person_gave(void **state)
{
	struct world *w = *state;
	struct p11_pin pin;
	struct secret s;
	make(w, &s);
	const char *given[] = {"SOFTHSM2_CONF=/a", s.line, NULL};
	assert_int_equal(world_read(w, URL, "{}", given), CMK_GRANTED);
	assert_int_equal(w->host.secrets, 3);
	assert_int_equal(memscan_count(&s.needle), 2);
	w->host.api.secret_free(&w->host.api, s.line);
	assert_int_equal(memscan_count(&s.needle), 1);
	assert_int_equal(p11_pin_get(&w->host.api, &w->c, &pin, &w->o), CMK_GRANTED);
	assert_int_equal(memscan_count(&s.needle), 2);
	p11_pin_free(&w->host.api, &pin);
	assert_int_equal(memscan_count(&s.needle), 1);
	p11_config_free(&w->host.api, &w->c);
	assert_int_equal(memscan_count(&s.needle), 0);
}

static void nothing_is_left_of_a_variable_for_the_module(void **state)
{
	struct world *w = *state;
	struct secret s;
	make(w, &s);
	memcpy(s.line, "NFAST_LOGIN=", strlen(VARIABLE)); // of the same length
	const char *given[] = {"SOFTHSM2_CONF=/a", s.line, NULL};
	assert_int_equal(
		world_read(w, URL, SET("\"environment\":{\"X\":\"1\"}"), given), CMK_GRANTED);
	assert_string_equal(w->c.environment[1], s.line);
	assert_string_equal(w->c.environment[2], "X=1");
	assert_int_equal(w->host.secrets, 2);
	assert_int_equal(memscan_count(&s.needle), 2);
	p11_config_free(&w->host.api, &w->c);
	assert_int_equal(memscan_count(&s.needle), 1);
	drop(w, &s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_left_of_a_pin_from_its_file),
		TEST(nothing_is_left_of_a_pin_that_a_person_gave),
		TEST(nothing_is_left_of_a_variable_for_the_module),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
