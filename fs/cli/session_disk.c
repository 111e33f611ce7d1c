// SPDX-License-Identifier: MIT
// One disk of a session: from the backing file's path to a disk that waits for its first grant.
#include "cipher.h"
#include "log.h"
#include "path.h"
#include "rebind.h"
#include "scope.h"
#include "secret.h"
#include "session_internal.h"
#include "verdict.h"

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

// Called where the time is kept: records, and leaves the rest to others.
static void lease_changed(void *ctx, const struct lease_view *v)
{
	session_report(ctx, v);
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
	rc = session_policy(d, err);
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
				      .thin = info->policy.thin,
				      .store_failed = session_store_failed,
				      .ctx = d},
			&d->disk);
	return rc ? errmsg_set(err, -rc, "%s: %s", d->backing, strerror(-rc)) : 0;
}

static bool pinned(const struct session *s, const struct binding *b)
{
	return keyset_pins(s->pin, b->key_url);
}

// Asks whether the key store grants this one.
static int try_binding(struct agent *agent, const struct binding *b, struct errmsg *err)
{
	struct agent_answer answer = {.verdict = CMK_UNREACHABLE};
	struct secret *plain scoped(secret_free) = NULL;
	agent_unwrap(agent, b->key_version, b->alg, b->wrapped, b->wrapped_len, &plain, &answer);
	return answer_errno(&answer, err);
}

// The agent of a binding that was turned down ends with it, if nobody else uses it.
static int use_binding(struct session *s, struct session_disk *d, const struct binding *b, bool ask,
	struct errmsg *err)
{
	const char *config = s->pin ? s->pin->config : "{}";
	struct agent *made scoped(agent_free) = NULL;
	bool known = session_key_known(s, b->key_url, config, &d->key);
	int rc = known ? 0 : session_key_agent(s, b->key_url, config, d->name, &made, err);
	if (!rc && ask)
		rc = try_binding(known ? s->keys[d->key].agent : made, b, err);
	if (!rc && !known)
		rc = session_key_add(s, &made, config, session_rotates(s), &d->key, err);
	return rc;
}

// With several bindings that may be used, the first one that the key store grants, and of a move
// that broke off the new one before the old; if it grants none, the first refusal is the one that
// is told.
static int choose(struct session *s, struct session_disk *d, const struct binding **chosen,
	struct errmsg *err)
{
	const struct volume_info *info = volume_info(d->volume);
	size_t candidates = 0, order[BINDINGS_MAX];
	int first = 0;
	for (size_t i = 0; i < info->binding_count; i++)
		candidates += pinned(s, &info->bindings[i]);
	if (!candidates)
		return errmsg_set(err, EKEYREJECTED,
			"%s: the header names the key %s, not the pinned %s; nothing was sent to "
			"it",
			d->backing, info->bindings[0].key_url, s->pin->key_url);
	binding_order(info->bindings, info->binding_count, order);
	for (size_t i = 0; i < info->binding_count; i++) {
		const struct binding *b = &info->bindings[order[i]];
		struct errmsg this = {""};
		if (!pinned(s, b))
			continue;
		int rc = use_binding(s, d, b, candidates > 1, &this);
		if (!rc) {
			*chosen = b;
			return 0;
		}
		if (first)
			continue;
		first = rc;
		*err = this;
	}
	errmsg_prefix(err, "%s", d->backing);
	return first;
}

static bool has_others(const struct session_disk *d)
{
	const struct volume_info *info = volume_info(d->volume);
	for (size_t i = 0; i < info->binding_count; i++)
		if (info->bindings[i].token != d->binding->token &&
			!strcmp(info->bindings[i].key_url, d->binding->key_url))
			return true;
	return false;
}

// The bindings are not proven yet: whoever acts on it looks again.
static bool is_unfinished(const struct session_disk *d)
{
	const struct volume_info *info = volume_info(d->volume);
	return rebind_left(d->binding, info->bindings, info->binding_count) ||
	       rebind_successor(d->binding, info->bindings, info->binding_count);
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
	// The other versions of its key went on before somebody could remove them.
	d->to_rotate = (s->keys[d->key].rotates && has_others(d)) ||
		       (!s->options.read_only && is_unfinished(d));
	s->rotation.wanted |= d->to_rotate;
	volume_close(&d->volume);
	struct disk_opener opener = {.unlock = session_header_unlock,
		.refused = session_event_not_resumed,
		.ctx = d,
		.name = d->backing};
	d->monitored = monitor_add_disk(s->monitor, d->key, d->binding, d->lease, &opener);
	if (d->monitored < 0)
		return errmsg_set(
			err, -d->monitored, "%s: %s", d->backing, strerror(-d->monitored));
	return 0;
}

int session_disk_unlock(struct session *s, struct session_disk *d, struct errmsg *err)
{
	return monitor_first_unlock(s->monitor, d->monitored, err);
}

void session_disk_flush(struct session_disk *d)
{
	if (!d->store || d->session->options.read_only || atomic_load(&d->reading))
		return;
	if (store_flush(d->store))
		log_error(d->session->log, "%s: what was written last may not be on stable storage",
			d->backing);
}

void session_disk_close(struct session_disk *d)
{
	disk_free(&d->disk);
	lease_free(&d->lease);
	session_disk_flush(d);
	volume_close(&d->volume);
	store_close(&d->store);
	free(TAKE(d->binding));
	free(TAKE(d->rotation_sentence));
	free(TAKE(d->backing));
	free(TAKE(d->name));
}
