// SPDX-License-Identifier: MIT
// From what the system said about the bundle's file to what the host must do. The table here is
// the whole truth but for the attributes inside the bundle, which file.c judges.
#include "bundle_file.h"
#include "file.h"

#include <errno.h>
#include <time.h>

#define CONFIRM_TRIES 2
#define CONFIRM_MS 50

static const struct {
	int errnum;
	enum cmk_verdict verdict;
	enum cmk_reason reason;
} table[] = {
	{ENOENT, CMK_DENIED, CMK_REASON_DELETED},     // the file is gone, its directory is there
	{EACCES, CMK_DENIED, CMK_REASON_FORBIDDEN},   // an administrator took the permission away
	{EPERM, CMK_MISCONFIGURED, CMK_REASON_NONE},  // not private
	{EINVAL, CMK_MISCONFIGURED, CMK_REASON_NONE}, // key URL
	{ENAMETOOLONG, CMK_MISCONFIGURED, CMK_REASON_NONE},
	{EUCLEAN, CMK_MISCONFIGURED, CMK_REASON_NONE}, // malformed or inconsistent
	{EBADMSG, CMK_BAD_BLOB, CMK_REASON_NONE},
};

enum cmk_verdict file_verdict(const struct cmk_host *host, int ret, const struct kp_err *err)
{
	// ENOTDIR (unmounted), EIO, ESTALE, ENOMEM, …: says nothing about the key.
	enum cmk_verdict verdict = CMK_UNREACHABLE;
	enum cmk_reason reason = CMK_REASON_NONE;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (table[i].errnum == -ret) {
			verdict = table[i].verdict;
			reason = table[i].reason;
		}
	host->explain(host, reason, "%s", err->text);
	return verdict;
}

// False if there is no time to look again.
static bool pause_before_next(const struct cmk_host *host)
{
	if (host->cancelled(host) || host->time_left(host) <= 2 * CONFIRM_MS)
		return false;
	(void)nanosleep(&(struct timespec){.tv_nsec = CONFIRM_MS * 1000 * 1000L}, NULL);
	return true;
}

enum cmk_verdict file_load(const struct file_key *k, struct bundle **out)
{
	struct kp_err err = {""};
	int ret = bundle_load(k->host, k->url.path, out, &err);
	for (int i = 0; i < CONFIRM_TRIES && (ret == -ENOENT || ret == -EBADMSG); i++) {
		if (!pause_before_next(k->host)) {
			ret = -EAGAIN; // unconfirmed: says nothing yet
			break;
		}
		ret = bundle_load(k->host, k->url.path, out, &err);
	}
	if (ret == -EBADMSG)
		ret = -EUCLEAN; // here it is the bundle that is bad, not a wrapped secret
	if (ret)
		return file_verdict(k->host, ret, &err);
	if ((*out)->deleted == 0)
		return CMK_GRANTED;
	bundle_free(out);
	k->host->explain(k->host, CMK_REASON_DELETED,
		"%s: the key was deleted; say cmkdisk keyfile recover to use it again",
		k->url.path);
	return CMK_DENIED;
}
