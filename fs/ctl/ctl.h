// SPDX-License-Identifier: MIT
// The control socket: one per mount, 0600, peer credentials checked, one JSON object a line each
// way. The protocol is documented in cmkdisk-status(1).
#ifndef CMK_CTL_H
#define CMK_CTL_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ctl_server;
struct json;
struct logger;

struct ctl_peer {
	pid_t pid;
	uid_t uid;
};

// Answers one request. Runs in a thread of its own (several at once, at most 16). *reply is a new
// object of the server's. Non-zero: the server answers {"ok":false,"errno":N,"error":"sentence"}.
typedef int (*ctl_handler)(void *ctx, const struct ctl_peer *peer, const struct json *request,
	struct json **reply, struct errmsg *err);

// The runtime directory: /run/cmkdisk for root, $XDG_RUNTIME_DIR/cmkdisk, else /tmp/cmkdisk-UID;
// made 0700, refused if it is another user's or writable by others. room >= 256.
int ctl_runtime_dir(bool create, char *out, size_t room, struct errmsg *err) must_use;
// The socket's path for a mount point (absolute; links are resolved here, without touching the
// mount itself, which may be dead): runtime dir / hash of the path .sock.
int ctl_socket_path(const char *mountpoint, char *out, size_t room, struct errmsg *err) must_use;

// Binds (a stale socket of a dead daemon is replaced) and starts serving. Only the daemon's own uid
// and root are answered.
int ctl_server_new(const char *mountpoint, ctl_handler handler, void *ctx, struct logger *log,
	struct ctl_server **out, struct errmsg *err) must_use;
// Waits for running handlers (so not from one), removes the socket. Those who wait for the daemon
// stay connected, also who was not accepted yet; who has asked something too late is told by the
// end of the connection.
void ctl_server_stop(struct ctl_server *s);
// After that: tells those who wait for the daemon that it has let go of its backing files.
void ctl_server_release(struct ctl_server *s);
void ctl_server_free(struct ctl_server **s); // stops it if need be; NULL allowed

// Client. Sends one request, waits for the reply (timeout_ms, 0 = none). -ENOENT with a sentence if
// no daemon serves that mount point; -EPERM if another user could have put the socket there, or
// listens at it. A reply with ok:false becomes its errno and sentence.
int ctl_call(const char *mountpoint, const struct json *request, unsigned timeout_ms,
	struct json **reply, struct errmsg *err) must_use;
// A daemon to wait for. Begin with -1 and -1.
struct ctl_daemon {
	struct ctl_peer peer;
	int process; // polls readable once it has ended
	int line;    // a connection to wait by; -1: lost, and not to be had any more
};

void ctl_daemon_end(struct ctl_daemon *d); // for scoped()
// The daemon behind a mount point. To be had before it is told to end: its socket goes first.
// -ENOENT, -ECONNREFUSED: none listens; -EPERM: it is neither ours nor root's; -ESRCH: of another
// PID namespace, or ended.
int ctl_daemon(const char *mountpoint, struct ctl_daemon *d) must_use;
// Whether this very one still listens there, be it that it does not answer. It stops that only
// after its keys are wiped.
bool ctl_daemon_listens(const char *mountpoint, const struct ctl_daemon *d);
// Waits until it has ended, or let go of its backing files (0 = no timeout). 0, -ETIMEDOUT. Not
// from the daemon itself. The daemon closes a line by which nothing comes for five seconds: a fresh
// one takes its place for as long as the daemon listens.
int ctl_daemon_wait(const char *mountpoint, struct ctl_daemon *d, unsigned timeout_ms) must_use;
// Whether a daemon listens for that mount point: 0; -ECONNREFUSED if its socket is a dead one's,
// left behind; -ENOENT if there is none. Never touches the mount itself, which may be stuck.
int ctl_probe(const char *mountpoint) must_use;
// Calls fn for each mount with a live socket of this user (root: /run/cmkdisk only), until it
// returns non-zero, which is then the result. Also for one that is too busy to be connected to.
int ctl_each(int (*fn)(void *ctx, const char *socket_path), void *ctx) must_use;
int ctl_call_socket(const char *socket_path, const struct json *request, unsigned timeout_ms,
	struct json **reply, struct errmsg *err) must_use;

#endif
