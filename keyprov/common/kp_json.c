// SPDX-License-Identifier: MIT
// Reading JSON; see kp_json.h. A struct kp_json is a cJSON under another name.
#include "kp_json.h"

#include "kp_json_lift.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

static const cJSON *node(const struct kp_json *j)
{
	return (const cJSON *)j;
}

// cJSON neither frees nor changes a string or a name whose mark is set in the type.
static int resolve_text(char **text, int *type, int mark, const struct kp_lifted *l)
{
	if ((*text)[0] != KP_LIFT_MARK)
		return 0;
	unsigned long i = strtoul(*text + 1, NULL, 10);
	if (i >= l->count)
		return -EBADMSG;
	cJSON_free(*text);
	*text = l->strs[i];
	*type |= mark;
	return 0;
}

// Turns references into pointers into the original text. Depth is bounded by the scanner.
static int resolve(cJSON *j, const struct kp_lifted *l)
{
	for (; j; j = j->next) {
		int ret = resolve(j->child, l);
		if (!ret && j->string)
			ret = resolve_text(&j->string, &j->type, cJSON_StringIsConst, l);
		if (!ret && cJSON_IsString(j))
			ret = resolve_text(&j->valuestring, &j->type, cJSON_IsReference, l);
		if (ret)
			return ret;
	}
	return 0;
}

int kp_json_parse(char *text, size_t len, struct kp_json **out)
{
	scoped(kp_lifted_free) struct kp_lifted l = {0};
	int ret = kp_json_lift(text, len, &l);
	if (ret)
		return ret;
	// cJSON does not tell bad text from short memory, but malloc() does.
	errno = 0;
	cJSON *root = cJSON_ParseWithLengthOpts(l.text, l.len + 1, NULL, 1);
	if (!root)
		return errno == ENOMEM ? -ENOMEM : -EBADMSG;
	ret = resolve(root, &l);
	if (ret) {
		cJSON_Delete(root);
		return ret;
	}
	*out = (struct kp_json *)root;
	return 0;
}

void kp_json_free(struct kp_json **j)
{
	cJSON_Delete((cJSON *)*j);
	*j = NULL;
}

const struct kp_json *kp_json_get(const struct kp_json *j, const char *member)
{
	if (!kp_json_is_object(j))
		return NULL;
	return (const struct kp_json *)cJSON_GetObjectItemCaseSensitive(node(j), member);
}

const char *kp_json_str(const struct kp_json *j, const char *member)
{
	return cJSON_GetStringValue(node(kp_json_get(j, member)));
}

const char *kp_json_secret(const struct kp_json *j, const char *member)
{
	const cJSON *v = node(kp_json_get(j, member));
	return v && cJSON_IsString(v) && (v->type & cJSON_IsReference) ? v->valuestring : NULL;
}

bool kp_json_int(const struct kp_json *j, const char *member, int64_t *out)
{
	const cJSON *v = node(kp_json_get(j, member));
	if (!v || !cJSON_IsNumber(v))
		return false;
	double d = v->valuedouble;
	// Also false for what is no number at all; the cast is defined only inside these bounds.
	if (!(d >= -9007199254740992.0 && d <= 9007199254740992.0))
		return false;
	int64_t i = (int64_t)d;
	if ((double)i < d || (double)i > d)
		return false;
	*out = i;
	return true;
}

bool kp_json_bool(const struct kp_json *j, const char *member, bool *out)
{
	const cJSON *v = node(kp_json_get(j, member));
	if (!v || !cJSON_IsBool(v))
		return false;
	*out = cJSON_IsTrue(v);
	return true;
}

bool kp_json_is_null(const struct kp_json *j)
{
	return !j || cJSON_IsNull(node(j));
}

bool kp_json_is_object(const struct kp_json *j)
{
	return j && cJSON_IsObject(node(j));
}

bool kp_json_is_array(const struct kp_json *j)
{
	return j && cJSON_IsArray(node(j));
}

const struct kp_json *kp_json_first(const struct kp_json *j)
{
	return kp_json_is_array(j) ? (const struct kp_json *)node(j)->child : NULL;
}

const struct kp_json *kp_json_next(const struct kp_json *j)
{
	return j ? (const struct kp_json *)node(j)->next : NULL;
}

const struct kp_json *kp_json_first_member(const struct kp_json *j)
{
	return kp_json_is_object(j) ? (const struct kp_json *)node(j)->child : NULL;
}

const char *kp_json_name(const struct kp_json *j)
{
	return j ? node(j)->string : NULL;
}

const char *kp_json_text(const struct kp_json *j)
{
	return cJSON_GetStringValue(node(j));
}

size_t kp_json_count(const struct kp_json *array)
{
	size_t n = 0;
	for (const struct kp_json *v = kp_json_first(array); v; v = kp_json_next(v))
		n++;
	return n;
}
