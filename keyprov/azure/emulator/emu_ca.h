// SPDX-License-Identifier: MIT
// The emulator's certificate authority: made at the first start, trusted by nobody but those who
// are given ca.pem. Its keys lie in the state directory as PEM, 0600.
#ifndef CMK_EMU_CA_H
#define CMK_EMU_CA_H

#include "kp_err.h"

struct emu_cert {
	char *cert_pem, *key_pem; // owned
};
void emu_cert_free(struct emu_cert *c); // wipes; for scoped()

// DIR/server.pem and server-key.pem for *.vault.localhost, *.managedhsm.localhost, localhost and
// the loopback addresses, signed by DIR/ca.pem; what is missing is made, and the server's are
// made anew in the last month of their year. 0 or -errno with a sentence.
int emu_ca_open(const char *dir, struct emu_cert *server, struct kp_err *err) must_use;
// The same names, signed by an authority that is thrown away at once.
int emu_ca_wrong(struct emu_cert *server, struct kp_err *err) must_use;

#endif
