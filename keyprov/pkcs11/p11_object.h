// SPDX-License-Identifier: MIT
// Objects of a token: finding them and reading their attributes, believing nothing of what a module
// says about lengths and numbers.
#ifndef CMK_P11_OBJECT_H
#define CMK_P11_OBJECT_H

#include "kp_outcome.h"
#include "kp_scope.h"
#include "p11_session.h"

#include <stdbool.h>
#include <stddef.h>

// The objects that match the template. CMK_UNREACHABLE if the search fails or makes no sense (an
// object comes twice), CMK_MISCONFIGURED if there are more than room.
enum cmk_verdict p11_objects_find(struct p11_session *s, CK_ATTRIBUTE *template, CK_ULONG length,
	CK_OBJECT_HANDLE *out, size_t room, size_t *count, struct kp_outcome *o) must_use;

// Reads attributes into the buffers of list, all at once where the module can. Afterwards
// ulValueLen is the length that was read, or 0 for what the object lacks, does not tell or has more
// of than the buffer takes. CMK_UNREACHABLE (or as p11_rv_verdict()) if a call fails, or claims to
// have written more than there was room for. *vague (NULL:
// none) has a bit for each entry of the list, of those for which a failure that says nothing is no
// failure of the whole; on return the bits of those for which there was one.
enum cmk_verdict p11_object_read(struct p11_session *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *list,
	size_t length, unsigned *vague, struct kp_outcome *o) must_use;

#endif
