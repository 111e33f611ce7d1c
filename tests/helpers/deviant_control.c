// SPDX-License-Identifier: MIT
// The control file, the log, and the deeds that any function can do. For tests only.
#include "deviant_control.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_LEN 128
#define FUNCTIONS_MAX 80
#define FDS_MAX 64

struct order {
	struct deed deed;
	unsigned long skip, times;
};

// How often a function was called since its line is what it is.
static struct {
	const char *function;
	char line[LINE_LEN];
	unsigned long calls;
} counts[FUNCTIONS_MAX];

void deviant_log(const char *fmt, ...)
{
	const char *path = getenv("DEVIANT_LOG");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	if (fd < 0)
		return;
	va_list ap;
	va_start(ap, fmt);
	(void)dprintf(fd, "%d ", (int)getpid());
	(void)vdprintf(fd, fmt, ap);
	(void)dprintf(fd, "\n");
	va_end(ap);
	(void)close(fd);
}

static bool is_for(const char *line, const char *function)
{
	size_t n = strcspn(line, "=");
	if (n == 1 && *line == '*')
		return strcmp(function, "C_Initialize") != 0 &&
		       strcmp(function, "C_Finalize") != 0 &&
		       strcmp(function, "C_GetFunctionList") != 0;
	return line[n] == '=' && strlen(function) == n && strncmp(line, function, n) == 0;
}

// The line for the function, without its newline.
static bool find_line(const char *function, char line[LINE_LEN])
{
	const char *path = getenv("DEVIANT_CONTROL");
	FILE *f = path ? fopen(path, "re") : NULL;
	bool found = false;
	while (f && !found && fgets(line, LINE_LEN, f)) {
		line[strcspn(line, "\n")] = '\0';
		found = is_for(line, function);
	}
	if (f)
		(void)fclose(f);
	return found;
}

static void parse(const char *line, struct order *o)
{
	char words[LINE_LEN], *rest = words;
	(void)snprintf(words, sizeof(words), "%s", strchr(line, '=') + 1);
	char *deed = strsep(&rest, " ");
	char *number = strchr(deed, ':');
	if (number)
		*number++ = '\0';
	(void)snprintf(o->deed.name, sizeof(o->deed.name), "%s", deed);
	o->deed.value = number ? strtoul(number, NULL, 0) : 0;
	o->skip = 0;
	o->times = ~0ul;
	for (char *word; (word = strsep(&rest, " "));) {
		if (strncmp(word, "skip=", 5) == 0)
			o->skip = strtoul(word + 5, NULL, 0);
		if (strncmp(word, "times=", 6) == 0)
			o->times = strtoul(word + 6, NULL, 0);
	}
}

// Counts the call; the number of those before it under the same line.
static unsigned long count(const char *function, const char *line)
{
	size_t i = 0;
	while (i < FUNCTIONS_MAX - 1 && counts[i].function &&
		strcmp(counts[i].function, function) != 0)
		i++;
	counts[i].function = function;
	if (strcmp(counts[i].line, line) != 0) {
		(void)snprintf(counts[i].line, LINE_LEN, "%s", line);
		counts[i].calls = 0;
	}
	return counts[i].calls++;
}

bool deed_asked(const char *function, const char *deed, unsigned long *value)
{
	char line[LINE_LEN];
	struct order o = {.deed = {.name = ""}};
	if (!find_line(function, line))
		return false;
	parse(line, &o);
	if (value)
		*value = o.deed.value;
	return deed_is(&o.deed, deed);
}

static void look_up(struct deed *d)
{
	char line[LINE_LEN];
	struct order o = {.deed = {.name = ""}};
	if (!find_line(d->function, line))
		return;
	parse(line, &o);
	unsigned long before = count(d->function, line);
	if (before < o.skip || before - o.skip >= o.times)
		return;
	o.deed.function = d->function;
	*d = o.deed;
}

static void crash(void)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	(void)sigaction(SIGSEGV, &plain, NULL); // no report, under the address sanitizer
	(void)kill(getpid(), SIGSEGV);
	for (;;)
		(void)pause();
}

static void nothing(int signal)
{
	(void)signal;
}

static void change_signals(void)
{
	struct sigaction act = {.sa_handler = SIG_DFL};
	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGHUP, &act, NULL);
	(void)sigaction(SIGPIPE, &act, NULL);
	act.sa_handler = nothing;
	(void)sigaction(SIGTERM, &act, NULL);
	(void)sigaction(SIGCHLD, &act, NULL);
	(void)sigaction(SIGALRM, &act, NULL);
	sigset_t all;
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
}

static void take_descriptors(const char *how)
{
	char byte[16] = "not a frame";
	for (int fd = 3; fd < FDS_MAX; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		if (strcmp(how, "closes") == 0)
			(void)close(fd);
		else if (strcmp(how, "writes") == 0)
			(void)!write(fd, byte, sizeof(byte));
		else
			(void)!read(fd, byte, sizeof(byte));
	}
}

static void leave_child(void)
{
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			(void)pause();
	deviant_log("forked %d", (int)pid);
}

static void print(void)
{
	(void)!write(STDOUT_FILENO, "deviant: hello\n", 15);
	(void)!write(STDERR_FILENO, "deviant: hello\n", 15);
}

bool deed_begin(const char *function, struct deed *d, CK_RV *rv)
{
	*d = (struct deed){.function = function};
	*rv = CKR_OK;
	look_up(d);
	if (!*d->name)
		return false;
	deviant_log("%s ! %s", function, d->name);
	while (deed_is(d, "hang"))
		(void)pause();
	if (deed_is(d, "crash"))
		crash();
	else if (deed_is(d, "exit"))
		exit(7);
	else if (deed_is(d, "slow"))
		(void)usleep((useconds_t)d->value * 1000);
	else if (deed_is(d, "print"))
		print();
	else if (deed_is(d, "fork"))
		leave_child();
	else if (deed_is(d, "signals"))
		change_signals();
	else if (deed_is(d, "closes") || deed_is(d, "writes") || deed_is(d, "reads"))
		take_descriptors(d->name);
	if (!deed_is(d, "rv"))
		return false;
	*rv = deed_end(d, d->value);
	return true;
}

CK_RV deed_end(const struct deed *d, CK_RV rv)
{
	if (deed_is(d, "say"))
		rv = d->value;
	deviant_log("%s = 0x%lx", d->function, rv);
	return rv;
}

bool deed_is(const struct deed *d, const char *name)
{
	return strcmp(d->name, name) == 0;
}
