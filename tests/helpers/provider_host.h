// SPDX-License-Identifier: MIT
// A test in the role of a provider's host: everything is settable and everything that was said is
// kept. Secret memory is counted and wiped.
#ifndef CMK_PROVIDER_HOST_H
#define CMK_PROVIDER_HOST_H

#include <cmkdisk/keyprov.h>

struct provider_host {
	struct cmk_host api;
	char sentence[1024];
	enum cmk_reason reason;
	uint32_t time_left; // ms
	int cancelled;
	int64_t now;  // Unix seconds
	int secrets;  // pieces of secret memory not yet freed
	int warnings; // lines logged as error or warning
};

void provider_host_init(struct provider_host *h);

#endif
