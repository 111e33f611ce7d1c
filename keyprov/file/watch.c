// SPDX-License-Identifier: MIT
// Noticing changes of the bundle at once, by inotify.
//
// The watch is on the file itself, not on the names in its directory: neighbours' changes do not
// wake anybody, and a replacement by rename is seen as the old inode losing its last name. The
// directory is watched for its own going away only. While the file is missing, its directory is
// watched for new names instead, and while that is missing, the nearest one above that exists.
//
// An inode's watch is of no use once the name has another inode, so each unwatch() arms afresh.
// That happens before the host asks, hence no change between the event and the question is lost.
#include "file.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define ON_FILE \
	(IN_ATTRIB | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_DONT_FOLLOW)
#define ON_DIR (IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define ON_DIR_OF_MISSING (ON_DIR | IN_CREATE | IN_MOVED_TO | IN_ATTRIB)

static void drain(int fd)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	while (read(fd, events, sizeof(events)) > 0)
		;
}

static void set_wd(struct file_key *k, int i, const char *path, uint32_t mask)
{
	k->wd[i] = inotify_add_watch(k->inotify, path, mask);
}

static int arm(struct file_key *k)
{
	// Before draining: the removal is itself an event.
	for (int i = 0; i < 2; i++)
		if (k->wd[i] >= 0)
			(void)inotify_rm_watch(k->inotify, k->wd[i]);
	drain(k->inotify);
	char dir[PATH_MAX];
	memcpy(dir, k->url.path, sizeof(dir));
	(void)dirname(dir);
	k->wd[1] = -1;
	set_wd(k, 0, k->url.path, ON_FILE);
	if (k->wd[0] >= 0) {
		set_wd(k, 1, dir, ON_DIR);
		return 0;
	}
	for (;;) {
		set_wd(k, 0, dir, ON_DIR_OF_MISSING);
		if (k->wd[0] >= 0)
			return 0;
		if (strcmp(dir, "/") == 0)
			return -errno;
		(void)dirname(dir);
	}
}

// Arms and makes sure that what was armed is still the truth: a file that appeared between the
// two watches of arm() would wake nobody.
static int arm_settled(struct file_key *k)
{
	for (int i = 0; i < 3; i++) {
		bool before = access(k->url.path, F_OK) == 0;
		int ret = arm(k);
		if (ret || before == (access(k->url.path, F_OK) == 0))
			return ret;
	}
	return 0;
}

static void forget(struct file_key *k)
{
	(void)close(k->inotify);
	k->inotify = k->wd[0] = k->wd[1] = -1;
}

int file_watch(void *key)
{
	struct file_key *k = key;
	if (k->inotify >= 0)
		return k->inotify;
	k->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (k->inotify >= 0 && arm_settled(k))
		forget(k);
	return k->inotify;
}

void file_unwatch(void *key)
{
	struct file_key *k = key;
	if (k->inotify >= 0 && arm_settled(k))
		forget(k);
}
