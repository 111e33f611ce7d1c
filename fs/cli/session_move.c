// SPDX-License-Identifier: MIT
// Moves one disk of a session to another binding while its data is in use. The key stores are asked
// first, so that the data key is here no longer than the header takes; I/O goes on all the while.
// Only a disk that may be used is moved: a stopped one has no key in memory, and gets none here.
#include "answer.h"
#include "json.h"
#include "keyguard.h"
#include "log.h"
#include "rebind.h"
#include "scope.h"
#include "secret.h"
#include "session_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void announce(struct pass *p, size_t at, struct agent *agent)
{
	struct rotation *r = &p->session->rotation;
	with_lock(&r->lock);
	r->asked[at] = agent;
	if (agent && r->end)
		agent_cancel(agent);
}

static int start_agent(struct pass *p, size_t at, const char *key_url, const char *config,
	const char *disk, struct agent **out, struct errmsg *err)
{
	int rc = session_key_agent(p->session, key_url, config, disk, out, err);
	if (!rc)
		announce(p, at, *out);
	return rc;
}

static void end_agent(struct pass *p, size_t at, struct agent **agent)
{
	announce(p, at, NULL);
	agent_free(agent);
}

void pass_begin(struct pass *p, struct session *s, const struct target *t)
{
	*p = (struct pass){.session = s, .target = t, .present_key = -1};
}

void pass_end(struct pass *p)
{
	end_agent(p, 0, &p->present);
	end_agent(p, 1, &p->wanted);
}

// The agents for this disk: those of the disk before, if it has the same key.
static int get_agents(struct pass *p, const struct session_disk *d, struct errmsg *err)
{
	const struct session_key *k = &p->session->keys[d->key];
	int rc = 0;
	if (p->present_key != d->key) {
		end_agent(p, 0, &p->present);
		p->newest_known &= p->target->key_url != NULL;
		rc = start_agent(
			p, 0, agent_key_url(k->agent), k->config, d->name, &p->present, err);
		p->present_key = rc ? -1 : d->key;
	}
	if (!rc && p->target->key_url && !p->wanted)
		rc = start_agent(
			p, 1, p->target->key_url, p->target->config, d->name, &p->wanted, err);
	return rc;
}

static int get_newest(struct pass *p, struct agent *agent, struct errmsg *err)
{
	if (!p->newest_known) {
		p->newest_rc = rebind_newest(agent, &p->newest, &p->newest_err);
		if (!p->newest_rc && p->target->key_url && !p->target->allow_purgeable)
			p->newest_rc = keyguard_refuse_purgeable(
				agent_key_url(agent), &p->newest, &p->newest_err);
		p->newest_known = true;
	}
	if (p->newest_rc)
		*err = p->newest_err;
	return p->newest_rc;
}

// The binding in use comes first, lest another of the same version be taken for it.
static void in_use_first(const struct session_disk *d, struct binding *all, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (binding_same(&all[i], d->binding)) {
			struct binding first = all[0];
			all[0] = all[i];
			all[i] = first;
		}
}

static int ask(
	struct agent *agent, const struct binding *b, struct secret **plain, struct errmsg *err)
{
	struct agent_answer answer = {.verdict = CMK_UNREACHABLE};
	agent_unwrap(agent, b->key_version, b->alg, b->wrapped, b->wrapped_len, plain, &answer);
	return answer_errno(&answer, err);
}

struct header_work {
	struct rebind *rebind;
	const struct binding *former; // the one in use
	struct moved *moved;
};

// What opens the disk besides this one; out of memory, it is not told.
static void tell_others(
	struct moved *m, const struct binding *own, const struct binding *all, size_t count)
{
	json_free(&m->others);
	int rc = json_array(&m->others);
	for (size_t i = 0; !rc && i < count; i++) {
		struct json *o = NULL;
		if (binding_same(&all[i], own))
			continue;
		rc = json_object(&o);
		if (!rc)
			rc = json_push(m->others, o);
		if (!rc)
			rc = json_add_str(o, "keyUrl", all[i].key_url);
		if (!rc)
			rc = json_add_str(o, "version", all[i].key_version);
	}
	if (rc)
		json_free(&m->others);
}

