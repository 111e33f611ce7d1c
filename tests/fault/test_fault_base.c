// SPDX-License-Identifier: MIT
// Failures of memory, random numbers and hashing in fs/base; first of all, that the helper which
// makes them would notice a body that breaks its word.
#include "nth_fault.h"
#include "nth_fault_crypto.h"

#include "fileio.h"
#include "json.h"
#include "log.h"
#include "mac.h"
#include "scope.h"
#include "secret.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ALL_MEMORY (FAULT_MEMORY | FAULT_LIBRARY)

static int keeps_its_word(void *ctx, struct errmsg *err)
{
	void *a autofree = malloc(1), *b autofree = malloc(1);
	(void)ctx;
	return a && b ? 0 : errmsg_set(err, ENOMEM, "no memory");
}

static int says_nothing(void *ctx, struct errmsg *err)
{
	(void)err;
	return keeps_its_word(ctx, NULL);
}

static int answers_wrongly(void *ctx, struct errmsg *err)
{
	return keeps_its_word(ctx, err) ? -EIO : 0;
}

static int leaves_pages(void *ctx, struct errmsg *err)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r = keeps_its_word(ctx, err);
	if (!r)
		(void)munmap(p, 4096);
	return r;
}

static int leaves_a_descriptor(void *ctx, struct errmsg *err)
{
	int fd = dup(0);
	int r = keeps_its_word(ctx, err);
	if (!r)
		(void)close(fd);
	return r;
}

static int touches_nothing(void *ctx, struct errmsg *err)
{
	(void)ctx;
	(void)err;
	return 0;
}

static int fails_by_itself(void *ctx, struct errmsg *err)
{
	(void)keeps_its_word(ctx, err);
	return errmsg_set(err, ENOMEM, "always");
}

