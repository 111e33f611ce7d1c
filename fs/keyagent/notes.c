// SPDX-License-Identifier: MIT
// See notes.h.
#include "notes.h"

#include "kept.h"
#include "plugins.h"
#include "scope.h"
#include "secret.h"

#include <cmkdisk/keyprov.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "CMKDISK_NOTE="

// Those of one plug-in: lines, one behind the other, the oldest first.
struct page {
	struct page *next;
	char plugin[PLUGIN_NAME_ROOM];
	struct secret *text; // NOTES_ROOM bytes
	size_t len, count;   // used of it, and the lines in it
	uint64_t changes;
};

struct notes {
	pthread_mutex_t lock;
	struct page *pages;
};

int notes_new(struct notes **out)
{
	struct notes *n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	(void)pthread_mutex_init(&n->lock, NULL);
	*out = n;
	return 0;
}

static void page_free(struct page **p)
{
	if (!*p)
		return;
	secret_free(&(*p)->text);
	free(*p);
	*p = NULL;
}

void notes_free(struct notes **n)
{
	if (!*n)
		return;
	while ((*n)->pages) {
		struct page *p = (*n)->pages;
		(*n)->pages = p->next;
		page_free(&p);
	}
	(void)pthread_mutex_destroy(&(*n)->lock);
	free(*n);
	*n = NULL;
}

static struct page *find_page(const struct notes *n, const char *plugin)
{
	struct page *p = n->pages;
	while (p && strcmp(p->plugin, plugin) != 0)
		p = p->next;
	return p;
}

static int add_page(struct notes *n, const char *plugin, struct page **out)
{
	struct page *p scoped(page_free) = calloc(1, sizeof(*p));
	int r = p ? kept_new(NOTES_ROOM, &p->text) : -ENOMEM;
	if (r)
		return r;
	(void)snprintf(p->plugin, sizeof(p->plugin), "%s", plugin);
	p->next = n->pages;
	*out = n->pages = TAKE(p);
	return 0;
}

static void remove_at(struct page *p, char *line)
{
	char *text = (char *)p->text->data;
	size_t at = (size_t)(line - text), len = strlen(line) + 1;
	memmove(line, line + len, p->len - at - len);
	p->len -= len;
	p->count--;
	wipe(text + p->len, len);
}

// True if it had this very value.
static bool forget(struct page *p, const char *name, const char *value)
{
	const size_t head = strlen(VARIABLE), len = strlen(name);
	char *text = (char *)p->text->data;
	for (size_t at = 0; at < p->len; at += strlen(text + at) + 1) {
		const char *line = text + at + head;
		if (strncmp(line, name, len) == 0 && line[len] == '=') {
			bool same = strcmp(line + len + 1, value) == 0;
			remove_at(p, text + at);
			return same;
		}
	}
	return !*value;
}

static bool is_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return len > 0 && len < CMK_NOTE_NAME_MAX && !name[len];
}

static bool is_value(const char *value)
{
	size_t len = 0;
	while ((unsigned char)value[len] >= ' ' && value[len] != 0x7f)
		len++;
	return len < CMK_NOTE_VALUE_MAX && !value[len];
}

int notes_put(
	struct notes *n, const char *plugin, const char *name, const char *value, uint64_t *heard)
{
	if (!is_name(name) || !is_value(value))
		return -EINVAL;
	if (!n)
		return 0;
	with_lock(&n->lock);
	struct page *p = find_page(n, plugin);
	if (!p) {
		int r = *value ? add_page(n, plugin, &p) : 0;
		if (r || !*value)
			return r;
	}
	bool knew_all = *heard == p->changes;
	p->changes += !forget(p, name, value);
	if (knew_all)
		*heard = p->changes;
	if (!*value)
		return 0;
	size_t need = strlen(VARIABLE) + strlen(name) + strlen(value) + 2;
	while (p->count == NOTES_MAX || p->len + need > NOTES_ROOM)
		remove_at(p, (char *)p->text->data);
	(void)snprintf((char *)p->text->data + p->len, need, VARIABLE "%s=%s", name, value);
	p->len += need;
	p->count++;
	return 0;
}

uint64_t notes_count(struct notes *n, const char *plugin)
{
	if (!n)
		return 0;
	with_lock(&n->lock);
	const struct page *p = find_page(n, plugin);
	return p ? p->changes : 0;
}

int notes_for(struct notes *n, const char *plugin, struct secret **out, uint64_t *heard)
{
	*out = NULL;
	*heard = 0;
	if (!n)
		return 0;
	with_lock(&n->lock);
	const struct page *p = find_page(n, plugin);
	*heard = p ? p->changes : 0;
	return p && p->len ? secret_dup(p->text->data, p->len, out) : 0;
}

bool notes_lock(struct notes *n)
{
	bool locked = true;
	if (!n)
		return true;
	with_lock(&n->lock);
	for (const struct page *p = n->pages; p; p = p->next)
		locked &= kept_lock(p->text);
	return locked;
}
