// SPDX-License-Identifier: MIT
// The life of listeners: made, paused, given other certificates, ended; see emu_http.h.
#include "emu_listener.h"
#include "emu_socket.h"
#include "emu_time.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

int listener_wait(const struct listener *l, int client, int64_t ms)
{
	int64_t end = emu_monotonic_ms() + ms;
	for (;;) {
		struct pollfd p[2] = {
			{.fd = l->ending, .events = POLLIN}, {.fd = client, .events = POLLRDHUP}};
		int64_t left = ms < 0 ? -1 : end - emu_monotonic_ms();
		int n = poll(p, 2, ms >= 0 && left < 0 ? 0 : (int)left);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			return p[0].revents ? -ECANCELED : -ECONNRESET;
	}
}

void listener_reset(int fd)
{
	struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	(void)connect(fd, &nobody, sizeof(nobody));
}

static void listener_free(struct listener **l)
{
	if (!*l)
		return;
	listener_stop(*l);
	kp_scope_close(&(*l)->fd);
	kp_scope_close(&(*l)->ending);
	free((*l)->address);
	free((*l)->cert);
	wiped_free((*l)->key, (*l)->key ? strlen((*l)->key) : 0);
	free(*l);
	*l = NULL;
}

int emu_http_new(emu_handler handler, void *ctx, struct emu_http **out)
{
	struct emu_http *h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->handler = handler;
	h->ctx = ctx;
	h->idle_s = EMU_IDLE_S;
	(void)pthread_mutex_init(&h->lock, NULL);
	*out = h;
	return 0;
}

void emu_http_idle(struct emu_http *h, unsigned seconds)
{
	h->idle_s = seconds;
}

void emu_http_free(struct emu_http **h)
{
	if (!*h)
		return;
	// The admin port first: its handlers may be pausing the others.
	for (size_t i = EMU_PORTS; i-- > 0;)
		listener_free(&(*h)->ports[i]);
	(void)pthread_mutex_destroy(&(*h)->lock);
	free(*h);
	*h = NULL;
}

static int set_texts(struct listener *l, const char *cert, const char *key)
{
	autofree char *c = cert ? strdup(cert) : NULL;
	autofree char *k = key ? strdup(key) : NULL;
	if ((cert && !c) || (key && !k))
		return -ENOMEM;
	free(l->cert);
	wiped_free(l->key, l->key ? strlen(l->key) : 0);
	l->cert = TAKE(c);
	l->key = TAKE(k);
	return 0;
}

int emu_http_listen(
	struct emu_http *h, const struct emu_listen *want, char bound[64], struct kp_err *err)
{
	scoped(listener_free) struct listener *l = calloc(1, sizeof(*l));
	if (!l)
		return kp_fail(err, ENOMEM, "out of memory");
	*l = (struct listener){.http = h, .port = want->port, .fd = -1};
	l->ending = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->ending < 0)
		return kp_fail(err, errno, "cannot make an event descriptor: %s", strerror(errno));
	if (set_texts(l, want->cert_pem, want->key_pem))
		return kp_fail(err, ENOMEM, "out of memory");
	int ret = emu_socket_bind(want->address, &l->fd, bound, err);
	if (ret)
		return ret;
	l->address = strdup(strcmp(bound, "unix") == 0 ? want->address : bound);
	ret = l->address ? listener_start(l) : -ENOMEM;
	if (ret)
		return kp_fail(
			err, -ret, "%s: cannot serve here: %s", want->address, strerror(-ret));
	h->ports[l->port] = l;
	l = NULL;
	return 0;
}

static int restart(struct listener *l, bool paused)
{
	char bound[EMU_ADDRESS_ROOM];
	if (l->daemon) {
		listener_stop(l);
		// Bound and not listening: refused, and nobody else can take the port.
		int ret = emu_socket_bind(l->address, &l->fd, bound, NULL);
		if (ret)
			return ret;
	}
	return paused ? 0 : listener_start(l);
}

static struct listener *find(struct emu_http *h, enum emu_port port)
{
	return port == EMU_ADMIN ? NULL : h->ports[port];
}

int emu_http_pause(struct emu_http *h, enum emu_port port, bool paused)
{
	struct listener *l = find(h, port);
	if (!l)
		return -EINVAL;
	(void)pthread_mutex_lock(&h->lock);
	int ret = paused == !l->daemon ? 0 : restart(l, paused);
	(void)pthread_mutex_unlock(&h->lock);
	return ret;
}

int emu_http_certificate(
	struct emu_http *h, enum emu_port port, const char *cert_pem, const char *key_pem)
{
	struct listener *l = find(h, port);
	if (!l)
		return -EINVAL;
	(void)pthread_mutex_lock(&h->lock);
	bool was_paused = !l->daemon;
	int ret = restart(l, true);
	if (!ret)
		ret = set_texts(l, cert_pem, key_pem);
	if (!ret && !was_paused)
		ret = listener_start(l);
	(void)pthread_mutex_unlock(&h->lock);
	return ret;
}
