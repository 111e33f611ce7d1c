// SPDX-License-Identifier: MIT
// Byte strings of requests; see kv_crypto.h.
#include "kp_base64.h"
#include "kv_crypto.h"

#include <errno.h>
#include <string.h>

int kv_bytes_new(size_t len, struct kv_bytes *out)
{
	out->data = malloc(len + 1);
	out->len = len;
	return out->data ? 0 : -ENOMEM;
}

void kv_bytes_end(struct kv_bytes *b)
{
	if (b->data)
		explicit_bzero(b->data, b->len);
	free(b->data);
	*b = (struct kv_bytes){0};
}

void kv_input_end(struct kv_input *in)
{
	kv_bytes_end(&in->value);
	kv_bytes_end(&in->iv);
	kv_bytes_end(&in->aad);
	kv_bytes_end(&in->tag);
}

void kv_output_end(struct kv_output *out)
{
	kv_bytes_end(&out->value);
	kv_bytes_end(&out->iv);
	kv_bytes_end(&out->tag);
}

int kv_bytes_member(const struct kp_json *j, const char *member, bool required,
	struct kv_bytes *out, struct kv_refusal *no)
{
	const char *text = kp_json_str(j, member);
	if (!text && kp_json_is_null(kp_json_get(j, member))) {
		if (required)
			return kv_bad(no, "Property '%s' is required.\r\n", member);
		return 0;
	}
	if (text && required && !*text)
		return kv_bad(no, "Property '%s' is required.\r\n", member);
	int ret = text ? kv_bytes_new(strlen(text), out) : -EBADMSG;
	if (ret == 0)
		ret = kp_base64_decode(text, out->data, &out->len);
	if (ret == -EBADMSG)
		return kv_bad(no,
			"Content of '%s' is not base64url.\r\nProperty '%s' is required.\r\n",
			member, member);
	return ret;
}

int kv_bytes_any_base64(const char *text, struct kv_bytes *out, struct kv_refusal *no)
{
	autofree char *plain = strdup(text);
	if (!plain)
		return -ENOMEM;
	char *to = plain;
	for (const char *p = text; *p; p++)
		if (!strchr("=\r\n", *p))
			*to++ = (char)(*p == '+' ? '-' : (*p == '/' ? '_' : *p));
	*to = '\0';
	int ret = kv_bytes_new(strlen(plain), out);
	if (ret == 0)
		ret = kp_base64_decode(plain, out->data, &out->len);
	explicit_bzero(plain, strlen(plain));
	return ret == -EBADMSG ? kv_bad(no, "Content of 'key_hsm' is not Base64.\r\n") : ret;
}
