// SPDX-License-Identifier: MIT
// What each kind of fault answers; see fault.h.
#include "fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define OVERSIZE (4u << 20)

// The codes that the service sends with these statuses.
static const struct {
	int status;
	const char *code, *message;
} usual[] = {
	{400, "BadParameter", "Property  has invalid value\r\n"},
	{401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token."},
	{403, "Forbidden", "Operation is not allowed."},
	{404, "KeyNotFound", "A key with (name/id) was not found in this key vault."},
	{408, "RequestTimeout", "The request was not received in time."},
	{409, "Conflict", "The object is being changed."},
	{429, "Throttled",
		"Request was not processed because too many requests were received. Reason: "
		"VaultRequestTypeLimitReached"},
	{500, "InternalServerError", "The server met an internal error."},
	{502, "BadGateway", "The server behind the gateway did not answer as it should."},
	{503, "ServiceUnavailable", "The service is temporarily unavailable."},
	{504, "GatewayTimeout", "The server behind the gateway did not answer in time."},
};

static int set_body(struct emu_reply *r, int status, const char *type, char *body, size_t len)
{
	if (!body)
		return -ENOMEM;
	free(r->body);
	r->body = body;
	r->len = len;
	r->status = status;
	r->content_type = type;
	return 0;
}

static int reply_status(const struct fault *f, struct emu_reply *r)
{
	const char *code = "Error", *message = "A fault that was asked for.";
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		if (usual[i].status == f->status) {
			code = usual[i].code;
			message = usual[i].message;
		}
	return emu_reply_error(r, f->status, f->code ? f->code : code, f->inner, "%s",
		f->message ? f->message : message);
}

// As Entra answers when it is not well: its clients look for "error", not for an object.
static int reply_status_entra(const struct fault *f, struct emu_reply *r)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	bool ours = f->status >= 500 || f->status == 429;
	int ret = kp_json_object(&j);
	if (!ret)
		ret = kp_json_add_str(j, "error",
			f->code ? f->code
			: ours	? "temporarily_unavailable"
				: "invalid_request");
	if (!ret)
		ret = kp_json_add_str(j, "error_description",
			f->message ? f->message : "A fault that was asked for.");
	return ret ? ret : emu_reply_json(r, f->status, TAKE(j));
}

static int reply_oversize(const struct fault *f, struct emu_reply *r)
{
	static const char head[] = "{\"value\":\"", tail[] = "\"}";
	size_t len = sizeof(head) - 1 + OVERSIZE + sizeof(tail) - 1;
	char *body = malloc(len);
	if (!body)
		return -ENOMEM;
	memset(body, 'A', len);
	memcpy(body, head, sizeof(head) - 1);
	memcpy(body + len - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	return set_body(r, f->status, NULL, body, len);
}

static int reply_text(
	const struct fault *f, struct emu_reply *r, const char *type, const char *text)
{
	return set_body(r, f->status, type, strdup(text), strlen(text));
}

// Padded, as claims are, unlike everything else of the service.
static void base64(const char *text, char *out)
{
	static const char set[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(text);
	for (size_t i = 0; i < len; i += 3) {
		uint32_t n = (uint32_t)(unsigned char)text[i] << 16;
		n |= i + 1 < len ? (uint32_t)(unsigned char)text[i + 1] << 8 : 0;
		n |= i + 2 < len ? (uint32_t)(unsigned char)text[i + 2] : 0;
		*out++ = set[n >> 18];
		*out++ = set[n >> 12 & 63];
		*out++ = i + 1 < len ? set[n >> 6 & 63] : '=';
		*out++ = i + 2 < len ? set[n & 63] : '=';
	}
	*out = '\0';
}

static int reply_cae(const struct fault_subject *s, const char *authority, struct emu_reply *r)
{
	char claims[128], coded[180];
	(void)snprintf(claims, sizeof(claims),
		"{\"access_token\":{\"nbf\":{\"essential\":true,\"value\":\"%lld\"}}}",
		(long long)time(NULL));
	base64(claims, coded);
	int ret = emu_reply_header(r, "WWW-Authenticate",
		"Bearer authorization=\"%s\", resource=\"https://%s.localhost\", "
		"error=\"insufficient_claims\", claims=\"%s\"",
		authority ? authority : "", s->hsm ? "managedhsm" : "vault", coded);
	return ret ? ret
		   : emu_reply_error(r, 401, "Unauthorized", NULL,
			     "Continuous access evaluation resulted in claims challenge.");
}

static int fill(const struct fault *f, const struct fault_subject *s, const char *authority,
	struct emu_reply *r)
{
	bool vault = !s->endpoint || strcmp(s->endpoint, "vault") == 0;
	switch (f->kind) {
	case FAULT_STATUS:
		return vault ? reply_status(f, r) : reply_status_entra(f, r);
	case FAULT_HTML:
		return reply_text(f, r, "text/html; charset=utf-8",
			"<html><head><title>Bad Gateway</title></head>"
			"<body><h1>The upstream server is not there</h1></body></html>\n");
	case FAULT_EMPTY:
		return reply_text(f, r, NULL, "");
	case FAULT_OVERSIZE:
		return reply_oversize(f, r);
	case FAULT_WRONG_TYPE:
		return reply_text(f, r, NULL,
			"{\"key\":[1],\"attributes\":\"yes\",\"kid\":7,\"value\":{\"a\":null},"
			"\"access_token\":false,\"expires_in\":[],\"error\":3}");
	case FAULT_CAE:
		return reply_cae(s, authority, r);
	default: // hang and reset have nothing to say
		return 0;
	}
}

int fault_reply(const struct fault *f, const struct fault_subject *s, const char *authority,
	struct emu_reply *r)
{
	r->delay_ms += f->delay_ms;
	if (f->kind == FAULT_LATENCY)
		return 0;
	if (f->kind == FAULT_TRUNCATE || f->kind == FAULT_DRIP) {
		r->manner = f->kind == FAULT_DRIP ? EMU_DRIP : EMU_TRUNCATED;
		return 0;
	}
	if (f->kind == FAULT_HANG || f->kind == FAULT_RESET)
		r->manner = f->kind == FAULT_HANG ? EMU_HANG : EMU_RESET;
	int ret = fill(f, s, authority, r);
	if (!ret && f->retry_after >= 0)
		ret = emu_reply_header(r, "Retry-After", "%lld", (long long)f->retry_after);
	return ret ? ret : 1;
}
