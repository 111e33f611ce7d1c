// SPDX-License-Identifier: MIT
// The steps of a move in the header, each of which leaves a disk that opens.
#include "luks.h"
#include "rebind.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct binding *find(const struct volume *v, const struct binding *b)
{
	const struct volume_info *info = volume_info(v);
	for (size_t i = 0; i < info->binding_count; i++)
		if (binding_same(&info->bindings[i], b))
			return &info->bindings[i];
	return NULL;
}

// A move ties its old bindings to the new one, so that of these one does not go without the others.
static bool tied(const struct binding *a, const struct binding *b)
{
	return binding_replaces(a, b) || binding_replaces(b, a);
}

// Which of the header's bindings r takes the place of.
static void mark(const struct volume_info *info, const struct binding *present,
	const struct rebind *r, bool only, bool goes[BINDINGS_MAX])
{
	const struct binding *all = info->bindings;
	const size_t count = info->binding_count;
	bool more = true;
	for (size_t i = 0; i < count; i++)
		goes[i] = only || !strcmp(all[i].key_url, present->key_url) ||
			  binding_replaces(&r->binding, &all[i]);
	while (more) {
		more = false;
		for (size_t i = 0; i < count; i++)
			for (size_t j = 0; j < count && !goes[i]; j++)
				if (goes[j] && !binding_same(&all[j], &r->binding) &&
					tied(&all[i], &all[j]))
					more = goes[i] = true;
	}
	for (size_t i = 0; i < count; i++)
		goes[i] &= !binding_same(&all[i], &r->binding);
}

// True if that says more than r->binding did before.
static bool list(const struct volume_info *info, const struct binding *present, struct rebind *r)
{
	bool goes[BINDINGS_MAX] = {false}, news = false;
	struct binding *b = &r->binding;
	mark(info, present, r, r->only, goes);
	for (size_t i = 0; i < info->binding_count; i++)
		news |= goes[i] && !binding_replaces(b, &info->bindings[i]);
	b->replaces_count = 0;
	for (size_t i = 0; i < info->binding_count && b->replaces_count < BINDING_REPLACES_MAX; i++)
		if (goes[i])
			memcpy(b->replaces[b->replaces_count++], info->bindings[i].id,
				BINDING_ID_LEN);
	return news;
}

static const struct binding *left_over(
	const struct volume *v, const struct binding *present, const struct rebind *r)
{
	const struct volume_info *info = volume_info(v);
	bool goes[BINDINGS_MAX] = {false};
	mark(info, present, r, false, goes);
	for (size_t i = 0; i < info->binding_count; i++) {
		const struct binding *b = &info->bindings[i];
		if (b->token != present->token &&
			(goes[i] || !strcmp(b->key_url, r->binding.key_url)))
			return b;
	}
	return NULL;
}

// A small header has room for three bindings.
static int add(struct volume *v, const struct secret *dek, const struct binding *present,
	struct rebind *r, struct errmsg *err)
{
	const struct binding *b = NULL;
	(void)list(volume_info(v), present, r);
	int rc = volume_add_binding(v, dek, &r->binding, r->slot_secret, err);
	while (rc == -ENOSPC && (b = left_over(v, present, r)) != NULL) {
		rc = volume_remove_binding(v, dek, b->token, err);
		(void)list(volume_info(v), present, r);
		if (!rc)
			rc = volume_add_binding(v, dek, &r->binding, r->slot_secret, err);
	}
	return rc;
}

static int prove(struct volume *v, const struct secret *dek, const struct rebind *r,
	const struct binding **out, struct errmsg *err)
{
	struct secret *opened scoped(secret_free) = NULL;
	const struct binding *b = find(v, &r->binding);
	if (!b)
		return errmsg_set(err, EAGAIN,
			"%s: the new binding (token %d) is not in the header; somebody else "
			"changes it",
			r->binding.key_url, r->binding.token);
	int rc = volume_unlock(v, b, r->slot_secret, &opened, err);
	if (rc)
		return rc;
	if (!secret_equal(opened, dek))
		return errmsg_set(err, EBADMSG,
			"%s: the binding in token %d opens another data key; nothing was removed",
			r->binding.key_url, r->binding.token);
	*out = b;
	return 0;
}

int rebind_commit(struct volume *v, const struct secret *dek, const struct binding *present,
	struct rebind *r, struct errmsg *err)
{
	const struct binding *there = NULL;
	int rc = r->stands ? 0 : add(v, dek, present, r, err);
	if (rc)
		return rc;
	r->stands = true;
	rc = prove(v, dek, r, &there, err);
	if (rc)
		return rc;
	r->binding = *there;
	if (list(volume_info(v), present, r))
		rc = volume_set_replaces(v, dek, &r->binding, err);
	r->proven = rc == 0;
	return rc;
}

const struct binding *rebind_left(const struct binding *b, const struct binding *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!binding_same(&all[i], b) && binding_replaces(b, &all[i]))
			return &all[i];
	return NULL;
}

const struct binding *rebind_successor(
	const struct binding *b, const struct binding *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i].key_url, b->key_url) && binding_replaces(&all[i], b))
			return &all[i];
	return NULL;
}

int rebind_refuse_unfinished(const char *name, const struct binding *b, const struct binding *all,
	size_t count, struct errmsg *err)
{
	const struct binding *to = rebind_successor(b, all, count);
	if (!to)
		return 0;
	return errmsg_set(err, EBUSY,
		"%s: its move to %s broke off, so %s still opens it; rekey it to the one or the "
		"other, or mount it again once the new key is granted",
		name, to->key_url, b->key_url);
}

int rebind_finish(struct volume *v, const struct secret *dek, const struct binding *b,
	size_t *removed, struct errmsg *err)
{
	const struct volume_info *info = volume_info(v);
	const struct binding *there = find(v, b), *left = NULL;
	int rc = 0;
	if (!there)
		return errmsg_set(err, EAGAIN,
			"%s: the binding in token %d is not in the header; somebody else changes "
			"it",
			b->key_url, b->token);
	const struct binding held = *there;
	while (!rc && (left = rebind_left(&held, info->bindings, info->binding_count)) != NULL) {
		rc = volume_remove_binding(v, dek, left->token, err);
		*removed += !rc;
	}
	return rc;
}

int rebind_retire(struct volume *v, const struct secret *dek, const struct rebind *r,
	size_t *removed, struct errmsg *err)
{
	if (!r->proven)
		return errmsg_set(err, EINVAL,
			"%s: the new binding is not proven; nothing was removed",
			r->binding.key_url);
	return rebind_finish(v, dek, &r->binding, removed, err);
}
