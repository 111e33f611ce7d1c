// SPDX-License-Identifier: MIT
// Sockets of listeners; see emu_socket.h.
#include "emu_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static int parse_port(const char *text, in_port_t *out)
{
	unsigned port = 0;
	if (!*text || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text))
		return -EINVAL;
	for (; *text; text++)
		port = port * 10 + (unsigned)(*text - '0');
	if (port > 65535)
		return -EINVAL;
	*out = htons((in_port_t)port);
	return 0;
}

static int parse_unix(const char *path, union address *a, socklen_t *len)
{
	if (strlen(path) >= sizeof(a->un.sun_path))
		return -ENAMETOOLONG;
	a->un.sun_family = AF_UNIX;
	memcpy(a->un.sun_path, path, strlen(path) + 1);
	*len = sizeof(a->un);
	return 0;
}

static int parse(const char *text, union address *a, socklen_t *len)
{
	char host[EMU_ADDRESS_ROOM];
	memset(a, 0, sizeof(*a));
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, a, len);
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	if (n < 2 || n >= sizeof(host))
		return -EINVAL;
	if (*text == '[' && text[n - 1] == ']') {
		memcpy(host, text + 1, n - 2);
		host[n - 2] = '\0';
		a->v6.sin6_family = AF_INET6;
		*len = sizeof(a->v6);
		return inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1
			       ? parse_port(colon + 1, &a->v6.sin6_port)
			       : -EINVAL;
	}
	memcpy(host, text, n);
	host[n] = '\0';
	a->v4.sin_family = AF_INET;
	*len = sizeof(a->v4);
	return inet_pton(AF_INET, host, &a->v4.sin_addr) == 1
		       ? parse_port(colon + 1, &a->v4.sin_port)
		       : -EINVAL;
}

bool emu_socket_address(const char *text)
{
	union address a;
	socklen_t len;
	return parse(text, &a, &len) == 0;
}

bool emu_socket_loopback(const char *text)
{
	union address a;
	socklen_t len;
	if (parse(text, &a, &len))
		return false;
	if (a.any.sa_family == AF_INET)
		return ntohl(a.v4.sin_addr.s_addr) >> 24 == 127;
	return a.any.sa_family == AF_UNIX || IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
}

static int print_bound(int fd, char bound[EMU_ADDRESS_ROOM])
{
	union address a;
	socklen_t len = sizeof(a);
	char host[INET6_ADDRSTRLEN];
	if (getsockname(fd, &a.any, &len) < 0)
		return -errno;
	if (a.any.sa_family == AF_INET)
		(void)snprintf(bound, EMU_ADDRESS_ROOM, "%s:%u",
			inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof(host)),
			ntohs(a.v4.sin_port));
	else if (a.any.sa_family == AF_INET6)
		(void)snprintf(bound, EMU_ADDRESS_ROOM, "[%s]:%u",
			inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof(host)),
			ntohs(a.v6.sin6_port));
	else
		(void)snprintf(bound, EMU_ADDRESS_ROOM, "unix");
	return 0;
}

static int bind_it(int fd, const union address *a, socklen_t len)
{
	int one = 1;
	if (a->any.sa_family == AF_UNIX) {
		// The mode is set between bind() and listen(): nobody can connect in between.
		(void)unlink(a->un.sun_path);
		if (bind(fd, &a->any, len) < 0 || chmod(a->un.sun_path, 0600) < 0)
			return -errno;
		return 0;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
		bind(fd, &a->any, len) < 0)
		return -errno;
	return 0;
}

int emu_socket_bind(const char *address, int *out, char bound[EMU_ADDRESS_ROOM], struct kp_err *err)
{
	union address a;
	socklen_t len;
	int ret = parse(address, &a, &len);
	if (ret == -ENAMETOOLONG)
		return kp_fail(err, ENAMETOOLONG,
			"%s: the path of a socket has at most %zu bytes; choose a shorter state "
			"directory",
			address, sizeof(a.un.sun_path) - 1);
	if (ret)
		return kp_fail(err, EINVAL,
			"%s: is no address to listen on; write one such as 127.0.0.1:8443 or "
			"[::1]:8443",
			address);
	autoclose int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return kp_fail(err, errno, "cannot make a socket: %s", strerror(errno));
	ret = bind_it(fd, &a, len);
	if (!ret)
		ret = print_bound(fd, bound);
	if (ret)
		return kp_fail(err, -ret, "%s: cannot listen here: %s", address, strerror(-ret));
	*out = TAKE_FD(fd);
	return 0;
}

int emu_socket_connect(const char *path, int *out)
{
	union address a = {{0}};
	socklen_t len;
	int ret = parse_unix(path, &a, &len);
	if (ret)
		return ret;
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, &a.any, len) < 0)
		return -errno;
	*out = TAKE_FD(fd);
	return 0;
}
