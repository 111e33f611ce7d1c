// SPDX-License-Identifier: MIT
// Which PIN a key agent is told: the one that came with the key URL, or the one that a person gave,
// who is asked once for each key, before anything goes to the background.
#include "cli.h"
#include "credentials.h"
#include "keyset.h"
#include "pin.h"
#include "pty_rig.h"
#include "scope.h"
#include "secret.h"
#include "volume_rig.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define KEY "pkcs11:token=bank;object=disk"
#define OTHER "pkcs11:token=bank;object=other"
#define PROMPT(key) "PIN for " key " (Enter: none): "
#define RIGS 6

struct world {
	struct cli cli;
	struct volume_rig rigs[RIGS];
	char *backing[RIGS + 1];
	int count;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct errmsg err;
	assert_non_null(w);
	*state = w;
	return credentials_take(&w->cli.credentials, &err);
}

static int teardown(void **state)
{
	struct world *w = *state;
	for (int i = 0; i < w->count; i++)
		rig_end(&w->rigs[i]);
	credentials_free(&w->cli.credentials);
	free(w);
	return 0;
}

static void add_disk(struct world *w, const char *key_url)
{
	struct volume_rig *r = &w->rigs[w->count];
	rig_begin(r);
	(void)snprintf(r->binding.key_url, sizeof(r->binding.key_url), "%s", key_url);
	rig_create(r);
	w->backing[w->count++] = r->path;
}

// Whether the agent of this key is told exactly this PIN; NULL: it is told none.
static bool told(const struct world *w, const char *key_url, const char *pin)
{
	struct secret *all scoped(secret_free) = NULL;
	char line[64];
	if (credentials_for(w->cli.credentials, key_url, &all))
		return false;
	(void)snprintf(line, sizeof(line), "CMKDISK_PIN=%s", pin ? pin : "");
	return pin ? all && !strcmp((char *)all->data, line) : !all;
}

// For processes without a terminal: what there is to be had is had without one.
static int without_terminal(void *arg)
{
	struct world *w = arg;
	struct errmsg err = {""};
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)dup2(null, STDIN_FILENO);
	if (pin_provide(&w->cli, NULL, KEY, NULL, &err) || !told(w, KEY, NULL) ||
		credentials_know_pin(w->cli.credentials, KEY))
		return 1;
	if (keyset_of_url("pkcs11:object=d%69sk;token=bank?pin-value=12%2034", &k, &err) ||
		pin_provide_all(&w->cli, &k, w->backing, w->count, &err))
		return 2;
	// As the header spells it, and to no other key.
	return told(w, KEY, "12 34") && told(w, OTHER, NULL) ? 0 : 3;
}

static void what_came_with_the_url_goes_to_the_key_that_it_names(void **state)
{
	struct world *w = *state;
	struct pty p;
	add_disk(w, OTHER);
	add_disk(w, KEY);
	pty_start(&p, false, without_terminal, w);
	assert_int_equal(pty_end(&p), 0);
	pty_expect(&p, "cmkdisk: warning: the PIN in the argument list can be read by everybody "
		       "on this host; put it in a file and say pin-source=file:/path");
}

static int nobody_is_asked(void *arg)
{
	struct world *w = arg;
	struct errmsg err = {""};
	struct keyset file scoped(keyset_free) = KEYSET_NONE,
			   token scoped(keyset_free) = KEYSET_NONE;
	if (!pin_can_ask() || keyset_of_url("file:/key", &file, &err) ||
		keyset_of_url(KEY "?pin-source=file:/pin", &token, &err))
		return 1;
	if (pin_provide(&w->cli, NULL, "file:/key", NULL, &err) ||
		pin_provide(&w->cli, NULL, "https://v/keys/k", NULL, &err) ||
		pin_provide(&w->cli, NULL, KEY "?module-path=/theirs.so", NULL, &err) ||
		pin_provide(&w->cli, &token, KEY, NULL, &err) ||
		pin_provide_all(&w->cli, &file, w->backing, w->count, &err) ||
		pin_provide_all(&w->cli, &token, w->backing, w->count, &err))
		return 2;
	return told(w, KEY, NULL) && !credentials_know_pin(w->cli.credentials, KEY) ? 0 : 3;
}

static void a_file_or_another_scheme_has_nobody_asked(void **state)
{
	struct world *w = *state;
	struct pty p;
	add_disk(w, KEY);
	pty_start(&p, true, nobody_is_asked, w);
	assert_int_equal(pty_end(&p), 0);
	assert_false(pty_showed(&p, "PIN for"));
}

