// SPDX-License-Identifier: MIT
// Whole LUKS2 headers, with the checksums repaired, through libcryptsetup and our allow-list. The
// input is the JSON area; if it begins with "LUKS" its first 512 bytes are the binary header.
// Whatever opens must keep the promises of struct volume_info.
#include "../helpers/luks2_edit.h"
#include "luks.h"

#include "fileio.h"
#include "scope.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define COPY_LEN 65536 // as cmkdisk makes them, so that a disk's own JSON area is a seed
#define FILE_LEN (2 << 20)
#define AT_COPY_OFFSET 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void default_binary(uint8_t *h)
{
	memcpy(h, "LUKS\xba\xbe\0\2", 8);
	h[13] = COPY_LEN >> 16; // size, 64 bits, big endian
	h[23] = 3;		// sequence number
	memcpy(h + 72, "sha256", 6);
	memcpy(h + LUKS2_AT_UUID, "01234567-89ab-cdef-0123-456789abcdef", VOLUME_UUID_LEN);
	memcpy(h + LUKS2_AT_SUBSYSTEM, "cmkdisk", 7);
}

static void build(int fd, const uint8_t *data, size_t size)
{
	static uint8_t copy[COPY_LEN];

	memset(copy, 0, sizeof(copy));
	if (size >= 512 && memcmp(data, "LUKS", 4) == 0) {
		memcpy(copy, data, 512);
		data += 512;
		size -= 512;
	} else {
		default_binary(copy);
	}
	if (size > COPY_LEN - LUKS2_BINARY_LEN)
		size = COPY_LEN - LUKS2_BINARY_LEN;
	memcpy(copy + LUKS2_BINARY_LEN, data, size);
	for (uint64_t i = 0; i < 2; i++) {
		memcpy(copy, i ? "SKUL" : "LUKS", 4);
		memset(copy + AT_COPY_OFFSET, 0, 8);
		copy[AT_COPY_OFFSET + 5] = i ? COPY_LEN >> 16 : 0;
		luks2_repair(copy, sizeof(copy));
		int ret = pwrite_full(fd, copy, sizeof(copy), i * COPY_LEN);
		assert(!ret);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1; // one file for all runs: making one costs more than the run
	struct volume *v scoped(volume_close) = NULL;
	struct errmsg err = {0};
	char path[64];

	if (fd < 0)
		fd = memfd_create("header", MFD_CLOEXEC);
	int ret = ftruncate(fd, FILE_LEN);
	assert(fd >= 0 && !ret);
	build(fd, data, size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = volume_open(path, false, &v, &err);
	assert(!ret == (v != NULL));
	if (ret) {
		assert(err.text[0]);
		return 0;
	}
	const struct volume_info *i = volume_info(v);
	assert(i->sector_size == 512 || i->sector_size == 4096);
	assert(i->policy.size > 0 && i->policy.size % i->sector_size == 0);
	assert(i->data_offset + i->policy.size <= i->backing_size);
	assert(strlen(i->uuid) == VOLUME_UUID_LEN && !strcmp(i->cipher, VOLUME_CIPHER));
	assert(i->binding_count >= 1 && i->binding_count <= BINDINGS_MAX);
	for (size_t n = 0; n < i->binding_count; n++) {
		assert(i->bindings[n].keyslot >= 0 && i->bindings[n].keyslot < 32);
		assert(!memcmp(i->bindings[n].digest, i->digest, sizeof(i->digest)));
		assert(n == 0 || i->bindings[n - 1].token < i->bindings[n].token);
	}
	return 0;
}
