// SPDX-License-Identifier: MIT
// A test in the role of a provider's host: everything is settable and everything that was said is
// kept. Secret memory is counted and wiped.
#ifndef CMK_PROVIDER_HOST_H
#define CMK_PROVIDER_HOST_H

#include <cmkdisk/keyprov.h>

#define PROVIDER_NOTES 16

struct provider_host {
	struct cmk_host api;
	char sentence[1024];
	enum cmk_reason reason;
	uint32_t time_left; // ms
	int cancelled;
	int64_t now;  // Unix seconds
	int secrets;  // pieces of secret memory not yet freed
	int warnings; // lines logged as error or warning
	char notes[PROVIDER_NOTES]
		  [192]; // "CMKDISK_NOTE=name=value"; the first one without text ends
	const char *environment[PROVIDER_NOTES + 1]; // of provider_host_environment()
};

void provider_host_init(struct provider_host *h);
// What a process that is started now is told: the notes. Valid until the next one.
const char *const *provider_host_environment(struct provider_host *h);

#endif