static int commit(void *ctx, struct volume *v, const struct secret *dek, struct errmsg *err)
{
	struct header_work *w = ctx;
	return rebind_commit(v, dek, w->former, w->rebind, err);
}

static int retire(void *ctx, struct volume *v, const struct secret *dek, struct errmsg *err)
{
	struct header_work *w = ctx;
	const struct volume_info *info = volume_info(v);
	int rc = rebind_retire(v, dek, w->rebind, &w->moved->removed, err);
	if (!rc)
		tell_others(w->moved, &w->rebind->binding, info->bindings, info->binding_count);
	return rc;
}

static int finish(void *ctx, struct volume *v, const struct secret *dek, struct errmsg *err)
{
	struct header_work *w = ctx;
	return rebind_finish(v, dek, w->former, &w->moved->removed, err);
}

// With a slot secret that the key store gives out just now, and for a disk that may be used.
static int with_header(struct session_disk *d, struct agent *agent, const struct binding *b,
	int (*fn)(void *ctx, struct volume *v, const struct secret *dek, struct errmsg *err),
	struct header_work *w, struct errmsg *err)
{
	struct secret *slot_secret scoped(secret_free) = NULL;
	int rc = ask(agent, b, &slot_secret, err);
	if (!rc)
		rc = session_header_usable(d, err);
	return rc ? rc : session_header_use(d, b, &slot_secret, fn, w, err);
}

// The session's index of the key that the disk is to have.
static int wanted_key(struct pass *p, struct session_disk *d, int *key, struct errmsg *err)
{
	const struct target *t = p->target;
	struct agent *made scoped(agent_free) = NULL;
	*key = d->key;
	if (!t->key_url || session_key_known(p->session, t->key_url, t->config, key))
		return 0;
	int rc = session_key_agent(p->session, t->key_url, t->config, d->name, &made, err);
	return rc ? rc : session_key_add(p->session, &made, t->config, t->rotates, key, err);
}

static void adopt(struct session_disk *d, int key, const struct binding *b)
{
	with_lock(&d->session->rotation.lock);
	*d->binding = *b;
	d->key = key;
}

// The monitor asks about the new binding from now on.
static int go_over(struct pass *p, struct session_disk *d, const struct rebind *r, struct moved *m)
{
	int key = -1;
	int rc = wanted_key(p, d, &key, &m->err);
	if (!rc && key == d->key && binding_same(d->binding, &r->binding)) {
		adopt(d, key, &r->binding);
		return 0;
	}
	if (!rc)
		rc = monitor_rebind(p->session->monitor, d->monitored, key, &r->binding, &m->err);
	// Late, it goes over all the same; but the old binding may still be asked about.
	m->again = rc == -ETIMEDOUT;
	if (!rc || m->again)
		adopt(d, key, &r->binding);
	return rc;
}

// Nothing is to be done for it.
static bool is_there(const struct pass *p, const struct session_disk *d, const char *key_url,
	const struct binding *all, size_t count)
{
	const struct binding *b = d->binding;
	const char *config = p->session->keys[d->key].config;
	if (strcmp(b->key_url, key_url) || strcmp(b->key_version, p->newest.version) ||
		(p->target->key_url && strcmp(p->target->config, config)))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!binding_same(&all[i], b) &&
			(p->target->only || !strcmp(all[i].key_url, b->key_url) ||
				binding_replaces(&all[i], &all[0])))
			return false;
	return true;
}

