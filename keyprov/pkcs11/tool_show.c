// SPDX-License-Identifier: MIT
// tokenkey show: the versions of a key, for people or as JSON; see tool.h.
#include "tool.h"

#include <errno.h>
#include <string.h>
#include <time.h>

const char *tool_key_type(const struct p11_key *key)
{
	return key->type == CKK_RSA ? "RSA" : "AES";
}

static int add_day(struct kp_json *j, const char *member, int64_t unix_time)
{
	char day[TOOL_DATE_LEN];
	tool_date_print(unix_time, day);
	return *day ? kp_json_add_str(j, member, day) : kp_json_add_null(j, member);
}

int tool_key_json(const struct p11_key *key, struct kp_json **out)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	int ret = kp_json_object(&j);
	ret = ret ? ret : kp_json_add_str(j, "version", key->version);
	ret = ret ? ret : kp_json_add_str(j, "type", tool_key_type(key));
	ret = ret ? ret : kp_json_add_int(j, "bits", key->bits);
	ret = ret ? ret : add_day(j, "starts", key->nbf);
	ret = ret ? ret : add_day(j, "ends", tool_last_day(key->exp));
	ret = ret ? ret : kp_json_add_bool(j, "decrypt", key->decrypt);
	ret = ret ? ret : kp_json_add_bool(j, "unwrap", key->unwrap);
	ret = ret ? ret : kp_json_add_bool(j, "exportable", key->extractable);
	if (ret == 0)
		*out = TAKE(j);
	return ret;
}

int tool_print_json(const struct kp_json *j, struct kp_err *err)
{
	char *text autofree = NULL;
	int ret = kp_json_print(j, true, &text);
	if (ret)
		return kp_fail(err, ENOMEM, "no memory");
	(void)puts(text);
	return 0;
}

// Why it is the newest of them.
static const char *why(const struct p11_keys *keys, const struct p11_key *newest)
{
	bool by_date = false, by_id = false, ahead = false;
	for (size_t i = 0; i < keys->count; i++) {
		const struct p11_key *k = &keys->at[i];
		if (k == newest)
			continue;
		bool later = p11_key_compare(newest, k) < 0;
		bool dates = newest->nbf && k->nbf && newest->nbf != k->nbf;
		ahead |= later;
		by_date |= !later && dates;
		by_id |= !later && !dates;
	}
	if (ahead)
		return "later versions have not started yet";
	if (by_date)
		return by_id ? "its start date and its id are the latest"
			     : "its start date is the latest";
	return by_id ? "its id was made last" : "there is no other";
}

static void print_text(const struct tool *t, const struct p11_keys *keys,
	const struct p11_key *newest, const char *reason)
{
	(void)printf("Key URL  %s\nIn       %s\n", t->config.text, t->session.where);
	(void)printf("\n%-32s  %-4s  %4s  %-10s  %-10s  %-7s  %-6s  %-10s\n", "Version", "Type",
		"Bits", "Starts", "Ends", "Decrypt", "Unwrap", "Exportable");
	for (size_t i = 0; i < keys->count; i++) {
		const struct p11_key *k = &keys->at[i];
		char starts[TOOL_DATE_LEN], ends[TOOL_DATE_LEN];
		tool_date_print(k->nbf, starts);
		tool_date_print(tool_last_day(k->exp), ends);
		(void)printf("%-32s  %-4s  %4u  %-10s  %-10s  %-7s  %-6s  %-10s%s\n", k->version,
			tool_key_type(k), k->bits,
			*starts	      ? starts
			: k->bad_date ? "?"
				      : "-",
			*ends	      ? ends
			: k->bad_date ? "?"
				      : "never",
			k->decrypt ? "yes" : "no", k->unwrap ? "yes" : "no",
			k->extractable ? "yes" : "no", k == newest ? "  newest" : "");
	}
	if (newest)
		(void)printf("\nThe newest is %s: %s.\n", newest->version, reason);
	else
		(void)printf("\nNo newest: %s\n", reason);
}

static int print_json(const struct tool *t, const struct p11_keys *keys,
	const struct p11_key *newest, const char *reason, struct kp_err *err)
{
	scoped(kp_json_free) struct kp_json *root = NULL, *list = NULL;
	int ret = kp_json_object(&root);
	ret = ret ? ret : kp_json_array(&list);
	ret = ret ? ret : kp_json_add_str(root, "key_url", t->config.text);
	ret = ret ? ret : kp_json_add_str(root, "in", t->session.where);
	if (ret == 0)
		ret = newest ? kp_json_add_str(root, "newest", newest->version)
			     : kp_json_add_null(root, "newest");
	ret = ret ? ret : kp_json_add_str(root, "order", reason);
	for (size_t i = 0; ret == 0 && i < keys->count; i++) {
		scoped(kp_json_free) struct kp_json *key = NULL;
		ret = tool_key_json(&keys->at[i], &key);
		ret = ret ? ret : kp_json_push(list, TAKE(key));
	}
	ret = ret ? ret : kp_json_add(root, "versions", TAKE(list));
	return ret ? kp_fail(err, ENOMEM, "no memory") : tool_print_json(root, err);
}

// Tokens tell their objects in any order; ids of ours sort by age.
static int by_version(const void *a, const void *b)
{
	const struct p11_key *ka = a, *kb = b;
	return strcmp(ka->version, kb->version);
}

int tool_show(const struct tool_options *o, struct kp_err *err)
{
	scoped(tool_close) struct tool t = {0};
	struct p11_keys *keys autofree = calloc(1, sizeof(*keys));
	struct kp_outcome outcome = {0};
	if (!keys)
		return kp_fail(err, ENOMEM, "no memory");
	int ret = tool_open(&o->url, false, &t, err);
	ret = ret ? ret : tool_keys(&t, "", keys, err);
	if (ret)
		return ret;
	qsort(keys->at, keys->count, sizeof(keys->at[0]), by_version);
	const struct p11_key *newest =
		p11_key_newest(keys, (int64_t)time(NULL), t.session.where, &outcome);
	const char *reason = newest ? why(keys, newest) : outcome.err.text;
	if (o->given & OPT_JSON)
		return print_json(&t, keys, newest, reason, err);
	print_text(&t, keys, newest, reason);
	return 0;
}
