// SPDX-License-Identifier: MIT
// Days as people write them and as PKCS#11 has them; see tool.h.
#include "tool.h"

#include <errno.h>
#include <string.h>
#include <time.h>

int tool_date_parse(const char *text, bool none_allowed, struct tool_date *out)
{
	static const char shape[] = "dddd-dd-dd";
	*out = (struct tool_date){0};
	if (none_allowed && strcmp(text, "none") == 0)
		return 0;
	if (strlen(text) != sizeof(shape) - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(shape) - 1; i++)
		if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
			return -EINVAL;
	memcpy(out->date.year, text, 4);
	memcpy(out->date.month, text + 5, 2);
	memcpy(out->date.day, text + 8, 2);
	int64_t unix_time;
	out->set = p11_date_read(&out->date, &unix_time) && unix_time > 0;
	return out->set ? 0 : -EINVAL;
}

void tool_date_print(int64_t unix_time, char out[TOOL_DATE_LEN])
{
	time_t t = (time_t)unix_time;
	struct tm tm;
	if (unix_time == 0 || !gmtime_r(&t, &tm) ||
		strftime(out, TOOL_DATE_LEN, "%Y-%m-%d", &tm) == 0)
		out[0] = '\0';
}

void tool_date_of(int64_t unix_time, struct tool_date *out)
{
	char text[TOOL_DATE_LEN];
	tool_date_print(unix_time, text);
	if (tool_date_parse(text, false, out))
		*out = (struct tool_date){0};
}

int64_t tool_last_day(int64_t exp)
{
	return exp ? exp - 1 : 0;
}
