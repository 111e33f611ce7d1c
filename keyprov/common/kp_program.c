// SPDX-License-Identifier: MIT
// See kp_program.h.
#include "kp_program.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>

#define HEAD 64			// before each piece: its size; keeps the alignment
#define SECRETS_MOST (1u << 20) // bytes; more than any program here holds

static void *secret_alloc(const struct cmk_host *host, size_t len)
{
	(void)host;
	size_t size = len + HEAD;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	(void)mlock(p, size); // kp_program_seal() has told it if this cannot be done
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

// kind: with its colon, or "".
static void say(const char *kind, const char *fmt, va_list ap)
{
	char text[1024];
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	(void)fprintf(stderr, "%s: %s%s\n", kp_program_name(), kind, text);
}

void kp_program_warn(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("warning: ", fmt, ap);
	va_end(ap);
}

void kp_program_note(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("note: ", fmt, ap);
	va_end(ap);
}

static void complain(const char *fmt, ...) printf_like(1, 2);
static void complain(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

static void host_log(const struct cmk_host *host, enum cmk_log_level level, const char *fmt, ...)
	CMK_PRINTF(3, 4);
static void host_log(const struct cmk_host *host, enum cmk_log_level level, const char *fmt, ...)
{
	(void)host;
	if (level == CMK_LOG_DEBUG)
		return;
	va_list ap;
	va_start(ap, fmt);
	say(level == CMK_LOG_WARNING ? "warning: " : "", fmt, ap);
	va_end(ap);
}

static int64_t wall_time(const struct cmk_host *host)
{
	(void)host;
	return (int64_t)time(NULL);
}

static uint32_t time_left(const struct cmk_host *host)
{
	(void)host;
	return UINT32_MAX;
}

static int cancelled(const struct cmk_host *host)
{
	(void)host;
	return 0;
}

const char *kp_program_name(void)
{
	return program_invocation_short_name;
}

bool kp_program_asks_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0 || strcmp(arg, "help") == 0;
}

static int exit_status(int ret)
{
	static const struct {
		int errnum, status;
	} table[] = {
		{0, EX_OK},
		{EINVAL, EX_USAGE},
		{ENAMETOOLONG, EX_USAGE},
		{EBADMSG, EX_DATAERR},
		{E2BIG, EX_DATAERR},
		{EFBIG, EX_DATAERR},
		{ENOENT, EX_NOINPUT},
		{ENOTDIR, EX_NOINPUT},
		{EHOSTUNREACH, EX_UNAVAILABLE},
		{ECONNREFUSED, EX_UNAVAILABLE},
		{ENOMEM, EX_OSERR},
		{EMFILE, EX_OSERR},
		{EEXIST, EX_CANTCREAT},
		{EIO, EX_IOERR},
		{ENOSPC, EX_IOERR},
		{EDQUOT, EX_IOERR},
		{ESTALE, EX_IOERR},
		{EADDRINUSE, EX_TEMPFAIL},
		{EBUSY, EX_TEMPFAIL},
		{EACCES, EX_NOPERM},
		{EPERM, EX_NOPERM},
		{EROFS, EX_NOPERM},
		{EKEYREVOKED, EX_NOPERM},
		{EDOM, EX_CONFIG},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (table[i].errnum == -ret)
			return table[i].status;
	return EX_SOFTWARE;
}

int kp_program_end(int ret, struct kp_err *err)
{
	if (ret == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		ret = kp_fail(err, EIO, "cannot write to standard output: %s", strerror(errno));
	if (ret)
		complain("%s", err->text);
	return exit_status(ret);
}

void kp_program_free_secret(char **p)
{
	secret_free(NULL, *p);
}

const struct cmk_host *kp_program_host(void)
{
	static const struct cmk_host host = {
		// Without notes: nothing is started in place of a program.
		.struct_size = offsetof(struct cmk_host, note),
		.api_version = CMK_KEYPROV_API_VERSION,
		.log = host_log,
		.secret_alloc = secret_alloc,
		.secret_free = secret_free,
		.time_left = time_left,
		.cancelled = cancelled,
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

void kp_program_seal(void)
{
	struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		kp_program_warn("cannot forbid core files of this process");
	if (!can_lock())
		kp_program_warn(
			"memory for secrets cannot be locked (ulimit -l); a private key may "
			"reach the swap");
}