// Runs in a child, because the helper ends the test that it is called from.
static bool passes(int (*body)(void *ctx, struct errmsg *err))
{
	int status = 0;
	(void)fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(1);
		(void)close(2);
		fault_every(&(struct fault_case){
			.name = "a body", .kinds = FAULT_MALLOC, .body = body});
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void the_helper_notices_a_body_that_breaks_its_word(void **state)
{
	(void)state;
	assert_true(passes(keeps_its_word));
	assert_false(passes(says_nothing));
	assert_false(passes(answers_wrongly));
	assert_false(passes(leaves_pages));
	assert_false(passes(leaves_a_descriptor));
	assert_false(passes(touches_nothing));
	assert_false(passes(fails_by_itself));
}

// Objects, arrays, escapes, a number that cJSON alone would not print exactly.
static const char document[] =
	"{\"a\":\"x\\u00e4\",\"b\":[1,2,{\"c\":null}],\"d\":9007199254740991,\"e\":true}";

static int read_json(void *ctx, struct errmsg *err)
{
	struct json *j scoped(json_free) = NULL;
	char *text autofree = NULL;
	(void)ctx;
	(void)err;
	int r = json_parse(document, strlen(document), &j);
	if (!r)
		r = json_print(j, true, &text);
	return r;
}

static int build_json(void *ctx, struct errmsg *err)
{
	struct json *j scoped(json_free) = NULL;
	struct json *array = NULL;
	char *text autofree = NULL;
	(void)ctx;
	(void)err;
	int r = json_object(&j);
	if (!r)
		r = json_add_str(j, "s", "\xff text");
	if (!r)
		r = json_add_str(j, "null", NULL);
	if (!r)
		r = json_add_int(j, "large", INT64_C(9007199254740991));
	if (!r)
		r = json_add_bool(j, "b", true);
	if (!r)
		r = json_array(&array);
	if (!r)
		r = json_add(j, "array", array);
	if (!r)
		r = json_push_str(array, "element");
	if (!r)
		r = json_print(j, false, &text);
	if (!r && strcmp(text, "{\"s\":\"? text\",\"null\":null,\"large\":9007199254740991,"
			       "\"b\":true,\"array\":[\"element\"]}"))
		r = -EBADMSG;
	return r;
}

static int read_file(void *ctx, struct errmsg *err)
{
	char *text autofree = NULL;
	(void)ctx;
	return read_text_file("/proc/self/smaps", 16u << 20, &text, NULL, err);
}

static int make_logger(void *ctx, struct errmsg *err)
{
	struct logger *log = NULL;
	(void)ctx;
	(void)err;
	int r = logger_new("fault", LOG_LEVEL_ERROR, &log);
	logger_free(&log);
	return r;
}

static void text_is_whole_or_enomem(void **state)
{
	(void)state;
	FAULT_EVERY("json read and printed", ALL_MEMORY, read_json, .no_sentence = true);
	FAULT_EVERY("json built", ALL_MEMORY, build_json, .no_sentence = true);
	FAULT_EVERY("text file", FAULT_MALLOC, read_file);
	FAULT_EVERY("logger", FAULT_MALLOC, make_logger, .no_sentence = true);
}

static int make_secrets(void *ctx, struct errmsg *err)
{
	struct secret *zeros scoped(secret_free) = NULL;
	struct secret *copy scoped(secret_free) = NULL;
	struct secret *random scoped(secret_free) = NULL;
	static const uint8_t none[64];
	(void)ctx;
	(void)err;
	int r = secret_new(64, &zeros);
	if (!r && (memcmp(zeros->data, none, 64) != 0 || zeros->len != 64))
		return -EBADMSG;
	if (!r)
		r = secret_dup("some bytes", 10, &copy);
	if (!r && memcmp(copy->data, "some bytes", 10) != 0)
		return -EBADMSG;
	if (!r)
		r = secret_random(64, &random);
	if (!r && memcmp(random->data, none, 64) == 0)
		return -EBADMSG;
	if ((r && random) || (!r && !random))
		return -EBADMSG;
	return r;
}

static int make_unlocked_secret(void *ctx, struct errmsg *err)
{
	struct secret *s scoped(secret_free) = NULL;
	int r = secret_new(64, &s);
	(void)err;
	if (!r)
		*(bool *)ctx = s->locked;
	return r;
}

static void a_secret_is_made_whole_or_not_at_all(void **state)
{
	(void)state;
	FAULT_EVERY("secrets", FAULT_MEMORY, make_secrets, .no_sentence = true);
	// The kernel's answer is passed on, and no half random secret.
	FAULT_EVERY(
		"random numbers", FAULT_RANDOM, make_secrets, .errnum = EPERM, .no_sentence = true);
}

static void a_secret_that_cannot_be_locked_says_so(void **state)
{
	(void)state;
	bool locked = true;
	fault_arm(FAULT_LOCK, 1, false, ENOMEM);
	int r = make_unlocked_secret(&locked, NULL);
	assert_int_equal(fault_disarm(), 1);
	assert_int_equal(r, 0);
	assert_false(locked);
}

static int compute_macs(void *ctx, struct errmsg *err)
{
	struct secret *key scoped(secret_free) = NULL;
	struct secret *derived scoped(secret_free) = NULL;
	uint8_t a[MAC_LEN], b[32];
	(void)ctx;
	(void)err;
	int r = secret_dup("0123456789abcdef", 16, &key);
	if (!r)
		r = hkdf_sha256(key, "salt", 4, "info", &derived);
	if (!r)
		r = hmac_sha256(derived, "data", 4, a);
	if (!r)
		r = sha256("data", 4, b);
	return r;
}

static void a_mac_is_computed_or_fails(void **state)
{
	(void)state;
	FAULT_EVERY("mac, memory", FAULT_MEMORY, compute_macs, .no_sentence = true);
	FAULT_EVERY("mac, OpenSSL's memory", FAULT_LIBRARY, compute_macs, .no_sentence = true);
	FAULT_EVERY("mac, OpenSSL", FAULT_CRYPTO, compute_macs, .errnum = EOPNOTSUPP,
		.no_sentence = true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_helper_notices_a_body_that_breaks_its_word),
		cmocka_unit_test(text_is_whole_or_enomem),
		cmocka_unit_test(a_secret_is_made_whole_or_not_at_all),
		cmocka_unit_test(a_secret_that_cannot_be_locked_says_so),
		cmocka_unit_test(a_mac_is_computed_or_fails),
	};
	cJSON_InitHooks(&(cJSON_Hooks){fault_malloc, fault_free});
	if (!fault_into_openssl())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
