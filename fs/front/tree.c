// SPDX-License-Identifier: MIT
// Inode numbers, names and attributes of the mount.
#include "tree.h"

#include "disk.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_DISK_INO 2
#define BLOCK 4096u

static int check_name(const char *name, struct errmsg *err)
{
	size_t len = strlen(name);
	if (len == 0 || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return errmsg_set(err, EINVAL,
			"\"%s\" cannot be the name of a disk in the mount; rename the backing file",
			name);
	if (len > NAME_MAX)
		return errmsg_set(err, EINVAL,
			"the disk name \"%s\" is longer than %d bytes; rename the backing file",
			name, NAME_MAX);
	return 0;
}

static int by_name(const void *a, const void *b, void *nodes)
{
	const struct node *n = nodes;
	return strcmp(n[*(const size_t *)a].name, n[*(const size_t *)b].name);
}

static int index_names(struct tree *t, struct errmsg *err)
{
	for (size_t i = 0; i < t->count; i++)
		t->by_name[i] = i;
	qsort_r(t->by_name, t->count, sizeof(*t->by_name), by_name, t->nodes);
	for (size_t i = 1; i < t->count; i++) {
		const char *name = t->nodes[t->by_name[i]].name;
		if (strcmp(t->nodes[t->by_name[i - 1]].name, name) == 0)
			return errmsg_set(err, EEXIST,
				"two backing files would both appear as \"%s\"; rename one, or "
				"mount "
				"them at different places",
				name);
	}
	return 0;
}

static int add_disks(struct tree *t, const struct front_config *c, struct errmsg *err)
{
	t->nodes = calloc(c->disk_count + 1, sizeof(*t->nodes));
	t->by_name = calloc(c->disk_count + 1, sizeof(*t->by_name));
	if (!t->nodes || !t->by_name)
		return errmsg_set(err, ENOMEM, "out of memory for %zu disks", c->disk_count);
	for (; t->count < c->disk_count; t->count++) {
		int r = check_name(c->disks[t->count].name, err);
		if (r)
			return r;
		t->nodes[t->count].name = strdup(c->disks[t->count].name);
		if (!t->nodes[t->count].name)
			return errmsg_set(
				err, ENOMEM, "out of memory for %zu disks", c->disk_count);
		t->nodes[t->count].disk = c->disks[t->count].disk;
	}
	return index_names(t, err);
}

int tree_init(struct tree *t, const struct front_config *c, struct errmsg *err)
{
	*t = (struct tree){
		.uid = c->uid, .gid = c->gid, .mode = c->mode & 0777, .read_only = c->read_only};
	(void)clock_gettime(CLOCK_REALTIME, &t->born);
	int r = add_disks(t, c, err);
	if (r)
		tree_destroy(t);
	return r;
}

void tree_destroy(struct tree *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->nodes[i].name);
	free(t->nodes);
	free(t->by_name);
	*t = (struct tree){0};
}

uint64_t tree_ino(size_t i)
{
	return i + FIRST_DISK_INO;
}

struct node *tree_node(const struct tree *t, uint64_t ino)
{
	if (ino < FIRST_DISK_INO || ino - FIRST_DISK_INO >= t->count)
		return NULL;
	return &t->nodes[ino - FIRST_DISK_INO];
}

bool tree_lookup(const struct tree *t, const char *name, size_t *i)
{
	size_t low = 0;
	size_t high = t->count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, t->nodes[t->by_name[mid]].name);
		if (order == 0) {
			*i = t->by_name[mid];
			return true;
		}
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return false;
}

bool tree_node_read_only(const struct tree *t, const struct node *n)
{
	return t->read_only || disk_read_only(n->disk);
}

static void stat_disk(const struct tree *t, const struct node *n, struct stat *st)
{
	uint32_t sector = disk_sector_size(n->disk);
	st->st_mode = S_IFREG | t->mode;
	if (tree_node_read_only(t, n))
		st->st_mode &= ~(mode_t)0222;
	st->st_nlink = 1;
	st->st_size = (off_t)disk_size(n->disk);
	st->st_blocks = (blkcnt_t)(disk_size(n->disk) / 512);
	st->st_blksize = sector > BLOCK ? sector : BLOCK;
}

bool tree_stat(const struct tree *t, uint64_t ino, struct stat *st)
{
	const struct node *n = tree_node(t, ino);
	if (!n && ino != TREE_ROOT_INO)
		return false;
	*st = (struct stat){.st_ino = ino,
		.st_uid = t->uid,
		.st_gid = t->gid,
		.st_atim = t->born,
		.st_mtim = t->born,
		.st_ctim = t->born};
	if (n) {
		stat_disk(t, n, st);
		return true;
	}
	// Who may read the disks may list them. Nobody may add or remove one.
	mode_t readers = t->mode & 0444;
	st->st_mode = S_IFDIR | readers | (readers >> 2);
	st->st_nlink = 2;
	st->st_blksize = BLOCK;
	return true;
}

void tree_statfs(const struct tree *t, struct statvfs *st)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < t->count; i++)
		bytes += disk_size(t->nodes[i].disk);
	*st = (struct statvfs){.f_bsize = BLOCK,
		.f_frsize = 512, // disks may be made of 512-byte sectors
		.f_blocks = bytes / 512,
		.f_files = t->count + 1,
		.f_namemax = NAME_MAX};
}
