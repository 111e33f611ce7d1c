// SPDX-License-Identifier: MIT
// Not before, and no longer than; see keydates.h.
#include "keydates.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static void rfc3339(int64_t unix_s, char out[40])
{
	struct tm tm;
	time_t t = (time_t)unix_s;
	if (!gmtime_r(&t, &tm) || strftime(out, 40, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, 40, "Unix time %lld", (long long)unix_s);
}

int key_dates_judge(const char *url, const char *version, int64_t nbf, int64_t exp, int64_t wall_s,
	char *out, size_t room)
{
	char date[40];
	out[0] = '\0';
	if (exp != 0 && wall_s >= exp) {
		rfc3339(exp, date);
		(void)snprintf(out, room,
			"%.200s, version %.127s, expired at %s; set a later expiry date in the key "
			"store",
			url, version, date);
		return -EKEYEXPIRED;
	}
	if (nbf != 0 && wall_s < nbf) {
		rfc3339(nbf, date);
		(void)snprintf(out, room,
			"%.200s, version %.127s, is not valid before %s; wait until then, or set "
			"an earlier date in the key store",
			url, version, date);
		return -EKEYEXPIRED;
	}
	return 0;
}
