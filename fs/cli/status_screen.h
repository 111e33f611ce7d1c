// SPDX-License-Identifier: MIT
// The terminal that `status --watch` draws on: the second screen that terminals have for programs,
// which gives the first one back as it was.
#ifndef CMK_STATUS_SCREEN_H
#define CMK_STATUS_SCREEN_H

#include "attr.h"
#include "status_line.h"

#include <stdbool.h>
#include <stdint.h>

struct status_rows;

// Whether standard output is a terminal that can be drawn on.
bool screen_usable(void);

// Second screen, no cursor, no line wrap. -errno of the write.
int screen_enter(void) must_use;
// Puts the picture over the one before, in one write, in the terminal's present size. -errno.
int screen_draw(const struct status_rows *rows, const char *scope, int64_t wall_s) must_use;
// Back, with the whole picture below what stood there, to stay. What cannot be written is lost.
void screen_leave(const struct status_rows *rows, const char *scope, int64_t wall_s);

#endif
