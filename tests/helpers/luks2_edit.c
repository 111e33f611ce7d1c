// SPDX-License-Identifier: MIT
// Header edits for tests. Layout: LUKS2 On-Disk Format Specification, section 2.
#include "luks2_edit.h"

#include "fileio.h"
#include "mac.h"
#include "scope.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>

#define AT_HDR_SIZE 8 // big endian, binary header and JSON area
#define AT_CSUM 448
#define CSUM_FIELD 64

struct header_copies {
	int fd;
	size_t len; // of one copy
	uint8_t *copy[2];
};

static uint64_t load_be64(const uint8_t *p)
{
	uint64_t v = 0;
	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static void copies_open(struct header_copies *c, const char *path)
{
	uint8_t size[8];

	c->fd = open(path, O_RDWR | O_CLOEXEC);
	assert(c->fd >= 0);
	int ret = pread_full(c->fd, size, sizeof(size), AT_HDR_SIZE);
	assert(!ret);
	c->len = (size_t)load_be64(size);
	assert(c->len >= 16384 && c->len <= 4 << 20);
	for (size_t i = 0; i < 2; i++) {
		c->copy[i] = malloc(c->len);
		assert(c->copy[i]);
		ret = pread_full(c->fd, c->copy[i], c->len, i * c->len);
		assert(!ret);
	}
}

static void copies_store(struct header_copies *c)
{
	for (size_t i = 0; i < 2; i++) {
		int ret = pwrite_full(c->fd, c->copy[i], c->len, i * c->len);
		assert(!ret);
	}
}

static void copies_close(struct header_copies *c)
{
	free(c->copy[0]);
	free(c->copy[1]);
	(void)close(c->fd);
}

void luks2_repair(uint8_t *copy, size_t len)
{
	uint8_t sum[32];

	memset(copy + AT_CSUM, 0, CSUM_FIELD);
	int ret = sha256(copy, len, sum);
	assert(!ret);
	memcpy(copy + AT_CSUM, sum, sizeof(sum));
}

char *luks2_json(const char *path)
{
	struct header_copies c scoped(copies_close) = {0};

	copies_open(&c, path);
	char *text = strndup((char *)c.copy[0] + LUKS2_BINARY_LEN, c.len - LUKS2_BINARY_LEN);
	assert(text);
	return text;
}

void luks2_set_json(const char *path, const char *json)
{
	struct header_copies c scoped(copies_close) = {0};
	size_t len = strlen(json);

	copies_open(&c, path);
	assert(len < c.len - LUKS2_BINARY_LEN);
	for (size_t i = 0; i < 2; i++) {
		memset(c.copy[i] + LUKS2_BINARY_LEN, 0, c.len - LUKS2_BINARY_LEN);
		memcpy(c.copy[i] + LUKS2_BINARY_LEN, json, len);
		luks2_repair(c.copy[i], c.len);
	}
	copies_store(&c);
}

void luks2_replace(const char *path, const char *from, const char *to)
{
	char *json autofree = luks2_json(path);
	char *at = strstr(json, from);
	assert(at && "the text to replace is in the header");
	size_t before = (size_t)(at - json), room = strlen(json) + strlen(to) + 1;
	char *edited autofree = malloc(room);
	assert(edited);
	(void)snprintf(edited, room, "%.*s%s%s", (int)before, json, to, at + strlen(from));
	luks2_set_json(path, edited);
}

void luks2_poke(const char *path, size_t at, const void *bytes, size_t len)
{
	struct header_copies c scoped(copies_close) = {0};

	copies_open(&c, path);
	for (size_t i = 0; i < 2; i++) {
		memcpy(c.copy[i] + at, bytes, len);
		luks2_repair(c.copy[i], c.len);
	}
	copies_store(&c);
}

void luks2_spoil(const char *path, int copy)
{
	struct header_copies c scoped(copies_close) = {0};

	copies_open(&c, path);
	memset(c.copy[copy] + LUKS2_BINARY_LEN, 'x', 64);
	copies_store(&c);
}
