// SPDX-License-Identifier: MIT
// agent_checks PROGRAM PLUGINDIR KEYURL CONFIG COUNT: has a key agent check one key COUNT times, as
// the daemon does for a disk: it is to unwrap, then to tell the attributes of the newest version.
// Prints one JSON object: the algorithm, what a check and each of its two questions takes in
// microseconds, and which process the agent was, with what it had resident and open, after 100,
// 1,000, 10,000 ... and COUNT checks. Exit status: the verdict of the first question that was not
// granted.
#include "agent.h"
#include "scope.h"
#include "secret.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_LOOK 100u
#define COUNT_MAX 1000000u
#define EXIT_WRONG 71 // granted, with other bytes or another version

enum { UNWRAP, DESCRIBE, WHOLE, TIMES };

struct run {
	struct agent *agent;
	struct secret *plain;
	struct cmk_wrapped wrapped;
	uint64_t *took_us; // TIMES after each other, count of each
	unsigned count;
};

static uint64_t now_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static int failed(const char *what, const struct agent_answer *answer)
{
	(void)fprintf(stderr, "%s: verdict %d: %s\n", what, (int)answer->verdict, answer->sentence);
	return (int)answer->verdict;
}

// VmRSS of a process in KiB; 0 if it cannot be told.
static unsigned long resident_kib(int pid)
{
	char path[64], line[128];
	unsigned long kib = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "VmRSS:", 6))
			kib = strtoul(line + 6, NULL, 10);
	if (f)
		(void)fclose(f);
	return kib;
}

static unsigned descriptors(int pid)
{
	char path[64];
	unsigned n = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *d = opendir(path);
	for (struct dirent *e = NULL; d && (e = readdir(d));)
		n += e->d_name[0] != '.';
	if (d)
		(void)closedir(d);
	return n;
}

static void look(const struct run *r, unsigned checks)
{
	struct agent_stats s;
	agent_stats(r->agent, &s);
	(void)printf("%s{\"checks\": %u, \"pid\": %d, \"rssKib\": %lu, \"descriptors\": %u}",
		checks == FIRST_LOOK ? "" : ", ", checks, s.pid, resident_kib(s.pid),
		descriptors(s.pid));
}

static int check(struct run *r, unsigned i)
{
	struct secret *back scoped(secret_free) = NULL;
	struct agent_answer answer;
	struct cmk_key_info info;
	const uint64_t begun = now_us();
	agent_unwrap(r->agent, r->wrapped.version, r->wrapped.alg, r->wrapped.data, r->wrapped.len,
		&back, &answer);
	const uint64_t unwrapped = now_us();
	if (answer.verdict != CMK_GRANTED)
		return failed("unwrap", &answer);
	if (!secret_equal(r->plain, back))
		return EXIT_WRONG;
	agent_describe(r->agent, "", &info, &answer);
	const uint64_t described = now_us();
	if (answer.verdict != CMK_GRANTED)
		return failed("describe", &answer);
	r->took_us[UNWRAP * r->count + i] = unwrapped - begun;
	r->took_us[DESCRIBE * r->count + i] = described - unwrapped;
	r->took_us[WHOLE * r->count + i] = described - begun;
	return strcmp(info.version, r->wrapped.version) == 0 ? 0 : EXIT_WRONG;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void print_times(const struct run *r, const char *name, uint64_t *us)
{
	qsort(us, r->count, sizeof(*us), by_size);
	(void)printf(", \"%s\": {\"minUs\": %" PRIu64 ", \"medianUs\": %" PRIu64
		     ", \"p99Us\": %" PRIu64 "}",
		name, us[0], us[r->count / 2], us[r->count * 99 / 100]);
}

static int run_checks(struct run *r)
{
	unsigned next = FIRST_LOOK;
	(void)printf("{\"alg\": \"%s\", \"at\": [", r->wrapped.alg);
	for (unsigned i = 0; i < r->count; i++) {
		int rc = check(r, i);
		if (rc)
			return rc;
		if (i + 1 == next || i + 1 == r->count) {
			look(r, i + 1);
			next *= 10;
		}
	}
	(void)printf("]");
	print_times(r, "check", r->took_us + (size_t)WHOLE * r->count);
	print_times(r, "unwrap", r->took_us + (size_t)UNWRAP * r->count);
	print_times(r, "describe", r->took_us + (size_t)DESCRIBE * r->count);
	(void)printf("}\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct agent *a scoped(agent_free) = NULL;
	struct secret *plain scoped(secret_free) = NULL;
	uint64_t *times autofree = NULL;
	struct errmsg err = {.text = ""};
	struct agent_answer answer;
	unsigned long count = argc == 6 ? strtoul(argv[5], NULL, 10) : 0;
	if (count < FIRST_LOOK || count > COUNT_MAX)
		return 64;
	struct agent_config c = {.program = argv[1],
		.plugin_dir = argv[2],
		.key_url = argv[3],
		.config = argv[4],
		.disk = "checks",
		.renew_after = UINT32_MAX}; // it is this process that must not grow
	times = calloc(count, TIMES * sizeof(*times));
	if (!times || secret_random(32, &plain))
		return 70;
	if (agent_new(&c, &a, &err)) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 78;
	}
	struct run r = {.agent = a, .plain = plain, .took_us = times, .count = (unsigned)count};
	agent_wrap(a, plain, &r.wrapped, &answer);
	return answer.verdict == CMK_GRANTED ? run_checks(&r) : failed("wrap", &answer);
}
