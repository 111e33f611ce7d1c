// SPDX-License-Identifier: MIT
// See http_script.h.
#include "http_script.h"

#include "http_script_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct answer {
	enum http_manner manner;
	char *bytes;
	size_t len;
};

struct http_script {
	pthread_t thread;
	pthread_mutex_t lock; // guards all below but stop and tls
	int listener, stop;   // stop is an eventfd
	unsigned port;
	struct script_tls *tls;
	struct answer answers[HTTP_SCRIPT_MAX];
	size_t answer_count, requests, connections;
	struct http_seen seen[HTTP_SCRIPT_MAX];
};

static void die(const char *what)
{
	perror(what);
	abort();
}

// False when the script ends first, or after ms (-1 for ever).
static bool wait_for(struct http_script *s, int fd, int ms)
{
	struct pollfd p[2] = {{.fd = s->stop, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	while (poll(p, fd < 0 ? 1 : 2, ms) < 0 && errno == EINTR)
		;
	return !p[0].revents && p[1].revents;
}

static bool ended(struct http_script *s)
{
	struct pollfd p = {.fd = s->stop, .events = POLLIN};
	return poll(&p, 1, 0) > 0;
}

static size_t content_length(const char *head)
{
	const char *line = strcasestr(head, "\r\nContent-Length:");
	return line ? strtoul(line + 17, NULL, 10) : 0;
}

// One request; false if the connection ended instead.
static bool read_request(struct http_script *s, struct script_link *l, struct http_seen *q)
{
	size_t len = 0;
	memset(q, 0, sizeof(*q));
	while (!strstr(q->head, "\r\n\r\n")) {
		if (len == sizeof(q->head) - 1 || (!script_pending(l) && !wait_for(s, l->fd, -1)) ||
			script_read(l, q->head + len, 1) != 1)
			return false;
		len++;
	}
	size_t want = content_length(q->head);
	if (want >= sizeof(q->body))
		return false;
	while (q->body_len < want) {
		long n = script_read(l, q->body + q->body_len, want - q->body_len);
		if (n <= 0)
			return false;
		q->body_len += (size_t)n;
	}
	return true;
}

static bool next_answer(struct http_script *s, const struct http_seen *q, struct answer *out)
{
	static const char none[] = "HTTP/1.1 599 Script at its end\r\nContent-Length: 0\r\n\r\n";
	(void)pthread_mutex_lock(&s->lock);
	size_t i = s->requests;
	bool room = i < HTTP_SCRIPT_MAX;
	if (room) {
		s->seen[i] = *q;
		s->requests++;
	}
	if (room && i < s->answer_count)
		*out = s->answers[i];
	else
		*out = (struct answer){HTTP_SEND, (char *)(size_t)none, sizeof(none) - 1};
	(void)pthread_mutex_unlock(&s->lock);
	return room;
}

static void drip(struct http_script *s, struct script_link *l, const struct answer *a)
{
	for (size_t i = 0; i < a->len && !ended(s); i++) {
		if (script_write(l, a->bytes + i, 1) <= 0)
			return;
		(void)wait_for(s, -1, 50);
	}
}

// True if another request may come on this connection.
static bool serve(struct http_script *s, struct script_link *l)
{
	struct http_seen q;
	struct answer a;
	if (!read_request(s, l, &q))
		return false;
	(void)next_answer(s, &q, &a);
	switch (a.manner) {
	case HTTP_SEND:
	case HTTP_KEEP:
		(void)script_write(l, a.bytes, a.len);
		return a.manner == HTTP_KEEP;
	case HTTP_DRIP:
		drip(s, l, &a);
		return false;
	case HTTP_HANG:
		(void)wait_for(s, -1, -1);
		return false;
	case HTTP_CLOSE:
		return false;
	}
	return false;
}

static void *run(void *ctx)
{
	struct http_script *s = ctx;
	while (wait_for(s, s->listener, -1)) {
		struct script_link l = {.fd = accept(s->listener, NULL, NULL)};
		if (l.fd < 0)
			continue;
		(void)pthread_mutex_lock(&s->lock);
		s->connections++;
		(void)pthread_mutex_unlock(&s->lock);
		if (script_begin(s->tls, &l))
			while (serve(s, &l))
				;
		script_end(&l);
	}
	return NULL;
}

struct http_script *http_script_new(const char *pem)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(a);
	struct http_script *s = calloc(1, sizeof(*s));
	if (!s)
		die("calloc");
	(void)signal(SIGPIPE, SIG_IGN); // as in a key agent: both ends here may find the other gone
	(void)pthread_mutex_init(&s->lock, NULL);
	s->tls = pem ? script_tls_new(pem) : NULL;
	s->stop = eventfd(0, EFD_CLOEXEC);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->stop < 0 || s->listener < 0 || bind(s->listener, (struct sockaddr *)&a, len) ||
		listen(s->listener, 16) || getsockname(s->listener, (struct sockaddr *)&a, &len))
		die("a listening socket");
	s->port = ntohs(a.sin_port);
	if (pthread_create(&s->thread, NULL, run, s))
		die("pthread_create");
	return s;
}

void http_script_free(struct http_script **s)
{
	struct http_script *d = *s;
	if (!d)
		return;
	if (eventfd_write(d->stop, 1))
		die("eventfd_write");
	(void)pthread_join(d->thread, NULL);
	(void)close(d->stop);
	(void)close(d->listener);
	script_tls_free(d->tls);
	for (size_t i = 0; i < d->answer_count; i++)
		free(d->answers[i].bytes);
	(void)pthread_mutex_destroy(&d->lock);
	free(d);
	*s = NULL;
}

unsigned http_script_port(const struct http_script *s)
{
	return s->port;
}

void http_script_add(struct http_script *s, enum http_manner manner, const char *bytes, size_t len)
{
	char *copy = malloc(len + 1);
	if (!copy)
		die("malloc");
	if (len)
		memcpy(copy, bytes, len);
	(void)pthread_mutex_lock(&s->lock);
	if (s->answer_count == HTTP_SCRIPT_MAX)
		die("too many answers");
	s->answers[s->answer_count++] = (struct answer){manner, copy, len};
	(void)pthread_mutex_unlock(&s->lock);
}

void http_script_reply(struct http_script *s, int status, const char *headers, const char *body)
{
	char *all = NULL;
	int n = asprintf(&all,
		"HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n%s",
		status, strlen(body), headers, body);
	if (n < 0)
		die("asprintf");
	http_script_add(s, HTTP_SEND, all, (size_t)n);
	free(all);
}

static size_t locked_read(struct http_script *s, const size_t *value)
{
	(void)pthread_mutex_lock(&s->lock);
	size_t n = *value;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

size_t http_script_requests(struct http_script *s)
{
	return locked_read(s, &s->requests);
}

size_t http_script_connections(struct http_script *s)
{
	return locked_read(s, &s->connections);
}

const struct http_seen *http_script_seen(struct http_script *s, size_t n)
{
	if (n >= http_script_requests(s)) {
		(void)fprintf(stderr, "there was no request %zu\n", n);
		abort();
	}
	return &s->seen[n];
}

const char *http_seen_header(const struct http_seen *q, const char *name, char *out, size_t room)
{
	char start[128];
	(void)snprintf(start, sizeof(start), "\r\n%s:", name);
	const char *line = strcasestr(q->head, start);
	if (!line)
		return NULL;
	line += strlen(start);
	line += strspn(line, " ");
	(void)snprintf(out, room, "%.*s", (int)strcspn(line, "\r"), line);
	return out;
}
