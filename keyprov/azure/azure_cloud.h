// SPDX-License-Identifier: MIT
// The clouds whose vaults are known without any configuration: host suffixes, what a token for them
// is made out to, and who signs it.
#ifndef CMK_AZURE_CLOUD_H
#define CMK_AZURE_CLOUD_H

#include <stdbool.h>
#include <stddef.h>

struct azure_cloud {
	const char *suffix;    // "vault.azure.net"; a vault is one label under it
	const char *resource;  // "https://vault.azure.net"
	const char *authority; // "https://login.microsoftonline.com"
	bool managed_hsm;
};

// All of them; ends with one whose suffix is NULL.
extern const struct azure_cloud azure_clouds[];

// The cloud that a host of len chars, without port, is a vault of; NULL if it is of none.
const struct azure_cloud *azure_cloud_of(const char *host, size_t len);

// Whether host is suffix's, one or more labels under it. Case does not matter.
bool azure_host_under(const char *host, size_t len, const char *suffix);

// Whether the host (with ":port" if it has one) is one where a known cloud signs in.
bool azure_cloud_signs_in(const char *host);

#endif
