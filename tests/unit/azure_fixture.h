// SPDX-License-Identifier: MIT
// What the tests of the Azure provider share: a host, a configuration, and short names.
#ifndef CMK_AZURE_FIXTURE_H
#define CMK_AZURE_FIXTURE_H

#include "provider_host.h"

#include "azure_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>

#define V1 "0123456789abcdef0123456789abcdef"
#define V2 "fedcba9876543210fedcba9876543210"
#define TENANT "72f988bf-86f1-41af-91ab-2d7cd011db47"

static inline void require_text(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}

static inline void require_no_text(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' is in: %s", part, text);
}

// What azure_config_read() makes of nothing.
static inline struct azure_config plain_config(void)
{
	return (struct azure_config){
		.api_version = "7.4",
		.alg = "",
		.ca_file = "",
		.ca_dir = "",
		.proxy = "",
		.no_proxy = "",
		.user_agent = "cmkdisk/test",
		.confirm_ms = 15000,
		.firewall = CMK_DENIED,
		.no_host = CMK_UNREACHABLE,
		.identity = {.authority_host = "https://login.microsoftonline.com"},
	};
}

#endif
