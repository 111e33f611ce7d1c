// SPDX-License-Identifier: MIT
// The faults that are set, and which of them meets a request; see faults.h.
#include "fault.h"

#include "emu_time.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#define FAULTS_MOST 1000

struct faults {
	pthread_mutex_t lock;
	struct fault *first; // in the order they were added; the first that fits wins
	size_t count;
	uint64_t random, serial;
	char *authority;
};

int faults_new(uint64_t seed, struct faults **out)
{
	struct faults *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->random = seed;
	(void)pthread_mutex_init(&f->lock, NULL);
	*out = f;
	return 0;
}

static void take_out(struct faults *f, struct fault **at)
{
	struct fault *gone = *at;
	*at = gone->next;
	f->count--;
	fault_free(&gone);
}

void faults_free(struct faults **f)
{
	if (!*f)
		return;
	while ((*f)->first)
		take_out(*f, &(*f)->first);
	(void)pthread_mutex_destroy(&(*f)->lock);
	free((*f)->authority);
	free(*f);
	*f = NULL;
}

int faults_authority(struct faults *f, const char *authority)
{
	free(f->authority);
	f->authority = strdup(authority);
	return f->authority ? 0 : -ENOMEM;
}

// splitmix64: every seed is a good one.
static uint64_t next_random(struct faults *f)
{
	uint64_t z = (f->random += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool fits(const char *wanted, const char *is)
{
	return !wanted || (is && strcasecmp(wanted, is) == 0);
}

static bool meets(const struct fault *f, const struct fault_subject *s)
{
	return fits(f->operation, s->operation) && fits(f->vault, s->vault) &&
	       fits(f->key, s->key) && fits(f->version, s->version) &&
	       fits(f->endpoint, s->endpoint);
}

// Counts the request, and says whether it is one of those that the fault is for.
static bool strikes(struct faults *all, struct fault *f)
{
	f->seen++;
	if (f->seen <= f->after || (f->until && emu_monotonic_ms() >= f->until))
		return false;
	if (f->left == 0)
		return false;
	if (f->probability < 1 && (double)(next_random(all) >> 11) * 0x1p-53 >= f->probability)
		return false;
	if (f->left > 0)
		f->left--;
	f->struck++;
	return true;
}

int faults_apply(struct faults *f, const struct fault_subject *s, struct emu_reply *reply)
{
	int ret = 0;
	(void)pthread_mutex_lock(&f->lock);
	for (struct fault *i = f->first; i && ret == 0; i = i->next)
		if (meets(i, s) && strikes(f, i))
			ret = fault_reply(i, s, f->authority, reply);
	(void)pthread_mutex_unlock(&f->lock);
	return ret;
}

static int add(
	struct faults *f, const struct kp_json *args, struct kp_json **result, struct kp_err *err)
{
	scoped(fault_free) struct fault *new = NULL;
	int ret = fault_parse(args, f->serial + 1, &new, err);
	if (ret)
		return ret;
	struct fault **at = &f->first;
	for (; *at; at = &(*at)->next)
		if (strcmp((*at)->name, new->name) == 0)
			break;
	if (!*at && f->count == FAULTS_MOST)
		return kp_fail(err, ENOSPC, "there are %d faults already; clear some", FAULTS_MOST);
	ret = fault_json(new, result);
	if (ret)
		return kp_fail(err, -ret, "out of memory");
	f->serial++;
	if (*at) {
		new->next = (*at)->next;
		(*at)->next = NULL;
		fault_free(at);
	} else {
		f->count++;
	}
	*at = TAKE(new);
	return 0;
}

static int clear(
	struct faults *f, const struct kp_json *args, struct kp_json **result, struct kp_err *err)
{
	const char *name = kp_json_str(args, "name");
	int64_t cleared = 0;
	for (struct fault **at = &f->first; *at;) {
		if (name && strcmp((*at)->name, name) != 0) {
			at = &(*at)->next;
			continue;
		}
		take_out(f, at);
		cleared++;
	}
	if (name && cleared == 0)
		return kp_fail(err, ENOENT, "there is no fault named %s", name);
	int ret = kp_json_object(result);
	if (!ret)
		ret = kp_json_add_int(*result, "cleared", cleared);
	return ret ? kp_fail(err, -ret, "out of memory") : 0;
}

static int list(struct faults *f, struct kp_json **result, struct kp_err *err)
{
	scoped(kp_json_free) struct kp_json *array = NULL;
	int ret = kp_json_array(&array);
	for (const struct fault *i = f->first; i && !ret; i = i->next) {
		struct kp_json *j = NULL;
		ret = fault_json(i, &j);
		if (!ret)
			ret = kp_json_push(array, j);
	}
	if (!ret)
		ret = kp_json_object(result);
	if (!ret)
		ret = kp_json_add(*result, "faults", TAKE(array));
	return ret ? kp_fail(err, -ret, "out of memory") : 0;
}

int faults_action(void *faults, const char *verb, const struct kp_json *args,
	struct kp_json **result, struct kp_err *err)
{
	struct faults *f = faults;
	int ret;
	(void)pthread_mutex_lock(&f->lock);
	if (strcmp(verb, "add") == 0)
		ret = add(f, args, result, err);
	else if (strcmp(verb, "clear") == 0)
		ret = clear(f, args, result, err);
	else if (strcmp(verb, "list") == 0)
		ret = list(f, result, err);
	else
		ret = kp_fail(
			err, EINVAL, "fault.%s: unknown; there are add, clear and list", verb);
	(void)pthread_mutex_unlock(&f->lock);
	return ret;
}
