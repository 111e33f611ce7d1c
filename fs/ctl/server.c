// SPDX-License-Identifier: MIT
// The daemon's end of the control socket: one thread accepts, one thread per connection reads
// requests and runs the handler. A connection that stays silent is closed after five seconds, so
// that it gives its place to another.
#include "ctl.h"

#include "json.h"
#include "line.h"
#include "log.h"
#include "scope.h"
#include "socket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16
#define REQUEST_MAX 65536u // bytes of a line
#define SILENCE_MS 5000u   // for one request to arrive, and for one reply to be taken
#define RETRY_MS 200

struct connection {
	struct ctl_server *server;
	pthread_t thread;
	int fd; // the thread's; once that has ended, open if it asked nothing until the server
		// stopped, else -1
	struct ctl_peer peer;
	bool used; // thread is to be joined
	bool done; // and will not wait
};

struct ctl_server {
	ctl_handler handler;
	void *ctx;
	struct logger *log;
	struct ctl_socket socket;
	int stop_fd; // readable once the server stops
	pthread_t acceptor;
	bool accepting;					// acceptor is to be joined
	pthread_mutex_t lock;				// guards `done` of the connections
	pthread_cond_t left;				// a connection is done
	bool stopping;					// under lock
	struct connection connections[CONNECTIONS_MAX]; // the acceptor's, but for `done`
	int kept[SOCKET_BACKLOG + 1];			// of the queue at the stop, those who asked
	size_t kept_count;				// nothing; the acceptor's
};

static int refusal(int errnum, const char *sentence, struct json **out)
{
	struct json *j scoped(json_free) = NULL;
	if (json_object(&j) || json_add_bool(j, "ok", false) || json_add_int(j, "errno", errnum) ||
		json_add_str(j, "error", sentence))
		return -ENOMEM;
	*out = TAKE(j);
	return 0;
}

// The reply to one line. -ENOMEM, or 0.
static int answer(struct connection *c, const char *line, size_t len, struct json **out)
{
	struct json *request scoped(json_free) = NULL;
	struct json *reply scoped(json_free) = NULL;
	struct errmsg err = {0};
	int r = json_parse(line, len, &request);
	if (r == -ENOMEM)
		return refusal(
			ENOMEM, "the daemon has no memory to read the request; try again", out);
	if (r || !json_is_object(request))
		return refusal(EBADMSG, "a request must be one JSON object on one line", out);
	r = c->server->handler(c->server->ctx, &c->peer, request, &reply, &err);
	if (r)
		return refusal(-r, err.text[0] ? err.text : strerror(-r), out);
	if (!reply && json_object(&reply))
		return -ENOMEM;
	if (!json_get(reply, "ok") && json_add_bool(reply, "ok", true))
		return -ENOMEM;
	*out = TAKE(reply);
	return 0;
}

static int send_reply(int fd, const struct json *reply)
{
	char *text autofree = NULL;
	int r = json_print(reply, false, &text);
	return r ? r : line_write(fd, text, line_deadline(SILENCE_MS));
}

static int serve_line(struct connection *c, struct line_buffer *b)
{
	char *line;
	size_t len;
	struct json *reply scoped(json_free) = NULL;
	int r = line_read(
		c->fd, b, REQUEST_MAX, c->server->stop_fd, line_deadline(SILENCE_MS), &line, &len);
	if (r == -EMSGSIZE) {
		if (refusal(EMSGSIZE, "a request must not be longer than 64 KiB", &reply) == 0)
			(void)send_reply(c->fd, reply);
		return r; // where the next line begins is not known
	}
	if (!r)
		r = answer(c, line, len, &reply);
	return r ? r : send_reply(c->fd, reply);
}

