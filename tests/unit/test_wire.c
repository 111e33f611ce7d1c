// SPDX-License-Identifier: MIT
// Frames, fields and messages between client and agent: what fits comes back, what does not is
// said.
#include "bytes.h"
#include "message.h"
#include "wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint8_t frame[WIRE_FRAME_MAX];

static size_t sample(void)
{
	struct wire_writer w;
	size_t len = 0;
	wire_begin(&w, frame, sizeof(frame), WIRE_UNWRAP, 7);
	msg_put_unwrap(&w, &(struct msg_unwrap){.version = "v1",
				   .alg = "RSA-OAEP-256",
				   .wrapped = (const uint8_t *)"\0\1\2",
				   .wrapped_len = 3,
				   .budget_ms = 900});
	assert_int_equal(wire_end(&w, &len), 0);
	return len;
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	struct wire_header h;
	struct wire_reader r;
	struct msg_unwrap m;
	assert_int_equal(wire_parse(frame, sample(), &h, &r), 0);
	assert_int_equal(h.type, WIRE_UNWRAP);
	assert_int_equal(h.seq, 7);
	msg_get_unwrap(&r, &m);
	assert_int_equal(wire_done(&r), 0);
	assert_string_equal(m.version, "v1");
	assert_string_equal(m.alg, "RSA-OAEP-256");
	assert_int_equal(m.wrapped_len, 3);
	assert_memory_equal(m.wrapped, "\0\1\2", 3);
	assert_int_equal(m.budget_ms, 900);
}

static void every_message_survives_the_line(void **state)
{
	(void)state;
	struct wire_writer w;
	struct wire_header h;
	struct wire_reader r;
	size_t len = 0;
	struct cmk_key_info info = {.version = "v9",
		.kty = "oct-HSM",
		.bits = 256,
		.enabled = -1,
		.nbf = INT64_MIN,
		.exp = INT64_MAX,
		.created = 1,
		.recovery_level = "Recoverable"};
	struct cmk_wrapped wrapped = {.version = "v2", .alg = "A256KW", .len = CMK_WRAPPED_MAX};
	memset(wrapped.data, 0xab, sizeof(wrapped.data));
	wire_begin(&w, frame, sizeof(frame), WIRE_ANSWER, UINT32_MAX);
	msg_put_answer(&w, &(struct msg_answer){1, 2, 3, "id", "sentence"});
	msg_put_key_info(&w, &info);
	msg_put_wrapped(&w, &wrapped);
	msg_put_log(&w, &(struct msg_log){2, "line"});
	msg_put_open(&w, &(struct msg_open){"/p.so", "file:/k", "{}", "", NULL, 0, 5});
	msg_put_describe(&w, &(struct msg_describe){"", 6});
	msg_put_wrap(&w, &(struct msg_wrap){(const uint8_t *)"xy", 2, 7});
	assert_int_equal(wire_end(&w, &len), 0);

	struct msg_answer a;
	struct cmk_key_info info2;
	struct cmk_wrapped wrapped2;
	struct msg_log l;
	struct msg_open o;
	struct msg_describe d;
	struct msg_wrap p;
	assert_int_equal(wire_parse(frame, len, &h, &r), 0);
	assert_int_equal(h.seq, UINT32_MAX);
	msg_get_answer(&r, &a);
	msg_get_key_info(&r, &info2);
	msg_get_wrapped(&r, &wrapped2);
	msg_get_log(&r, &l);
	msg_get_open(&r, &o);
	msg_get_describe(&r, &d);
	msg_get_wrap(&r, &p);
	assert_int_equal(wire_done(&r), 0);
	assert_true(a.verdict == 1 && a.reason == 2 && a.retry_after_ms == 3);
	assert_string_equal(a.request_id, "id");
	assert_string_equal(a.sentence, "sentence");
	assert_memory_equal(&info, &info2, sizeof(info));
	assert_memory_equal(&wrapped, &wrapped2, sizeof(wrapped));
	assert_string_equal(l.text, "line");
	assert_string_equal(o.plugin, "/p.so");
	assert_string_equal(o.key_url, "file:/k");
	assert_string_equal(o.config, "{}");
	assert_string_equal(o.disk, "");
	assert_string_equal(d.version, "");
	assert_int_equal(p.plain_len, 2);
	assert_int_equal(o.budget_ms + d.budget_ms + p.budget_ms, 18);
}

