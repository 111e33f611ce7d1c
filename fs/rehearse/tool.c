// SPDX-License-Identifier: MIT
// Finding programs where distributions put them; PATH may lack the administrator's directories.
#include "tool.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

bool tool_find(const char *name, char *out, size_t room)
{
	static const char *const directories[] = {
		"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		int n = snprintf(out, room, "%s/%s", directories[i], name);
		if (n > 0 && (size_t)n < room && access(out, X_OK) == 0)
			return true;
	}
	out[0] = '\0';
	return false;
}

int tool_need(const char *name, const char *package, char *out, size_t room, struct errmsg *err)
{
	if (tool_find(name, out, room))
		return 0;
	return errmsg_set(
		err, ENOENT, "%s is not installed; it is in the package %s", name, package);
}
