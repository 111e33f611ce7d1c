// SPDX-License-Identifier: MIT
// See status_screen.h. The control sequences are those of ECMA-48 and, after "?", of DEC's VT500
// and xterm, which every terminal in use knows; one that does not says so by TERM=dumb.
#include "status_screen.h"
#include "fileio.h"
#include "scope.h"
#include "status_row.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
#define HOME "\033[H"
#define LINE_END "\033[K\r\n"
#define BELOW "\033[J"

bool screen_usable(void)
{
	const char *term = getenv("TERM");
	return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

int screen_enter(void)
{
	return write_full(STDOUT_FILENO, ENTER, strlen(ENTER));
}

static struct status_look look_now(void)
{
	struct winsize size = {0};
	const char *no_colour = getenv("NO_COLOR");
	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	return (struct status_look){.columns = size.ws_col ? size.ws_col : 80,
		.lines = size.ws_row ? size.ws_row : 24,
		.colour = !no_colour || !*no_colour};
}

static int put_picture(const struct status_rows *rows, const struct status_look *look,
	const char *scope, int64_t wall_s, bool over)
{
	char *text autofree = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	(void)fputs(over ? HOME : "", f);
	status_picture(f, rows, look, scope, wall_s, over ? LINE_END : "\n");
	// No line break behind the last line: it would scroll a full screen.
	(void)fputs(over ? BELOW : "\n", f);
	return fclose(f) == EOF ? -ENOMEM : write_full(STDOUT_FILENO, text, len);
}

int screen_draw(const struct status_rows *rows, const char *scope, int64_t wall_s)
{
	struct status_look look = look_now();
	return put_picture(rows, &look, scope, wall_s, true);
}

void screen_leave(const struct status_rows *rows, const char *scope, int64_t wall_s)
{
	struct status_look look = look_now();
	look.lines = UINT32_MAX;
	if (!write_full(STDOUT_FILENO, LEAVE, strlen(LEAVE)))
		(void)!put_picture(rows, &look, scope, wall_s, false);
}
