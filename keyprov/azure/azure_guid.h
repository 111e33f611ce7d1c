// SPDX-License-Identifier: MIT
// Random ids for requests (RFC 9562 section 5.4).
#ifndef CMK_AZURE_GUID_H
#define CMK_AZURE_GUID_H

#define AZURE_GUID_LEN 36

void azure_guid(char out[AZURE_GUID_LEN + 1]);

#endif
