// SPDX-License-Identifier: MIT
// Small disks for tests: one directory each, gone with the rig.
#include "volume_rig.h"

#include "fileio.h"
#include "scope.h"
#include "secret.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MIB (UINT64_C(1) << 20)

int rig_secret(int byte, struct secret **out)
{
	int ret = secret_new(SLOT_SECRET_LEN, out);
	if (!ret)
		memset((*out)->data, byte, SLOT_SECRET_LEN);
	return ret;
}

void rig_begin(struct volume_rig *r)
{
	const char *tmp = getenv("TMPDIR");

	*r = (struct volume_rig){0};
	(void)snprintf(r->dir, sizeof(r->dir), "%.60s/cmkdisk-volume-XXXXXX", tmp ? tmp : "/tmp");
	char *made = mkdtemp(r->dir);
	assert(made);
	(void)snprintf(r->path, sizeof(r->path), "%s/disk.img", r->dir);
	(void)snprintf(r->secret_path, sizeof(r->secret_path), "%s/slot-secret", r->dir);
	int ret = rig_secret(RIG_SECRET, &r->slot);
	assert(!ret);
	r->binding = rig_binding("v1");
	r->params = (struct volume_params){
		.sector_size = 4096,
		.data_offset = MIB,
		.label = "rig",
		.policy = {.grace_denied_ms = 3600000,
			.grace_unreachable_ms = 86400000,
			.expiry_stops = true,
			.size = 256 * 1024},
	};
}

void rig_end(struct volume_rig *r)
{
	(void)rig_shell(r, "rm -rf \"$(dirname \"$IMG\")\"");
	secret_free(&r->slot);
}

struct binding rig_binding(const char *version)
{
	struct binding b = {.token = -1,
		.keyslot = -1,
		.key_url = "file:///etc/cmkdisk/test.key",
		.alg = "RSA-OAEP-256",
		.wrapped_len = 256};

	(void)snprintf(b.key_version, sizeof(b.key_version), "%s", version);
	memset(b.wrapped, 0xa5, b.wrapped_len);
	return b;
}

void rig_create(struct volume_rig *r)
{
	struct errmsg err = {0};
	int fd autoclose = open(r->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert(fd >= 0);
	uint64_t offset = r->params.data_offset ? r->params.data_offset : 16 * MIB;
	int ret = ftruncate(fd, (off_t)(offset + r->params.policy.size));
	assert(!ret);
	ret = volume_create(r->path, &r->params, &r->binding, r->slot, &err);
	if (ret)
		(void)fprintf(stderr, "volume_create: %s\n", err.text);
	assert(!ret);
}

int rig_try(struct volume_rig *r, size_t nth_binding, const struct secret *slot, struct errmsg *err)
{
	struct volume *v scoped(volume_close) = NULL;
	struct secret *dek scoped(secret_free) = NULL;

	*err = (struct errmsg){0};
	int ret = volume_open(r->path, false, &v, err);
	if (!ret)
		ret = volume_unlock(v, &volume_info(v)->bindings[nth_binding], slot, &dek, err);
	assert(!ret == (dek != NULL));
	return ret;
}

void rig_unlock(struct volume_rig *r, struct volume **v, struct secret **dek)
{
	struct errmsg err = {0};

	int ret = volume_open(r->path, true, v, &err);
	if (!ret)
		ret = volume_unlock(*v, &volume_info(*v)->bindings[0], r->slot, dek, &err);
	if (ret)
		(void)fprintf(stderr, "rig_unlock: %s\n", err.text);
	assert(!ret);
}

int rig_shell(struct volume_rig *r, const char *command)
{
	int fd = open(r->secret_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd >= 0) {
		int ret = write_full(fd, r->slot->data, r->slot->len);
		assert(!ret);
		(void)close(fd);
	}
	pid_t pid = fork();
	assert(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		(void)dup2(null, 0);
		(void)dup2(null, 1);
		if (!getenv("CMKDISK_TEST_VERBOSE"))
			(void)dup2(null, 2);
		(void)setenv("IMG", r->path, 1);
		(void)setenv("KEY", r->secret_path, 1);
		(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	int status;
	pid_t got = waitpid(pid, &status, 0);
	assert(got == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

void rig_copy(const char *from, const char *to)
{
	char buf[65536];
	ssize_t len;
	int in autoclose = open(from, O_RDONLY | O_CLOEXEC);
	int out autoclose = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert(in >= 0 && out >= 0);
	while ((len = read(in, buf, sizeof(buf))) > 0) {
		int ret = write_full(out, buf, (size_t)len);
		assert(!ret);
	}
}
