// SPDX-License-Identifier: MIT
// The kernel's loop device and ext4 over a disk of ours. The device is attached to be cleared by
// the kernel when the last of us lets it go, so that nothing is left behind by a crash but a mount.
#include "ground.h"

#include "child.h"
#include "clock.h"
#include "command.h"
#include "scope.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096u
#define TRIES 16u // to get a free loop device, beside others who want one
#define GONE_MS 5000u
#define FSCK_MENDED 1 // bits of e2fsck's exit status (e2fsck(8))
#define FSCK_REBOOT 2
#define FSCK_WRONG 4

bool ground_kind_named(const char *name, enum ground_kind *out)
{
	*out = strcmp(name, "ext4") == 0 ? GROUND_EXT4 : GROUND_FILE;
	return *out == GROUND_EXT4 || strcmp(name, "file") == 0;
}

const char *ground_text(enum ground_kind k)
{
	return k == GROUND_EXT4 ? "ext4" : "disk file";
}

static int attach(struct ground *g, const char *file, struct errmsg *err)
{
	int control autoclose = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int backing autoclose = open(file, O_RDWR | O_CLOEXEC);
	if (control < 0 || backing < 0)
		return errmsg_set(err, errno, "%s: no loop device for it: %m", file);
	struct loop_config config = {.fd = (uint32_t)backing,
		.block_size = BLOCK,
		.info = {.lo_flags = LO_FLAGS_DIRECT_IO | LO_FLAGS_AUTOCLEAR}};
	for (unsigned i = 0; i < TRIES; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			break;
		(void)snprintf(g->device, sizeof(g->device), "/dev/loop%d", number);
		int fd autoclose = open(g->device, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
			g->loop = TAKE_FD(fd);
			return 0;
		}
		if (errno != EBUSY)
			break;
	}
	int errnum = errno;
	g->device[0] = '\0';
	return errmsg_set(err, errnum, "%s: no loop device for it: %s", file, strerror(errnum));
}

static int mount_it(struct ground *g, struct errmsg *err)
{
	if (mount(g->device, g->mountpoint, "ext4", MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL))
		return errmsg_set(
			err, errno, "%s: cannot be mounted on %s: %m", g->device, g->mountpoint);
	g->mounted = true;
	return 0;
}

