// SPDX-License-Identifier: MIT
// What is remembered of PINs that were shown: which PIN, for which token, from which writing of its
// file; by this process, and in the words of notes by those after it.
#include "p11_fixture.h"

#include "p11_pin_memory.h"

#include <sys/wait.h>
#include <unistd.h>

static const CK_TOKEN_INFO card_a = {.serialNumber = "1", .manufacturerID = "m", .model = "x"};

static struct p11_pin pin_of(char *text, time_t written)
{
	return (struct p11_pin){
		.text = text, .len = text ? strlen(text) : 0, .written = {written, 0}};
}

static bool same(const CK_TOKEN_INFO *a, const struct p11_pin *p, const CK_TOKEN_INFO *b,
	const struct p11_pin *q)
{
	char one[P11_FINGERPRINT], other[P11_FINGERPRINT];
	assert_true(p11_pin_fingerprint(a, CKU_USER, p, one));
	assert_true(p11_pin_fingerprint(b, CKU_USER, q, other));
	assert_int_equal(strlen(one), P11_FINGERPRINT - 1);
	return strcmp(one, other) == 0;
}

static void a_pin_is_known_by_its_text_its_files_writing_and_its_token(void **state)
{
	(void)state;
	char text[] = "1234", other_text[] = "1235", longer[] = "12345";
	const struct p11_pin pin = pin_of(text, 100), copy = pin_of(text, 100);
	const struct p11_pin written = pin_of(text, 101),
			     others[] = {pin_of(other_text, 100), pin_of(longer, 100),
				     pin_of(NULL, 0), pin_of(text, 0)};
	CK_TOKEN_INFO b = card_a;
	assert_true(same(&card_a, &pin, &card_a, &copy));
	b.flags = CKF_USER_PIN_COUNT_LOW; // what changes with each look
	b.ulSessionCount = 7;
	assert_true(same(&card_a, &pin, &b, &pin));
	assert_false(same(&card_a, &pin, &card_a, &written));
	struct p11_pin later = pin;
	later.written.tv_nsec = 1;
	assert_false(same(&card_a, &pin, &card_a, &later));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(same(&card_a, &pin, &card_a, &others[i]));
	b.serialNumber[0] = '2';
	assert_false(same(&card_a, &pin, &b, &pin));
	b = card_a;
	b.manufacturerID[0] = 'n';
	assert_false(same(&card_a, &pin, &b, &pin));
	b = card_a;
	b.model[0] = 'y';
	assert_false(same(&card_a, &pin, &b, &pin));
	char user[P11_FINGERPRINT], context[P11_FINGERPRINT];
	assert_true(p11_pin_fingerprint(&card_a, CKU_USER, &pin, user));
	assert_true(p11_pin_fingerprint(&card_a, CKU_CONTEXT_SPECIFIC, &pin, context));
	assert_string_not_equal(user, context);
}

static void key_of(unsigned n, char out[P11_FINGERPRINT])
{
	(void)snprintf(out, P11_FINGERPRINT, "%032x", n);
}

// The next process, that is told what this one noted.
static void hand_on(struct world *w, struct p11_pin_memory *next)
{
	memset(next, 0, sizeof(*next));
	for (const char *const *line = provider_host_environment(&w->host); *line; line++)
		p11_pin_remember(next, *line + strlen("CMKDISK_NOTE="));
}

static void what_came_of_it_goes_on_in_the_next_process(void **state)
{
	struct world *w = *state;
	static const enum p11_pin_state states[] = {P11_PIN_GOOD, P11_PIN_DOUBTED, P11_PIN_REFUSED};
	struct p11_pin_memory memory = {.count = 0}, next;
	char key[P11_FINGERPRINT];
	for (unsigned i = 0; i < 3; i++) {
		key_of(i, key);
		p11_pin_note(&memory, &w->host.api, key, states[i], i ? 0xa0 + i : CKR_OK);
	}
	hand_on(w, &next);
	for (unsigned i = 0; i < 3; i++) {
		key_of(i, key);
		struct p11_pin_record r = p11_pin_recall(&next, key);
		assert_int_equal(r.state, states[i]);
		assert_int_equal(r.rv, i ? 0xa0 + i : CKR_OK);
		p11_pin_note(&memory, &w->host.api, key, P11_PIN_UNKNOWN, CKR_OK);
		assert_int_equal(p11_pin_recall(&memory, key).state, P11_PIN_UNKNOWN);
	}
	assert_int_equal(memory.count, 0);
	hand_on(w, &next);
	assert_int_equal(next.count, 0);
	key_of(77, key);
	assert_int_equal(p11_pin_recall(&next, key).state, P11_PIN_UNKNOWN);
}

