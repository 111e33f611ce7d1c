// SPDX-License-Identifier: MIT
// The program as host of its own bundle code, and the sealing of its process; see keyfile.h.
#include "keyfile.h"

#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define HEAD 64			// before each piece: its size; keeps the alignment
#define SECRETS_MOST (1u << 20) // bytes; more than any bundle and what is made of it

static void *secret_alloc(const struct cmk_host *host, size_t len)
{
	(void)host;
	size_t size = len + HEAD;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	(void)mlock(p, size); // keyfile_seal_process() has told it if this cannot be done
	(void)madvise(p, size, MADV_DONTDUMP);
	memcpy(p, &size, sizeof(size));
	return (char *)p + HEAD;
}

static void secret_free(const struct cmk_host *host, void *p)
{
	(void)host;
	if (!p)
		return;
	char *head = (char *)p - HEAD;
	size_t size;
	memcpy(&size, head, sizeof(size));
	explicit_bzero(head, size);
	(void)munmap(head, size);
}

static void host_log(const struct cmk_host *host, enum cmk_log_level level, const char *fmt, ...)
	CMK_PRINTF(3, 4);
static void host_log(const struct cmk_host *host, enum cmk_log_level level, const char *fmt, ...)
{
	(void)host;
	(void)level;
	va_list ap;
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

static int64_t wall_time(const struct cmk_host *host)
{
	(void)host;
	return (int64_t)time(NULL);
}

const struct cmk_host *keyfile_host(void)
{
	static const struct cmk_host host = {
		.struct_size = sizeof(host),
		.api_version = CMK_KEYPROV_API_VERSION,
		.log = host_log,
		.secret_alloc = secret_alloc,
		.secret_free = secret_free,
		.wall_time = wall_time,
	};
	return &host;
}

static bool can_lock(void)
{
	void *p = mmap(
		NULL, SECRETS_MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	bool locked = mlock(p, SECRETS_MOST) == 0;
	(void)munmap(p, SECRETS_MOST);
	return locked;
}

void keyfile_seal_process(void)
{
	struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		(void)fputs("warning: cannot forbid core files of this process\n", stderr);
	if (!can_lock())
		(void)fputs("warning: memory for secrets cannot be locked (ulimit -l); a private "
			    "key may "
			    "reach the swap\n",
			stderr);
}
