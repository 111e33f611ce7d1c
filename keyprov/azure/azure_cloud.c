// SPDX-License-Identifier: MIT
// See azure_cloud.h.
#include "azure_cloud.h"

#include <string.h>
#include <strings.h>

#define PUBLIC "https://login.microsoftonline.com"
#define CHINA "https://login.chinacloudapi.cn"
#define US_GOV "https://login.microsoftonline.us"

const struct azure_cloud azure_clouds[] = {
	{"vault.azure.net", "https://vault.azure.net", PUBLIC, false},
	{"managedhsm.azure.net", "https://managedhsm.azure.net", PUBLIC, true},
	{"vault.azure.cn", "https://vault.azure.cn", CHINA, false},
	{"managedhsm.azure.cn", "https://managedhsm.azure.cn", CHINA, true},
	{"vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net", US_GOV, false},
	{"managedhsm.usgovcloudapi.net", "https://managedhsm.usgovcloudapi.net", US_GOV, true},
	{NULL, NULL, NULL, false},
};

// Hosts that sign in, beside the authorities above: the older and the newer name of the same.
static const char *const also_sign_in[] = {
	"login.windows.net", "login.partner.microsoftonline.cn", NULL};

bool azure_host_under(const char *host, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);
	return len > n + 1 && host[len - n - 1] == '.' &&
	       strncasecmp(host + len - n, suffix, n) == 0;
}

const struct azure_cloud *azure_cloud_of(const char *host, size_t len)
{
	for (const struct azure_cloud *c = azure_clouds; c->suffix; c++)
		if (azure_host_under(host, len, c->suffix) &&
			!memchr(host, '.', len - strlen(c->suffix) - 1))
			return c;
	return NULL;
}

bool azure_cloud_signs_in(const char *host)
{
	for (const struct azure_cloud *c = azure_clouds; c->suffix; c++)
		if (strcasecmp(host, c->authority + strlen("https://")) == 0)
			return true;
	for (const char *const *p = also_sign_in; *p; p++)
		if (strcasecmp(host, *p) == 0)
			return true;
	return false;
}