static int ask_for_all(void *arg)
{
	struct world *w = arg;
	struct errmsg err = {""};
	w->backing[w->count] = (char[]){"/nonexistent/disk.img"};
	if (pin_provide_all(&w->cli, NULL, w->backing, w->count + 1, &err))
		return 1;
	if (!told(w, KEY, "1234") || !told(w, OTHER, NULL))
		return 2;
	// That there is none is an answer, too.
	return pin_provide(&w->cli, NULL, OTHER, w->backing[0], &err) ||
	       pin_provide(&w->cli, NULL, KEY, w->backing[0], &err);
}

// The question names the key, and the file that names it: the header may be anybody's.
static void expect_question(struct pty *p, const char *key_url, const char *backing)
{
	char text[512];
	(void)snprintf(text, sizeof(text),
		"PIN for %s, named by the header of %s (Enter: none): ", key_url, backing);
	pty_expect(p, text);
}

static void a_person_is_asked_once_for_each_key(void **state)
{
	struct world *w = *state;
	struct pty p;
	add_disk(w, KEY);
	add_disk(w, OTHER);
	add_disk(w, KEY);
	pty_start(&p, true, ask_for_all, w);
	expect_question(&p, KEY, w->backing[0]);
	pty_type(&p, "1234\n");
	expect_question(&p, OTHER, w->backing[1]);
	pty_type(&p, "\n");
	assert_int_equal(pty_end(&p), 0);
	assert_null(strstr(p.seen + p.looked, "PIN for"));
}

static int ask_for_too_many(void *arg)
{
	struct world *w = arg;
	struct errmsg err = {""};
	char begin[256];
	if (pin_provide_all(&w->cli, NULL, w->backing, w->count, &err) != -EINVAL)
		return 1;
	(void)snprintf(begin, sizeof(begin), "%s: its header names one more key in a token, %s4;",
		w->backing[5], KEY);
	if (strncmp(err.text, begin, strlen(begin)) != 0 || !strstr(err.text, "with --key"))
		return 2;
	// Nor by the way of a command that asks for one disk; but for a key that a person names.
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	if (pin_provide(&w->cli, NULL, OTHER, w->backing[5], &err) != -EINVAL ||
		keyset_of_url(OTHER, &k, &err) ||
		pin_provide(&w->cli, &k, OTHER, w->backing[5], &err))
		return 3;
	return told(w, OTHER, "9") ? 0 : 4;
}

static void headers_alone_have_a_person_asked_for_four_keys_at_most(void **state)
{
	struct world *w = *state;
	struct pty p;
	char key[64];
	add_disk(w, KEY "0");
	for (int i = 0; i < 5; i++) { // one of them twice, which does not count
		(void)snprintf(key, sizeof(key), KEY "%d", i);
		add_disk(w, key);
	}
	pty_start(&p, true, ask_for_too_many, w);
	for (int i = 0; i < PIN_HEADER_KEYS; i++) {
		(void)snprintf(key, sizeof(key), KEY "%d", i);
		expect_question(&p, key, w->backing[i ? i + 1 : 0]);
		pty_type(&p, "1\n");
	}
	pty_expect(&p, PROMPT(OTHER));
	pty_type(&p, "9\n");
	assert_int_equal(pty_end(&p), 0);
	assert_false(pty_showed(&p, KEY "4,"));
}

static int ask_for_the_pinned(void *arg)
{
	struct world *w = arg;
	struct errmsg err = {""};
	struct keyset k scoped(keyset_free) = KEYSET_NONE;
	if (keyset_of_url(OTHER "?module-path=/m.so", &k, &err) ||
		pin_provide_all(&w->cli, &k, w->backing, w->count, &err))
		return 1;
	return told(w, OTHER, "77") && told(w, KEY, NULL) ? 0 : 2;
}

static void a_pinned_key_is_the_only_one_that_is_asked_for(void **state)
{
	struct world *w = *state;
	struct pty p;
	add_disk(w, KEY);
	add_disk(w, OTHER);
	pty_start(&p, true, ask_for_the_pinned, w);
	pty_expect(&p, PROMPT(OTHER));
	pty_type(&p, "77\n");
	assert_int_equal(pty_end(&p), 0);
	assert_false(pty_showed(&p, PROMPT(KEY)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_came_with_the_url_goes_to_the_key_that_it_names, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_file_or_another_scheme_has_nobody_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_person_is_asked_once_for_each_key, setup, teardown),
		cmocka_unit_test_setup_teardown(
			headers_alone_have_a_person_asked_for_four_keys_at_most, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_pinned_key_is_the_only_one_that_is_asked_for, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
