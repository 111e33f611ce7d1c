// SPDX-License-Identifier: MIT
// What a file is that may be no disk of ours, for those who look at many files.
#include "luks_internal.h"

#include "fileio.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

// The secondary copy begins where the first ends, whose size is one of these.
#define SECONDARY_FIRST 0x4000
#define SECONDARY_LAST 0x400000

static bool has_magic(int fd)
{
	char magic[8];

	if (!pread_full(fd, magic, 8, 0) && !memcmp(magic, "LUKS\xba\xbe\0\2", 8))
		return true;
	for (uint64_t at = SECONDARY_FIRST; at <= SECONDARY_LAST; at *= 2)
		if (!pread_full(fd, magic, 8, at) && !memcmp(magic, "SKUL\xba\xbe\0\2", 8))
			return true;
	return false;
}

static bool has_marks(struct crypt_device *cd)
{
	const char *subsystem = crypt_get_subsystem(cd), *type = NULL;

	if (subsystem && !strcmp(subsystem, VOLUME_SUBSYSTEM))
		return true;
	for (int n = 0; n < TOKENS_MAX; n++) {
		if (crypt_token_status(cd, n, &type) == CRYPT_TOKEN_INACTIVE || !type)
			continue;
		if (!strcmp(type, BINDING_TOKEN_TYPE) || !strcmp(type, SEAL_TOKEN_TYPE))
			return true;
	}
	return false;
}

int volume_kind(const char *path, enum volume_kind *out, struct errmsg *err)
{
	struct device dev scoped(device_free) = {0};
	uint64_t size;

	int ret = probe_backing(path, path, false, &size, err);
	if (ret)
		return ret;
	int fd autoclose = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errmsg_set(err, errno, "%s: cannot open: %s", path, strerror(errno));
	if (!has_magic(fd)) {
		*out = VOLUME_KIND_NONE;
		return 0;
	}
	ret = device_wait_unlocked(path, path, false, err);
	if (!ret)
		ret = device_init(path, path, &dev, err);
	if (ret)
		return ret;
	if (crypt_load(dev.cd, CRYPT_LUKS2, NULL))
		*out = VOLUME_KIND_DAMAGED;
	else
		*out = has_marks(dev.cd) ? VOLUME_KIND_CMKDISK : VOLUME_KIND_LUKS2;
	return 0;
}
