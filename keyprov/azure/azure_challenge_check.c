// SPDX-License-Identifier: MIT
// Whether a vault's challenge may be answered with a token; see azure_challenge.h.
#include "azure_challenge.h"
#include "azure_config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define HTTPS "https://"

// The host of a URL without path, by https; NULL if it is none. *len leaves out the port.
static const char *https_host(const char *url, size_t *len)
{
	if (strncasecmp(url, HTTPS, strlen(HTTPS)) != 0)
		return NULL;
	const char *host = url + strlen(HTTPS);
	*len = strcspn(host, ":/?#@");
	return *len && !strpbrk(host, "/?#@") ? host : NULL;
}

static bool resource_fits(const struct azure_challenge *c, const struct azure_url *url)
{
	size_t len;
	char name[254];
	const char *host = https_host(c->resource, &len);
	if (url->cloud)
		return strcasecmp(c->resource, url->cloud->resource) == 0;
	if (!host || len >= sizeof(name))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	return azure_host_under(url->host, strlen(url->host), name) &&
	       (strcasecmp(name, url->suffix) == 0 || azure_host_under(name, len, url->suffix));
}

// Without the slash that may end it.
static bool same_authority(const char *configured, const char *authority)
{
	size_t len = strlen(configured);
	while (len && configured[len - 1] == '/')
		len--;
	return strlen(authority) == len && strncasecmp(configured, authority, len) == 0;
}

static bool authority_known(const struct azure_challenge *c, const struct azure_config *config)
{
	size_t len;
	// A configured one is https or loopback: whoever signs in there sees to it.
	if (same_authority(config->identity.authority_host, c->authority))
		return true;
	const char *host = https_host(c->authority, &len);
	return host && azure_cloud_signs_in(host);
}

int azure_challenge_check(const struct azure_challenge *c, const struct azure_url *url,
	const struct azure_config *config, struct kp_err *err)
{
	if (!resource_fits(c, url))
		return kp_fail(err, EINVAL,
			"%s asks for a token for '%.100s', which is not its own to ask for; no "
			"token was sent; check that the key URL names the right vault",
			url->origin, c->resource);
	if (!authority_known(c, config))
		return kp_fail(err, EINVAL,
			"%s wants us to sign in at '%.100s', which is no known authority; no token "
			"was asked for; if it is right, name it as authorityHost in the key set's "
			"cmkdisk.azure",
			url->origin, c->authority);
	size_t tenant = strlen(c->tenant);
	if (!tenant || strspn(c->tenant, "0123456789abcdefghijklmnopqrstuvwxyz"
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._") != tenant)
		return kp_fail(err, EINVAL,
			"%s names no tenant to sign in to; check that the key URL names a vault",
			url->origin);
	return 0;
}
