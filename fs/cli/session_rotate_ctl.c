// SPDX-License-Identifier: MIT
// Rotation over the control socket, and what the status shows of it. Members: cmkdisk-status(1).
#include "json.h"
#include "scope.h"
#include "session_internal.h"
#include "status_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int result_json(const struct session *s, struct moved *m, struct json *list)
{
	struct json *o = NULL;
	int rc = json_object(&o);
	if (!rc)
		rc = json_push(list, o);
	if (!rc)
		rc = json_add_str(o, "disk", s->disks[m->disk].name);
	if (!rc)
		rc = json_add_str(o, "keyUrl", m->key_url);
	if (!rc)
		rc = json_add_str(o, "from", m->from);
	if (!rc)
		rc = json_add_str(o, "to", m->to);
	if (!rc)
		rc = json_add_int(o, "removed", (int64_t)m->removed);
	if (!rc && m->rc)
		rc = json_add_int(o, "errno", -m->rc);
	if (!rc && m->rc)
		rc = json_add_str(o, "error", m->err.text);
	if (!rc && m->others)
		rc = json_add(o, "others", TAKE(m->others));
	return rc;
}

static int answer(struct session *s, struct moved *results, size_t count, struct json **reply,
	struct errmsg *err)
{
	struct json *list = NULL;
	int rc = status_json(s, reply);
	if (!rc)
		rc = json_array(&list);
	if (!rc)
		rc = json_add(*reply, "results", list);
	for (size_t i = 0; i < count && !rc; i++)
		rc = result_json(s, &results[i], list);
	return rc ? errmsg_set(err, -rc, "the reply: %s", strerror(-rc)) : 0;
}

static int move(struct session *s, const struct target *t, const int *disks, size_t count,
	struct json **reply, struct errmsg *err)
{
	struct moved *results autofree = calloc(count, sizeof(*results));
	if (!results)
		return errmsg_set(err, ENOMEM, "out of memory");
	int rc = session_move(s, t, disks, count, results, err);
	if (!rc)
		rc = answer(s, results, count, reply, err);
	for (size_t i = 0; i < count; i++)
		json_free(&results[i].others);
	return rc;
}

int session_ctl_rotate(struct session *s, const struct ctl_peer *peer, const struct json *request,
	const int *disks, size_t count, struct json **reply, struct errmsg *err)
{
	(void)request;
	return move(s, &(struct target){.by_hand = peer}, disks, count, reply, err);
}

int session_ctl_rekey(struct session *s, const struct ctl_peer *peer, const struct json *request,
	const int *disks, size_t count, struct json **reply, struct errmsg *err)
{
	struct target t = {.key_url = json_str(request, "keyUrl"),
		.config = json_str(request, "config"),
		.rotates = true,
		.by_hand = peer};
	if (!t.key_url || !t.config || strlen(t.key_url) >= BINDING_URL_MAX)
		return errmsg_set(err, EINVAL,
			"rekey: expected \"keyUrl\" and \"config\", strings: the new key and its "
			"provider's settings");
	(void)json_bool(request, "rotates", &t.rotates);
	(void)json_bool(request, "only", &t.only);
	(void)json_bool(request, "allowPurgeable", &t.allow_purgeable);
	t.rotates &= !s->options.rotation_off;
	return move(s, &t, disks, count, reply, err);
}

static const struct error_code {
	int errnum;
	const char *code;
	bool store; // it is the key store's word
} codes[] = {{EKEYREVOKED, "denied", true}, {EHOSTUNREACH, "unreachable", true},
	{EDOM, "misconfigured", true}, {EKEYEXPIRED, "expired", true},
	{EAGAIN, "other-version", false}, {EBADMSG, "bad-header", false},
	{ENOSPC, "no-space", false}, {ENOKEY, "stopped", false}};

static struct error_code code_of(int rc)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].errnum == -rc)
			return codes[i];
	return (struct error_code){.code = rc ? "failed" : NULL};
}

void session_rotation(struct session_disk *d, struct rotation_view *out)
{
	struct session *s = d->session;
	with_lock(&s->rotation.lock);
	const struct error_code error = code_of(d->rotation_error);
	*out = (struct rotation_view){.enabled = s->keys[d->key].rotates,
		.bound = d->binding->created,
		.code = error.code,
		.store_refused = error.store};
	memcpy(out->version, d->binding->key_version, sizeof(out->version));
	(void)snprintf(out->message, sizeof(out->message), "%s",
		d->rotation_sentence ? d->rotation_sentence : "out of memory");
}
