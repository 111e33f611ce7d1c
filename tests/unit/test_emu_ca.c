// SPDX-License-Identifier: MIT
// The emulator's certificate authority, and which addresses count as this host's alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emu_ca.h"
#include "emu_socket.h"

static void a_server_certificate_of_another_ca_is_made_anew(void **state)
{
	(void)state;
	char dir[] = "/tmp/emu-ca.XXXXXX";
	struct kp_err err = {""};
	struct emu_cert first = {0}, second = {0};
	char cmd[96];
	assert_non_null(mkdtemp(dir));
	assert_int_equal(emu_ca_open(dir, &first, &err), 0);
	(void)snprintf(cmd, sizeof(cmd), "rm %s/ca.pem %s/ca-key.pem", dir, dir);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(emu_ca_open(dir, &second, &err), 0);
	assert_string_not_equal(first.cert_pem, second.cert_pem);
	emu_cert_free(&first);
	emu_cert_free(&second);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	assert_int_equal(system(cmd), 0);
}

static void only_loopback_is_loopback(void **state)
{
	(void)state;
	static const struct {
		const char *address;
		bool ours;
	} table[] = {{"127.0.0.1:1", true}, {"127.9.9.9:0", true}, {"[::1]:65535", true},
		{"unix:/x", true}, {"0.0.0.0:1", false}, {"[::]:1", false}, {"10.0.0.1:1", false},
		{"[::ffff:127.0.0.1]:1", false}, {"localhost:1", false}, {"127.0.0.1", false},
		{"127.0.0.1:65536", false}, {"127.0.0.1:", false}, {"", false}};
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (emu_socket_loopback(table[i].address) != table[i].ours)
			fail_msg("%s", table[i].address);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_certificate_of_another_ca_is_made_anew),
		cmocka_unit_test(only_loopback_is_loopback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