// Half of the filesystem, in a file that is there before the load is.
static int make_file(struct ground *g, uint64_t bytes, struct errmsg *err)
{
	int fd autoclose = open(g->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errmsg_set(err, errno, "%s: %m", g->path);
	g->size = bytes / 2 / BLOCK * BLOCK;
	return 0;
}

static int make_ext4(struct ground *g, const char *file, uint64_t bytes, struct errmsg *err)
{
	int r = attach(g, file, err);
	if (r)
		return r;
	// Nothing is left to be written later, in the middle of what is measured.
	const char *const argv[] = {g->mkfs, "-q", "-F", "-b", "4096", "-E",
		"lazy_itable_init=0,lazy_journal_init=0", g->device, NULL};
	r = command_run((char *const *)argv, NULL, COMMAND_TIMEOUT_MS, NULL, err);
	if (!r)
		r = mount_it(g, err);
	return r ? r : make_file(g, bytes, err);
}

int ground_up(struct ground *g, enum ground_kind k, const char *file, uint64_t bytes,
	const char *dir, struct errmsg *err)
{
	*g = (struct ground){.kind = k, .loop = -1};
	int n = snprintf(g->path, sizeof(g->path), "%s", file);
	g->size = bytes;
	if (k == GROUND_FILE)
		return n < PATH_MAX ? 0 : errmsg_set(err, ENAMETOOLONG, "%s: too long", file);
	if (geteuid() != 0)
		return errmsg_set(err, EPERM,
			"a filesystem is for root to mount; run the rehearsal as root, or leave "
			"out "
			"--on ext4");
	n = snprintf(g->mountpoint, sizeof(g->mountpoint), "%s/ext4", dir);
	int m = snprintf(g->path, sizeof(g->path), "%s/ext4/load", dir);
	if (n < 0 || m < 0 || m >= PATH_MAX)
		return errmsg_set(err, ENAMETOOLONG, "%s: too long a path", dir);
	int r = tool_need("mkfs.ext4", "e2fsprogs", g->mkfs, sizeof(g->mkfs), err);
	if (!r)
		r = tool_need("e2fsck", "e2fsprogs", g->fsck, sizeof(g->fsck), err);
	if (!r && mkdir(g->mountpoint, 0700))
		r = errmsg_set(err, errno, "%s: %m", g->mountpoint);
	return r ? r : make_ext4(g, file, bytes, err);
}

// Its exit status, which tells more than yes or no; -errno with a sentence.
static int fsck(struct ground *g, const char *how, const char *more, struct errmsg *err)
{
	const char *const argv[] = {g->fsck, how, g->device, more, NULL};
	const struct child_spec spec = {.argv = (char *const *)argv,
		.in = CHILD_NULL,
		.out = CHILD_NULL,
		.err = CHILD_NULL,
		.line = -1};
	struct child c = CHILD_NONE;
	int status = 0, r = child_start(&spec, &c, err);
	if (r)
		return r;
	bool ended = child_ended(&c, COMMAND_TIMEOUT_MS);
	(void)child_end(&c, 0, &status);
	if (!ended || !WIFEXITED(status))
		return errmsg_set(err, EIO, "%s of %s has not come to an end", g->fsck, g->device);
	return WEXITSTATUS(status);
}

static int unmount(struct ground *g, struct errmsg *err)
{
	if (!g->mounted)
		return 0;
	if (umount2(g->mountpoint, 0))
		return errmsg_set(err, errno, "%s: cannot be unmounted: %m", g->mountpoint);
	g->mounted = false;
	return 0;
}

int ground_mend(struct ground *g, struct ground_found *found, struct errmsg *err)
{
	*found = (struct ground_found){.repaired = false};
	if (g->kind == GROUND_FILE)
		return 0;
	int r = unmount(g, err);
	int before = r ? r : fsck(g, "-n", "-f", err);
	int after = before < 0 ? before : fsck(g, "-y", "-f", err);
	if (after < 0)
		return after;
	if (after & ~(FSCK_MENDED | FSCK_REBOOT))
		return errmsg_set(err, EIO,
			"%s: e2fsck -f -y ended with status %d; the filesystem did not outlive the "
			"stop",
			g->device, after);
	found->repaired = before & FSCK_WRONG;
	(void)snprintf(found->text, sizeof(found->text),
		"ext4 was unmounted, e2fsck -n found %s, e2fsck -f -y %s, and it was mounted again",
		found->repaired ? "errors" : "it in order",
		after & FSCK_MENDED ? "replayed its journal and put it right"
				    : "had nothing to do");
	return mount_it(g, err);
}

// The kernel clears it a moment after the last user is gone.
static bool gone(const struct ground *g)
{
	char path[96];
	const struct timespec moment = {.tv_nsec = 20 * (long)NS_PER_MS};
	(void)snprintf(
		path, sizeof(path), "/sys/block/%s/loop/backing_file", g->device + strlen("/dev/"));
	for (unsigned ms = 0; ms < GONE_MS; ms += 20) {
		if (access(path, F_OK))
			return true;
		(void)nanosleep(&moment, NULL);
	}
	return false;
}

int ground_down(struct ground *g, struct errmsg *err)
{
	int r = unmount(g, err);
	if (r && umount2(g->mountpoint, MNT_DETACH) == 0) {
		g->mounted = false;
		r = 0;
	}
	if (g->device[0] && g->loop >= 0)
		(void)close(TAKE_FD(g->loop));
	if (!r && g->device[0] && !gone(g))
		r = errmsg_set(err, EBUSY,
			"%s: stays attached; something on it is still in use. Later: losetup -d %s",
			g->device, g->device);
	if (!r)
		g->device[0] = '\0';
	return r;
}
