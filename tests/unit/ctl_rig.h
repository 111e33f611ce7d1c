// SPDX-License-Identifier: MIT
// A control server in this process, for a mount point that is a private directory.
#ifndef CTL_RIG_H
#define CTL_RIG_H

#include "ctl.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct json;

#define TIMEOUT_MS 10000u

struct fixture {
	char base[64];
	char mountpoint[80];
	char socket[104];
	struct ctl_server *server;
	pthread_mutex_t lock;
	struct ctl_peer peer; // of the latest request; under lock
	atomic_int inside;
	atomic_bool hold; // "wait" requests stay inside
};

// {"do":"echo","text":T} is answered with {"text":T}; {"do":"fail"} with EKEYREVOKED and a
// sentence,
// {"do":"mute"} with ENOSPC and none, {"do":"wait"} when hold is false.
int ctl_rig_handler(void *ctx, const struct ctl_peer *peer, const struct json *request,
	struct json **reply, struct errmsg *err);
int ctl_rig_set_up(void **state); // *state: the struct fixture, its server serving
int ctl_rig_tear_down(void **state);
struct json *request_of(const char *what, const char *text);
// 0 and the same text back, or the client's error.
int echo(const char *mountpoint, const char *text, struct errmsg *err);

#endif
