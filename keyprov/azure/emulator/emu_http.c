// SPDX-License-Identifier: MIT
// Requests in, replies out, in a thread per connection; see emu_http.h.
#include "emu_http.h"

#include "emu_listener.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#define BACKLOG 128
#define DRIP_MS 200
#define BLOCK 32768u
#define CONNECTIONS 256u // of a listener, each with a thread; more are turned away

// One request on its way in.
struct incoming {
	char *body;
	size_t len;
	bool too_long;
};

// One reply on its way out.
struct outgoing {
	const struct listener *listener;
	int fd; // the client's
	enum emu_manner manner;
	char *body;
	size_t len;
};

static ssize_t read_body(void *cls, uint64_t pos, char *buf, size_t room)
{
	const struct outgoing *o = cls;
	size_t end = o->manner == EMU_TRUNCATED ? o->len / 2 : o->len;
	if (pos >= end)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	size_t n = end - (size_t)pos < room ? end - (size_t)pos : room;
	if (o->manner == EMU_DRIP) {
		if (listener_wait(o->listener, o->fd, DRIP_MS))
			return MHD_CONTENT_READER_END_WITH_ERROR;
		n = 1;
	}
	memcpy(buf, o->body + pos, n);
	return (ssize_t)n;
}

static void outgoing_free(void *cls)
{
	struct outgoing *o = cls;
	wiped_free(o->body, o->len);
	free(o);
}

static enum MHD_Result send_reply(
	const struct listener *l, struct MHD_Connection *c, int fd, struct emu_reply *r)
{
	struct outgoing *o = calloc(1, sizeof(*o));
	if (!o)
		return MHD_NO;
	*o = (struct outgoing){l, fd, r->manner, r->body, r->len};
	r->body = NULL; // handed on
	struct MHD_Response *m =
		MHD_create_response_from_callback(o->len, BLOCK, read_body, o, outgoing_free);
	if (!m) {
		outgoing_free(o);
		return MHD_NO;
	}
	bool fits = true;
	if (o->len > 0)
		fits = MHD_add_response_header(m, "Content-Type",
			       r->content_type ? r->content_type
					       : "application/json; charset=utf-8") == MHD_YES;
	for (size_t i = 0; i < r->header_count; i++) {
		char *colon = strstr(r->headers[i], ": ");
		if (!colon)
			continue;
		*colon = '\0';
		fits &= MHD_add_response_header(m, r->headers[i], colon + 2) == MHD_YES;
		*colon = ':';
	}
	enum MHD_Result ret = fits ? MHD_queue_response(c, (unsigned)r->status, m) : MHD_NO;
	MHD_destroy_response(m);
	return ret;
}

static enum MHD_Result answer(
	const struct listener *l, struct MHD_Connection *c, int fd, struct emu_reply *r)
{
	if (r->delay_ms && listener_wait(l, fd, r->delay_ms))
		return MHD_NO;
	if (r->manner == EMU_HANG)
		(void)listener_wait(l, fd, (int64_t)l->http->idle_s * 1000);
	if (r->manner == EMU_RESET || (r->manner == EMU_TRUNCATED && r->len == 0))
		listener_reset(fd);
	if (r->manner == EMU_HANG || r->manner == EMU_RESET ||
		(r->manner == EMU_TRUNCATED && r->len == 0))
		return MHD_NO;
	return send_reply(l, c, fd, r);
}

static const char *lookup(const struct emu_request *q, enum MHD_ValueKind kind, const char *name)
{
	return q->connection ? MHD_lookup_connection_value(q->connection, kind, name) : NULL;
}

const char *emu_query(const struct emu_request *q, const char *name)
{
	return lookup(q, MHD_GET_ARGUMENT_KIND, name);
}

const char *emu_header(const struct emu_request *q, const char *name)
{
	return lookup(q, MHD_HEADER_KIND, name);
}

static void client_address(struct MHD_Connection *c, char *out, size_t room)
{
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *a = i ? i->client_addr : NULL;
	(void)snprintf(out, room, "unix");
	if (a && a->sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr,
			out, (socklen_t)room);
	if (a && a->sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6,
			&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, out,
			(socklen_t)room);
}

static void host_of(const char *authority, char *out, size_t room)
{
	const char *from = authority + (*authority == '[');
	size_t n = *authority == '[' ? strcspn(from, "]") : strcspn(from, ":");
	n = n < room ? n : room - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)from[i]);
	out[n] = '\0';
}

