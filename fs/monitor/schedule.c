// SPDX-License-Identifier: MIT
// When to ask about a key next; see schedule.h.
#include "schedule.h"

#include "clock.h"

#define NEWS_APART_NS (200 * NS_PER_MS)
#define INTERVAL_MAX_MS (10ull * 366 * 24 * 3600 * MS_PER_S)

// splitmix64: even, seedable, not for secrets.
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

// ns, give or take a tenth, so that a thousand hosts started by one script do not ask as one.
static uint64_t jittered(struct schedule *s, uint64_t ns)
{
	uint64_t tenth = ns / 10;
	return ns - tenth + next_random(&s->random) % (2 * tenth + 1);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void schedule_init(struct schedule *s, uint64_t interval_ms, uint64_t seed, uint64_t now_ns)
{
	interval_ms = min_u64(interval_ms, INTERVAL_MAX_MS);
	*s = (struct schedule){.interval_ns = interval_ms * NS_PER_MS, .random = seed};
	s->due_ns = now_ns + jittered(s, s->interval_ns);
}

static uint64_t back_off(const struct schedule *s)
{
	uint64_t wait = min_u64(NS_PER_S, s->interval_ns / 8);
	for (unsigned i = 1; i < s->bad_answers && wait < s->interval_ns; i++)
		wait *= 2;
	return wait;
}

void schedule_answered(struct schedule *s, bool good, uint32_t retry_after_ms, uint64_t now_ns)
{
	if (good) {
		s->bad_answers = 0;
		s->due_ns = now_ns + jittered(s, s->interval_ns);
		return;
	}
	if (s->bad_answers < UINT32_MAX)
		s->bad_answers++;
	uint64_t wait = jittered(s, back_off(s));
	if (wait < retry_after_ms * NS_PER_MS)
		wait = retry_after_ms * NS_PER_MS;
	s->due_ns = now_ns + min_u64(wait, s->interval_ns);
}

void schedule_news(struct schedule *s, uint64_t now_ns)
{
	uint64_t at = now_ns;
	if (s->news_ns != 0 && at < s->news_ns + NEWS_APART_NS)
		at = s->news_ns + NEWS_APART_NS;
	if (at >= s->due_ns)
		return;
	s->due_ns = at;
	s->news_ns = at;
}
