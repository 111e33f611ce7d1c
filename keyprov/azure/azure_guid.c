// SPDX-License-Identifier: MIT
// See azure_guid.h.
#include "azure_guid.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void azure_guid(char out[AZURE_GUID_LEN + 1])
{
	uint8_t b[16] = {0};
	// Short of entropy only before the system has booted; an id is no secret.
	(void)!getrandom(b, sizeof(b), GRND_NONBLOCK);
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	size_t n = 0;
	for (size_t i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[n++] = '-';
		n += (size_t)snprintf(out + n, 3, "%02x", b[i]);
	}
}
