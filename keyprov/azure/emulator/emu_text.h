// SPDX-License-Identifier: MIT
// Small texts that every part of the emulator makes or reads: GUIDs and random hex.
#ifndef CMK_EMU_TEXT_H
#define CMK_EMU_TEXT_H

#include "kp_scope.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMU_GUID 37 // with its NUL

// A random GUID (RFC 9562 version 4) in lower case. -errno of getrandom(2).
int emu_guid(char out[EMU_GUID]) must_use;
bool emu_is_guid(const char *text);
// 2 * bytes lower-case hex digits and a NUL; bytes at most 64. -errno of getrandom(2).
int emu_random_hex(char *out, size_t bytes) must_use;

#endif
