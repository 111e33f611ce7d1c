// SPDX-License-Identifier: MIT
// Bytes from a key agent, and bytes to one: no frame makes a reader look outside it.
#include "message.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_as(enum wire_type type, struct wire_reader *r)
{
	struct msg_open open;
	struct msg_unwrap unwrap;
	struct msg_wrap wrap;
	struct msg_describe describe;
	struct msg_log log;
	struct msg_answer answer;
	struct cmk_wrapped wrapped;
	struct cmk_key_info info;
	struct wire_reader copy = *r;
	switch (type) {
	case WIRE_OPEN:
		msg_get_open(r, &open);
		// The agent reads it as texts.
		if (!r->bad && open.environment_len > 0 &&
			open.environment[open.environment_len - 1] != '\0')
			abort();
		break;
	case WIRE_UNWRAP:
		msg_get_unwrap(r, &unwrap);
		break;
	case WIRE_WRAP:
		msg_get_wrap(r, &wrap);
		break;
	case WIRE_DESCRIBE:
		msg_get_describe(r, &describe);
		break;
	case WIRE_LOG:
		msg_get_log(r, &log);
		break;
	case WIRE_OPENED:
	case WIRE_ANSWER:
		msg_get_answer(r, &answer);
		copy = *r;
		msg_get_wrapped(&copy, &wrapped);
		copy = *r;
		msg_get_key_info(&copy, &info);
		break;
	case WIRE_CHANGED:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_header h;
	struct wire_reader r;
	uint8_t *frame = malloc(size + WIRE_HEADER_LEN);
	if (!frame)
		return 0;
	memcpy(frame, data, size);
	if (wire_parse(frame, size, &h, &r) == 0) {
		read_as(h.type, &r);
		if (wire_done(&r) > 0)
			abort();
	}
	// Past the header, which the fuzzer has trouble guessing.
	for (enum wire_type t = WIRE_OPEN; t <= WIRE_TYPE_LAST; t++) {
		r = (struct wire_reader){.p = frame, .left = size};
		read_as(t, &r);
	}
	free(frame);
	return 0;
}
