// SPDX-License-Identifier: MIT
// A provider that misbehaves on request: deviant:WAY chooses the way. For tests of key agents; it
// protects nothing.
#include <cmkdisk/keyprov.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LINE 3 // the agent's, not ours

// Built a second time under the name that serves https:.
#ifndef DEVIANT_NAME
#define DEVIANT_NAME "deviant"
#define DEVIANT_SCHEMES "deviant other"
#endif

struct deviant {
	const struct cmk_host *host;
	const char *way;
	int timer; // -1: none
	const char *const *environment;
	bool told_environment;
};

static volatile uint8_t kept[32]; // a copy of the secret that must not be there

static enum cmk_verdict obey(uint8_t *plain, size_t *plain_len, const uint8_t *wrapped, size_t n)
{
	if (n == 0 || n > *plain_len)
		return CMK_BAD_BLOB;
	for (size_t i = 0; i < n; i++)
		plain[i] = wrapped[i] ^ 0x5a;
	*plain_len = n;
	return CMK_GRANTED;
}

static _Noreturn void hang(void)
{
	for (;;)
		(void)pause();
}

static _Noreturn void die_by(int sig)
{
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
	hang();
}

static void chatter(const struct cmk_host *h)
{
	for (unsigned i = 0;; i++)
		h->log(h, CMK_LOG_DEBUG, "still talking %u", i);
}

static void fork_holder(const struct cmk_host *h)
{
	char pid[16];
	pid_t child = fork();
	if (child == 0)
		hang(); // with the agent's line open
	(void)snprintf(pid, sizeof(pid), "%d", (int)child);
	h->request_id(h, pid);
}

static void put_other_socket_there(void)
{
	int pair[2];
	(void)close(LINE);
	(void)socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
}

// The ways that end in an ordinary answer. -ENOENT: this is none of them.
static int answer_oddly(struct deviant *d, size_t *plain_len)
{
	const struct cmk_host *h = d->host;
	if (strcmp(d->way, "verdict") == 0)
		return 77;
	if (strcmp(d->way, "huge") == 0)
		*plain_len = 100000;
	else if (strcmp(d->way, "empty") == 0)
		*plain_len = 0;
	else if (strcmp(d->way, "mute") == 0)
		return CMK_DENIED;
	else if (strcmp(d->way, "painted") == 0) {
		h->explain(h, CMK_REASON_DISABLED, "red\033[31m\nsecond line");
		return CMK_DENIED;
	} else if (strcmp(d->way, "throttled") == 0) {
		h->explain(h, CMK_REASON_FORBIDDEN, "come back later");
		h->retry_after(h, 1234);
		h->request_id(h, "id-1");
		return CMK_UNREACHABLE;
	} else if (strcmp(d->way, "clock") == 0) {
		h->explain(h, CMK_REASON_NONE, "left=%u cancelled=%d wall=%lld", h->time_left(h),
			h->cancelled(h), (long long)h->wall_time(h));
		return CMK_UNREACHABLE;
	} else {
		return -ENOENT;
	}
	return CMK_GRANTED;
}

static void misbehave(struct deviant *d, const uint8_t *wrapped, size_t n)
{
	if (strcmp(d->way, "hang") == 0)
		hang();
	if (strcmp(d->way, "crash") == 0)
		die_by(SIGSEGV);
	if (strcmp(d->way, "exit") == 0)
		_exit(3);
	if (strcmp(d->way, "keep") == 0)
		for (size_t i = 0; i < sizeof(kept); i++)
			kept[i] = wrapped[i % n] ^ 0x5a;
	if (strcmp(d->way, "late") == 0)
		(void)usleep(400 * 1000);
	if (strcmp(d->way, "garbage") == 0 && write(LINE, "garbage", 7) == 7)
		hang();
	if (strcmp(d->way, "closeall") == 0)
		(void)close_range(LINE, ~0u, 0);
	if (strcmp(d->way, "swap") == 0)
		put_other_socket_there();
	if (strcmp(d->way, "chatter") == 0)
		chatter(d->host);
	if (strcmp(d->way, "fork") == 0)
		fork_holder(d->host);
	if (strcmp(d->way, "forkdie") == 0) {
		fork_holder(d->host);
		_exit(4);
	}
}

static enum cmk_verdict deviant_unwrap(void *key, const char *version, const char *alg,
	const uint8_t *wrapped, size_t wrapped_len, uint8_t *plain, size_t *plain_len)
{
	struct deviant *d = key;
	(void)version;
	(void)alg;
	int odd = answer_oddly(d, plain_len);
	if (odd >= 0)
		return (enum cmk_verdict)odd;
	misbehave(d, wrapped, wrapped_len);
	return obey(plain, plain_len, wrapped, wrapped_len);
}

static enum cmk_verdict deviant_wrap(
	void *key, const uint8_t *plain, size_t plain_len, struct cmk_wrapped *out)
{
	struct deviant *d = key;
	(void)snprintf(out->version, sizeof(out->version), "v1");
	(void)snprintf(out->alg, sizeof(out->alg), "TEST");
	out->len = sizeof(out->data);
	if (strcmp(d->way, "nonul") == 0)
		memset(out->version, 'v', sizeof(out->version));
	if (strcmp(d->way, "nameless") == 0)
		out->version[0] = '\0';
	size_t room = CMK_PLAIN_MAX;
	uint8_t *p = d->host->secret_alloc(d->host, CMK_PLAIN_MAX);
	enum cmk_verdict v = p ? obey(p, &room, plain, plain_len) : CMK_UNREACHABLE;
	if (v == CMK_GRANTED)
		memcpy(out->data, p, plain_len);
	d->host->secret_free(d->host, p);
	out->len = plain_len;
	return v;
}

