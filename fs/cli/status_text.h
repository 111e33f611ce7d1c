// SPDX-License-Identifier: MIT
// The status of a mount for people.
#ifndef CMK_STATUS_TEXT_H
#define CMK_STATUS_TEXT_H

struct json;

// Prints one mount's status object on standard output.
void status_text(const struct json *mount);

#endif
