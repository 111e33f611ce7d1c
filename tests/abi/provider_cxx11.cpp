// SPDX-License-Identifier: MIT
// The header must come first: it stands alone. Strict C++11.
#include <cmkdisk/keyprov.h>

#include <cstring>

namespace
{

cmk_verdict cxx_open(const cmk_host *host, const cmk_key_ref *ref, void **key) noexcept
{
	if (!CMK_HAS(host, cmk_host, wall_time))
		return CMK_MISCONFIGURED;
	host->log(host, CMK_LOG_DEBUG, "opened %s", ref->key_url);
	*key = nullptr;
	return CMK_GRANTED;
}

void cxx_close(void *) noexcept
{
}

cmk_verdict cxx_unwrap(void *, const char *, const char *, const uint8_t *wrapped,
	size_t wrapped_len, uint8_t *plain, size_t *plain_len) noexcept
{
	for (size_t i = 0; i < wrapped_len && i < *plain_len; i++)
		plain[i] = static_cast<uint8_t>(wrapped[i] ^ 0x5a);
	*plain_len = wrapped_len;
	return CMK_GRANTED;
}

// No designated initialisers before C++20: name the members in a function.
cmk_keyprov make()
{
	cmk_keyprov p = cmk_keyprov();
	p.name = "cxx11";
	p.version = "1.0";
	p.description = "strict C++11";
	p.schemes = "cxx11";
	p.open = cxx_open;
	p.close = cxx_close;
	p.unwrap = cxx_unwrap;
	return p;
}

cmk_keyprov provider = make();

} // namespace

CMK_KEYPROV_REGISTER(provider)
