// SPDX-License-Identifier: MIT
// Where OpenSSL keeps expanded keys: locked, undumpable memory of our own, wiped when freed. Seen
// by fs/cipher only.
#ifndef CMK_KEYMEM_H
#define CMK_KEYMEM_H

#include "attr.h"

#include <stdbool.h>

// Makes OpenSSL allocate through us. Once per process; -EBUSY if OpenSSL has allocated already.
int keymem_install(void) must_use;
bool keymem_installed(void);
// Whether it is installed and every page of it so far could be locked and excluded from dumps.
bool keymem_locked(void);

// Between these two, what OpenSSL allocates on the calling thread is key memory. Not nested.
void keymem_scope_begin(void);
void keymem_scope_end(void);

#endif
