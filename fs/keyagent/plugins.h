// SPDX-License-Identifier: MIT
// Finding provider plug-ins: checked names in one directory, loaded only inside agent processes.
#ifndef CMK_PLUGINS_H
#define CMK_PLUGINS_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>
#include <stddef.h>

#define PLUGIN_PREFIX "cmkdisk-keyprov-"
#define PLUGIN_SUFFIX ".so"

// The scheme of a key URL ("file" of "file:/x"), lower-cased into out (room >= 33). -EINVAL with a
// sentence if there is none: RFC 3986 section 3.1, at most 32 characters.
int key_url_scheme(const char *key_url, char *out, size_t room, struct errmsg *err) must_use;

// Which plug-in serves the scheme: file -> "file", pkcs11 -> "pkcs11", https and http -> "azure";
// any other scheme is looked up under its own name. Path of the shared object into out. -EDOM with
// a sentence if there is no such file; -EPERM if the directory or file may be written by others
// than root and the present user.
int plugin_path(const char *plugin_dir, const char *scheme, char *out, size_t room,
	struct errmsg *err) must_use;

// The permission half of plugin_path(), for the agent just before it loads the file. "Others" are
// everybody but root and the present user; a group whose number is the owner's is taken for the
// owner's private group. The directories above the plug-in directory are not looked at.
int plugin_permitted(const char *path, struct errmsg *err) must_use;

// NAME of ".../cmkdisk-keyprov-NAME.so" into out. -EINVAL with a sentence if the file is not called
// that, or NAME is not 1 to 32 of a-z, 0-9 and '-'.
#define PLUGIN_NAME_ROOM 33
int plugin_name(const char *path, char out[PLUGIN_NAME_ROOM], struct errmsg *err) must_use;

struct plugin_row {
	char name[33], version[33], description[128], schemes[128], path[512];
	char problem[256]; // "" if it loads
};
// All plug-ins of the directory in order of their names, each asked in a process of its own
// (program
// --describe PATH, at most 5 s). What cannot be loaded has its row, too. The caller frees *rows.
// -errno with a sentence only if the directory cannot be read.
int plugins_list(const char *program, const char *plugin_dir, struct plugin_row **rows,
	size_t *count, struct errmsg *err) must_use;

#endif
