// SPDX-License-Identifier: MIT
// The control socket as a file: made without a gap in its permissions, stale ones replaced, removed
// by its owner only.
#ifndef CMK_CTL_SOCKET_H
#define CMK_CTL_SOCKET_H

#include "attr.h"
#include "ctl.h"
#include "errmsg.h"

#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#define SOCKET_BACKLOG 64 // connections that wait to be accepted; the kernel allows one more

struct ctl_socket {
	int fd; // listening
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	dev_t dev; // of the file at path while it is ours
	ino_t ino; // 0: not bound
};

// -EBUSY when a living daemon answers there already. Sentences.
int socket_listen(const char *mountpoint, struct ctl_socket *out, struct errmsg *err) must_use;
void socket_unlink(struct ctl_socket *s); // the file, if it still is ours; fd stays open

// A connected socket. -ENOENT, -ECONNREFUSED: nobody listens. timeout_ms 0: none.
int socket_connect(const char *path, unsigned timeout_ms, int *fd) must_use;
// Who is at the other end, as the kernel saw it when the connection (or the listening) began.
int socket_peer(int fd, struct ctl_peer *out) must_use;

#endif
