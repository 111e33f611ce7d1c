// SPDX-License-Identifier: MIT
// made_report NAME DIR: the report of a made-up rehearsal, for a browser and for eyes.
#include "made_rehearsal.h"

#include "attr.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	struct rehearsal r scoped(rehearsal_free) = {.count = 0};
	struct errmsg err;
	if (argc != 3 || !made_rehearsal(argv[1], &r)) {
		(void)fprintf(stderr, "usage: made_report held|broken|hour DIR\n");
		return 64;
	}
	if (!report_files(&r, argv[2], &err))
		return 0;
	(void)fprintf(stderr, "made_report: %s\n", err.text);
	return 1;
}
