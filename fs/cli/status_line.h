// SPDX-License-Identifier: MIT
// The lines of `status --watch`: a table for a terminal, sentences for a file.
#ifndef CMK_STATUS_LINE_H
#define CMK_STATUS_LINE_H

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct status_row;
struct status_rows;

// What a terminal can show.
struct status_look {
	unsigned columns, lines;
	bool colour;
};

// The picture of the sorted rows, at most as wide and as high as the look: a line with the sum and
// the time, titles, one line per row, and, where they are too many, how many more there are. Lines
// are put apart by `between`. wall_s: Unix seconds. scope: the mount point that was asked for,
// NULL: all.
void status_picture(FILE *to, const struct status_rows *rows, const struct status_look *look,
	const char *scope, int64_t wall_s, const char *between);

// One line for a file or a pipe: the time, the disk, and what is so with it.
void status_plain_line(FILE *to, const struct status_row *row, int64_t wall_s);

// At most `columns` characters of UTF-8 text; if that is not all of it, the last one is an
// ellipsis. How many were written.
unsigned status_cut(FILE *to, const char *text, unsigned columns);

#endif
