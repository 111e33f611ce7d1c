// SPDX-License-Identifier: MIT
// Building replies; see emu_http.h.
#include "emu_http.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void emu_reply_end(struct emu_reply *r)
{
	if (r->body)
		explicit_bzero(r->body, r->len);
	free(r->body);
	for (size_t i = 0; i < r->header_count; i++) {
		explicit_bzero(r->headers[i], strlen(r->headers[i]));
		free(r->headers[i]);
	}
	*r = (struct emu_reply){0};
}

static void replace_body(struct emu_reply *r, int status, char *body)
{
	if (r->body)
		explicit_bzero(r->body, r->len);
	free(r->body);
	r->status = status;
	r->body = body;
	r->len = strlen(body);
	r->content_type = NULL;
}

int emu_reply_json(struct emu_reply *r, int status, struct kp_json *json)
{
	scoped(kp_json_free) struct kp_json *j = json;
	char *text;
	int ret = kp_json_print(j, false, &text);
	if (ret)
		return ret;
	replace_body(r, status, text);
	return 0;
}

int emu_reply_header(struct emu_reply *r, const char *name, const char *fmt, ...)
{
	autofree char *value = NULL;
	char *line;
	va_list ap;
	if (r->header_count == EMU_HEADERS)
		return -ENOMEM;
	va_start(ap, fmt);
	int n = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (n < 0) {
		value = NULL;
		return -ENOMEM;
	}
	// What came in must not begin a header of its own on its way out.
	for (char *p = value; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	if (asprintf(&line, "%s: %s", name, value) < 0)
		return -ENOMEM;
	r->headers[r->header_count++] = line;
	return 0;
}

static int error_object(
	struct kp_json **out, const char *code, const char *inner, const char *message)
{
	scoped(kp_json_free) struct kp_json *e = NULL;
	int ret = kp_json_object(&e);
	if (!ret)
		ret = kp_json_add_str(e, "code", code);
	if (!ret)
		ret = kp_json_add_str(e, "message", message);
	if (!ret && inner) {
		struct kp_json *i = NULL;
		ret = kp_json_object(&i);
		if (!ret)
			ret = kp_json_add(e, "innererror", i);
		if (!ret)
			ret = kp_json_add_str(i, "code", inner);
	}
	if (!ret)
		*out = TAKE(e);
	return ret;
}

int emu_reply_error(
	struct emu_reply *r, int status, const char *code, const char *inner, const char *fmt, ...)
{
	autofree char *message = NULL;
	scoped(kp_json_free) struct kp_json *whole = NULL;
	struct kp_json *error = NULL;
	va_list ap;
	va_start(ap, fmt);
	int ret = vasprintf(&message, fmt, ap) < 0 ? -ENOMEM : 0;
	va_end(ap);
	if (ret) {
		message = NULL;
		return ret;
	}
	ret = kp_json_object(&whole);
	if (!ret)
		ret = error_object(&error, code, inner, message);
	if (!ret)
		ret = kp_json_add(whole, "error", error);
	return ret ? ret : emu_reply_json(r, status, TAKE(whole));
}
