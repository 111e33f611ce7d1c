// SPDX-License-Identifier: MIT
// The private directory of a rehearsal, with a lock that tells the living from the dead.
#include "rehearse_place.h"

#include "fileio.h"
#include "rig.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PREFIX "cmkdisk-rehearsal-"

static int lock_file(const char *dir, int flags)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/lock", dir);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	return fd < 0 ? -errno : fd;
}

int rehearse_place_fits(const char *parent, uint64_t bytes, struct errmsg *err)
{
	struct statvfs st;
	int fuse autoclose = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		return errmsg_set(err, errno,
			"/dev/fuse: %m; the disk of a rehearsal is mounted like any other, see "
			"cmkdisk-mount(1)");
	if (statvfs(parent, &st))
		return errmsg_set(err, errno,
			"%s: no rehearsal can be made there: %m; choose a directory that is there "
			"with --dir",
			parent);
	uint64_t room = (uint64_t)st.f_bavail * st.f_frsize;
	if (room >= bytes)
		return 0;
	return errmsg_set(err, ENOSPC,
		"%s: no room for the disk of a rehearsal: about %llu MiB are needed, %llu MiB are "
		"free; choose another directory with --dir",
		parent, (unsigned long long)(bytes >> 20), (unsigned long long)(room >> 20));
}

int rehearse_place_make(const char *parent, struct rehearse_place *out, struct errmsg *err)
{
	char where[PATH_MAX];
	*out = (struct rehearse_place)REHEARSE_PLACE_NONE;
	// Children run in / and are handed absolute paths.
	if (!realpath(parent, where))
		return errmsg_set(err, errno,
			"%s: no rehearsal can be made there: %m; choose a directory that is there "
			"with --dir",
			parent);
	int n = snprintf(out->dir, sizeof(out->dir), "%s/" PREFIX "XXXXXX", where);
	if (n < 0 || (size_t)n >= sizeof(out->dir)) {
		out->dir[0] = '\0';
		return errmsg_set(err, ENAMETOOLONG,
			"%s: too long a path for a rehearsal; choose a shorter one with --dir",
			where);
	}
	if (!mkdtemp(out->dir)) {
		int rc = errmsg_set(err, errno, "%s: no directory can be made there: %m", where);
		out->dir[0] = '\0';
		return rc;
	}
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	out->lock = lock_file(out->dir, O_CREAT);
	if (out->lock < 0 || fcntl(out->lock, F_OFD_SETLK, &whole))
		return errmsg_set(err, errno, "%s: cannot be locked: %m", out->dir);
	return 0;
}

int rehearse_place_remove(struct rehearse_place *p, bool keep, struct errmsg *err)
{
	int rc = p->dir[0] && !keep ? rig_remove(p->dir, err) : 0;
	if (p->lock >= 0)
		(void)close(p->lock);
	*p = (struct rehearse_place)REHEARSE_PLACE_NONE;
	return rc;
}

static bool is_left(const char *dir)
{
	struct stat st;
	if (lstat(dir, &st) || !S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return false;
	int fd autoclose = lock_file(dir, 0);
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type == F_UNLCK;
}

// The first cmkdisk-vault that lives on there: its process is known by its command line.
static long vault_of(const char *dir)
{
	char pattern[PATH_MAX], line[64];
	const char *slash = strrchr(dir, '/'), *name = slash ? slash + 1 : dir;
	glob_t found = {.gl_pathc = 0};
	long pid = 0;
	int n = snprintf(pattern, sizeof(pattern), "%s/*/vault.pid", dir);
	if (n < 0 || (size_t)n >= sizeof(pattern) || glob(pattern, 0, NULL, &found))
		return 0;
	for (size_t i = 0; pid == 0 && i < found.gl_pathc; i++) {
		char *text autofree = NULL, *words autofree = NULL;
		size_t len = 0;
		if (read_text_file(found.gl_pathv[i], sizeof(line), &text, &len, NULL))
			continue;
		long named = strtol(text, NULL, 10);
		(void)snprintf(line, sizeof(line), "/proc/%ld/cmdline", named);
		if (named > 1 && read_text_file(line, PATH_MAX, &words, &len, NULL) == 0 &&
			memmem(words, len, name, strlen(name)))
			pid = named;
	}
	globfree(&found);
	return pid;
}

static void name_left(const char *dir)
{
	char vault[64] = "";
	long pid = vault_of(dir);
	if (pid)
		(void)snprintf(vault, sizeof(vault), "end its cmkdisk-vault (kill %ld), ", pid);
	fprintf(stderr,
		"cmkdisk: note: %s is left of a rehearsal that was kept or killed; if nothing is "
		"needed of it, unmount %s/*/mnt with cmkdisk umount, %sand remove it\n",
		dir, dir, vault);
}

void rehearse_place_name_left(const char *parent)
{
	char pattern[PATH_MAX];
	glob_t found = {.gl_pathc = 0};
	int n = snprintf(pattern, sizeof(pattern), "%s/" PREFIX "*", parent);
	if (n < 0 || (size_t)n >= sizeof(pattern) || glob(pattern, 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (is_left(found.gl_pathv[i]))
			name_left(found.gl_pathv[i]);
	globfree(&found);
}
