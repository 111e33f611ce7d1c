// SPDX-License-Identifier: MIT
// The audit log, one JSON object a line with the field names of the service's AuditEvent.
// Thread-safe.
#ifndef CMK_EMU_AUDIT_H
#define CMK_EMU_AUDIT_H

#include "emu_action.h"
#include "emu_http.h"
#include "kp_scope.h"

#include <stdint.h>

struct audit;

// path NULL: counts only.
int audit_open(const char *path, struct audit **out, struct kp_err *err) must_use;
void audit_free(struct audit **a);

struct audit_event {
	const char *operation; // "KeyUnwrap", "Authentication", ...
	const char *vault;
	bool hsm;
	const char *api_version, *id;	// kid of the object, or NULL
	const char *app_id, *object_id; // of the caller, or NULL
	const char *request_id;		// the client's, else our own: correlationId
	const char *answer_id;		// our own, x-ms-request-id of the answer, or NULL
	int status;			// 0: there was no answer
	const char *description;	// error message, or NULL
	bool uncounted;			// only logged
	uint32_t duration_ms;
};
void audit_write(struct audit *a, const struct emu_request *q, const struct audit_event *e);

// "audit.*": count (by operation and status, since the start or the last reset), reset.
int audit_action(void *audit, const char *verb, const struct kp_json *args, struct kp_json **result,
	struct kp_err *err);

#endif
