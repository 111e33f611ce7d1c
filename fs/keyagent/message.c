// SPDX-License-Identifier: MIT
// The order of the fields in each message. put and get of one message stand together.
#include "message.h"

#include <string.h>

void msg_put_open(struct wire_writer *w, const struct msg_open *m)
{
	wire_put_u32(w, m->budget_ms);
	wire_put_text(w, m->plugin);
	wire_put_text(w, m->key_url);
	wire_put_text(w, m->config);
	wire_put_text(w, m->disk);
	wire_put_bytes(w, m->environment, m->environment_len);
}

void msg_get_open(struct wire_reader *r, struct msg_open *m)
{
	m->budget_ms = wire_get_u32(r);
	m->plugin = wire_get_text(r);
	m->key_url = wire_get_text(r);
	m->config = wire_get_text(r);
	m->disk = wire_get_text(r);
	m->environment = (const char *)wire_get_bytes(r, WIRE_FRAME_MAX, &m->environment_len);
	if (m->environment_len > 0 && m->environment[m->environment_len - 1] != '\0')
		r->bad = true;
}

void msg_put_unwrap(struct wire_writer *w, const struct msg_unwrap *m)
{
	wire_put_u32(w, m->budget_ms);
	wire_put_text(w, m->version);
	wire_put_text(w, m->alg);
	wire_put_bytes(w, m->wrapped, m->wrapped_len);
}

void msg_get_unwrap(struct wire_reader *r, struct msg_unwrap *m)
{
	m->budget_ms = wire_get_u32(r);
	m->version = wire_get_text(r);
	m->alg = wire_get_text(r);
	m->wrapped = wire_get_bytes(r, CMK_WRAPPED_MAX, &m->wrapped_len);
}

void msg_put_wrap(struct wire_writer *w, const struct msg_wrap *m)
{
	wire_put_u32(w, m->budget_ms);
	wire_put_bytes(w, m->plain, m->plain_len);
}

void msg_get_wrap(struct wire_reader *r, struct msg_wrap *m)
{
	m->budget_ms = wire_get_u32(r);
	m->plain = wire_get_bytes(r, CMK_PLAIN_MAX, &m->plain_len);
}

void msg_put_describe(struct wire_writer *w, const struct msg_describe *m)
{
	wire_put_u32(w, m->budget_ms);
	wire_put_text(w, m->version);
}

void msg_get_describe(struct wire_reader *r, struct msg_describe *m)
{
	m->budget_ms = wire_get_u32(r);
	m->version = wire_get_text(r);
}

void msg_put_answer(struct wire_writer *w, const struct msg_answer *m)
{
	wire_put_u32(w, m->verdict);
	wire_put_u32(w, m->reason);
	wire_put_u32(w, m->retry_after_ms);
	wire_put_text(w, m->request_id);
	wire_put_text(w, m->sentence);
}

void msg_get_answer(struct wire_reader *r, struct msg_answer *m)
{
	m->verdict = wire_get_u32(r);
	m->reason = wire_get_u32(r);
	m->retry_after_ms = wire_get_u32(r);
	m->request_id = wire_get_text(r);
	m->sentence = wire_get_text(r);
}

void msg_put_log(struct wire_writer *w, const struct msg_log *m)
{
	wire_put_u32(w, m->level);
	wire_put_text(w, m->text);
}

void msg_get_log(struct wire_reader *r, struct msg_log *m)
{
	m->level = wire_get_u32(r);
	m->text = wire_get_text(r);
}

// A plug-in fills these arrays: one without a NUL must not be read beyond its end.
static void put_array(struct wire_writer *w, const char *text, size_t room)
{
	if (!memchr(text, '\0', room)) {
		w->bad = true;
		return;
	}
	wire_put_text(w, text);
}

void msg_put_wrapped(struct wire_writer *w, const struct cmk_wrapped *m)
{
	if (m->len > sizeof(m->data)) {
		w->bad = true;
		return;
	}
	put_array(w, m->version, sizeof(m->version));
	put_array(w, m->alg, sizeof(m->alg));
	wire_put_bytes(w, m->data, m->len);
}

void msg_get_wrapped(struct wire_reader *r, struct cmk_wrapped *m)
{
	memset(m, 0, sizeof(*m));
	wire_get_text_into(r, m->version, sizeof(m->version));
	wire_get_text_into(r, m->alg, sizeof(m->alg));
	const uint8_t *data = wire_get_bytes(r, sizeof(m->data), &m->len);
	if (data && m->len > 0)
		memcpy(m->data, data, m->len);
}

void msg_put_key_info(struct wire_writer *w, const struct cmk_key_info *m)
{
	put_array(w, m->version, sizeof(m->version));
	put_array(w, m->kty, sizeof(m->kty));
	put_array(w, m->recovery_level, sizeof(m->recovery_level));
	wire_put_u32(w, m->bits);
	wire_put_u32(w, (uint32_t)m->enabled);
	wire_put_i64(w, m->nbf);
	wire_put_i64(w, m->exp);
	wire_put_i64(w, m->created);
}

void msg_get_key_info(struct wire_reader *r, struct cmk_key_info *m)
{
	memset(m, 0, sizeof(*m));
	wire_get_text_into(r, m->version, sizeof(m->version));
	wire_get_text_into(r, m->kty, sizeof(m->kty));
	wire_get_text_into(r, m->recovery_level, sizeof(m->recovery_level));
	m->bits = wire_get_u32(r);
	m->enabled = (int32_t)wire_get_u32(r);
	m->nbf = wire_get_i64(r);
	m->exp = wire_get_i64(r);
	m->created = wire_get_i64(r);
	if (m->enabled < -1 || m->enabled > 1)
		m->enabled = -1;
}
