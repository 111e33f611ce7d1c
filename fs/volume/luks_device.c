// SPDX-License-Identifier: MIT
// libcryptsetup, kept quiet: one crypt_device whose messages go into our sentences, and the few
// calls that creating and changing a disk have in common.
#include "luks_internal.h"

#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// Two seconds in all.
#define LOCK_TRIES 40
#define LOCK_PAUSE_NS 50000000L

static void keep_message(int level, const char *text, void *ctx)
{
	struct device *dev = ctx;

	if (!dev || level != CRYPT_LOG_ERROR)
		return;
	(void)snprintf(dev->said, sizeof(dev->said), "%s", text);
	dev->said[strcspn(dev->said, "\n")] = '\0';
}

int device_init(const char *path, const char *name, struct device *dev, struct errmsg *err)
{
	*dev = (struct device){0};
	// The library would otherwise load a plug-in that the header names by its token types ...
	crypt_token_external_disable();
	// ... and print to our standard streams whatever happens before there is a crypt_device.
	crypt_set_log_callback(NULL, keep_message, NULL);

	int ret = crypt_init(&dev->cd, path);
	if (ret)
		return device_fail(dev, name, ret, "opening", err);
	crypt_set_log_callback(dev->cd, keep_message, dev);
	return 0;
}

void volume_locks_are_ours(void)
{
	(void)crypt_metadata_locking(NULL, 0);
}

int device_wait_unlocked(const char *path, const char *name, bool writable, struct errmsg *err)
{
	struct stat st;
	// Refused once it is off, which is how the library says that it takes no locks here.
	if (crypt_metadata_locking(NULL, 1))
		return 0;
	// Of a device the library locks a file of root's instead.
	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return 0;
	int fd autoclose = open(path, O_RDONLY | O_CLOEXEC);
	for (int tries = 0; fd >= 0; tries++) {
		if (!flock(fd, (writable ? LOCK_EX : LOCK_SH) | LOCK_NB))
			return 0; // closing lets go of it
		if (errno != EWOULDBLOCK)
			return 0;
		if (tries == LOCK_TRIES)
			return errmsg_set(err, EBUSY,
				"%s: another program holds its lock (flock); wait for it, or look "
				"for it with lslocks(8)",
				name);
		(void)nanosleep(&(struct timespec){0, LOCK_PAUSE_NS}, NULL);
	}
	return 0; // that it cannot be read is told by the library
}

void device_free(struct device *dev)
{
	crypt_free(dev->cd);
	dev->cd = NULL;
}

int device_fail(
	struct device *dev, const char *name, int ret, const char *doing, struct errmsg *err)
{
	// The library says -EINVAL and -EPERM for nearly everything; a caller of ours would take
	// these for a wrong command line or a missing permission of its own.
	int errnum = ret == -EINVAL || ret == -EPERM ? EIO : -ret;

	return errmsg_set(err, errnum, "%s: %s failed: %s%s%s", name, doing, strerror(-ret),
		dev->said[0] ? "; libcryptsetup says: " : "", dev->said);
}

int device_quick_pbkdf(struct device *dev)
{
	const struct crypt_pbkdf_type pbkdf = {
		.type = CRYPT_KDF_PBKDF2,
		.hash = SLOT_HASH,
		.iterations = SLOT_ITERATIONS,
		.flags = CRYPT_PBKDF_NO_BENCHMARK,
	};
	return crypt_set_pbkdf_type(dev->cd, &pbkdf);
}

int device_put_token(
	struct device *dev, const char *name, int token, const char *json, struct errmsg *err)
{
	int ret = crypt_token_json_set(dev->cd, token, json);
	if (ret == -ENOSPC || ret == -E2BIG)
		return errmsg_set(err, ENOSPC,
			"%s: the LUKS2 header has no room for another token; remove a binding or a "
			"foreign "
			"token first (cryptsetup luksDump shows them)",
			name);
	if (ret < 0)
		return device_fail(dev, name, ret, "writing a token to the LUKS2 header", err);
	return 0;
}

int device_put_binding(
	struct device *dev, const char *name, const struct binding *b, struct errmsg *err)
{
	char *text autofree = NULL;
	int ret = binding_print(b, &text);
	if (ret)
		return errmsg_set(err, -ret, "%s: out of memory", name);
	return device_put_token(dev, name, b->token, text, err);
}

int device_put_seal(struct device *dev, const char *name, const struct seal *s, struct errmsg *err)
{
	char *text autofree = NULL;
	int ret = seal_print(s, &text);
	if (ret)
		return errmsg_set(err, -ret, "%s: out of memory", name);
	return device_put_token(dev, name, s->token, text, err);
}

int device_put_keyslot(struct device *dev, const char *name, int keyslot, const struct secret *dek,
	const struct secret *slot_secret, struct errmsg *err)
{
	int ret = device_quick_pbkdf(dev);
	if (!ret)
		ret = crypt_keyslot_set_encryption(dev->cd, VOLUME_CIPHER, VOLUME_KEY_LEN);
	if (ret)
		return device_fail(dev, name, ret, "choosing how to protect the keyslot", err);
	ret = crypt_keyslot_add_by_key(dev->cd, keyslot, (const char *)dek->data, dek->len,
		(const char *)slot_secret->data, slot_secret->len, 0);
	if (ret >= 0)
		return 0;
	// Also -EINVAL when the area has no gap of the needed length.
	if (ret == -ENOSPC || (ret == -EINVAL && strstr(dev->said, "No space")))
		return errmsg_set(err, ENOSPC,
			"%s: the LUKS2 header has no room for another keyslot; remove a binding or "
			"a "
			"passphrase first (cryptsetup luksDump shows them)",
			name);
	return device_fail(dev, name, ret, "adding a keyslot", err);
}
