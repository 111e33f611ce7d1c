// SPDX-License-Identifier: MIT
// An identity as JSON, for its file and for identity.list; see identity_model.h.
#include "identity_model.h"

#include <errno.h>

static int print_federated(struct kp_json *j, const struct identity *id)
{
	struct kp_json *list;
	int ret = kp_json_array(&list);
	if (ret == 0)
		ret = kp_json_add(j, "federated", list);
	for (size_t n = 0; n < id->federated_count && ret == 0; n++) {
		const struct federated *f = &id->federated[n];
		struct kp_json *item;
		ret = kp_json_object(&item);
		if (ret == 0)
			ret = kp_json_push(list, item);
		if (ret == 0 && (kp_json_add_str(item, "issuer", f->issuer) ||
					kp_json_add_str(item, "subject", f->subject) ||
					kp_json_add_str(item, "audience", f->audience) ||
					kp_json_add_str(item, "key", f->key)))
			ret = -ENOMEM;
	}
	return ret;
}

static int print_managed(struct kp_json *j, const struct identity *id)
{
	int ret = id->managed == MANAGED_NO
			  ? kp_json_add_null(j, "managed")
			  : kp_json_add_str(j, "managed",
				    id->managed == MANAGED_SYSTEM ? "system" : "user");
	if (ret == 0 && id->resource_id)
		ret = kp_json_add_str(j, "resourceId", id->resource_id);
	return ret;
}

int identity_print(const struct identity *id, bool whole, struct kp_json **out)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	int ret = kp_json_object(&j);
	if (ret == 0 && (kp_json_add_str(j, "name", id->name) ||
				kp_json_add_str(j, "clientId", id->client_id) ||
				kp_json_add_str(j, "objectId", id->object_id) ||
				kp_json_add_bool(j, "enabled", id->enabled) ||
				kp_json_add_int(j, "tokenLifetime", id->lifetime)))
		ret = -ENOMEM;
	if (ret == 0)
		ret = print_managed(j, id);
	if (ret == 0 && whole && id->certificates)
		ret = kp_json_add_str(j, "certificates", id->certificates);
	if (ret == 0 && whole)
		ret = print_federated(j, id);
	if (ret)
		return ret;
	*out = TAKE(j);
	return 0;
}
