// SPDX-License-Identifier: MIT
// Whatever is done to one line of a log, the verifier names that line.
#include "audit_rig.h"

#include "audit_line.h"
#include "mac.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define LINES 20

// A log of LINES lines, cut into them.
struct log {
	char *text;
	size_t len;
	char *at[LINES + 1]; // at[LINES] is the end
};

static void make_log(struct audit_rig *r, struct log *l)
{
	rig_write(r, LINES);
	l->text = rig_text(r->path, &l->len);
	char *p = l->text;
	for (size_t i = 0; i < LINES; i++) {
		l->at[i] = p;
		p = strchr(p, '\n') + 1;
	}
	l->at[LINES] = p;
	assert_int_equal(p - l->text, l->len);
	rig_unbroken(r, r->path, NULL, LINES);
}

static void log_free(struct log *l)
{
	free(l->text);
}

static size_t line_len(const struct log *l, size_t i)
{
	return (size_t)(l->at[i + 1] - l->at[i]);
}

// Puts the lines named by order[0..count), and says what the verifier finds.
static int arranged(struct audit_rig *r, const struct log *l, const size_t *order, size_t count)
{
	char *text autofree = malloc(2 * l->len);
	size_t len = 0;
	assert_non_null(text);
	for (size_t i = 0; i < count; i++) {
		memcpy(text + len, l->at[order[i]], line_len(l, order[i]));
		len += line_len(l, order[i]);
	}
	rig_put(r->path, text, len);
	return rig_verify(r, r->path, NULL);
}

static void assert_found(const struct audit_rig *r, int rc, enum audit_problem problem, size_t line)
{
	char place[160];
	assert_int_equal(rc, -EBADMSG);
	if (r->chain.line != line || (problem && r->chain.problem != problem))
		fail_msg("expected problem %s in line %d; it said: %s", audit_problem_name(problem),
			(int)line, r->err.text);
	(void)snprintf(place, sizeof(place), "%s line %d", r->path, (int)line);
	assert_memory_equal(r->err.text, place, strlen(place));
}

static void every_changed_byte_is_found_in_its_line(void **state)
{
	struct audit_rig *r = *state;
	struct log l scoped(log_free) = {0};
	static const char other[] = {'x', '0', '\n', '"', '\0', '}'};
	make_log(r, &l);
	autoclose int fd = open(r->path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t i = 0; i < LINES; i++)
		for (size_t k = 0; k < line_len(&l, i); k++) {
			off_t at = l.at[i] - l.text + (off_t)k;
			char c = other[(size_t)at % sizeof(other)];
			if (c == l.text[at])
				c = '1';
			assert_int_equal(pwrite(fd, &c, 1, at), 1);
			assert_found(r, rig_verify(r, r->path, NULL), AUDIT_SOUND, i + 1);
			assert_int_equal(pwrite(fd, &l.text[at], 1, at), 1);
		}
	rig_unbroken(r, r->path, NULL, LINES);
}

static void every_removed_line_is_missed(void **state)
{
	struct audit_rig *r = *state;
	struct log l scoped(log_free) = {0};
	make_log(r, &l);
	for (size_t gone = 0; gone < LINES - 1; gone++) {
		size_t order[LINES], n = 0;
		char want[64];
		for (size_t i = 0; i < LINES; i++)
			if (i != gone)
				order[n++] = i;
		assert_found(r, arranged(r, &l, order, n), AUDIT_MISSING, gone + 1);
		(void)snprintf(want, sizeof(want), "missing: line %d is not there", (int)gone + 1);
		assert_non_null(strstr(r->err.text, want));
	}
	size_t some[] = {0, 1, 6, 7};
	assert_found(r, arranged(r, &l, some, 4), AUDIT_MISSING, 3);
	assert_non_null(strstr(r->err.text, "(sequence 7): missing: lines 3 to 6 are not there"));
}

static void every_repeated_line_is_found(void **state)
{
	struct audit_rig *r = *state;
	struct log l scoped(log_free) = {0};
	make_log(r, &l);
	for (size_t twice = 0; twice < LINES; twice++) {
		size_t order[LINES + 1], n = 0;
		for (size_t i = 0; i < LINES; i++) {
			order[n++] = i;
			if (i == twice)
				order[n++] = i;
		}
		// The first one, again, could be the beginning of another chain.
		assert_found(r, arranged(r, &l, order, n),
			twice ? AUDIT_OUT_OF_ORDER : AUDIT_NEW_CHAIN, twice + 2);
	}
}