// The service lets clients that only know GET and POST say the verb in a header.
static const char *method_of(const struct emu_request *q, const char *method)
{
	const char *other = emu_header(q, "X-HTTP-METHOD");
	if (!other)
		other = emu_header(q, "X-HTTP-METHOD-OVERRIDE");
	return other && *other && strcmp(method, "POST") == 0 ? other : method;
}

static int ask_handler(const struct listener *l, struct MHD_Connection *c, const char *method,
	const char *path, struct incoming *in, struct emu_reply *r)
{
	char host[256], client[INET6_ADDRSTRLEN];
	struct emu_request q = {
		.port = l->port,
		.path = path,
		.host = host,
		.client = client,
		.body = in->body,
		.len = in->len,
		.connection = c,
	};
	q.authority = emu_header(&q, "Host");
	if (!q.authority)
		q.authority = "";
	q.method = method_of(&q, method);
	host_of(q.authority, host, sizeof(host));
	client_address(c, client, sizeof(client));
	if (in->too_long)
		return emu_reply_error(r, 413, "RequestEntityTooLarge", NULL,
			"The request has more than %u bytes.", EMU_BODY_MAX);
	int ret = l->http->handler(l->http->ctx, &q, r);
	bool mute = r->manner == EMU_RESET || r->manner == EMU_HANG;
	return ret || r->status || mute ? ret : -EPROTO;
}

static enum MHD_Result perform(struct listener *l, struct MHD_Connection *c, const char *method,
	const char *path, struct incoming *in)
{
	scoped(emu_reply_end) struct emu_reply r = {0};
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!i)
		return MHD_NO;
	int ret = ask_handler(l, c, method, path, in, &r);
	if (ret)
		ret = emu_reply_error(&r, 500, "InternalServerError", NULL,
			"The emulator failed: %s.", strerror(-ret));
	return ret ? MHD_NO : answer(l, c, i->connect_fd, &r);
}

static bool append(struct incoming *in, const char *data, size_t len)
{
	in->too_long |= len > EMU_BODY_MAX || in->len + len > EMU_BODY_MAX;
	if (in->too_long)
		return true; // the rest is read and dropped, so that the client hears the answer
	char *grown = malloc(in->len + len + 1);
	if (!grown)
		return false;
	memcpy(grown, in->body, in->len);
	memcpy(grown + in->len, data, len);
	wiped_free(in->body, in->len);
	in->body = grown;
	in->len += len;
	in->body[in->len] = '\0';
	return true;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *len, void **request)
{
	(void)version;
	struct incoming *in = *request;
	if (!in) {
		in = *request = calloc(1, sizeof(*in));
		if (in)
			in->body = calloc(1, 1);
		return in && in->body ? MHD_YES : MHD_NO;
	}
	if (*len == 0)
		return perform(cls, c, method, url, in);
	bool kept = append(in, data, *len);
	*len = 0;
	return kept ? MHD_YES : MHD_NO;
}

static void on_completed(
	void *cls, struct MHD_Connection *c, void **request, enum MHD_RequestTerminationCode why)
{
	(void)cls;
	(void)c;
	(void)why;
	struct incoming *in = *request;
	if (in)
		wiped_free(in->body, in->len);
	free(in);
	*request = NULL;
}

int listener_start(struct listener *l)
{
	uint64_t old;
	unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
			 MHD_USE_POLL | MHD_USE_ITC | (l->cert ? MHD_USE_TLS : 0u);
	struct MHD_OptionItem tls[] = {
		{l->cert ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, l->cert},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, l->key},
		{MHD_OPTION_END, 0, NULL},
	};
	(void)!read(l->ending, &old, sizeof(old));
	if (listen(l->fd, BACKLOG) < 0)
		return -errno;
	errno = 0;
	l->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, l, MHD_OPTION_LISTEN_SOCKET,
		l->fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
		CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, l->http->idle_s, MHD_OPTION_ARRAY, tls,
		MHD_OPTION_END);
	if (!l->daemon)
		return errno ? -errno : -EIO;
	l->fd = -1; // the daemon's now
	return 0;
}

void listener_stop(struct listener *l)
{
	uint64_t one = 1;
	(void)!write(l->ending, &one, sizeof(one));
	if (l->daemon)
		MHD_stop_daemon(l->daemon);
	l->daemon = NULL;
}
