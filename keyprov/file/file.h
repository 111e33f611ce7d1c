// SPDX-License-Identifier: MIT
// What the files of the plug-in share: one open key, the mapping to verdicts, and the watch.
#ifndef CMK_FILE_PROVIDER_H
#define CMK_FILE_PROVIDER_H

#include "file_url.h"

struct file_key {
	const struct cmk_host *host;
	struct file_url url;
	int inotify; // -1 until watched
	int wd[2];   // watches in it: the file or what stands for it, and its directory
};

// The verdict for an -errno of bundle_load() or key_*(), told to the host with err's sentence.
enum cmk_verdict file_verdict(const struct cmk_host *host, int ret, const struct kp_err *err);

// Reads the bundle now. A missing or malformed file is looked at again, since an editor or a copy
// may be at work; a deleted key is denied here. Nothing is kept from one call to the next: the
// answer is about the file as it is.
enum cmk_verdict file_load(const struct file_key *k, struct bundle **out);

// keyprov.h's watch() and unwatch(): see watch.c.
int file_watch(void *key);
void file_unwatch(void *key);

#endif
