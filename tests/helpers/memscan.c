// SPDX-License-Identifier: MIT
// See memscan.h.
#include "memscan.h"

#include "scope.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#define MASK 0xa5u
#define WINDOW (1u << 20)
// Larger maps are address space that a sanitizer has reserved, not memory of ours.
#define MAP_LARGEST (256ull << 20)

void mask(struct masked *m, const uint8_t *secret, size_t len)
{
	if (len > MASKED_MAX)
		abort();
	m->len = len;
	for (size_t i = 0; i < len; i++)
		((volatile uint8_t *)m->bytes)[i] = secret[i] ^ MASK;
}

static bool found_at(const uint8_t *p, const struct masked *m)
{
	size_t i = 0;
	while (i < m->len && (uint8_t)(p[i] ^ MASK) == m->bytes[i])
		i++;
	return i == m->len;
}

static size_t count_in(const uint8_t *p, size_t len, const struct masked *m)
{
	const uint8_t *end = p + len;
	size_t n = 0;
	while ((size_t)(end - p) >= m->len) {
		p = memchr(p, m->bytes[0] ^ MASK, (size_t)(end - p) - m->len + 1);
		if (!p)
			break;
		n += found_at(p++, m);
	}
	return n;
}

// Windows overlap by less than the length, so that nothing is missed and nothing counted twice.
static size_t count_map(
	int mem, uint64_t start, uint64_t end, uint8_t *window, const struct masked *m)
{
	size_t n = 0;
	for (uint64_t at = start; at < end; at += WINDOW - m->len + 1) {
		size_t want = end - at < WINDOW ? (size_t)(end - at) : WINDOW;
		ssize_t got = pread(mem, window, want, (off_t)at);
		if (got > 0)
			n += count_in(window, (size_t)got, m);
		explicit_bzero(window, WINDOW);
	}
	return n;
}

size_t memscan_count(const struct masked *m)
{
	int mem autoclose = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	FILE *maps autofclose = fopen("/proc/self/maps", "re");
	uint8_t *window =
		mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem < 0 || !maps || window == MAP_FAILED)
		abort();
	(void)madvise(window, WINDOW, MADV_NOHUGEPAGE);
	char line[512];
	size_t n = 0;
	while (fgets(line, sizeof(line), maps)) {
		uint64_t start, end;
		char mode;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %c", &start, &end, &mode) != 3)
			abort();
		if (mode != 'r' || end - start > MAP_LARGEST || strstr(line, "[v"))
			continue;
		uint64_t ours = (uint64_t)(uintptr_t)window;
		// The kernel may have merged the window's map with its neighbours.
		if (ours < start || ours >= end) {
			n += count_map(mem, start, end, window, m);
			continue;
		}
		n += count_map(mem, start, ours, window, m);
		n += count_map(mem, ours + WINDOW, end, window, m);
	}
	(void)munmap(window, WINDOW);
	return n;
}

static size_t status_kib(const char *field)
{
	FILE *status autofclose = fopen("/proc/self/status", "re");
	char line[256];
	size_t kib = 0, len = strlen(field);
	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, field, len) == 0)
			kib = strtoul(line + len, NULL, 10);
	return kib;
}

size_t memscan_locked_kib(void)
{
	return status_kib("VmLck:");
}

size_t memscan_resident_kib(void)
{
	return status_kib("VmRSS:");
}
