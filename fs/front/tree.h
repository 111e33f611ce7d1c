// SPDX-License-Identifier: MIT
// What the mount shows: a root directory and one node per disk, fixed from the mount to the
// unmount. Knows inode numbers, names and attributes; knows nothing of FUSE.
#ifndef CMK_TREE_H
#define CMK_TREE_H

#include "attr.h"
#include "errmsg.h"
#include "front.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#define TREE_ROOT_INO 1

struct request;

struct node {
	char *name;
	struct disk *disk; // borrowed
	// Reads whose plaintext is on its way to the kernel: see front_forget().
	atomic_uint replying;
	// See admit.c: threads that serve the disk, and requests put by until one of them is free.
	atomic_uint inside, waiting;
	struct request *first, *last; // those put by, guarded by the front's lock
};

struct tree {
	struct node *nodes; // in the order of the configuration; node i has the inode number i + 2
	size_t *by_name;    // indexes into nodes, sorted by name
	size_t count;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	bool read_only;
	struct timespec born; // every time stamp there is
};

// -EINVAL (a name no file can have), -EEXIST (two disks of one name), -ENOMEM.
int tree_init(struct tree *t, const struct front_config *c, struct errmsg *err) must_use;
void tree_destroy(struct tree *t); // also one that is all zero

struct node *tree_node(const struct tree *t, uint64_t ino); // NULL for the root and for no node
uint64_t tree_ino(size_t i);
bool tree_lookup(const struct tree *t, const char *name, size_t *i);
bool tree_node_read_only(const struct tree *t, const struct node *n);

// False if there is no such inode.
bool tree_stat(const struct tree *t, uint64_t ino, struct stat *st);
void tree_statfs(const struct tree *t, struct statvfs *st);

#endif