static int reads_as_unwrap(size_t len)
{
	struct wire_header h;
	struct wire_reader r;
	struct msg_unwrap m;
	int rc = wire_parse(frame, len, &h, &r);
	if (rc)
		return rc;
	msg_get_unwrap(&r, &m);
	return wire_done(&r);
}

static void a_frame_cut_anywhere_is_refused(void **state)
{
	(void)state;
	size_t len = sample();
	assert_int_equal(reads_as_unwrap(len), 0);
	for (size_t cut = 0; cut < len; cut++) {
		(void)sample();
		assert_int_equal(reads_as_unwrap(cut), -EBADMSG);
		// and with a header that agrees
		store_le32(
			frame + 12, cut < WIRE_HEADER_LEN ? 0 : (uint32_t)(cut - WIRE_HEADER_LEN));
		assert_int_equal(reads_as_unwrap(cut), -EBADMSG);
	}
	(void)sample();
	frame[len] = 0;
	store_le32(frame + 12, (uint32_t)(len + 1 - WIRE_HEADER_LEN));
	assert_int_equal(reads_as_unwrap(len + 1), -EBADMSG); // something left over
}

static void every_header_field_is_checked(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
	} spoilt[] = {{0, 0}, {3, 0xff}, {4, 0}, {4, WIRE_TYPE_LAST + 1}, {5, 1}, {6, 1}, {7, 1},
		{12, 0}, {15, 0xff}};
	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		size_t len = sample();
		frame[spoilt[i].at] = spoilt[i].value;
		assert_int_equal(reads_as_unwrap(len), -EBADMSG);
	}
}

static void a_length_beyond_the_frame_is_refused(void **state)
{
	(void)state;
	static const uint32_t lengths[] = {4, 1000, 0x7fffffff, 0xfffffffc, 0xffffffff};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t len = sample();
		store_le32(frame + WIRE_HEADER_LEN + 4, lengths[i]); // of the version
		assert_int_equal(reads_as_unwrap(len), -EBADMSG);
	}
}

static void a_text_ends_in_its_only_nul(void **state)
{
	(void)state;
	size_t len = sample();
	frame[WIRE_HEADER_LEN + 8] = '\0'; // "\0" "1" NUL
	assert_int_equal(reads_as_unwrap(len), -EBADMSG);
	len = sample();
	frame[WIRE_HEADER_LEN + 10] = 'x'; // no NUL
	assert_int_equal(reads_as_unwrap(len), -EBADMSG);
}

static void a_reader_after_an_error_gives_nothing(void **state)
{
	(void)state;
	struct wire_reader r = {.p = frame, .left = 3};
	size_t n = 9;
	assert_int_equal(wire_get_u32(&r), 0);
	assert_int_equal(wire_get_i64(&r), 0);
	assert_string_equal(wire_get_text(&r), "");
	assert_null(wire_get_bytes(&r, 100, &n));
	assert_int_equal(n, 0);
	assert_int_equal(wire_done(&r), -EBADMSG);
}

static void what_does_not_fit_is_not_sent(void **state)
{
	(void)state;
	struct wire_writer w;
	static uint8_t big[WIRE_FRAME_MAX + 1];
	size_t len = 0;
	wire_begin(&w, frame, sizeof(frame), WIRE_OPEN, 1);
	wire_put_bytes(&w, big, WIRE_FRAME_MAX - WIRE_HEADER_LEN - 4);
	assert_int_equal(wire_end(&w, &len), 0);
	assert_int_equal(len, WIRE_FRAME_MAX);
	wire_put_u32(&w, 1);
	assert_int_equal(wire_end(&w, &len), -EMSGSIZE);
	wire_begin(&w, frame, sizeof(frame), WIRE_OPEN, 1);
	wire_put_bytes(&w, big, sizeof(big));
	assert_int_equal(wire_end(&w, &len), -EMSGSIZE);
	wire_begin(&w, frame, WIRE_HEADER_LEN - 1, WIRE_OPEN, 1);
	assert_int_equal(wire_end(&w, &len), -EMSGSIZE);
}

