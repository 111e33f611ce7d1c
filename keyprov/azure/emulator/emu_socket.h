// SPDX-License-Identifier: MIT
// Addresses of listeners and the sockets behind them.
#ifndef CMK_EMU_SOCKET_H
#define CMK_EMU_SOCKET_H

#include "kp_err.h"

#include <stdbool.h>
#include <stddef.h>

#define EMU_ADDRESS_ROOM 64

// address: "127.0.0.1:8443", "[::1]:0" or "unix:/path" (made 0600; what is there is replaced).
// *fd is bound and does not listen; bound says host:port with the port that was given, or
// "unix". -EINVAL, or what the system says, with a sentence.
int emu_socket_bind(
	const char *address, int *fd, char bound[EMU_ADDRESS_ROOM], struct kp_err *err) must_use;
// Whether it is an address at all.
bool emu_socket_address(const char *address);
// Whether only this host can reach it. A text that is no address is not.
bool emu_socket_loopback(const char *address);
// Connects to a socket of the filesystem. -errno without a sentence.
int emu_socket_connect(const char *path, int *fd) must_use;

#endif
