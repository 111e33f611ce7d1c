// SPDX-License-Identifier: MIT
// The binary contract, member by member, as plug-ins have been compiled against it. A line that
// fails here means that old plug-ins break: append instead.
#include <cmkdisk/keyprov.h>

#if defined(__x86_64__) && defined(__LP64__)

#define AT(type, member, offset) \
	_Static_assert(offsetof(struct type, member) == (offset), #type "." #member " has moved")
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " has another size")

SIZE(enum cmk_verdict, 4);
SIZE(enum cmk_reason, 4);
SIZE(enum cmk_log_level, 4);

AT(cmk_keyprov, struct_size, 0);
AT(cmk_keyprov, api_version, 8);
AT(cmk_keyprov, name, 16);
AT(cmk_keyprov, version, 24);
AT(cmk_keyprov, description, 32);
AT(cmk_keyprov, schemes, 40);
AT(cmk_keyprov, open, 48);
AT(cmk_keyprov, close, 56);
AT(cmk_keyprov, unwrap, 64);
AT(cmk_keyprov, wrap, 72);
AT(cmk_keyprov, describe, 80);
AT(cmk_keyprov, watch, 88);
AT(cmk_keyprov, unwatch, 96);
SIZE(struct cmk_keyprov, 104);

AT(cmk_host, struct_size, 0);
AT(cmk_host, api_version, 8);
AT(cmk_host, ctx, 16);
AT(cmk_host, log, 24);
AT(cmk_host, explain, 32);
AT(cmk_host, retry_after, 40);
AT(cmk_host, request_id, 48);
AT(cmk_host, secret_alloc, 56);
AT(cmk_host, secret_free, 64);
AT(cmk_host, time_left, 72);
AT(cmk_host, cancelled, 80);
AT(cmk_host, wall_time, 88);
AT(cmk_host, note, 96);
SIZE(struct cmk_host, 104);

AT(cmk_key_ref, struct_size, 0);
AT(cmk_key_ref, key_url, 8);
AT(cmk_key_ref, config, 16);
AT(cmk_key_ref, disk, 24);
AT(cmk_key_ref, environment, 32);
SIZE(struct cmk_key_ref, 40);

AT(cmk_key_info, version, 0);
AT(cmk_key_info, kty, 128);
AT(cmk_key_info, bits, 144);
AT(cmk_key_info, enabled, 148);
AT(cmk_key_info, nbf, 152);
AT(cmk_key_info, exp, 160);
AT(cmk_key_info, created, 168);
AT(cmk_key_info, recovery_level, 176);
SIZE(struct cmk_key_info, 240);

AT(cmk_wrapped, version, 0);
AT(cmk_wrapped, alg, 128);
AT(cmk_wrapped, len, 160);
AT(cmk_wrapped, data, 168);
SIZE(struct cmk_wrapped, 4264);

#endif

_Static_assert(CMK_KEYPROV_API_VERSION == 1, "a new API version needs a table of its own here");
_Static_assert(
	CMK_GRANTED == 0 && CMK_BAD_BLOB == 4 && CMK_REASON_IDENTITY == 5 && CMK_LOG_DEBUG == 3,
	"enum values are for ever");