static void an_array_without_nul_is_not_sent(void **state)
{
	(void)state;
	struct wire_writer w;
	size_t len = 0;
	struct cmk_wrapped m = {.alg = "x", .len = 1};
	memset(m.version, 'v', sizeof(m.version));
	wire_begin(&w, frame, sizeof(frame), WIRE_ANSWER, 1);
	msg_put_wrapped(&w, &m);
	assert_int_equal(wire_end(&w, &len), -EMSGSIZE);
	m.version[3] = '\0';
	m.len = sizeof(m.data) + 1;
	wire_begin(&w, frame, sizeof(frame), WIRE_ANSWER, 1);
	msg_put_wrapped(&w, &m);
	assert_int_equal(wire_end(&w, &len), -EMSGSIZE);
}

static void a_version_too_long_for_its_array_is_refused(void **state)
{
	(void)state;
	struct wire_writer w;
	struct wire_header h;
	struct wire_reader r;
	struct cmk_wrapped m;
	size_t len = 0;
	char text[CMK_VERSION_MAX + 1];
	memset(text, 'v', sizeof(text));
	for (size_t n = CMK_VERSION_MAX - 1; n <= CMK_VERSION_MAX; n++) {
		text[n] = '\0';
		wire_begin(&w, frame, sizeof(frame), WIRE_ANSWER, 1);
		wire_put_text(&w, text);
		wire_put_text(&w, "A256KW");
		wire_put_bytes(&w, "x", 1);
		assert_int_equal(wire_end(&w, &len), 0);
		assert_int_equal(wire_parse(frame, len, &h, &r), 0);
		msg_get_wrapped(&r, &m);
		assert_int_equal(wire_done(&r), n < CMK_VERSION_MAX ? 0 : -EBADMSG);
		text[n] = 'v';
	}
}

static int reads_as_open(const char *environment, size_t len)
{
	struct wire_writer w;
	struct wire_header h;
	struct wire_reader r;
	struct msg_open m = {.plugin = NULL};
	size_t frame_len = 0;
	wire_begin(&w, frame, sizeof(frame), WIRE_OPEN, 1);
	msg_put_open(&w, &(struct msg_open){.plugin = "/p.so",
				 .key_url = "https://v/keys/k",
				 .config = "{}",
				 .disk = "",
				 .environment = environment,
				 .environment_len = len});
	assert_int_equal(wire_end(&w, &frame_len), 0);
	assert_int_equal(wire_parse(frame, frame_len, &h, &r), 0);
	msg_get_open(&r, &m);
	if (wire_done(&r))
		return -EBADMSG;
	assert_int_equal(m.environment_len, len);
	if (len > 0)
		assert_memory_equal(m.environment, environment, len);
	return 0;
}

static void an_environment_is_none_or_ends_in_a_nul(void **state)
{
	(void)state;
	assert_int_equal(reads_as_open(NULL, 0), 0);
	assert_int_equal(reads_as_open("A=1", 4), 0);
	assert_int_equal(reads_as_open("A=1\0B=2", 8), 0);
	assert_int_equal(reads_as_open("A=1", 3), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(every_message_survives_the_line),
		cmocka_unit_test(a_frame_cut_anywhere_is_refused),
		cmocka_unit_test(every_header_field_is_checked),
		cmocka_unit_test(a_length_beyond_the_frame_is_refused),
		cmocka_unit_test(a_text_ends_in_its_only_nul),
		cmocka_unit_test(a_reader_after_an_error_gives_nothing),
		cmocka_unit_test(what_does_not_fit_is_not_sent),
		cmocka_unit_test(an_array_without_nul_is_not_sent),
		cmocka_unit_test(an_environment_is_none_or_ends_in_a_nul),
		cmocka_unit_test(a_version_too_long_for_its_array_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
