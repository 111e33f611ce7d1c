// SPDX-License-Identifier: MIT
// Seal tokens from a hostile header: whatever is accepted is printed and read again unchanged, and
// its policy is one that a disk can have.
#include "seal.h"

#include "scope.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal s = {0}, again = {0};
	struct errmsg err = {0};
	char *text autofree = NULL;

	int ret = seal_parse(3, (const char *)data, size, &s, &err);
	assert(!ret || err.text[0]);
	if (ret)
		return 0;
	assert(policy_check(&s.policy, 1, &err) == 0);
	ret = seal_print(&s, &text);
	assert(!ret);
	ret = seal_parse(3, text, strlen(text), &again, &err);
	assert(!ret);
	assert(s.mac_count == again.mac_count && s.pending_keyslot == again.pending_keyslot);
	assert(s.mac_count >= 1 && s.mac_count <= SEAL_MACS_MAX);
	assert(!memcmp(s.mac, again.mac, s.mac_count * MAC_LEN));
	assert(s.policy.size == again.policy.size && s.policy.thin == again.policy.thin);
	assert(s.policy.expiry_stops == again.policy.expiry_stops);
	assert(s.policy.grace_denied_ms == again.policy.grace_denied_ms);
	assert(s.policy.grace_unreachable_ms == again.policy.grace_unreachable_ms);
	return 0;
}
