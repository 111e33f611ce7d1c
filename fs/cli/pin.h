// SPDX-License-Identifier: MIT
// The PIN of a token, from whoever runs a command: asked on the terminal, or read from a
// descriptor. The daemon has no terminal: what it is to know, it is told before the fork.
#ifndef CMK_PIN_H
#define CMK_PIN_H

#include "attr.h"
#include "errmsg.h"

#include <stdbool.h>

struct cli;
struct keyset;
struct secret;

#define PIN_MAX 255 // bytes

// From a descriptor, once: up to a newline, which is not read beyond, or the end. *out has a NUL
// behind it. A descriptor above 2 is closed. -EINVAL with a sentence if there is no such
// descriptor, nothing, too much, or a NUL; -EIO, ...
int pin_read(int fd, struct secret **out, struct errmsg *err) must_use;

// Whether there is a terminal to ask on: that of the session, else standard input.
bool pin_can_ask(void);
// Asks for it there, without echo; a signal that ends the process finds the terminal as it was.
// *out has a NUL behind it; NULL: Enter, there is none. As pin_read(). header: the backing file
// whose header alone names the key, which the question then says, for it may be anybody's; NULL: a
// person named it.
int pin_ask(
	const char *key_url, const char *header, struct secret **out, struct errmsg *err) must_use;

// What the key agent of this key is to be told of its PIN, once per URL: what came with the
// settings (NULL none), else, if they do not name a file, what is answered on the terminal; without
// one, nothing. Only of pkcs11: keys. Not once a thread runs. Without settings it is the header of
// this backing file (NULL: none) that names the key: such PINs are asked for of PIN_HEADER_KEYS
// keys at most. -EINVAL: of more.
#define PIN_HEADER_KEYS 4
int pin_provide(const struct cli *cli, const struct keyset *settings, const char *key_url,
	const char *backing, struct errmsg *err) must_use;
// The same for every key that opens one of these backing files and is not left out by the pin
// (NULL: none is). A header that cannot be read is passed over: whoever mounts it says why.
int pin_provide_all(const struct cli *cli, const struct keyset *pin, char *const *backing,
	int count, struct errmsg *err) must_use;

// For main(): puts arguments that hold a PIN (pin-value=) into locked memory, and 'x' over it where
// everybody on this host can read it. *out owns what argv points to then; NULL: there is none.
// -ENOMEM.
int pin_hide_arguments(int argc, char **argv, struct secret **out) must_use;

#endif
