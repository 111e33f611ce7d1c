// SPDX-License-Identifier: MIT
// See azure_file.h.
#include "azure_file.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *azure_file_unfit(int fd, enum azure_file kind)
{
	struct stat st;
	if (fstat(fd, &st))
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "this is no regular file";
	if (kind == AZURE_FILE_TOKEN)
		return st.st_mode & (S_IWGRP | S_IWOTH)
			       ? "others may write to this file; chmod go-w it"
			       : NULL;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return "this file belongs to another user; it must be root's or one's own";
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return "others may use this file; chmod 600 it";
	return NULL;
}
