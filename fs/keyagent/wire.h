// SPDX-License-Identifier: MIT
// The line between client and agent, as bytes: frames, and cursors that write and read the fields
// in them. Pure; knows nothing of sockets. Both ends run the same build, so there is no version
// negotiation: a frame that does not fit is an error, and the agent is killed.
//
//   frame   magic u32 | type u16 | flags u16 (0) | seq u32 | length u32 | body
//   field   u32, i64, or bytes: length u32 | data; a text is bytes that end in their only NUL
//
// All integers little-endian.
#ifndef CMK_WIRE_H
#define CMK_WIRE_H

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_MAGIC 0x416b6d63u // "cmkA"
#define WIRE_HEADER_LEN 16u
#define WIRE_FRAME_MAX 32768u // header and body

enum wire_type {
	WIRE_OPEN = 1, // client to agent; the answer is OPENED
	WIRE_UNWRAP,   // client to agent; the answer is ANSWER
	WIRE_WRAP,
	WIRE_DESCRIBE,
	WIRE_OPENED, // agent to client, seq of the question
	WIRE_ANSWER,
	WIRE_LOG, // agent to client, unasked, seq 0
	WIRE_CHANGED,
	WIRE_NOTE,
};
#define WIRE_TYPE_LAST WIRE_NOTE

// Errors stick: write or read everything, then ask once, in wire_end() or wire_done().
struct wire_writer {
	uint8_t *buf;
	size_t room, len;
	bool bad;
};
void wire_begin(struct wire_writer *w, void *buf, size_t room, enum wire_type type, uint32_t seq);
void wire_put_u32(struct wire_writer *w, uint32_t v);
void wire_put_i64(struct wire_writer *w, int64_t v);
void wire_put_bytes(struct wire_writer *w, const void *data, size_t len);
void wire_put_text(struct wire_writer *w, const char *s);
// Fills in the header; *len is the length of the frame. -EMSGSIZE if something did not fit.
int wire_end(struct wire_writer *w, size_t *len) must_use;

struct wire_reader {
	const uint8_t *p; // not owned: what is read points into the frame
	size_t left;
	bool bad;
};
struct wire_header {
	enum wire_type type;
	uint32_t seq;
};
// One whole frame of len bytes. -EBADMSG unless magic, type, flags and length are right.
int wire_parse(
	const void *frame, size_t len, struct wire_header *h, struct wire_reader *r) must_use;
// After an error these return 0, no bytes and "".
uint32_t wire_get_u32(struct wire_reader *r);
int64_t wire_get_i64(struct wire_reader *r);
const uint8_t *wire_get_bytes(struct wire_reader *r, size_t max, size_t *len);
const char *wire_get_text(struct wire_reader *r);			// inside the frame
void wire_get_text_into(struct wire_reader *r, char *out, size_t room); // bad if it does not fit
// -EBADMSG if a read went wrong or something is left over.
int wire_done(const struct wire_reader *r) must_use;

#endif