static void every_two_exchanged_lines_are_found(void **state)
{
	struct audit_rig *r = *state;
	struct log l scoped(log_free) = {0};
	make_log(r, &l);
	for (size_t a = 0; a < LINES; a++)
		for (size_t b = a + 1; b < LINES; b++) {
			size_t order[LINES];
			char want[160];
			for (size_t i = 0; i < LINES; i++)
				order[i] = i == a ? b : i == b ? a : i;
			assert_found(r, arranged(r, &l, order, LINES), AUDIT_OUT_OF_ORDER, a + 1);
			(void)snprintf(want, sizeof(want), "belongs here stands in %s line %d",
				r->path, (int)b + 1);
			assert_non_null(strstr(r->err.text, want));
		}
}

// Whoever changes a line and mends its hash breaks the next one.
static void a_line_made_anew_does_not_fit_its_neighbour(void **state)
{
	struct audit_rig *r = *state;
	struct log l scoped(log_free) = {0};
	struct audit_line parsed;
	uint8_t raw[MAC_LEN];
	make_log(r, &l);
	assert_true(audit_line_parse(l.at[4], line_len(&l, 4) - 1, &parsed));
	char *n = strstr(l.at[4], "\"n\":4");
	n[4] = '5';
	assert_int_equal(sha256(l.at[4], parsed.hashed, raw), 0);
	for (size_t i = 0; i < sizeof(raw); i++) {
		char two[3];
		(void)snprintf(two, sizeof(two), "%02x", raw[i]);
		memcpy(l.at[5] - 67 + 2 * i, two, 2);
	}
	rig_put(r->path, l.text, l.len);
	assert_found(r, rig_verify(r, r->path, NULL), AUDIT_ALTERED, 6);
	assert_non_null(strstr(r->err.text, "does not carry the hash of the line before it"));
	assert_int_equal(r->chain.lines, 5);
}

static void lines_that_are_none_are_found(void **state)
{
	static const struct {
		const char *text;
		enum audit_problem problem;
	} strange[] = {
		{"\n", AUDIT_NO_LINE},
		{"Nov 23 host cmkdisk: hello\n", AUDIT_NO_LINE},
		{"{\"event\":\"stopped\"}\n", AUDIT_NO_LINE},
		{"{\"time\":\"2026-11-23T04:30:00.000000Z\",\"eve\n", AUDIT_CUT_OFF},
		{"{\"time\":\"2026-11-23T04:30:00.000000Z\",\"event\":\"stopped\"}\n",
			AUDIT_ALTERED},
	};
	struct audit_rig *r = *state;
	struct log l scoped(log_free) = {0};
	make_log(r, &l);
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		size_t n = (size_t)(l.at[7] - l.text);
		rig_put(r->path, l.text, n);
		rig_append(r->path, strange[i].text);
		assert_found(r, rig_verify(r, r->path, NULL), strange[i].problem, 8);
		rig_append(r->path, l.at[7]);
		assert_found(r, rig_verify(r, r->path, NULL), strange[i].problem, 8);
	}
}

static void a_line_longer_than_any_is_no_line(void **state)
{
	struct audit_rig *r = *state;
	struct log l scoped(log_free) = {0};
	size_t room = 3 * AUDIT_LINE_MAX;
	char *text autofree = malloc(room);
	make_log(r, &l);
	memset(text, 'a', room);
	memcpy(text, AUDIT_LINE_BEGIN, strlen(AUDIT_LINE_BEGIN));
	rig_put(r->path, text, room);
	rig_append(r->path, "\n");
	rig_append(r->path, l.text);
	assert_found(r, rig_verify(r, r->path, NULL), AUDIT_CUT_OFF, 1);
}

static int verify_with(struct audit_rig *r, const char *after, const char *last)
{
	char *files[] = {r->path};
	struct audit_expect e = {after, last};
	return audit_verify(files, 1, &e, &r->chain, &r->err);
}

static void hash_of(const struct log *l, size_t i, char out[AUDIT_HASH_TEXT])
{
	struct audit_line parsed;
	assert_true(audit_line_parse(l->at[i], line_len(l, i) - 1, &parsed));
	memcpy(out, parsed.link.hash, AUDIT_HASH_TEXT);
}

static void what_is_cut_off_at_the_end_shows_by_a_hash_kept_elsewhere(void **state)
{
	struct audit_rig *r = *state;
	struct log l scoped(log_free) = {0};
	char kept[AUDIT_HASH_TEXT];
	make_log(r, &l);
	hash_of(&l, 15, kept);
	assert_int_equal(verify_with(r, NULL, kept), 0); // it has gone on since
	rig_put(r->path, l.text, (size_t)(l.at[16] - l.text));
	assert_int_equal(verify_with(r, NULL, kept), 0);
	rig_put(r->path, l.text, (size_t)(l.at[15] - l.text));
	assert_int_equal(verify_with(r, NULL, NULL), 0);
	assert_found(r, verify_with(r, NULL, kept), AUDIT_MISSING, 15);
	rig_put(r->path, "", 0);
	assert_found(r, verify_with(r, NULL, NULL), AUDIT_EMPTY, 0);
}