static void list_fds(char *out, size_t room)
{
	size_t n = 0;
	for (int fd = 0; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && n < room)
			n += (size_t)snprintf(out + n, room - n, "%s%d", n ? "," : "", fd);
}

// What the process looks like from inside.
static void testify(struct deviant *d)
{
	extern char **environ;
	char env[200] = "", fds[64] = "", cwd[64] = "";
	struct rlimit core = {.rlim_max = 1};
	size_t n = 0;
	for (char **e = environ; *e && n < sizeof(env); e++)
		n += (size_t)snprintf(env + n, sizeof(env) - n, "%.*s ", (int)strcspn(*e, "="), *e);
	list_fds(fds, sizeof(fds));
	(void)getrlimit(RLIMIT_CORE, &core);
	d->host->explain(d->host, CMK_REASON_NONE,
		"env=[ %s] fds=[%s] dumpable=%d leader=%d core=%d int=%d cwd=%s", env, fds,
		prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), getsid(0) == getpid(), (int)core.rlim_max,
		signal(SIGINT, SIG_IGN) == SIG_IGN, getcwd(cwd, sizeof(cwd)) ? cwd : "?");
}

// What the host said about the environment: the lines, but of secrets their lengths alone.
static void list_environment(struct deviant *d)
{
	char text[400] = "";
	size_t n = 0;
	for (const char *const *e = d->environment; e && *e && n < sizeof(text); e++) {
		size_t name = strcspn(*e, "=");
		bool secret = strncmp(*e, "AZURE_CLIENT_SECRET=", name + 1) == 0;
		if (secret)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s(%zu) ", (int)name,
				*e, strlen(*e + name + 1));
		else
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", *e);
	}
	d->host->explain(
		d->host, CMK_REASON_NONE, "told=%d lines=[ %s]", d->told_environment, text);
}

static enum cmk_verdict deviant_describe(void *key, const char *version, struct cmk_key_info *out)
{
	struct deviant *d = key;
	if (strcmp(d->way, "witness") == 0) {
		testify(d);
		return CMK_UNREACHABLE;
	}
	if (strcmp(d->way, "environment") == 0) {
		list_environment(d);
		return CMK_UNREACHABLE;
	}
	d->host->log(d->host, CMK_LOG_NOTICE, "describing %s", version);
	(void)snprintf(out->version, sizeof(out->version), "%s", *version ? version : "newest");
	(void)snprintf(out->kty, sizeof(out->kty), "RSA");
	(void)snprintf(out->recovery_level, sizeof(out->recovery_level), "Purgeable");
	out->bits = 2048;
	out->enabled = 1;
	out->nbf = -5;
	out->exp = INT64_MAX;
	out->created = 1700000000;
	return CMK_GRANTED;
}

static int open_timer(void)
{
	struct itimerspec in = {.it_value = {.tv_nsec = 30 * 1000 * 1000}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	(void)timerfd_settime(fd, 0, &in, NULL);
	return fd;
}

static enum cmk_verdict deviant_open(
	const struct cmk_host *host, const struct cmk_key_ref *ref, void **key)
{
	static unsigned opens;
	const char *way = strchr(ref->key_url, ':') + 1;
	if (strcmp(way, "openhang") == 0)
		hang();
	if (strcmp(way, "opendenied") == 0 && opens++ == 0) {
		host->explain(host, CMK_REASON_IDENTITY, "%s: who are you?", ref->key_url);
		return CMK_DENIED;
	}
	struct deviant *d = calloc(1, sizeof(*d));
	if (!d)
		return CMK_UNREACHABLE;
	*d = (struct deviant){.host = host, .way = way, .timer = -1};
	if (CMK_HAS(ref, struct cmk_key_ref, environment)) {
		d->environment = ref->environment;
		d->told_environment = true;
	}
	if (strcmp(way, "news") == 0 || strcmp(way, "storm") == 0)
		d->timer = open_timer();
	if (strcmp(way, "idledeath") == 0) {
		struct itimerval in = {.it_value = {.tv_usec = 300 * 1000}};
		(void)setitimer(ITIMER_REAL, &in, NULL); // SIGALRM is left at its default
	}
	*key = d;
	return CMK_GRANTED;
}

static void deviant_close(void *key)
{
	struct deviant *d = key;
	if (d->timer >= 0)
		(void)close(d->timer);
	if (strcmp(d->way, "farewell") == 0)
		(void)dprintf(STDERR_FILENO, "closed in an orderly way\n");
	free(d);
}

static int deviant_watch(void *key)
{
	struct deviant *d = key;
	return d->timer;
}

static void deviant_unwatch(void *key)
{
	struct deviant *d = key;
	uint64_t n = 0;
	if (strcmp(d->way, "news") == 0 && read(d->timer, &n, sizeof(n)) != sizeof(n))
		abort();
}

static struct cmk_keyprov deviant = {
	.name = DEVIANT_NAME,
	.version = "1.0",
	.description = "misbehaves on request, for tests",
	.schemes = DEVIANT_SCHEMES,
	.open = deviant_open,
	.close = deviant_close,
	.unwrap = deviant_unwrap,
	.wrap = deviant_wrap,
	.describe = deviant_describe,
	.watch = deviant_watch,
	.unwatch = deviant_unwatch,
};

CMK_KEYPROV_REGISTER(deviant)
