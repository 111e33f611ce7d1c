// SPDX-License-Identifier: MIT
// The control socket as a file: one per mount point, private, stale ones replaced, foreign users
// refused; and the runtime directory it lies in.
#include "ctl_rig.h"

#include "json.h"
#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOREIGN 65534

static void a_second_server_is_refused_and_harms_nothing(void **state)
{
	struct fixture *f = *state;
	struct errmsg err = {0};
	struct ctl_server *second = NULL;
	assert_int_equal(
		ctl_server_new(f->mountpoint, ctl_rig_handler, f, NULL, &second, &err), -EBUSY);
	assert_non_null(strstr(err.text, "serves this mount point already"));
	assert_int_equal(echo(f->mountpoint, "x", &err), 0);
}

// A child takes the place of a daemon, and listens when this returns.
static pid_t fork_daemon(struct fixture *f)
{
	int up[2];
	assert_int_equal(pipe(up), 0);
	pid_t child = fork();
	if (child == 0) {
		struct ctl_server *s;
		char c = 0;
		if (ctl_server_new(f->mountpoint, ctl_rig_handler, f, NULL, &s, NULL) ||
			write(up[1], &c, 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	char c;
	(void)close(up[1]);
	assert_int_equal(read(up[0], &c, 1), 1);
	(void)close(up[0]);
	return child;
}

static void a_killed_daemon_leaves_a_socket_that_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct errmsg err = {0};
	ctl_server_free(&f->server);
	pid_t child = fork_daemon(f);
	assert_int_equal(echo(f->mountpoint, "x", &err), 0);
	struct ctl_daemon d scoped(ctl_daemon_end) = {.process = -1, .line = -1};
	struct ctl_daemon gone scoped(ctl_daemon_end) = {.process = -1, .line = -1};
	assert_int_equal(ctl_daemon(f->mountpoint, &d), 0);
	assert_int_equal(d.peer.pid, child);
	assert_true(ctl_daemon_listens(f->mountpoint, &d));
	assert_int_equal(ctl_daemon_wait(f->mountpoint, &d, 20), -ETIMEDOUT);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(ctl_daemon_wait(f->mountpoint, &d, TIMEOUT_MS), 0);
	assert_false(ctl_daemon_listens(f->mountpoint, &d));
	assert_int_equal(ctl_daemon(f->mountpoint, &gone), -ECONNREFUSED);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(access(f->socket, F_OK), 0); // stale, and recognised:
	assert_int_equal(echo(f->mountpoint, "x", &err), -ENOENT);
	assert_int_equal(
		ctl_server_new(f->mountpoint, ctl_rig_handler, f, NULL, &f->server, &err), 0);
	assert_int_equal(echo(f->mountpoint, "x", &err), 0);
	assert_false(ctl_daemon_listens(f->mountpoint, &d)); // another one does
}

// The daemon is this process, which does not end.
static void who_waits_is_let_go_when_the_backing_files_are(void **state)
{
	struct fixture *f = *state;
	struct errmsg err = {0};
	struct ctl_daemon d scoped(ctl_daemon_end) = {.process = -1, .line = -1};
	assert_int_equal(ctl_daemon(f->mountpoint, &d), 0);
	assert_int_equal(d.peer.pid, getpid());
	assert_int_equal(echo(f->mountpoint, "x", &err), 0); // so it is accepted by now
	ctl_server_stop(f->server);
	assert_int_equal(access(f->socket, F_OK), -1);
	assert_int_equal(ctl_daemon_wait(f->mountpoint, &d, 50), -ETIMEDOUT);
	ctl_server_release(f->server);
	assert_int_equal(ctl_daemon_wait(f->mountpoint, &d, TIMEOUT_MS), 0);
}

static void a_connection_that_is_closed_says_nothing_of_the_files(void **state)
{
	struct fixture *f = *state;
	struct errmsg err = {0};
	struct ctl_daemon d scoped(ctl_daemon_end) = {.process = -1, .line = -1};
	assert_int_equal(ctl_daemon(f->mountpoint, &d), 0);
	assert_int_equal(echo(f->mountpoint, "x", &err), 0);
	ctl_server_free(&f->server);
	assert_int_equal(ctl_daemon_wait(f->mountpoint, &d, 50), -ETIMEDOUT);
}

static int remember(void *ctx, const char *path)
{
	struct fixture *f = ctx;
	return strcmp(path, f->socket) == 0 ? 42 : 0;
}

static void each_finds_live_sockets_only(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(ctl_each(remember, f), 42);
	ctl_server_free(&f->server);
	pid_t child = fork_daemon(f);
	assert_int_equal(ctl_each(remember, f), 42);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(ctl_each(remember, f), 0);
	assert_int_equal(unlink(f->socket), 0);
}

static void one_mount_point_has_one_socket_under_any_spelling(void **state)
{
	struct fixture *f = *state;
	struct errmsg err = {0};
	char spelling[300];
	char link[100];
	(void)snprintf(link, sizeof(link), "%.63s/link", f->base);
	assert_int_equal(symlink("mnt/", link), 0);
	const char *forms[] = {"%s/mnt/", "%s/./mnt", "%s/mnt/../mnt", "%s/link", "%s/mnt/."};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		(void)snprintf(spelling, sizeof(spelling), "%s", forms[i] + 2);
		char path[400];
		(void)snprintf(path, sizeof(path), "%s%s", f->base, spelling);
		assert_int_equal(echo(path, "x", &err), 0);
	}
	assert_int_equal(echo(f->base, "x", &err), -ENOENT);
	assert_int_equal(unlink(link), 0);
}

static int call_as_foreigner(const struct fixture *f)
{
	pid_t child = fork();
	if (child == 0) {
		struct json *q = request_of("echo", "x");
		struct json *a = NULL;
		struct errmsg err = {0};
		if (setgid(FOREIGN) || setuid(FOREIGN))
			_exit(255);
		_exit(-ctl_call_socket(f->socket, q, TIMEOUT_MS, &a, &err));
	}
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void another_user_is_not_answered(void **state)
{
	struct fixture *f = *state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(call_as_foreigner(f), -EACCES);
	// Past the permissions, which are the first wall, the credentials are the second.
	assert_int_equal(chmod("/run/cmkdisk", 0711), 0);
	assert_int_equal(chmod(f->socket, 0666), 0);
	int r = call_as_foreigner(f);
	assert_int_equal(chmod("/run/cmkdisk", 0700), 0);
	assert_int_equal(r, -EIO);
}

// A listener of another user's at the mount point's socket is not told anything: it could say that
// a disk is locked that is not.
static void a_socket_of_another_user_is_not_asked(void **state)
{
	struct fixture *f = *state;
	struct errmsg err = {0};
	if (geteuid() != 0)
		skip();
	assert_int_equal(echo(f->mountpoint, "x", &err), 0);
	ctl_server_free(&f->server);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->socket);
	int fd autoclose = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	// The kernel remembers who listens.
	assert_int_equal(seteuid(FOREIGN), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(seteuid(0), 0);
	struct ctl_daemon d;
	assert_int_equal(echo(f->mountpoint, "x", &err), -EPERM);
	assert_non_null(strstr(err.text, "of user 65534, who is neither you nor root"));
	assert_int_equal(ctl_probe(f->mountpoint), -EPERM);
	assert_int_equal(ctl_daemon(f->mountpoint, &d), -EPERM);
	assert_int_equal(ctl_each(remember, f), 0);
	assert_int_equal(unlink(f->socket), 0);
}

static void expect_dir(int want, const char *part)
{
	char dir[256];
	struct errmsg err = {0};
	int r = ctl_runtime_dir(true, dir, sizeof(dir), &err);
	if (r != want || (part && !strstr(r ? err.text : dir, part))) {
		(void)fprintf(stderr, "%d instead of %d: %s %s\n", r, want, dir, err.text);
		_exit(1);
	}
}

// As the foreign user, in a child.
static void check_runtime_dirs(const char *xdg, const char *in_it)
{
	if (setgid(FOREIGN) || setuid(FOREIGN))
		_exit(255);
	struct stat st;
	expect_dir(0, in_it);
	if (stat(in_it, &st) || (st.st_mode & 07777) != 0700 || chmod(in_it, 0777))
		_exit(2);
	expect_dir(-EPERM, "chmod 700");
	struct errmsg err = {0};
	if (echo("/tmp", "x", &err) != -EPERM || !strstr(err.text, "writable by others"))
		_exit(8);
	if (rmdir(in_it) || symlink("/", in_it))
		_exit(3);
	expect_dir(-ENOTDIR, in_it);
	if (unlink(in_it) || setenv("XDG_RUNTIME_DIR", "/run", 1))
		_exit(4);
	expect_dir(0, "/tmp/cmkdisk-65534"); // /run is not theirs
	if (rmdir("/tmp/cmkdisk-65534"))
		_exit(5);
	char other[256];
	(void)snprintf(other, sizeof(other), "%s/long-%090d", xdg, 0);
	if (mkdir(other, 0700) || setenv("XDG_RUNTIME_DIR", other, 1))
		_exit(6);
	char path[256];
	if (ctl_socket_path("/mnt", path, sizeof(path), NULL) != -ENAMETOOLONG || rmdir(other))
		_exit(7);
	_exit(0);
}

static void the_runtime_directory_is_private_or_refused(void **state)
{
	struct fixture *f = *state;
	if (geteuid() != 0)
		skip();
	char in_it[160];
	char foreign[100];
	(void)snprintf(foreign, sizeof(foreign), "%.63s/xdg", f->base);
	(void)snprintf(in_it, sizeof(in_it), "%.99s/cmkdisk", foreign);
	assert_int_equal(chmod(f->base, 0711), 0);
	assert_int_equal(mkdir(foreign, 0700), 0);
	assert_int_equal(chown(foreign, FOREIGN, FOREIGN), 0);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", foreign, 1), 0);
	pid_t child = fork();
	if (child == 0)
		check_runtime_dirs(foreign, in_it);
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(rmdir(foreign), 0);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", f->base, 1), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ctl_rig_set_up, ctl_rig_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_second_server_is_refused_and_harms_nothing),
		TEST(a_killed_daemon_leaves_a_socket_that_is_replaced),
		TEST(who_waits_is_let_go_when_the_backing_files_are),
		TEST(a_connection_that_is_closed_says_nothing_of_the_files),
		TEST(each_finds_live_sockets_only),
		TEST(one_mount_point_has_one_socket_under_any_spelling),
		TEST(another_user_is_not_answered),
		TEST(a_socket_of_another_user_is_not_asked),
		TEST(the_runtime_directory_is_private_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
