// SPDX-License-Identifier: MIT
// Loading one plug-in and holding it to its contract. Part of the agent program only.
#ifndef CMK_AGENT_PLUGIN_H
#define CMK_AGENT_PLUGIN_H

#include "attr.h"
#include "errmsg.h"

#include <cmkdisk/keyprov.h>
#include <stdbool.h>

struct loaded {
	void *handle;
	struct cmk_keyprov table; // our copy: what the plug-in's struct is too short for is NULL
};

// -EINVAL, -EPERM or -ENOEXEC with a sentence that names the file. Nothing stays loaded then.
int plugin_load(const char *path, struct loaded *out, struct errmsg *err) must_use;
void plugin_unload(struct loaded *p);
bool plugin_serves(const struct loaded *p, const char *scheme);

#endif
