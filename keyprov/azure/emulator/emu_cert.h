// SPDX-License-Identifier: MIT
// Making X.509 certificates (RFC 5280) with P-256 keys. Private to emu_ca.c.
#ifndef CMK_EMU_CERT_H
#define CMK_EMU_CERT_H

#include "emu_ca.h"

#include <stdbool.h>

// 0, -ENOMEM or -EIO: the library failed; -EBADMSG: ca is no certificate with its key.
int cert_make_ca(const char *name, int days, struct emu_cert *out) must_use;
int cert_make_server(const struct emu_cert *ca, int days, struct emu_cert *out) must_use;
// Whether server was signed by ca, belongs to its key and lasts for these days.
bool cert_fits(const struct emu_cert *server, const struct emu_cert *ca, int days);

#endif
