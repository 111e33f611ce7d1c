// SPDX-License-Identifier: MIT
// What emu_http.c (the protocol) and emu_listen.c (the life of listeners) share. Private to them.
#ifndef CMK_EMU_LISTENER_H
#define CMK_EMU_LISTENER_H

#include "emu_http.h"

#include <pthread.h>
#include <string.h>

struct MHD_Daemon;

struct listener {
	struct emu_http *http;
	enum emu_port port;
	char *address; // with the port that was given
	char *cert, *key;
	int ending; // eventfd, readable while the listener ends
	int fd;	    // bound while nothing listens; else -1
	struct MHD_Daemon *daemon;
};

struct emu_http {
	emu_handler handler;
	void *ctx;
	unsigned idle_s;
	pthread_mutex_t lock; // of starting and stopping
	struct listener *ports[EMU_PORTS];
};

// Listens and answers on l->fd, which belongs to the daemon from then on. 0 or -errno.
int listener_start(struct listener *l) must_use;
// Ends all connections and waits for their handlers.
void listener_stop(struct listener *l);

// 0 after ms (-1: never), -ECONNRESET if the client goes, -ECANCELED if the listener ends.
int listener_wait(const struct listener *l, int client, int64_t ms);
// A FIN would read as an empty answer; this is a reset, at once.
void listener_reset(int client);

static inline void wiped_free(char *p, size_t len)
{
	if (p)
		explicit_bzero(p, len);
	free(p);
}

#endif
