// SPDX-License-Identifier: MIT
// Failures inside OpenSSL; see nth_fault.h.
#ifndef CMK_NTH_FAULT_CRYPTO_H
#define CMK_NTH_FAULT_CRYPTO_H

#include <stdbool.h>

// Lets FAULT_LIBRARY strike OpenSSL's own allocations. False when it has made some already.
bool fault_into_openssl(void);

#endif
