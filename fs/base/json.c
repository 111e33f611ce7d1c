// SPDX-License-Identifier: MIT
// The only includer of cJSON in fs/. struct json is cJSON's node under another name.
//
// Two readers of one text must not see two documents (a seal is computed over one of them), so a
// member named twice is refused, and integers are only those that a double holds exactly.
#include "json.h"

#include "bytes.h"
#include "scope.h"
#include "secret.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAFE_INT_MAX ((INT64_C(1) << 53) - 1)
// cJSON prints 15 significant digits of a number.
#define PRINTED_EXACTLY_MAX INT64_C(999999999999999)

static cJSON *node(const struct json *j)
{
	return (cJSON *)(uintptr_t)j;
}

static struct json *wrap(cJSON *n)
{
	return (struct json *)n;
}

static bool double_as_int(double d, int64_t *out)
{
	if (!(d >= -(double)SAFE_INT_MAX && d <= (double)SAFE_INT_MAX))
		return false;
	*out = (int64_t)d;
	return (double)*out == d;
}

// Keeps a large integer as its text, which cJSON then prints as it stands.
static int keep_exact(cJSON *n, int64_t v)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRId64, v);
	n->valuestring = strdup(text);
	if (!n->valuestring)
		return -ENOMEM;
	n->type = cJSON_Raw;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_names(const cJSON *obj)
{
	size_t n = 0;
	autofree const char **names = NULL;

	for (const cJSON *m = obj->child; m; m = m->next)
		n++;
	if (n < 2)
		return 0;
	names = calloc(n, sizeof *names);
	if (!names)
		return -ENOMEM;
	n = 0;
	for (const cJSON *m = obj->child; m; m = m->next)
		names[n++] = m->string;
	qsort(names, n, sizeof *names, by_name);
	for (size_t i = 1; i < n; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return -EBADMSG;
	return 0;
}

// Depth is bounded by json_check().
static int check_tree(cJSON *n)
{
	int64_t v;
	int rc = 0;

	if (cJSON_IsNumber(n)) {
		if (!isfinite(n->valuedouble))
			return -EBADMSG;
		if (double_as_int(n->valuedouble, &v) &&
			(v > PRINTED_EXACTLY_MAX || v < -PRINTED_EXACTLY_MAX))
			return keep_exact(n, v);
		return 0;
	}
	if (cJSON_IsObject(n))
		rc = check_names(n);
	for (cJSON *m = n->child; m && rc == 0; m = m->next)
		rc = check_tree(m);
	return rc;
}

int json_parse(const char *text, size_t len, struct json **out)
{
	struct json *j scoped(json_free) = NULL;
	int rc = json_check(text, len);

	if (rc < 0)
		return rc;
	j = wrap(cJSON_ParseWithLength(text, len));
	if (!j)
		return -ENOMEM; // the grammar is known to be right
	rc = check_tree(node(j));
	if (rc == 0)
		*out = TAKE(j);
	return rc;
}

static void wipe_strings(cJSON *n)
{
	for (; n; n = n->next) {
		if (n->valuestring)
			wipe(n->valuestring, strlen(n->valuestring));
		wipe_strings(n->child);
	}
}

void json_free(struct json **j)
{
	wipe_strings(node(*j));
	cJSON_Delete(node(*j));
	*j = NULL;
}

const struct json *json_get(const struct json *j, const char *member)
{
	return json_is_object(j) ? wrap(cJSON_GetObjectItemCaseSensitive(node(j), member)) : NULL;
}

const char *json_as_str(const struct json *j)
{
	return cJSON_IsString(node(j)) ? node(j)->valuestring : NULL;
}

const char *json_str(const struct json *j, const char *member)
{
	return json_as_str(json_get(j, member));
}

bool json_as_int(const struct json *j, int64_t *out)
{
	if (cJSON_IsRaw(node(j))) {
		*out = strtoll(node(j)->valuestring, NULL, 10);
		return true;
	}
	return cJSON_IsNumber(node(j)) && double_as_int(node(j)->valuedouble, out);
}

bool json_int(const struct json *j, const char *member, int64_t *out)
{
	return json_as_int(json_get(j, member), out);
}

bool json_as_bool(const struct json *j, bool *out)
{
	if (!cJSON_IsBool(node(j)))
		return false;
	*out = cJSON_IsTrue(node(j));
	return true;
}

bool json_bool(const struct json *j, const char *member, bool *out)
{
	return json_as_bool(json_get(j, member), out);
}

bool json_is_object(const struct json *j)
{
	return cJSON_IsObject(node(j));
}

bool json_is_array(const struct json *j)
{
	return cJSON_IsArray(node(j));
}

bool json_is_null(const struct json *j)
{
	return cJSON_IsNull(node(j));
}

static cJSON *child_at(const struct json *j, size_t i)
{
	cJSON *n = node(j)->child;

	while (n && i--)
		n = n->next;
	return n;
}

const char *json_str_or(const struct json *j, const char *member, const char *otherwise)
{
	const char *s = json_str(j, member);
	return s ? s : otherwise;
}

int64_t json_int_or(const struct json *j, const char *member, int64_t otherwise)
{
	int64_t n = 0;
	return json_int(j, member, &n) ? n : otherwise;
}

size_t json_array_len(const struct json *j)
{
	return json_is_array(j) ? (size_t)cJSON_GetArraySize(node(j)) : 0;
}

const struct json *json_array_at(const struct json *j, size_t i)
{
	return json_is_array(j) ? wrap(child_at(j, i)) : NULL;
}

const struct json *json_member_at(const struct json *j, size_t i, const char **name)
{
	const cJSON *n = json_is_object(j) ? child_at(j, i) : NULL;

	if (n)
		*name = n->string;
	return wrap((cJSON *)(uintptr_t)n);
}

int json_object(struct json **out)
{
	*out = wrap(cJSON_CreateObject());
	return *out ? 0 : -ENOMEM;
}

int json_array(struct json **out)
{
	*out = wrap(cJSON_CreateArray());
	return *out ? 0 : -ENOMEM;
}

int json_add(struct json *obj, const char *member, struct json *child)
{
	struct json *c scoped(json_free) = child;

	if (!c)
		return -ENOMEM;
	if (json_get(obj, member))
		return -EEXIST;
	if (!cJSON_AddItemToObject(node(obj), member, node(c)))
		return -ENOMEM;
	c = NULL;
	return 0;
}

int json_push(struct json *array, struct json *child)
{
	struct json *c scoped(json_free) = child;

	if (!c || !cJSON_AddItemToArray(node(array), node(c)))
		return -ENOMEM;
	c = NULL;
	return 0;
}

// File names may hold any bytes; a document may not.
static struct json *new_string(const char *value)
{
	autofree char *copy = NULL;
	uint8_t *p;

	if (!value)
		return wrap(cJSON_CreateNull());
	copy = strdup(value);
	if (!copy)
		return NULL;
	for (p = (uint8_t *)copy; *p;) {
		size_t n = utf8_sequence(p, strlen((char *)p));
		if (!n)
			*p = '?';
		p += n ? n : 1;
	}
	return wrap(cJSON_CreateString(copy));
}

int json_add_str(struct json *obj, const char *member, const char *value)
{
	return json_add(obj, member, new_string(value));
}

int json_push_str(struct json *array, const char *value)
{
	return json_push(array, new_string(value));
}

int json_push_int(struct json *array, int64_t value)
{
	return json_push(array, wrap(cJSON_CreateNumber((double)value)));
}

int json_add_int(struct json *obj, const char *member, int64_t value)
{
	struct json *n scoped(json_free) = wrap(cJSON_CreateNumber((double)value));

	if (!n)
		return -ENOMEM;
	if ((value > PRINTED_EXACTLY_MAX || value < -PRINTED_EXACTLY_MAX) &&
		keep_exact(node(n), value) < 0)
		return -ENOMEM;
	return json_add(obj, member, TAKE(n));
}

int json_add_bool(struct json *obj, const char *member, bool value)
{
	return json_add(obj, member, wrap(cJSON_CreateBool(value)));
}

struct json *json_member(struct json *obj, const char *member)
{
	return wrap(node(json_get(obj, member)));
}

static int replace(struct json *obj, const char *member, cJSON *fresh)
{
	if (fresh && cJSON_ReplaceItemInObjectCaseSensitive(node(obj), member, fresh))
		return 0;
	cJSON_Delete(fresh);
	return -ENOMEM;
}

int json_set_bool(struct json *obj, const char *member, bool value)
{
	if (!json_get(obj, member))
		return json_add_bool(obj, member, value);
	return replace(obj, member, cJSON_CreateBool(value));
}

int json_set_str(struct json *obj, const char *member, const char *value)
{
	if (!json_get(obj, member))
		return json_add_str(obj, member, value);
	return replace(obj, member, node(new_string(value)));
}

int json_print(const struct json *j, bool pretty, char **out)
{
	*out = pretty ? cJSON_Print(node(j)) : cJSON_PrintUnformatted(node(j));
	return *out ? 0 : -ENOMEM;
}
