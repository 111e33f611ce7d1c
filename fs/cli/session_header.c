// SPDX-License-Identifier: MIT
// The headers of a session's disks, read and changed while the data is in use. One at a time, which
// is the volume library's rule; nobody asks a key store meanwhile.
#include "log.h"
#include "scope.h"
#include "secret.h"
#include "session_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The header of the descriptor that holds the lock, read afresh, must still be the disk that was
// mounted, in everything that the first reading decided: that one was believed before any seal was
// proven, and volume_unlock() proves only this one.
static int unlock_same(const struct session_disk *d, struct volume *v, const struct binding *b,
	const struct secret *slot_secret, struct secret **dek, struct errmsg *err)
{
	const struct volume_info *now = volume_info(v);
	const struct binding *found = NULL;
	for (size_t i = 0; i < now->binding_count; i++)
		if (now->bindings[i].token == b->token)
			found = &now->bindings[i];
	if (volume_same(now, &d->info) && !found)
		return errmsg_set(err, EBADMSG,
			"%s: the binding in use (token %d) is gone from the header", d->backing,
			b->token);
	if (!found || !volume_same(now, &d->info) || !binding_same(found, b))
		return errmsg_set(err, EBADMSG,
			"%s: the header is not that of the disk that was mounted (UUID, digest, "
			"layout, policy or binding changed); unmount, and look who wrote to it",
			d->backing);
	return volume_unlock(v, found, slot_secret, dek, err);
}

// Ends what a crash left half done. That it cannot be written is no reason to serve nothing.
static void settle(struct session_disk *d, const struct secret *dek)
{
	struct volume *v scoped(volume_close) = NULL;
	struct errmsg err = {""};
	int rc = volume_open(d->path, true, &v, &err);
	if (!rc)
		rc = volume_settle(v, dek, &err);
	if (rc)
		log_warning(d->session->log,
			"a change of the header that was broken off is not settled: %s", err.text);
	else
		log_notice(d->session->log,
			"%s: settled a change of the header that was broken off", d->backing);
}

static int open_and_unlock(struct session_disk *d, const struct binding *b,
	const struct secret *slot_secret, struct secret **dek, struct errmsg *err)
{
	struct volume *v scoped(volume_close) = NULL;
	int rc = volume_open(d->path, false, &v, err);
	if (!rc)
		rc = unlock_same(d, v, b, slot_secret, dek, err);
	if (!rc && volume_info(v)->pending && !d->session->options.read_only)
		settle(d, *dek);
	return rc;
}

int session_header_unlock(void *ctx, const struct binding *b, const struct secret *slot_secret,
	struct secret **dek, struct errmsg *err)
{
	struct session_disk *d = ctx;
	with_lock(&d->session->headers);
	atomic_store(&d->reading, true);
	int rc = open_and_unlock(d, b, slot_secret, dek, err);
	atomic_store(&d->reading, false);
	return rc;
}

// The rotator's way in and out: whoever ends the session must know whether it may hang here.
static int enter(struct session_disk *d, struct errmsg *err)
{
	struct rotation *r = &d->session->rotation;
	with_lock(&r->lock);
	if (r->end)
		return errmsg_set(err, EBUSY, "%s: it is being unmounted", d->backing);
	r->in_header = true;
	atomic_store(&d->reading, true);
	return 0;
}

// Comes back only to a session that is still there.
static void leave(struct session_disk *d)
{
	struct rotation *r = &d->session->rotation;
	with_lock(&r->lock);
	while (r->abandoned) // until the process ends, which is near
		(void)pthread_cond_wait(&r->news, &r->lock);
	r->in_header = false;
	atomic_store(&d->reading, false);
	(void)pthread_cond_broadcast(&r->news);
}

int session_header_usable(const struct session_disk *d, struct errmsg *err)
{
	if (!lease_check(d->lease))
		return 0;
	return errmsg_set(err, ENOKEY,
		"%s: the disk is stopped, and no key of its own is at hand; see `cmkdisk status`, "
		"and unlock it first",
		d->backing);
}

static int use(struct session_disk *d, const struct binding *b, struct secret **slot_secret,
	int (*fn)(void *ctx, struct volume *v, const struct secret *dek, struct errmsg *err),
	void *ctx, struct errmsg *err)
{
	struct secret *dek scoped(secret_free) = NULL;
	struct volume *v scoped(volume_close) = NULL;
	int rc = volume_open(d->path, true, &v, err);
	if (!rc)
		rc = session_header_usable(d, err);
	if (!rc)
		rc = unlock_same(d, v, b, *slot_secret, &dek, err);
	secret_free(slot_secret);
	// It may have stopped while this waited for the backing store.
	if (!rc)
		rc = session_header_usable(d, err);
	if (!rc)
		rc = volume_settle(v, dek, err);
	return rc ? rc : fn(ctx, v, dek, err);
}

int session_header_use(struct session_disk *d, const struct binding *b, struct secret **slot_secret,
	int (*fn)(void *ctx, struct volume *v, const struct secret *dek, struct errmsg *err),
	void *ctx, struct errmsg *err)
{
	int rc = enter(d, err);
	if (rc)
		return rc;
	{
		with_lock(&d->session->headers);
		rc = use(d, b, slot_secret, fn, ctx, err);
	}
	leave(d);
	return rc;
}

static int copy_bindings(
	const struct session_disk *d, struct binding **out, size_t *count, struct errmsg *err)
{
	struct volume *v scoped(volume_close) = NULL;
	int rc = volume_open(d->path, false, &v, err);
	if (rc)
		return rc;
	*count = volume_info(v)->binding_count;
	*out = calloc(*count, sizeof(**out));
	if (!*out)
		return errmsg_set(err, ENOMEM, "out of memory");
	memcpy(*out, volume_info(v)->bindings, *count * sizeof(**out));
	return 0;
}

int session_header_bindings(
	struct session_disk *d, struct binding **out, size_t *count, struct errmsg *err)
{
	int rc = enter(d, err);
	if (rc)
		return rc;
	{
		with_lock(&d->session->headers);
		rc = copy_bindings(d, out, count, err);
	}
	leave(d);
	return rc;
}
