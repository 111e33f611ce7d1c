// SPDX-License-Identifier: MIT
// One disk of a session: from the backing file's path to a disk that waits for its first grant.
#include "cipher.h"
#include "log.h"
#include "path.h"
#include "scope.h"
#include "secret.h"
#include "session_internal.h"
#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int key_make(void *ctx, const struct secret *dek, void **key)
{
	const struct session_disk *d = ctx;
	struct cipher *c = NULL;
	int rc = cipher_new(dek, d->sector_size, &c);
	*key = c;
	return rc;
}

static void key_destroy(void **key)
{
	struct cipher *c = *key;
	cipher_free(&c);
	*key = NULL;
}

static void lease_changed(void *ctx, const struct lease_view *v)
{
	struct session_disk *d = ctx;
	struct session *s = d->session;
	log_notice(s->log, "%s: %s%s%s%s%s", d->name, lease_state_name(v->state),
		v->cause == LEASE_CAUSE_NONE ? "" : " (",
		v->cause == LEASE_CAUSE_NONE ? "" : lease_cause_name(v->cause),
		v->cause == LEASE_CAUSE_NONE ? "" : "): ", v->sentence);
	session_forget(s, d, v->stops);
}

// The header of the descriptor that holds the lock, read afresh, must still be the disk that was
// mounted: same UUID, same volume-key digest, same place of the data.
static int opener_unlock(void *ctx, const struct binding *b, const struct secret *slot_secret,
	struct secret **dek, struct errmsg *err)
{
	struct session_disk *d = ctx;
	with_lock(&d->session->header_lock);
	struct volume *v scoped(volume_close) = NULL;
	int rc = volume_open(d->path, false, &v, err);
	if (rc)
		return rc;
	const struct volume_info *now = volume_info(v), *then = &d->info;
	if (strcmp(now->uuid, then->uuid) ||
		memcmp(now->digest, then->digest, sizeof(now->digest)) ||
		now->data_offset != then->data_offset || now->sector_size != then->sector_size ||
		now->policy.size != then->policy.size || now->policy.thin != then->policy.thin)
		return errmsg_set(err, EBADMSG,
			"%s: the header is not that of the disk that was mounted (UUID, digest or "
			"layout changed); unmount, and look who wrote to it",
			d->backing);
	for (size_t i = 0; i < now->binding_count; i++)
		if (now->bindings[i].token == b->token)
			return volume_unlock(v, &now->bindings[i], slot_secret, dek, err);
	return errmsg_set(err, EBADMSG, "%s: the binding in use (token %d) is gone from the header",
		d->backing, b->token);
}

static int name_of(struct session_disk *d, const char *backing, struct errmsg *err)
{
	d->backing = realpath(backing, NULL);
	if (!d->backing)
		return path_failed(backing, errno, err);
	d->name = strdup(strrchr(d->backing, '/') + 1);
	if (!d->name)
		return errmsg_set(err, ENOMEM, "out of memory");
	const struct session *s = d->session;
	for (size_t i = 0; i < d->index; i++) {
		if (!strcmp(s->disks[i].backing, d->backing))
			return errmsg_set(err, EINVAL,
				"%s: named twice; name each backing file once", d->backing);
		if (!strcmp(s->disks[i].name, d->name))
			return errmsg_set(err, EINVAL,
				"%s and %s would both be named %s in the mount; mount them apart",
				s->disks[i].backing, d->backing, d->name);
	}
	size_t n = strlen(s->mountpoint);
	if (!strncmp(s->mountpoint, d->backing, n) && (d->backing[n] == '/' || n == 1))
		return errmsg_set(err, EINVAL,
			"%s lies below the mount point %s, which would hide it; choose another "
			"mount point",
			d->backing, s->mountpoint);
	return 0;
}

static int shorten(const struct session_disk *d, const char *name, uint64_t wanted, uint64_t sealed,
	uint64_t *out, struct errmsg *err)
{
	*out = sealed;
	if (wanted == DURATION_UNSET)
		return 0;
	char want[32], have[32];
	format_duration_ms(wanted, want, sizeof(want));
	format_duration_ms(sealed, have, sizeof(have));
	if (wanted > sealed)
		return errmsg_set(err, EDOM,
			"%s: -o %s=%s is longer than the %s that the disk was created with; mount "
			"options may only shorten it",
			d->backing, name, want, have);
	*out = wanted;
	return 0;
}

