// SPDX-License-Identifier: MIT
// cmkdisk-agent: the process in which one provider plug-in runs. Started by cmkdisk, not by people.
//
//   cmkdisk-agent --fd N            serve the socket N (see wire.h)
//   cmkdisk-agent --describe PATH   load a plug-in, print what it is as name=value lines
//
// Whatever happens, it does not outlive the other end of its line: a thread of its own watches for
// that, since a provider may hang for ever.
#include "agent_loop.h"
#include "agent_plugin.h"
#include "errmsg.h"
#include "secret.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define LINE_MAX_FD 1024

// Half a close is a goodbye, which the loop reads. A whole one means that the daemon is no more.
static void *watch_line(void *arg)
{
	struct pollfd p = {.fd = (int)(intptr_t)arg, .events = 0};
	while (poll(&p, 1, -1) <= 0)
		continue;
	if (getpgrp() == getpid()) // ours alone: with what the provider may have forked
		(void)kill(0, SIGKILL);
	_exit(EX_IOERR);
}

static int parse_fd(const char *text)
{
	char *end = NULL;
	long fd = strtol(text, &end, 10);
	return *text && !*end && fd > STDERR_FILENO && fd < LINE_MAX_FD ? (int)fd : -1;
}

static int serve(const char *fd_text)
{
	pthread_t thread;
	int line = parse_fd(fd_text);
	if (line < 0) {
		(void)fprintf(stderr, "cmkdisk-agent: --fd %s: expected the number of a socket\n",
			fd_text);
		return EX_USAGE;
	}
	// What a provider executes has no business with the line.
	if (fcntl(line, F_SETFD, FD_CLOEXEC))
		return EX_OSERR;
	// Provider and terminal have nothing to say to each other.
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	if (pthread_create(&thread, NULL, watch_line, (void *)(intptr_t)line))
		return EX_OSERR;
	return agent_loop(line);
}

static void print_field(const char *name, const char *value)
{
	char text[256];
	(void)snprintf(text, sizeof(text), "%s", value);
	text_sanitise(text);
	(void)printf("%s=%s\n", name, text);
}

static int describe(const char *path)
{
	struct loaded p = {.handle = NULL};
	struct errmsg err = {.text = ""};
	if (plugin_load(path, &p, &err)) {
		(void)printf("problem=%s\n", err.text);
		return EX_CONFIG;
	}
	print_field("name", p.table.name);
	print_field("version", p.table.version);
	print_field("description", p.table.description);
	print_field("schemes", p.table.schemes);
	(void)printf("api_version=%u\n", p.table.api_version);
	return 0;
}

static int run(int argc, char **argv)
{
	int r = process_seal_memory();
	if (r) {
		(void)fprintf(
			stderr, "cmkdisk-agent: cannot forbid core dumps: %s\n", strerror(-r));
		return EX_OSERR;
	}
	if (argc == 3 && strcmp(argv[1], "--fd") == 0)
		return serve(argv[2]);
	if (argc == 3 && strcmp(argv[1], "--describe") == 0)
		return describe(argv[2]);
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return printf("cmkdisk-agent %s\n", CMKDISK_VERSION) < 0 ? EX_IOERR : 0;
	(void)fprintf(stderr, "usage: cmkdisk-agent --fd N | --describe PLUGIN | --version\n"
			      "cmkdisk starts it by itself; see cmkdisk-provider(3)\n");
	return EX_USAGE;
}

int main(int argc, char **argv)
{
	int status = run(argc, argv);
	(void)fflush(stdout);
	// Not exit(): handlers that vendor libraries have left behind crash or hang often enough,
	// and a thread of theirs may still run.
	_exit(status);
}
