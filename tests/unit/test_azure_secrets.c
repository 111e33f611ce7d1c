// SPDX-License-Identifier: MIT
// No token and no data key is left behind in freed memory, by us or by libcurl: every free() of
// this program and of libcurl's allocator passes a look-out.
#include "azure_world.h"

#include "azure_http_memory.h"

#include <malloc.h>
#include <pthread.h>

#define TEST(f) cmocka_unit_test_setup_teardown(f, azure_world_setup, azure_world_teardown)
#define N2048                                                                              \
	"gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
	"AAAAAAAAAAAAAAAAAAAAAQ"

void __real_free(void *p);
void __wrap_free(void *p);

static const char *const secrets[] = {"Bearer token-1", PLAIN32};
// The compiler believes that free() looks at nothing.
static volatile bool looking;
static pthread_t looked_for; // the script's thread holds what it was sent
static volatile size_t frees, found;

void __wrap_free(void *p)
{
	if (p && looking && pthread_equal(pthread_self(), looked_for)) {
		frees++;
		for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++)
			if (memmem(p, malloc_usable_size(p), secrets[i], strlen(secrets[i])))
				found++;
	}
	__real_free(p);
}

static void look(bool on)
{
	looking = on;
	looked_for = pthread_self();
	if (on)
		frees = found = 0;
}

static void the_look_out_sees_what_an_ordinary_free_leaves(void **state)
{
	(void)state;
	char *volatile text = malloc(100);
	assert_non_null(text);
	(void)snprintf(text, 100, "x %s", secrets[0]);
	look(true);
	free(text);
	look(false);
	assert_int_equal(found, 1);
	char *copy = http_memory_text(secrets[0]);
	assert_non_null(copy);
	look(true);
	copy = http_memory_resize(copy, 100000);
	assert_string_equal(copy, secrets[0]);
	http_memory_free(copy);
	look(false);
	assert_int_equal(frees, 2);
	assert_int_equal(found, 0);
}

static void nothing_is_left_of_unwrapping_and_wrapping(void **state)
{
	struct azure_world *w = *state;
	azure_world_open("", "", "");
	vault_challenges();
	vault_result(V1, PLAIN32);
	vault_key(V1, "\"kty\":\"RSA\",\"key_ops\":[\"wrapKey\",\"unwrapKey\"],\"n\":\"" N2048 "\"",
		"");
	vault_result(V1, "AQIDBA");
	look(true);
	enum cmk_verdict unwrapped = azure_world_unwrap(V1);
	enum cmk_verdict wrapped = azure_world_wrap();
	w->prov->close(w->key);
	look(false);
	w->key = NULL;
	assert_int_equal(unwrapped, CMK_GRANTED);
	assert_int_equal(wrapped, CMK_GRANTED);
	require_text(request_head(1), secrets[0]);
	require_text(request_body(3), PLAIN32);
	assert_true(frees > 50); // libcurl's too
	assert_int_equal(found, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_look_out_sees_what_an_ordinary_free_leaves),
		TEST(nothing_is_left_of_unwrapping_and_wrapping),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