// Beside the old binding, in use, and alone, in that order.
static int carry_out(struct pass *p, struct session_disk *d, struct rebind *r, struct moved *m)
{
	struct agent *agent = p->wanted ? p->wanted : p->present;
	const struct binding former = *d->binding;
	struct header_work w = {.rebind = r, .former = &former, .moved = m};
	r->only = p->target->only;
	int rc = with_header(d, p->present, &former, commit, &w, &m->err);
	// Not kept while the askers are waited for: the key store gives it out again.
	secret_free(&r->slot_secret);
	if (!rc)
		rc = go_over(p, d, r, m);
	if (rc) {
		m->again |= r->stands; // what the header says of it now must show
		return rc;
	}
	(void)snprintf(m->to, sizeof(m->to), "%s", r->binding.key_version);
	(void)snprintf(m->key_url, sizeof(m->key_url), "%s", r->binding.key_url);
	rc = with_header(d, agent, &r->binding, retire, &w, &m->err);
	m->again = rc != 0; // it stands there, and nobody else asks for the rest
	return rc;
}

struct bindings {
	struct binding *all; // owned; the one in use is the first
	size_t count;
};

static void bindings_free(struct bindings *b)
{
	free(b->all);
	*b = (struct bindings){0};
}

static int read_bindings(struct session_disk *d, struct bindings *b, struct errmsg *err)
{
	bindings_free(b);
	int rc = session_header_bindings(d, &b->all, &b->count, err);
	if (!rc)
		in_use_first(d, b->all, b->count);
	return rc;
}

// A move whose last step is missing: the header says what is to go, whoever began it.
static int take_up(struct pass *p, struct session_disk *d, struct bindings *there, struct moved *m)
{
	const struct binding held = there->all[0];
	struct header_work w = {.former = &held, .moved = m};
	if (!binding_same(&held, d->binding) || !rebind_left(&held, there->all, there->count))
		return 0;
	int rc = get_agents(p, d, &m->err);
	if (!rc)
		rc = with_header(d, p->present, &held, finish, &w, &m->err);
	if (!rc)
		rc = read_bindings(d, there, &m->err);
	m->again = rc != 0;
	return rc;
}

static int move_on(
	struct pass *p, struct session_disk *d, const struct bindings *there, struct moved *m)
{
	struct rebind *r scoped(rebind_free) = NULL;
	int rc = get_agents(p, d, &m->err);
	if (rc)
		return rc;
	struct agent *agent = p->wanted ? p->wanted : p->present;
	rc = get_newest(p, agent, &m->err);
	m->store_refused = rc != 0;
	if (rc)
		return rc;
	if (is_there(p, d, agent_key_url(agent), there->all, there->count)) {
		tell_others(m, d->binding, there->all, there->count);
		return 0;
	}
	rc = rebind_prepare(agent, p->newest.version, there->all, there->count, &r, &m->err);
	m->store_refused = rc != 0;
	return rc ? rc : carry_out(p, d, r, m);
}

static int move(struct pass *p, struct session_disk *d, struct moved *m)
{
	struct bindings there scoped(bindings_free) = {0};
	if (d->session->options.read_only)
		return errmsg_set(&m->err, EROFS,
			"%s: mounted read-only, its header cannot be changed", d->backing);
	int rc = session_header_usable(d, &m->err);
	if (!rc)
		rc = read_bindings(d, &there, &m->err);
	if (!rc)
		rc = take_up(p, d, &there, m);
	if (!rc && !p->target->key_url)
		rc = rebind_refuse_unfinished(
			d->backing, there.all, there.all, there.count, &m->err);
	return rc || p->finish_only ? rc : move_on(p, d, &there, m);
}

void pass_move(struct pass *p, struct session_disk *d, struct moved *out)
{
	*out = (struct moved){.disk = (int)d->index};
	memcpy(out->from, d->binding->key_version, sizeof(out->from));
	memcpy(out->to, d->binding->key_version, sizeof(out->to));
	memcpy(out->key_url, d->binding->key_url, sizeof(out->key_url));
	memcpy(out->from_url, d->binding->key_url, sizeof(out->from_url));
	out->rc = move(p, d, out);
	if (!p->target->key_url)
		json_free(&out->others);
}
