// SPDX-License-Identifier: MIT
// Which files are taken for what proves who we are.
#ifndef CMK_AZURE_FILE_H
#define CMK_AZURE_FILE_H

enum azure_file {
	// A secret, password or private key: of root or of ourselves, and closed to all others.
	AZURE_FILE_SECRET,
	// A workload's token, which the platform may let others read: not to be written by them.
	AZURE_FILE_TOKEN,
};

// NULL, or why the open file is not taken: words to follow its path and a colon.
const char *azure_file_unfit(int fd, enum azure_file kind);

#endif