// One that asks nothing may be waiting for the end.
static bool asks_nothing(int fd)
{
	char word;
	return recv(fd, &word, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

static void *connection_main(void *arg)
{
	struct connection *c = arg;
	struct line_buffer b scoped(line_buffer_free) = {0};
	int r = 0;
	while (!r)
		r = serve_line(c, &b);
	if (r != -ECANCELED || b.used > 0 || !asks_nothing(c->fd))
		(void)close(TAKE_FD(c->fd));
	with_lock(&c->server->lock);
	c->done = true;
	(void)pthread_cond_broadcast(&c->server->left);
	return NULL;
}

// A free place, waiting for one if need be; NULL when the server stops.
static struct connection *free_place(struct ctl_server *s)
{
	with_lock(&s->lock);
	while (!s->stopping) {
		for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
			struct connection *c = &s->connections[i];
			if (c->used && c->done) {
				(void)pthread_join(c->thread, NULL);
				c->used = false;
			}
			if (!c->used)
				return c;
		}
		(void)pthread_cond_wait(&s->left, &s->lock);
	}
	return NULL;
}

// Threads of the server leave signals to those who expect them.
static int start_thread(pthread_t *t, void *(*main)(void *), void *arg)
{
	sigset_t all;
	sigset_t before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	int r = pthread_create(t, NULL, main, arg);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

static bool is_answered(struct ctl_server *s, int fd, struct ctl_peer *peer)
{
	int r = socket_peer(fd, peer);
	if (!r && (peer->uid == geteuid() || peer->uid == 0))
		return true;
	log_warning(s->log, "control socket: process %d of user %u was not answered",
		(int)peer->pid, peer->uid);
	return false;
}

static void begin_connection(struct ctl_server *s, struct connection *c)
{
	int fd autoclose = accept4(s->socket.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0) {
		// Out of descriptors or memory: the connection stays in the queue, and must not be
		// asked for in a busy loop.
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			(void)poll(
				&(struct pollfd){.fd = s->stop_fd, .events = POLLIN}, 1, RETRY_MS);
		return;
	}
	if (!is_answered(s, fd, &c->peer))
		return;
	c->server = s;
	c->fd = fd;
	c->done = false;
	int r = start_thread(&c->thread, connection_main, c);
	if (r) {
		log_warning(s->log, "control socket: cannot start a thread: %s", strerror(-r));
		return;
	}
	c->used = true;
	fd = -1; // the thread's now
}

// Those who waited for a place when the server stopped.
static void empty_queue(struct ctl_server *s)
{
	while (s->kept_count < sizeof(s->kept) / sizeof(s->kept[0])) {
		struct ctl_peer peer;
		int fd autoclose = accept4(s->socket.fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (is_answered(s, fd, &peer) && asks_nothing(fd))
			s->kept[s->kept_count++] = TAKE_FD(fd);
	}
}

static void *acceptor_main(void *arg)
{
	struct ctl_server *s = arg;
	while (line_wait(s->socket.fd, POLLIN, s->stop_fd, LINE_NO_DEADLINE) == 0) {
		struct connection *c = free_place(s);
		if (!c)
			break;
		begin_connection(s, c);
	}
	empty_queue(s);
	return NULL;
}

static int init_server(struct ctl_server *s)
{
	int r = pthread_mutex_init(&s->lock, NULL);
	if (!r)
		r = pthread_cond_init(&s->left, NULL);
	if (r)
		return -r;
	s->stop_fd = eventfd(0, EFD_CLOEXEC);
	return s->stop_fd < 0 ? -errno : 0;
}

int ctl_server_new(const char *mountpoint, ctl_handler handler, void *ctx, struct logger *log,
	struct ctl_server **out, struct errmsg *err)
{
	struct ctl_server *s scoped(ctl_server_free) = calloc(1, sizeof(*s));
	if (!s)
		return errmsg_set(err, ENOMEM, "out of memory for the control socket");
	s->handler = handler;
	s->ctx = ctx;
	s->log = log;
	s->socket.fd = -1;
	s->stop_fd = -1;
	int r = init_server(s);
	if (r)
		return errmsg_set(err, -r, "cannot set up the control socket: %s", strerror(-r));
	r = socket_listen(mountpoint, &s->socket, err);
	if (r)
		return r;
	r = start_thread(&s->acceptor, acceptor_main, s);
	if (r)
		return errmsg_set(
			err, -r, "cannot start the control socket's thread: %s", strerror(-r));
	s->accepting = true;
	*out = TAKE(s);
	return 0;
}

static void tell_threads(struct ctl_server *s)
{
	with_lock(&s->lock);
	s->stopping = true;
	(void)eventfd_write(s->stop_fd, 1);
	(void)pthread_cond_broadcast(&s->left);
}

void ctl_server_stop(struct ctl_server *s)
{
	socket_unlink(&s->socket); // nobody new
	if (!s->accepting)
		return;
	tell_threads(s);
	(void)pthread_join(s->acceptor, NULL);
	s->accepting = false;
	(void)close(TAKE_FD(s->socket.fd)); // nobody is left to wait there
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (s->connections[i].used)
			(void)pthread_join(s->connections[i].thread, NULL);
}

static void release(struct ctl_server *s, int fd, const char *text)
{
	if (line_write(fd, text, line_deadline(1)))
		log_debug(s->log, "control socket: somebody did not wait for the end");
}

void ctl_server_release(struct ctl_server *s)
{
	struct json *reply scoped(json_free) = NULL;
	char *text autofree = NULL;
	if (refusal(ESHUTDOWN, "the mount is gone", &reply) || json_print(reply, false, &text))
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (s->connections[i].used && s->connections[i].fd >= 0)
			release(s, s->connections[i].fd, text);
	for (size_t i = 0; i < s->kept_count; i++)
		release(s, s->kept[i], text);
}

void ctl_server_free(struct ctl_server **sp)
{
	struct ctl_server *s = *sp;
	if (!s)
		return;
	*sp = NULL;
	ctl_server_stop(s);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (s->connections[i].used)
			scope_close(&s->connections[i].fd);
	for (size_t i = 0; i < s->kept_count; i++)
		scope_close(&s->kept[i]);
	scope_close(&s->socket.fd);
	scope_close(&s->stop_fd);
	(void)pthread_cond_destroy(&s->left);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}