static void a_log_whose_beginning_is_not_at_hand_is_verified_from_a_hash_on(void **state)
{
	struct audit_rig *r = *state;
	struct log l scoped(log_free) = {0};
	char before[AUDIT_HASH_TEXT];
	make_log(r, &l);
	hash_of(&l, 9, before);
	rig_put(r->path, l.at[10], strlen(l.at[10]));
	assert_int_equal(verify_with(r, before, NULL), 0);
	assert_int_equal(r->chain.lines, 10);
	assert_int_equal(r->chain.first, 11);
	assert_found(r, verify_with(r, NULL, NULL), AUDIT_MISSING, 1);
	assert_non_null(strstr(r->err.text, "--after"));
	rig_put(r->path, l.at[11], strlen(l.at[11]));
	assert_found(r, verify_with(r, before, NULL), AUDIT_MISSING, 1);
}

static void files_are_read_as_one_log_in_their_order(void **state)
{
	struct audit_rig *r = *state;
	struct log l scoped(log_free) = {0};
	make_log(r, &l);
	rig_put(r->old, l.text, (size_t)(l.at[8] - l.text));
	rig_put(r->path, l.at[8], strlen(l.at[8]));
	rig_unbroken(r, r->old, r->path, LINES);
	assert_found(r, rig_verify(r, r->path, r->old), AUDIT_OUT_OF_ORDER, 1);
	rig_put(r->path, l.at[9], strlen(l.at[9]));
	assert_found(r, rig_verify(r, r->old, r->path), AUDIT_MISSING, 1);
	assert_int_equal(rig_verify(r, r->old, "/nowhere/at/all"), -ENOENT);
}

// A daemon that finds half a line says how many bytes there are. Other bytes are not covered by it.
static void only_the_bytes_that_a_daemon_found_are_excused(void **state)
{
	struct audit_rig *r = *state;
	size_t len;
	rig_write(r, 3);
	rig_append(r->path, "{\"time\":\"2026-1");
	rig_write(r, 2);
	rig_unbroken(r, r->path, NULL, 6);
	assert_int_equal(r->chain.gaps, 1);
	char *text autofree = rig_text(r->path, &len);
	char *at = strstr(text, "2026-1\n");
	memmove(at, at + 1, strlen(at)); // one byte less
	rig_put(r->path, text, len - 1);
	assert_found(r, rig_verify(r, r->path, NULL), AUDIT_CUT_OFF, 4);
}

// A log with half a line in it, as its line 4, and the line that tells of it; its text.
static char *torn_log(struct audit_rig *r, size_t *len)
{
	rig_write(r, 3);
	rig_append(r->path, "{\"time\":\"2026-1");
	rig_write(r, 2);
	rig_unbroken(r, r->path, NULL, 6);
	return rig_text(r->path, len);
}

static void other_bytes_than_those_that_a_daemon_found_are_no_excuse(void **state)
{
	struct audit_rig *r = *state;
	size_t len;
	char *text autofree = torn_log(r, &len);
	memcpy(strstr(text, "2026-1\n"), "1999-9", 6);
	rig_put(r->path, text, len);
	assert_found(r, rig_verify(r, r->path, NULL), AUDIT_ALTERED, 4);
}

// Else a whole line could take the place of what a line tells to have been cut off, or nothing.
static void bytes_that_a_daemon_found_are_missed(void **state)
{
	struct audit_rig *r = *state;
	size_t len;
	char *text autofree = torn_log(r, &len);
	char *from = strstr(text, "2026-1\n") - strlen(AUDIT_LINE_BEGIN),
	     *to = strchr(from, '\n') + 1;
	memmove(from, to, strlen(to));
	rig_put(r->path, text, len - (size_t)(to - from));
	assert_found(r, rig_verify(r, r->path, NULL), AUDIT_MISSING, 4);
	assert_non_null(strstr(r->err.text, "16 bytes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AUDIT_TEST(every_changed_byte_is_found_in_its_line),
		AUDIT_TEST(every_removed_line_is_missed),
		AUDIT_TEST(every_repeated_line_is_found),
		AUDIT_TEST(every_two_exchanged_lines_are_found),
		AUDIT_TEST(a_line_made_anew_does_not_fit_its_neighbour),
		AUDIT_TEST(lines_that_are_none_are_found),
		AUDIT_TEST(a_line_longer_than_any_is_no_line),
		AUDIT_TEST(what_is_cut_off_at_the_end_shows_by_a_hash_kept_elsewhere),
		AUDIT_TEST(a_log_whose_beginning_is_not_at_hand_is_verified_from_a_hash_on),
		AUDIT_TEST(files_are_read_as_one_log_in_their_order),
		AUDIT_TEST(only_the_bytes_that_a_daemon_found_are_excused),
		AUDIT_TEST(other_bytes_than_those_that_a_daemon_found_are_no_excuse),
		AUDIT_TEST(bytes_that_a_daemon_found_are_missed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
