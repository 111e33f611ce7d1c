// SPDX-License-Identifier: MIT
// Secret bytes: fenced, locked, kept out of dumps and children. The kernel is the witness: a
// system call that is handed a forbidden address answers EFAULT instead of a fault.
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

static bool readable(const uint8_t *p)
{
	autoclose int fd = memfd_create("probe", MFD_CLOEXEC);

	long n = syscall(SYS_write, fd, p, (size_t)1);
	assert_true(n == 1 || errno == EFAULT);
	return n == 1;
}

static bool writable(uint8_t *p)
{
	autoclose int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	return syscall(SYS_read, fd, p, (size_t)1) == 1;
}

// The VmFlags of the mapping that holds p, such as "rd wr mr mw me lo dc ac dd".
static void mapping_flags(const void *p, char *out, size_t room)
{
	FILE *f autofclose = fopen("/proc/self/smaps", "re");
	char line[512];
	uintptr_t from, to, want = (uintptr_t)p;
	bool inside = false;

	*out = '\0';
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = want >= from && want < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			(void)snprintf(out, room, "%.200s", line + 8);
	}
}

static void a_run_past_either_end_is_a_fault(void **state)
{
	(void)state;
	static const size_t sizes[] = {1, 16, 32, 64, 100, 4096, 4097, 65536, 524288};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct secret *s scoped(secret_free) = NULL;
		assert_int_equal(secret_new(sizes[i], &s), 0);
		assert_int_equal(s->len, sizes[i]);
		assert_int_equal((uintptr_t)s->data % 16, 0);
		uint8_t *end = s->data + (sizes[i] + 15) / 16 * 16;
		uint8_t *body = end - (sizes[i] + page - 1) / page * page;
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(s->data[k], 0);
		assert_true(readable(s->data) && writable(s->data) && writable(end - 1) &&
			    readable(body));
		assert_false(readable(end) || writable(end));
		assert_false(readable(body - 1) || writable(body - 1));
	}
}

static void impossible_lengths_are_refused(void **state)
{
	(void)state;
	struct secret *s = NULL;

	assert_int_equal(secret_new(0, &s), -EINVAL);
	assert_int_equal(secret_new(524289, &s), -EINVAL);
	assert_null(s);
}

static void the_pages_are_locked_and_out_of_dumps_and_children(void **state)
{
	(void)state;
	struct secret *s scoped(secret_free) = NULL;
	char flags[256], plain[256];
	autofree char *heap = malloc(1);

	assert_int_equal(secret_new(64, &s), 0);
	mapping_flags(s->data, flags, sizeof flags);
	mapping_flags(&heap, plain, sizeof plain);
	assert_non_null(strstr(plain, " wr")); // ordinary memory is seen, and has none of it
	assert_null(strstr(plain, " dc"));
	assert_null(strstr(plain, " dd"));
	assert_non_null(strstr(flags, " dc"));
	assert_non_null(strstr(flags, " dd"));
	assert_int_equal(s->locked, strstr(flags, " lo") != NULL);
}

static int in_child(int (*fn)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int child_sees(void *p)
{
	return readable(p) ? 1 : 0;
}

static void a_forked_child_does_not_have_it(void **state)
{
	(void)state;
	struct secret *s scoped(secret_free) = NULL;
	uint8_t ordinary = 1;

	assert_int_equal(secret_new(32, &s), 0);
	assert_int_equal(in_child(child_sees, &ordinary), 1);
	assert_int_equal(in_child(child_sees, s->data), 0);
}

static int cannot_lock(void *arg)
{
	const struct rlimit none = {0, 0};
	struct secret *s = NULL;
	(void)arg;

	if (setrlimit(RLIMIT_MEMLOCK, &none) < 0)
		return 10;
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		return 11;
	if (secret_new(32, &s) != 0)
		return 12;
	s->data[31] = 1;
	int seen = s->locked ? 13 : 0;
	secret_free(&s);
	return seen;
}

static void memory_that_cannot_be_locked_is_said_to_be_so(void **state)
{
	(void)state;
	struct secret *s scoped(secret_free) = NULL;

	assert_int_equal(in_child(cannot_lock, NULL), 0);
	assert_int_equal(secret_new(32, &s), 0);
	assert_true(s->locked); // 4 KiB is within every usual limit
}

static void freeing_takes_the_pages_away_and_accepts_nothing(void **state)
{
	(void)state;
	struct secret *s = NULL;

	secret_free(&s);
	assert_int_equal(secret_dup("0123456789abcdef", 16, &s), 0);
	assert_memory_equal(s->data, "0123456789abcdef", 16);
	uint8_t *was = s->data;
	assert_true(readable(was));
	secret_free(&s);
	assert_null(s);
	assert_false(readable(was));
}

static void wipe_leaves_zeros(void **state)
{
	(void)state;
	uint8_t buf[64], zero[64] = {0};

	memset(buf, 0xa5, sizeof buf);
	wipe(buf, sizeof buf);
	assert_memory_equal(buf, zero, sizeof buf);
}

static void equality_looks_at_every_byte_and_the_length(void **state)
{
	(void)state;
	struct secret *a scoped(secret_free) = NULL;
	struct secret *b scoped(secret_free) = NULL;
	struct secret *shorter scoped(secret_free) = NULL;

	assert_int_equal(secret_random(33, &a), 0);
	assert_int_equal(secret_dup(a->data, a->len, &b), 0);
	assert_int_equal(secret_dup(a->data, 32, &shorter), 0);
	assert_true(secret_equal(a, b));
	assert_false(secret_equal(a, shorter));
	for (size_t i = 0; i < b->len; i++) {
		b->data[i] ^= 0x80;
		assert_false(secret_equal(a, b));
		b->data[i] ^= 0x80;
	}
}

static void random_secrets_differ(void **state)
{
	(void)state;
	struct secret *a scoped(secret_free) = NULL;
	struct secret *b scoped(secret_free) = NULL;

	assert_int_equal(secret_random(65536, &a), 0);
	assert_int_equal(secret_random(65536, &b), 0);
	assert_false(secret_equal(a, b));
	assert_memory_not_equal(a->data + 65536 - 32, b->data + 65536 - 32, 32);
}

static int seal(void *arg)
{
	struct rlimit core;
	(void)arg;

	if (prctl(PR_GET_DUMPABLE) != 1)
		return 20; // otherwise the next check would prove nothing
	if (process_seal_memory() != 0 || prctl(PR_GET_DUMPABLE) != 0)
		return 21;
	return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0 ? 0
											      : 22;
}

static void a_sealed_process_leaves_no_core_and_cannot_be_traced(void **state)
{
	(void)state;
	assert_int_equal(in_child(seal, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_past_either_end_is_a_fault),
		cmocka_unit_test(impossible_lengths_are_refused),
		cmocka_unit_test(the_pages_are_locked_and_out_of_dumps_and_children),
		cmocka_unit_test(a_forked_child_does_not_have_it),
		cmocka_unit_test(memory_that_cannot_be_locked_is_said_to_be_so),
		cmocka_unit_test(freeing_takes_the_pages_away_and_accepts_nothing),
		cmocka_unit_test(wipe_leaves_zeros),
		cmocka_unit_test(equality_looks_at_every_byte_and_the_length),
		cmocka_unit_test(random_secrets_differ),
		cmocka_unit_test(a_sealed_process_leaves_no_core_and_cannot_be_traced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
