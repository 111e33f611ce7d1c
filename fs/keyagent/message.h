// SPDX-License-Identifier: MIT
// What is said on the line: one struct per message, one function to write it and one to read it,
// used by both ends. Pure. Strings that were read point into the frame.
#ifndef CMK_MESSAGE_H
#define CMK_MESSAGE_H

#include "attr.h"
#include "wire.h"

#include <cmkdisk/keyprov.h>

struct msg_open {
	const char *plugin; // absolute path
	const char *key_url, *config, *disk;
	const char *environment; // "NAME=value", each with its NUL; secret
	size_t environment_len;	 // 0 none
	uint32_t budget_ms;	 // for the provider's callback
};
struct msg_unwrap {
	const char *version, *alg;
	const uint8_t *wrapped;
	size_t wrapped_len;
	uint32_t budget_ms;
};
struct msg_wrap {
	const uint8_t *plain;
	size_t plain_len;
	uint32_t budget_ms;
};
struct msg_describe {
	const char *version;
	uint32_t budget_ms;
};
// OPENED and ANSWER. The raw numbers: whoever reads them decides what an unknown one means.
struct msg_answer {
	uint32_t verdict, reason, retry_after_ms;
	const char *request_id, *sentence;
};
struct msg_log {
	uint32_t level;
	const char *text;
};

void msg_put_open(struct wire_writer *w, const struct msg_open *m);
void msg_put_unwrap(struct wire_writer *w, const struct msg_unwrap *m);
void msg_put_wrap(struct wire_writer *w, const struct msg_wrap *m);
void msg_put_describe(struct wire_writer *w, const struct msg_describe *m);
void msg_put_answer(struct wire_writer *w, const struct msg_answer *m);
void msg_put_log(struct wire_writer *w, const struct msg_log *m);
// What follows a granted answer: the plain bytes (put and read as one bytes field), or one of
void msg_put_wrapped(struct wire_writer *w, const struct cmk_wrapped *m);
void msg_put_key_info(struct wire_writer *w, const struct cmk_key_info *m);

// The reader's error sticks as everywhere: end with wire_done().
void msg_get_open(struct wire_reader *r, struct msg_open *m);
void msg_get_unwrap(struct wire_reader *r, struct msg_unwrap *m);
void msg_get_wrap(struct wire_reader *r, struct msg_wrap *m);
void msg_get_describe(struct wire_reader *r, struct msg_describe *m);
void msg_get_answer(struct wire_reader *r, struct msg_answer *m);
void msg_get_log(struct wire_reader *r, struct msg_log *m);
void msg_get_wrapped(struct wire_reader *r, struct cmk_wrapped *m);
void msg_get_key_info(struct wire_reader *r, struct cmk_key_info *m);

#endif
