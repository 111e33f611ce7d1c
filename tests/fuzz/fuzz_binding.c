// SPDX-License-Identifier: MIT
// Binding tokens from a hostile header: whatever is accepted is printed and read again unchanged.
#include "binding.h"

#include "scope.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct binding b, again;
	struct errmsg err = {0};
	char *text autofree = NULL;

	memset(&b, 0, sizeof(b));
	memset(&again, 0, sizeof(again));
	int ret = binding_parse(3, (const char *)data, size, &b, &err);
	assert(!ret || err.text[0]);
	if (ret)
		return 0;
	ret = binding_print(&b, &text);
	assert(!ret);
	ret = binding_parse(3, text, strlen(text), &again, &err);
	assert(!ret);
	assert(b.keyslot == again.keyslot && b.created == again.created);
	assert(!strcmp(b.key_url, again.key_url) && !strcmp(b.alg, again.alg));
	assert(!strcmp(b.key_version, again.key_version));
	assert(b.wrapped_len == again.wrapped_len &&
		!memcmp(b.wrapped, again.wrapped, b.wrapped_len));
	assert(!memcmp(b.digest, again.digest, sizeof(b.digest)));
	assert(!memcmp(b.id, again.id, sizeof(b.id)));
	assert(b.replaces_count == again.replaces_count &&
		!memcmp(b.replaces, again.replaces, sizeof(b.replaces)));
	return 0;
}
