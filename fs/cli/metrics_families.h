// SPDX-License-Identifier: MIT
// Which metrics there are, and where in the status JSON they come from. The manual's list is
// cmkdisk-metrics(1).
#ifndef CMK_METRICS_FAMILIES_H
#define CMK_METRICS_FAMILIES_H

#include "attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json;

// Writes the metrics of these mounts (status objects) to `to`. What a daemon does not tell is left
// out. wall_s: now, Unix seconds. 0, -ENOMEM.
int metrics_print(FILE *to, const struct json *mounts, bool openmetrics, int64_t wall_s) must_use;

#endif
