// SPDX-License-Identifier: MIT
// Steps of a timeline and the thread that takes them; see timeline.h.
#include "timeline.h"

#include "emu_file.h"
#include "emu_time.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>

#define TIMELINE_MOST (1u << 20) // bytes

struct step {
	int64_t at_ms;
	const struct kp_json *args;
};

struct timeline {
	struct timeline_host host;
	char *text;	       // what the documents point into
	struct kp_json **docs; // one, or one a line
	size_t doc_count;
	struct step *steps; // in the order of their time
	size_t count, next;
	int64_t started;
	int ending;
	bool running;
	pthread_t thread;
};

void timeline_free(struct timeline **timeline)
{
	struct timeline *t = *timeline;
	uint64_t one = 1;
	if (!t)
		return;
	if (t->running) {
		(void)!write(t->ending, &one, sizeof(one));
		(void)pthread_join(t->thread, NULL);
	}
	kp_scope_close(&t->ending);
	for (size_t i = 0; i < t->doc_count; i++)
		kp_json_free(&t->docs[i]);
	free(t->docs);
	free(t->steps);
	free(t->text);
	free(t);
	*timeline = NULL;
}

static int parse_one(struct timeline *t, char *text, size_t len, const char *path, size_t line,
	struct kp_err *err)
{
	struct kp_json **grown =
		reallocarray(t->docs, t->doc_count + 1, sizeof(*t->docs)); // one a line at most
	if (!grown)
		return kp_fail(err, ENOMEM, "out of memory");
	t->docs = grown;
	int ret = kp_json_parse(text, len, &t->docs[t->doc_count]);
	if (ret)
		return kp_fail(err, -ret,
			"%s:%zu: is no JSON; write one array of steps, or one "
			"step a line",
			path, line);
	t->doc_count++;
	return 0;
}

static int parse_lines(struct timeline *t, const char *path, struct kp_err *err)
{
	size_t line = 1;
	for (char *p = t->text; *p; line++) {
		char *end = strchrnul(p, '\n');
		char *next = *end ? end + 1 : end;
		if (strspn(p, " \t\r") < (size_t)(end - p)) {
			int ret = parse_one(t, p, (size_t)(end - p), path, line, err);
			if (ret)
				return ret;
		}
		p = next;
	}
	return 0;
}

static int add_step(
	struct timeline *t, const struct kp_json *args, const char *path, struct kp_err *err)
{
	struct kp_err why = {""};
	int64_t at = -1;
	size_t n = t->count + 1;
	int ret = emu_arg_duration(args, "at", &at, &why);
	if (ret || at < 0)
		return kp_fail(err, EINVAL, "%s: step %zu: %s", path, n,
			ret ? why.text : "needs its moment, such as \"at\": \"2s\"");
	ret = t->host.check(t->host.ctx, args, &why);
	if (ret)
		return kp_fail(err, -ret, "%s: step %zu: %s", path, n, why.text);
	struct step *grown = reallocarray(t->steps, n, sizeof(*t->steps));
	if (!grown)
		return kp_fail(err, ENOMEM, "out of memory");
	t->steps = grown;
	// In its place behind those of the same moment.
	size_t i = t->count++;
	for (; i > 0 && t->steps[i - 1].at_ms > at; i--)
		t->steps[i] = t->steps[i - 1];
	t->steps[i] = (struct step){at, args};
	return 0;
}

static int load(struct timeline *t, const char *path, struct kp_err *err)
{
	size_t len;
	int ret = emu_file_read(path, TIMELINE_MOST, &t->text, &len, err);
	if (ret)
		return ret;
	if (t->text[strspn(t->text, " \t\r\n")] != '[')
		ret = parse_lines(t, path, err);
	else
		ret = parse_one(t, t->text, len, path, 1, err);
	for (size_t i = 0; i < t->doc_count && !ret; i++) {
		if (!kp_json_is_array(t->docs[i])) {
			ret = add_step(t, t->docs[i], path, err);
			continue;
		}
		const struct kp_json *s = kp_json_first(t->docs[i]);
		for (; s && !ret; s = kp_json_next(s))
			ret = add_step(t, s, path, err);
	}
	return ret;
}

int timeline_open(const char *path, const struct timeline_host *host, struct timeline **out,
	struct kp_err *err)
{
	scoped(timeline_free) struct timeline *t = calloc(1, sizeof(*t));
	if (!t)
		return kp_fail(err, ENOMEM, "out of memory");
	t->host = *host;
	t->ending = eventfd(0, EFD_CLOEXEC);
	if (t->ending < 0)
		return kp_fail(err, errno, "cannot make an event descriptor: %s", strerror(errno));
	int ret = load(t, path, err);
	if (!ret)
		*out = TAKE(t);
	return ret;
}

int64_t timeline_due(struct timeline *t, int64_t now_ms)
{
	for (; t->next < t->count; t->next++) {
		const struct step *s = &t->steps[t->next];
		if (s->at_ms > now_ms)
			return s->at_ms;
		t->host.run(t->host.ctx, s->at_ms, kp_json_str(s->args, "do"), s->args);
	}
	return -ENOENT;
}

static void *take_steps(void *arg)
{
	struct timeline *t = arg;
	struct pollfd p = {.fd = t->ending, .events = POLLIN};
	for (;;) {
		int64_t next = timeline_due(t, emu_monotonic_ms() - t->started);
		if (next < 0)
			return NULL;
		int64_t left = next - (emu_monotonic_ms() - t->started);
		left = left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : left;
		if (poll(&p, 1, (int)left) > 0)
			return NULL;
	}
}

int timeline_start(struct timeline *t)
{
	t->started = emu_monotonic_ms();
	int ret = pthread_create(&t->thread, NULL, take_steps, t);
	t->running = ret == 0;
	return -ret;
}
