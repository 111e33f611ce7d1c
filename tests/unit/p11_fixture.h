// SPDX-License-Identifier: MIT
// What the tests of the PKCS#11 provider's parts share: a host, a private directory, a
// configuration, and short names.
#ifndef CMK_P11_FIXTURE_H
#define CMK_P11_FIXTURE_H

#include "provider_host.h"

#include "p11_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define URL "pkcs11:token=bank;object=disk"
#define SET(members) "{\"cmkdisk\":{\"pkcs11\":{" members "}}}"
#define QUERY(text) SET("\"query\":\"" text "\"")

struct world {
	struct provider_host host;
	struct p11_config c;
	struct kp_outcome o;
	char dir[4000], path[4200]; // path: in dir, not there yet
};

static inline int world_setup(void **state)
{
	static struct world w;
	char cwd[3000];
	memset(&w, 0, sizeof(w));
	provider_host_init(&w.host);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	(void)snprintf(w.dir, sizeof(w.dir), "%s/p11.XXXXXX", cwd);
	assert_non_null(mkdtemp(w.dir));
	(void)snprintf(w.path, sizeof(w.path), "%s/pin", w.dir);
	*state = &w;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;
	char cmd[4100];
	p11_config_free(&w->host.api, &w->c);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", w->dir);
	if (system(cmd) != 0)
		return 1;
	assert_int_equal(w->host.secrets, 0);
	return 0;
}

static inline enum cmk_verdict world_read(
	struct world *w, const char *url, const char *config, const char *const *environment)
{
	const struct cmk_key_ref ref = {sizeof(ref), url, config, "", environment};
	p11_config_free(&w->host.api, &w->c);
	w->o = (struct kp_outcome){0};
	return p11_config_read(&w->host.api, &ref, &w->c, &w->o);
}

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

#endif
