// SPDX-License-Identifier: MIT
// See kp_write.h.
#include "kp_write.h"

#include <errno.h>
#include <unistd.h>

int kp_write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}
