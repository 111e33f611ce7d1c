// SPDX-License-Identifier: MIT
// A key set is refused for a PIN in it, and nothing of that PIN is left in memory.
#include "keyset_fixture.h"
#include "memscan.h"

#include <sys/random.h>

#define PIN_LEN 24
#define TOKEN "pkcs11:token=bank;object=disk"

// Writes the set with random letters as the PIN, and forgets them. pad: blanks before the end.
static void write_set(FILE *f, const char *fmt, int pad, struct masked *needle)
{
	uint8_t pin[PIN_LEN + 1] = {0};
	assert_int_equal(getrandom(pin, PIN_LEN, 0), PIN_LEN);
	for (size_t i = 0; i < PIN_LEN; i++)
		pin[i] = (uint8_t)('A' + pin[i] % 26);
	mask(needle, pin, PIN_LEN);
	assert_int_equal(setvbuf(f, NULL, _IONBF, 0), 0);
	const char *at = strchr(fmt, '@');
	assert_int_equal(fwrite(fmt, 1, (size_t)(at - fmt), f), at - fmt);
	assert_int_equal(write(fileno(f), pin, PIN_LEN), PIN_LEN);
	assert_true(fprintf(f, "%s%*s", at + 1, pad, "") > 0);
	assert_int_equal(memscan_count(needle), 1);
	explicit_bzero(pin, sizeof(pin));
	assert_int_equal(memscan_count(needle), 0);
}

static void expect_nothing_left(const char *fmt, int pad, const char *says)
{
	struct keyset k = KEYSET_NONE;
	struct errmsg err = {{0}};
	struct masked needle;
	char path[] = "/tmp/cmkdisk-keyset-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	FILE *f autofclose = fdopen(fd, "w");
	assert_non_null(f);
	write_set(f, fmt, pad, &needle);
	assert_int_equal(keyset_read(path, &k, &err), -EBADMSG);
	(void)unlink(path);
	assert_non_null(strstr(err.text, says));
	assert_true(memscan_count(&needle) > 0); // it was read, or the search would prove nothing
	keyset_free(&k);
	assert_int_equal(memscan_count(&needle), 0);
}

static void nothing_is_left_of_a_pin_in_a_refused_key_set(void **state)
{
	static const struct {
		const char *set, *says;
	} sets[] = {
		{"{\"activeKey\":{\"keyUrl\":\"" TOKEN "?module-path=/m&pin-value=@\"}}",
			"a key set is no place for a PIN"},
		{"{\"activeKey\":{\"keyUrl\":\"" TOKEN "\"},\"cmkdisk\":{\"pkcs11\":"
		 "{\"query\":\"pin-value=@&module-path=/m\"}}}",
			"a key set is no place for a PIN"},
		{"{\"activeKey\":{\"keyUrl\":\"" TOKEN ";pin-value=@\"}}",
			"pin-value does not name the key"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
		expect_nothing_left(sets[i].set, 0, sets[i].says);
		// So long that it is read in several pieces.
		expect_nothing_left(sets[i].set, 20000, sets[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left_of_a_pin_in_a_refused_key_set),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
