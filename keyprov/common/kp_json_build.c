// SPDX-License-Identifier: MIT
// Building and printing JSON; see kp_json.h.
#include "kp_json.h"

#include <cjson/cJSON.h>
#include <errno.h>

int kp_json_object(struct kp_json **out)
{
	*out = (struct kp_json *)cJSON_CreateObject();
	return *out ? 0 : -ENOMEM;
}

int kp_json_array(struct kp_json **out)
{
	*out = (struct kp_json *)cJSON_CreateArray();
	return *out ? 0 : -ENOMEM;
}

int kp_json_add_str(struct kp_json *obj, const char *member, const char *value)
{
	return cJSON_AddStringToObject((cJSON *)obj, member, value) ? 0 : -ENOMEM;
}

int kp_json_add_int(struct kp_json *obj, const char *member, int64_t value)
{
	return cJSON_AddNumberToObject((cJSON *)obj, member, (double)value) ? 0 : -ENOMEM;
}

int kp_json_add_bool(struct kp_json *obj, const char *member, bool value)
{
	return cJSON_AddBoolToObject((cJSON *)obj, member, value) ? 0 : -ENOMEM;
}

int kp_json_add_null(struct kp_json *obj, const char *member)
{
	return cJSON_AddNullToObject((cJSON *)obj, member) ? 0 : -ENOMEM;
}

int kp_json_add(struct kp_json *obj, const char *member, struct kp_json *child)
{
	if (cJSON_AddItemToObject((cJSON *)obj, member, (cJSON *)child))
		return 0;
	cJSON_Delete((cJSON *)child);
	return -ENOMEM;
}

int kp_json_push(struct kp_json *array, struct kp_json *child)
{
	if (cJSON_AddItemToArray((cJSON *)array, (cJSON *)child))
		return 0;
	cJSON_Delete((cJSON *)child);
	return -ENOMEM;
}

int kp_json_print(const struct kp_json *j, bool pretty, char **out)
{
	const cJSON *v = (const cJSON *)j;
	*out = pretty ? cJSON_Print(v) : cJSON_PrintUnformatted(v);
	return *out ? 0 : -ENOMEM;
}
