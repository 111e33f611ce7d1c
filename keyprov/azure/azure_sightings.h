// SPDX-License-Identifier: MIT
// Whether "not found" may be believed: for seconds after a key was recovered, a vault still says
// so of a key that is there.
#ifndef CMK_AZURE_SIGHTINGS_H
#define CMK_AZURE_SIGHTINGS_H

#include "azure_vault.h"

void azure_seen(struct azure_sightings *s, const char *version);

// The vault says that this version (or the key, "") is not there. Milliseconds after which a
// further "not found" counts; 0: this one does, because the key never answered before or has been
// missing for confirm_ms.
uint32_t azure_missed(struct azure_sightings *s, const char *version, uint32_t confirm_ms);

#endif