static int policy_of(struct session_disk *d, struct errmsg *err)
{
	const struct session *s = d->session;
	const struct volume_policy *sealed = &d->info.policy;
	const struct mount_options *o = &s->options;
	d->policy = (struct lease_policy){
		.expiry_stops = sealed->expiry_stops, .resume_auto = !o->resume_manual};
	int rc = shorten(d, "grace-denied", o->grace_denied_ms, sealed->grace_denied_ms,
		&d->policy.grace_denied_ms, err);
	if (!rc)
		rc = shorten(d, "grace-unreachable", o->grace_unreachable_ms,
			sealed->grace_unreachable_ms, &d->policy.grace_unreachable_ms, err);
	if (rc || !o->on_expiry_given)
		return rc;
	if (sealed->expiry_stops && !o->expiry_stops)
		return errmsg_set(err, EDOM,
			"%s: -o on-expiry=ignore, but the disk was created with on-expiry=stop; "
			"mount options may only tighten it",
			d->backing);
	d->policy.expiry_stops = o->expiry_stops;
	return 0;
}

int session_disk_open(
	struct session *s, struct session_disk *d, const char *backing, struct errmsg *err)
{
	int fd = -1;
	int rc = name_of(d, backing, err);
	if (!rc)
		rc = store_file_open(d->backing, s->options.read_only, &d->store, &fd, err);
	if (rc)
		return rc;
	(void)snprintf(d->path, sizeof(d->path), "/proc/self/fd/%d", fd);
	rc = volume_open(d->path, false, &d->volume, err);
	if (rc)
		return rc;
	d->info = *volume_info(d->volume);
	d->info.bindings = NULL;
	rc = policy_of(d, err);
	if (rc)
		return rc;
	const struct volume_info *info = &d->info;
	d->sector_size = info->sector_size;
	rc = lease_new(clock_real(), &d->policy,
		&(struct lease_key_ops){.make = key_make, .destroy = key_destroy, .ctx = d},
		lease_changed, d, &d->lease);
	if (!rc)
		rc = disk_new(&(struct disk_config){.store = d->store,
				      .lease = d->lease,
				      .crew = s->crew,
				      .data_offset = info->data_offset,
				      .size = info->policy.size,
				      .sector_size = info->sector_size,
				      .read_only = s->options.read_only,
				      .thin = info->policy.thin},
			&d->disk);
	return rc ? errmsg_set(err, -rc, "%s: %s", d->backing, strerror(-rc)) : 0;
}

static bool pinned(const struct session *s, const struct binding *b)
{
	return !s->pin || !strcmp(s->pin->key_url, b->key_url);
}

// With several bindings that may be used, the first one that the key store grants.
static int choose(struct session *s, struct session_disk *d, const struct binding **chosen,
	struct errmsg *err)
{
	const struct volume_info *info = volume_info(d->volume);
	size_t candidates = 0;
	for (size_t i = 0; i < info->binding_count; i++)
		candidates += pinned(s, &info->bindings[i]);
	if (!candidates)
		return errmsg_set(err, EKEYREJECTED,
			"%s: the header names the key %s, not the pinned %s; nothing was sent to "
			"it",
			d->backing, info->bindings[0].key_url, s->pin->key_url);
	for (size_t i = 0; i < info->binding_count; i++) {
		const struct binding *b = &info->bindings[i];
		if (!pinned(s, b))
			continue;
		int rc = session_key_for(s, b, d->name, &d->key, err);
		*chosen = b;
		if (candidates == 1)
			return rc;
		if (rc)
			continue;
		struct agent_answer answer;
		struct secret *plain scoped(secret_free) = NULL;
		agent_unwrap(s->agents[d->key], b->key_version, b->alg, b->wrapped, b->wrapped_len,
			&plain, &answer);
		if (answer.verdict == CMK_GRANTED)
			return 0;
	}
	// The last one's refusal is told by the first unlock.
	return 0;
}

int session_disk_bind(struct session *s, struct session_disk *d, struct errmsg *err)
{
	const struct binding *chosen = NULL;
	int rc = choose(s, d, &chosen, err);
	if (rc)
		return rc;
	d->binding = malloc(sizeof(*d->binding));
	if (!d->binding)
		return errmsg_set(err, ENOMEM, "out of memory");
	*d->binding = *chosen;
	volume_close(&d->volume);
	struct disk_opener opener = {.unlock = opener_unlock, .ctx = d};
	d->monitored = monitor_add_disk(s->monitor, d->key, d->binding, d->lease, &opener);
	if (d->monitored < 0)
		return errmsg_set(
			err, -d->monitored, "%s: %s", d->backing, strerror(-d->monitored));
	rc = monitor_first_unlock(s->monitor, d->monitored, err);
	// A header's sentence names the file, a key store's does not.
	if (rc && strncmp(err->text, d->backing, strlen(d->backing)))
		errmsg_prefix(err, "%s", d->backing);
	return rc;
}

void session_disk_close(struct session_disk *d)
{
	disk_free(&d->disk);
	lease_free(&d->lease);
	if (d->store && !d->session->options.read_only && store_flush(d->store))
		log_error(d->session->log, "%s: what was written last may not be on stable storage",
			d->backing);
	volume_close(&d->volume);
	store_close(&d->store);
	free(d->binding);
	free(d->backing);
	free(d->name);
}
