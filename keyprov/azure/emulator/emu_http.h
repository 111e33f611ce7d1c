// SPDX-License-Identifier: MIT
// Requests and replies as every part of the emulator sees them; the only includer of
// libmicrohttpd is emu_http.c.
#ifndef CMK_EMU_HTTP_H
#define CMK_EMU_HTTP_H

#include "kp_err.h"
#include "kp_json.h"
#include "kp_scope.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Which listener a request came in by.
enum emu_port { EMU_TLS, EMU_IMDS, EMU_APP_SERVICE, EMU_ARC, EMU_ADMIN, EMU_PORTS };

struct emu_request {
	enum emu_port port;
	const char *method;    // an X-HTTP-METHOD override is applied already
	const char *host;      // without port, lower case
	const char *authority; // host[:port] as sent
	const char *path;      // percent-decoded, as sent otherwise
	const char *client;    // address
	char *body;	       // len bytes and a NUL; the handler may change it
	size_t len;
	void *connection; // for the two below
};
// Absent: NULL. The pointers live as long as the request.
const char *emu_query(const struct emu_request *q, const char *name);
const char *emu_header(const struct emu_request *q, const char *name);

// How a reply goes out, for faults.
enum emu_manner {
	EMU_WHOLE,
	EMU_TRUNCATED, // Content-Length of the whole, half of it sent, then the connection ends;
		       // an empty one is EMU_RESET
	EMU_RESET, // no answer: the connection ends
	EMU_HANG,  // no answer until the client goes, the emulator ends or EMU_IDLE_S are over
	EMU_DRIP,  // a byte every 200 ms
};

#define EMU_HEADERS 16
struct emu_reply {
	int status; // 0: none, with EMU_RESET and EMU_HANG only
	char *body; // owned; NULL: empty
	size_t len;
	const char *content_type;   // static; NULL: application/json; charset=utf-8
	char *headers[EMU_HEADERS]; // "Name: value", owned
	size_t header_count;
	uint32_t delay_ms; // before it goes out
	enum emu_manner manner;
};
void emu_reply_end(struct emu_reply *r); // wipes and frees what it owns; for scoped()
// Prints json as the body and frees it. 0 or -ENOMEM. Like the two below it leaves headers, delay
// and manner as they are.
int emu_reply_json(struct emu_reply *r, int status, struct kp_json *json) must_use;
// Control characters in the value become blanks. -ENOMEM also if there are EMU_HEADERS already.
int emu_reply_header(struct emu_reply *r, const char *name, const char *fmt, ...)
	printf_like(3, 4) must_use;
// {"error":{"code","message","innererror":{"code"}}}; inner may be NULL. Replaces the body.
int emu_reply_error(struct emu_reply *r, int status, const char *code, const char *inner,
	const char *fmt, ...) printf_like(5, 6) must_use;

// Called in a thread per connection, with *reply all zeros. A handler that returns -errno is
// answered with 500. A body of more than EMU_BODY_MAX bytes never gets here (413).
#define EMU_BODY_MAX (1u << 20)
typedef int (*emu_handler)(void *ctx, struct emu_request *q, struct emu_reply *reply);

struct emu_http;
struct emu_listen {
	enum emu_port port;
	const char *address;		// "127.0.0.1:8443", "[::1]:0", or "unix:/path" (0600)
	const char *cert_pem, *key_pem; // both NULL: plain
};
int emu_http_new(emu_handler handler, void *ctx, struct emu_http **out) must_use;
// Seconds after which a connection without traffic ends, also one that hangs by a fault. For
// listeners that are yet to come.
#define EMU_IDLE_S 120
void emu_http_idle(struct emu_http *h, unsigned seconds);
// *bound (room for 64) is host:port with the port that was given, also when 0 was asked for.
int emu_http_listen(struct emu_http *h, const struct emu_listen *l, char bound[64],
	struct kp_err *err) must_use;
// Paused: new connections are refused and those that are open end; the port stays ours. And again.
// A port that does not listen, or EMU_ADMIN: -EINVAL. Never from a handler of that port.
int emu_http_pause(struct emu_http *h, enum emu_port port, bool paused) must_use;
// Other certificate and key for a TLS port: it starts anew, unless it is paused. Else likewise.
int emu_http_certificate(
	struct emu_http *h, enum emu_port port, const char *cert_pem, const char *key_pem) must_use;
// Ends all connections and waits for their handlers. Nobody else may use h any more.
void emu_http_free(struct emu_http **h);

#endif
