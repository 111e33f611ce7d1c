// SPDX-License-Identifier: MIT
// Spans of time as systemd writes them.
#ifndef CMK_AZURE_DURATION_H
#define CMK_AZURE_DURATION_H

#include <stdbool.h>
#include <stdint.h>

// "90s", "15min", "1h 30min", or plain seconds; units ms, s, min, h, d, each once and in falling
// order. False when it is none, or longer than a day.
bool azure_duration(const char *text, uint32_t *ms);

#endif
