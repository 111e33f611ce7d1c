// SPDX-License-Identifier: MIT
// Where the control sockets are: the runtime directory, and the name of a mount point's socket.
#include "ctl.h"

#include "bytes.h"
#include "mac.h"
#include "scope.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINKS_MAX 16 // symbolic links at the end of a mount point's path

static int print_path(char *out, size_t room, struct errmsg *err, const char *fmt, ...)
	printf_like(4, 5);

static int print_path(char *out, size_t room, struct errmsg *err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(out, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		return errmsg_set(err, ENAMETOOLONG,
			"a path below the runtime directory is too long; set XDG_RUNTIME_DIR to a "
			"shorter one");
	return 0;
}

// Whether path is a directory that nobody else can put anything into.
static int check_private(const char *path, struct errmsg *err)
{
	struct stat st;
	if (lstat(path, &st))
		return errmsg_set(err, errno, "%s: cannot use the runtime directory: %s", path,
			strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return errmsg_set(err, ENOTDIR,
			"%s: the runtime directory is not a directory; remove it", path);
	if (st.st_uid != geteuid())
		return errmsg_set(err, EPERM,
			"%s: the runtime directory belongs to user %u, expected %u; set "
			"XDG_RUNTIME_DIR to a directory of your own",
			path, st.st_uid, geteuid());
	if (st.st_mode & 022)
		return errmsg_set(err, EPERM,
			"%s: the runtime directory is writable by others (mode %03o); make it "
			"private "
			"with `chmod 700 %s`",
			path, st.st_mode & 0777, path);
	return 0;
}

static int runtime_dir_name(char *out, size_t room, struct errmsg *err)
{
	if (geteuid() == 0)
		return print_path(out, room, err, "/run/cmkdisk");
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	// The variable of another user survives su(1): it counts only if the directory is ours.
	if (xdg && xdg[0] == '/' && stat(xdg, &st) == 0 && st.st_uid == geteuid())
		return print_path(out, room, err, "%s/cmkdisk", xdg);
	return print_path(out, room, err, "/tmp/cmkdisk-%u", geteuid());
}

int ctl_runtime_dir(bool create, char *out, size_t room, struct errmsg *err)
{
	int r = runtime_dir_name(out, room, err);
	if (r)
		return r;
	if (create && mkdir(out, 0700) && errno != EEXIST)
		return errmsg_set(err, errno, "%s: cannot make the runtime directory: %s", out,
			strerror(errno));
	return check_private(out, err);
}

// path without the slashes at its end.
static int copy_path(const char *path, char *out, struct errmsg *err)
{
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		len--;
	if (path[0] != '/' || len >= PATH_MAX)
		return errmsg_set(err, EINVAL,
			"%s: a mount point is named by an absolute path of less than %d bytes",
			path, PATH_MAX);
	memcpy(out, path, len);
	out[len] = '\0';
	return 0;
}

// Follows a symbolic link at the end of path, in place. False if there is none.
static bool follow_link(char path[PATH_MAX])
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	char *name = strrchr(path, '/') + 1;
	if (target[0] == '/')
		name = path;
	size_t room = PATH_MAX - (size_t)(name - path);
	size_t len = strlen(target);
	if (len >= room)
		return false;
	memcpy(name, target, len + 1);
	while (len > 1 && name[len - 1] == '/')
		name[--len] = '\0';
	return true;
}

// The one name of a mount point. Its last component is never looked into: a mount whose daemon died
// answers everything with ENOTCONN, and is exactly the one that must still be found.
static int resolve(const char *mountpoint, char out[PATH_MAX], struct errmsg *err)
{
	char path[PATH_MAX];
	int r = copy_path(mountpoint, path, err);
	if (r)
		return r;
	for (int i = 0; i < LINKS_MAX && follow_link(path); i++)
		;
	char *slash = strrchr(path, '/');
	const char *name = slash + 1;
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return realpath(path, out)
			       ? 0
			       : errmsg_set(err, errno, "%s: %s", path, strerror(errno));
	char parent[PATH_MAX];
	*slash = '\0';
	if (!realpath(path[0] ? path : "/", parent))
		return errmsg_set(err, errno, "%s: cannot resolve the mount point's path: %s",
			mountpoint, strerror(errno));
	return print_path(
		out, PATH_MAX, err, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
}

int ctl_socket_path(const char *mountpoint, char *out, size_t room, struct errmsg *err)
{
	char resolved[PATH_MAX];
	char dir[256];
	int r = resolve(mountpoint, resolved, err);
	if (!r)
		r = runtime_dir_name(dir, sizeof(dir), err);
	if (r)
		return r;
	uint8_t digest[32];
	r = sha256(resolved, strlen(resolved), digest);
	if (r)
		return errmsg_set(err, -r, "cannot hash the mount point's path: %s", strerror(-r));
	char hash[17];
	hex_encode(digest, 8, hash);
	struct sockaddr_un a;
	if (room > sizeof(a.sun_path))
		room = sizeof(a.sun_path); // no socket can have a longer name
	return print_path(out, room, err, "%s/%s.sock", dir, hash);
}
