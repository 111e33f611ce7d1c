// SPDX-License-Identifier: MIT
// The verbs that change a bundle: each takes the lock, reads, changes, and puts the whole new
// bundle in place; nothing is written if nothing changes.
#include "key.h"
#include "keyfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int64_t now(void)
{
	return kp_program_host()->wall_time(kp_program_host());
}

static int add_key(struct bundle *b, uint32_t bits, const struct keyfile_options *o,
	struct bundle_version **out, struct kp_err *err)
{
	if (!key_secure_memory())
		(void)fputs(
			"warning: cannot lock OpenSSL's memory, so a private key might reach the "
			"swap space; raise RLIMIT_MEMLOCK\n",
			stderr);
	struct bundle_version *v;
	int ret = bundle_add(b, &v);
	if (ret)
		return kp_fail(err, -ret, "no memory for the key");
	ret = key_make(b, bits, v, err);
	if (ret)
		return ret;
	v->enabled = true;
	v->created = v->updated = now();
	v->nbf = o->nbf;
	v->exp = o->exp;
	*out = v;
	return 0;
}

int keyfile_new(const struct keyfile_options *o, struct kp_err *err)
{
	scoped(bundle_unlock) struct bundle_lock *lock = NULL;
	scoped(bundle_free) struct bundle *b = NULL;
	if (o->kty == BUNDLE_OCT && o->bits && o->bits != 256)
		return kp_fail(err, EINVAL, "--bits %u: oct keys have 256 bits", o->bits);
	uint32_t bits = o->bits ? o->bits : (o->kty == BUNDLE_RSA ? 3072 : 256);
	int ret = bundle_lock(o->path, &lock, err);
	if (ret)
		return ret;
	// Before the costly key; what decides is bundle_store().
	if (access(o->path, F_OK) == 0)
		return kp_fail(err, EEXIST,
			"%s: exists already, and keys are never overwritten; choose "
			"another name or use rotate",
			o->path);
	ret = bundle_new(kp_program_host(), o->kty, &b);
	if (ret)
		return kp_fail(err, -ret, "no memory for the key bundle");
	b->created = now();
	struct bundle_version *v;
	ret = add_key(b, bits, o, &v, err);
	ret = ret ? ret : bundle_store(lock, b, true, err);
	char *url autofree = NULL;
	ret = ret ? ret : keyfile_url(o->path, &url, err);
	if (ret == 0)
		(void)puts(url);
	return ret;
}

// Runs change() on the bundle under its lock. change returns 1 if there is something to write, 0
// if not, or -errno.
static int change_bundle(const struct keyfile_options *o,
	int (*change)(struct bundle *, const struct keyfile_options *, struct kp_err *),
	struct kp_err *err)
{
	scoped(bundle_unlock) struct bundle_lock *lock = NULL;
	scoped(bundle_free) struct bundle *b = NULL;
	// First a look, so that what is wrong with the file is said before what is wrong with its
	// directory, and a missing bundle leaves no trace.
	int ret = bundle_load(kp_program_host(), o->path, &b, err);
	if (ret)
		return ret;
	bundle_free(&b);
	ret = bundle_lock(o->path, &lock, err);
	ret = ret ? ret : bundle_load(kp_program_host(), o->path, &b, err);
	if (ret)
		return ret;
	ret = change(b, o, err);
	if (ret < 0)
		kp_err_prefix(err, o->path);
	return ret > 0 ? bundle_store(lock, b, false, err) : ret;
}

static int rotate(struct bundle *b, const struct keyfile_options *o, struct kp_err *err)
{
	if (b->deleted)
		return kp_fail(
			err, EKEYREVOKED, "the key was deleted; recover it before rotating it");
	struct bundle_version *v = NULL;
	uint32_t bits = o->bits ? o->bits : bundle_newest(b)->bits;
	int64_t newest = bundle_newest(b)->created;
	int ret = add_key(b, bits, o, &v, err);
	if (ret)
		return ret;
	// A clock set back must not make the new version look old.
	if (v->created < newest)
		v->created = newest;
	return 1;
}

// The version's name goes to stdout only once it is on disk.
int keyfile_rotate(const struct keyfile_options *o, struct kp_err *err)
{
	int ret = change_bundle(o, rotate, err);
	scoped(bundle_free) struct bundle *b = NULL;
	if (ret == 0)
		ret = bundle_load(kp_program_host(), o->path, &b, err);
	if (ret == 0)
		(void)puts(bundle_newest(b)->version);
	return ret;
}

// Calls set() on the named version, or on all. 1 if any of them changed.
static int each_version(struct bundle *b, const struct keyfile_options *o,
	bool (*set)(struct bundle_version *, const struct keyfile_options *), struct kp_err *err)
{
	int changed = 0;
	if (o->version && !bundle_find(b, o->version))
		return kp_fail(err, EINVAL, "there is no version %.64s; see cmkdisk keyfile show",
			o->version);
	for (size_t i = 0; i < b->count; i++) {
		struct bundle_version *v = &b->versions[i];
		if (o->version && strcmp(v->version, o->version) != 0)
			continue;
		if (!set(v, o))
			continue;
		v->updated = now();
		changed = 1;
	}
	return changed;
}

static bool set_enabled(struct bundle_version *v, bool on)
{
	bool change = v->enabled != on;
	v->enabled = on;
	return change;
}
static bool set_off(struct bundle_version *v, const struct keyfile_options *o)
{
	(void)o;
	return set_enabled(v, false);
}
static bool set_on(struct bundle_version *v, const struct keyfile_options *o)
{
	(void)o;
	return set_enabled(v, true);
}
static bool set_exp(struct bundle_version *v, const struct keyfile_options *o)
{
	int64_t exp = o->given & OPT_NEVER ? 0 : (o->exp ? o->exp : now());
	// Expired already is expired already: saying so again keeps the date.
	bool plain = !(o->given & (OPT_NEVER | OPT_AT | OPT_IN));
	if (v->exp == exp || (plain && v->exp && v->exp <= exp))
		return false;
	v->exp = exp;
	return true;
}

static int disable(struct bundle *b, const struct keyfile_options *o, struct kp_err *err)
{
	return each_version(b, o, set_off, err);
}
static int enable(struct bundle *b, const struct keyfile_options *o, struct kp_err *err)
{
	return each_version(b, o, set_on, err);
}
static int expire(struct bundle *b, const struct keyfile_options *o, struct kp_err *err)
{
	return each_version(b, o, set_exp, err);
}
static int delete (struct bundle *b, const struct keyfile_options *o, struct kp_err *err)
{
	(void)o;
	(void)err;
	if (b->deleted)
		return 0;
	b->deleted = now();
	return 1;
}
static int recover(struct bundle *b, const struct keyfile_options *o, struct kp_err *err)
{
	(void)o;
	(void)err;
	if (!b->deleted)
		return 0;
	b->deleted = 0;
	return 1;
}

int keyfile_disable(const struct keyfile_options *o, struct kp_err *err)
{
	return change_bundle(o, disable, err);
}
int keyfile_enable(const struct keyfile_options *o, struct kp_err *err)
{
	return change_bundle(o, enable, err);
}
int keyfile_expire(const struct keyfile_options *o, struct kp_err *err)
{
	return change_bundle(o, expire, err);
}
int keyfile_delete(const struct keyfile_options *o, struct kp_err *err)
{
	return change_bundle(o, delete, err);
}
int keyfile_recover(const struct keyfile_options *o, struct kp_err *err)
{
	return change_bundle(o, recover, err);
}
