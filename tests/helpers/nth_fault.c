// SPDX-License-Identifier: MIT
// See nth_fault.h. Also the wrappers around the memory calls.
#include "nth_fault.h"

#include "open_fds.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#define RUNS_MAX 100000u

static struct {
	atomic_uint kinds; // 0: not armed
	atomic_uint left;  // calls to let pass
	atomic_bool lasting;
	atomic_uint hits;
	atomic_int errnum;
	atomic_int pages; // mappings that our objects made and still have
} plan;

void fault_arm(unsigned kinds, unsigned nth, bool lasting, int errnum)
{
	atomic_store(&plan.left, nth);
	atomic_store(&plan.lasting, lasting);
	atomic_store(&plan.hits, 0);
	atomic_store(&plan.errnum, errnum);
	atomic_store(&plan.kinds, kinds);
}

unsigned fault_disarm(void)
{
	atomic_store(&plan.kinds, 0);
	return atomic_load(&plan.hits);
}

bool fault_strikes(unsigned kind)
{
	if (!(atomic_load(&plan.kinds) & kind))
		return false;
	unsigned left = atomic_load(&plan.left);
	while (left > 0 && !atomic_compare_exchange_weak(&plan.left, &left, left - 1))
		;
	if (left > 1 || (left == 0 && !atomic_load(&plan.lasting)))
		return false;
	(void)atomic_fetch_add(&plan.hits, 1);
	errno = atomic_load(&plan.errnum);
	return true;
}

#define FAULTY(kind, failed, type, name, params, args) \
	type __real_##name params;                     \
	type __wrap_##name params;                     \
	type __wrap_##name params                      \
	{                                              \
		if (fault_strikes(kind))               \
			return failed;                 \
		return __real_##name args;             \
	}

// clang-format off
FAULTY(FAULT_MALLOC, NULL, void *, malloc, (size_t n), (n))
FAULTY(FAULT_MALLOC, NULL, void *, calloc, (size_t n, size_t m), (n, m))
FAULTY(FAULT_MALLOC, NULL, void *, realloc, (void *p, size_t n), (p, n))
FAULTY(FAULT_MALLOC, NULL, void *, aligned_alloc, (size_t a, size_t n), (a, n))
FAULTY(FAULT_MALLOC, NULL, char *, strdup, (const char *s), (s))
FAULTY(FAULT_PAGES, -1, int, mprotect, (void *p, size_t n, int prot), (p, n, prot))
FAULTY(FAULT_PAGES, -1, int, madvise, (void *p, size_t n, int what), (p, n, what))
FAULTY(FAULT_LOCK, -1, int, mlock, (const void *p, size_t n), (p, n))
FAULTY(FAULT_LOCK, -1, int, mlock2, (const void *p, size_t n, unsigned flags), (p, n, flags))
FAULTY(FAULT_RANDOM, -1, ssize_t, getrandom, (void *p, size_t n, unsigned f), (p, n, f))
// clang-format on

// A failed asprintf() leaves nothing that may be used in *out.
static int print_new(char **out, const char *fmt, va_list ap)
{
	if (fault_strikes(FAULT_MALLOC)) {
		*out = (char *)(uintptr_t)0x5a5a5a50;
		return -1;
	}
	return vasprintf(out, fmt, ap);
}

int __wrap_asprintf(char **out, const char *fmt, ...) printf_like(2, 3);
int __wrap_asprintf(char **out, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = print_new(out, fmt, ap);
	va_end(ap);
	return n;
}

int __wrap___asprintf_chk(char **out, int flag, const char *fmt, ...) printf_like(3, 4);
int __wrap___asprintf_chk(char **out, int flag, const char *fmt, ...)
{
	va_list ap;
	(void)flag;
	va_start(ap, fmt);
	int n = print_new(out, fmt, ap);
	va_end(ap);
	return n;
}

void *__real_mmap64(void *at, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *at, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	if (fault_strikes(FAULT_PAGES))
		return MAP_FAILED;
	void *p = __real_mmap64(at, n, prot, flags, fd, off);
	(void)atomic_fetch_add(&plan.pages, p != MAP_FAILED);
	return p;
}

int __real_munmap(void *p, size_t n);
int __wrap_munmap(void *p, size_t n);
int __wrap_munmap(void *p, size_t n)
{
	(void)atomic_fetch_sub(&plan.pages, 1);
	return __real_munmap(p, n);
}

void *fault_malloc(size_t size)
{
	return fault_strikes(FAULT_LIBRARY) ? NULL : __real_malloc(size);
}

void *fault_realloc(void *p, size_t size)
{
	return fault_strikes(FAULT_LIBRARY) ? NULL : __real_realloc(p, size);
}

void fault_free(void *p)
{
	free(p);
}

static bool listed(const struct fault_case *c, int errnum)
{
	int own[] = {c->errnum ? c->errnum : ENOMEM, 0};
	const int *e = c->errors ? c->errors : own;
	while (*e && *e != errnum)
		e++;
	return *e != 0;
}

// How many calls failed.
static unsigned run(const struct fault_case *c, unsigned nth, bool lasting)
{
	struct errmsg err = {.text = ""};
	int descriptors = open_fds(), pages = atomic_load(&plan.pages);
	fault_arm(nth ? c->kinds : 0, nth, lasting, c->errnum ? c->errnum : ENOMEM);
	int r = c->body(c->ctx, &err);
	unsigned hits = fault_disarm();
	const char *mode = lasting ? ", and all later ones" : "";
	if (r && !hits)
		fail_msg("%s: %d without a failure: %s", c->name, r, err.text);
	if (r && (r > 0 || !listed(c, -r)))
		fail_msg("%s: %d (%s) after failure %u%s is not in its contract: %s", c->name, r,
			strerror(abs(r)), nth, mode, err.text);
	if (r && !c->no_sentence && !err.text[0])
		fail_msg("%s: no sentence after failure %u%s (%d)", c->name, nth, mode, r);
	if (nth && !c->keeps_descriptors && open_fds() != descriptors)
		fail_msg("%s: descriptors left open after failure %u%s", c->name, nth, mode);
	if (nth && atomic_load(&plan.pages) != pages)
		fail_msg("%s: pages left mapped after failure %u%s", c->name, nth, mode);
	if (getenv("CMKDISK_TEST_VERBOSE"))
		print_message("%s %u%s: %d %s\n", c->name, nth, mode, r, err.text);
	if (c->after)
		c->after(c->ctx, r);
	return hits;
}

void fault_every(const struct fault_case *c)
{
	// What libraries make once and keep is made here.
	(void)run(c, 0, false);
	for (int lasting = 0; lasting < 2; lasting++) {
		unsigned nth = 1;
		while (run(c, nth, lasting))
			if (++nth > RUNS_MAX)
				fail_msg("%s: no end of failures", c->name);
		if (nth == 1)
			fail_msg("%s: met no failure, so nothing was tested", c->name);
		print_message("           %s: %u calls failed%s\n", c->name, nth - 1,
			lasting ? ", with all later ones" : " one by one");
	}
}
