// SPDX-License-Identifier: MIT
// Frames and fields: every length is checked against what is left before it is used.
#include "wire.h"

#include "bytes.h"

#include <errno.h>
#include <string.h>

static uint8_t *claim(struct wire_writer *w, size_t len)
{
	if (w->bad || len > w->room - w->len) {
		w->bad = true;
		return NULL;
	}
	uint8_t *p = w->buf + w->len;
	w->len += len;
	return p;
}

void wire_begin(struct wire_writer *w, void *buf, size_t room, enum wire_type type, uint32_t seq)
{
	*w = (struct wire_writer){
		.buf = buf, .room = room < WIRE_FRAME_MAX ? room : WIRE_FRAME_MAX};
	uint8_t *p = claim(w, WIRE_HEADER_LEN);
	if (!p)
		return;
	store_le32(p, WIRE_MAGIC);
	store_le16(p + 4, (uint16_t)type);
	store_le16(p + 6, 0);
	store_le32(p + 8, seq);
	store_le32(p + 12, 0);
}

void wire_put_u32(struct wire_writer *w, uint32_t v)
{
	uint8_t *p = claim(w, 4);
	if (p)
		store_le32(p, v);
}

void wire_put_i64(struct wire_writer *w, int64_t v)
{
	uint8_t *p = claim(w, 8);
	if (p)
		store_le64(p, (uint64_t)v);
}

void wire_put_bytes(struct wire_writer *w, const void *data, size_t len)
{
	if (len > WIRE_FRAME_MAX) {
		w->bad = true;
		return;
	}
	wire_put_u32(w, (uint32_t)len);
	uint8_t *p = claim(w, len);
	if (p && len > 0)
		memcpy(p, data, len);
}

void wire_put_text(struct wire_writer *w, const char *s)
{
	wire_put_bytes(w, s, strlen(s) + 1);
}

int wire_end(struct wire_writer *w, size_t *len)
{
	if (w->bad)
		return -EMSGSIZE;
	store_le32(w->buf + 12, (uint32_t)(w->len - WIRE_HEADER_LEN));
	*len = w->len;
	return 0;
}

static const uint8_t *consume(struct wire_reader *r, size_t len)
{
	if (r->bad || len > r->left) {
		r->bad = true;
		return NULL;
	}
	const uint8_t *p = r->p;
	r->p += len;
	r->left -= len;
	return p;
}

int wire_parse(const void *frame, size_t len, struct wire_header *h, struct wire_reader *r)
{
	*r = (struct wire_reader){.p = frame, .left = len};
	const uint8_t *p = consume(r, WIRE_HEADER_LEN);
	if (!p || len > WIRE_FRAME_MAX || load_le32(p) != WIRE_MAGIC)
		return -EBADMSG;
	uint16_t type = load_le16(p + 4);
	if (type < WIRE_OPEN || type > WIRE_TYPE_LAST || load_le16(p + 6) != 0)
		return -EBADMSG;
	if (load_le32(p + 12) != r->left)
		return -EBADMSG;
	*h = (struct wire_header){.type = (enum wire_type)type, .seq = load_le32(p + 8)};
	return 0;
}

uint32_t wire_get_u32(struct wire_reader *r)
{
	const uint8_t *p = consume(r, 4);
	return p ? load_le32(p) : 0;
}

int64_t wire_get_i64(struct wire_reader *r)
{
	const uint8_t *p = consume(r, 8);
	return p ? (int64_t)load_le64(p) : 0;
}

const uint8_t *wire_get_bytes(struct wire_reader *r, size_t max, size_t *len)
{
	size_t n = wire_get_u32(r);
	*len = 0;
	if (n > max)
		r->bad = true;
	const uint8_t *p = consume(r, n);
	if (p)
		*len = n;
	return p;
}

const char *wire_get_text(struct wire_reader *r)
{
	size_t n = 0;
	const uint8_t *p = wire_get_bytes(r, WIRE_FRAME_MAX, &n);
	if (!p || n == 0 || memchr(p, '\0', n) != p + n - 1) {
		r->bad = true;
		return "";
	}
	return (const char *)p;
}

void wire_get_text_into(struct wire_reader *r, char *out, size_t room)
{
	const char *s = wire_get_text(r);
	size_t n = strlen(s);
	if (n >= room) {
		r->bad = true;
		n = 0;
	}
	memcpy(out, s, n);
	out[n] = '\0';
}

int wire_done(const struct wire_reader *r)
{
	return r->bad || r->left > 0 ? -EBADMSG : 0;
}