// A note that a process left which has ended since, while it showed the PIN.
static void leave_tried(struct world *w, const char *key, pid_t *pid)
{
	struct p11_pin_memory memory = {.count = 0};
	int ready[2], status;
	assert_int_equal(pipe(ready), 0);
	*pid = fork();
	assert_true(*pid >= 0);
	if (*pid == 0) {
		p11_pin_note(&memory, &w->host.api, key, P11_PIN_TRIED, CKR_OK);
		(void)!write(ready[1], w->host.notes[0], sizeof(w->host.notes[0]));
		_exit(0);
	}
	assert_int_equal(read(ready[0], w->host.notes[0], sizeof(w->host.notes[0])),
		sizeof(w->host.notes[0]));
	assert_int_equal(waitpid(*pid, &status, 0), *pid);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

static void a_pin_that_took_its_process_along_is_known_as_tried(void **state)
{
	struct world *w = *state;
	struct p11_pin_memory next;
	char key[P11_FINGERPRINT], line[80];
	pid_t pid;
	key_of(1, key);
	leave_tried(w, key, &pid);
	hand_on(w, &next);
	assert_int_equal(p11_pin_recall(&next, key).state, P11_PIN_TRIED);
	struct p11_pin_record r = p11_pin_recall(&next, key);
	assert_int_equal(r.rv, pid);
	assert_false(p11_pin_is_being_shown(&r));
	// One that still runs is only just asking.
	(void)snprintf(line, sizeof(line), "pin-%s=tried %d", key, (int)getppid());
	p11_pin_remember(&next, line);
	r = p11_pin_recall(&next, key);
	assert_true(p11_pin_is_being_shown(&r));
}

static void what_is_no_such_note_is_ignored(void **state)
{
	(void)state;
	static const char *const lines[] = {"", "pin-", "pin-=good", "pin-12=good",
		"pin-0000000000000000000000000000000g=good",
		"pin-000000000000000000000000000000000=good",
		"pin-00000000000000000000000000000001", "pin-00000000000000000000000000000001=",
		"pin-00000000000000000000000000000001=goods",
		"pin-00000000000000000000000000000001=tried",
		"other-00000000000000000000000000000001=good"};
	struct p11_pin_memory memory = {.count = 0};
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		p11_pin_remember(&memory, lines[i]);
		assert_int_equal(memory.count, 0);
	}
	p11_pin_remember(&memory, "pin-00000000000000000000000000000001=good");
	assert_int_equal(memory.count, 1);
}

static void the_oldest_goes_when_there_is_no_room(void **state)
{
	struct world *w = *state;
	struct p11_pin_memory memory = {.count = 0};
	char key[P11_FINGERPRINT];
	w->host.api.struct_size = offsetof(struct cmk_host, note); // an older host
	for (unsigned i = 0; i < P11_PINS_KNOWN + 1; i++) {
		key_of(i, key);
		p11_pin_note(&memory, &w->host.api, key, P11_PIN_REFUSED, CKR_PIN_INCORRECT);
		key_of(1, key); // known anew each time, so never the oldest
		p11_pin_note(&memory, &w->host.api, key, P11_PIN_GOOD, CKR_OK);
	}
	assert_int_equal(memory.count, P11_PINS_KNOWN);
	key_of(0, key);
	assert_int_equal(p11_pin_recall(&memory, key).state, P11_PIN_UNKNOWN);
	key_of(1, key);
	assert_int_equal(p11_pin_recall(&memory, key).state, P11_PIN_GOOD);
	key_of(P11_PINS_KNOWN, key);
	assert_int_equal(p11_pin_recall(&memory, key).state, P11_PIN_REFUSED);
	assert_string_equal(w->host.notes[0], "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pin_is_known_by_its_text_its_files_writing_and_its_token),
		TEST(what_came_of_it_goes_on_in_the_next_process),
		TEST(a_pin_that_took_its_process_along_is_known_as_tried),
		TEST(what_is_no_such_note_is_ignored),
		TEST(the_oldest_goes_when_there_is_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
