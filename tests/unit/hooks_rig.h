// SPDX-License-Identifier: MIT
// Hooks made of shell scripts in a directory of their own, and what was told of their runs.
#ifndef CMK_HOOKS_RIG_H
#define CMK_HOOKS_RIG_H

#include "hooks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RIG_RESULTS 64

struct rig_result {
	char program[256], event[32], disk[64], sentence[768];
	int status;
	bool timed_out;
	uint32_t took_ms;
};

extern char rig_dir[]; // private, removed by rig_end()
int rig_begin(void **state);
// Nothing may be left: no child, no descriptor.
int rig_end(void **state);

const char *rig_path(const char *name); // in rig_dir; valid until the 8th call after it
// An executable script, mode 0755: body after "#!/bin/sh" and "export D=rig_dir".
const char *rig_script(const char *name, const char *body);
bool rig_exists(const char *name);
// Text of a file in rig_dir; the caller frees it.
char *rig_text(const char *name);

// Hooks that run program (and other, if not NULL); results are kept.
struct hooks *rig_hooks(const char *program, const char *other, uint32_t timeout_ms);
void rig_post(struct hooks *h, enum event_kind k, const char *disk, int64_t number);
// Until so many results have come; which may be read then.
const struct rig_result *rig_wait(size_t results);
size_t rig_results(void);
uint64_t rig_now_ms(void);
void rig_pause_ms(unsigned ms);

#endif
