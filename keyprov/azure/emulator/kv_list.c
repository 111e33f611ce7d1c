// SPDX-License-Identifier: MIT
// Lists in pages; see kv_vaults.h.
#include "kp_base64.h"
#include "kv_vaults.h"

#include <errno.h>
#include <string.h>

#define PAGE_MAX 25

int kv_page_read(const struct kv_call *c, struct kv_page *p)
{
	const char *max = c->q ? emu_query(c->q, "maxresults") : NULL,
		   *token = c->q ? emu_query(c->q, "$skiptoken") : NULL;
	size_t len = sizeof(p->after) - 1;
	*p = (struct kv_page){.max = PAGE_MAX};
	if (max) {
		char *end;
		p->max = strtoll(max, &end, 10);
		if (!*max || *end || p->max < 1 || p->max > PAGE_MAX)
			return kv_bad(
				c->no, "Parameter maxresults must be from 1 to %d.\r\n", PAGE_MAX);
	}
	if (token && (kp_base64_decode(token, p->after, &len) || !kv_name_ok(p->after)))
		return kv_bad(c->no, "Parameter $skiptoken has invalid value\r\n");
	return 0;
}

struct row {
	const char *marker; // what the order and the token go by
	const struct kv_key *k;
	const struct kv_version *v;
};

static int by_marker(const void *a, const void *b)
{
	return strcasecmp(((const struct row *)a)->marker, ((const struct row *)b)->marker);
}

static void print_next(const struct kv_call *c, const struct kv_page *p, const char *path,
	const char *marker, FILE *out)
{
	char token[KP_BASE64_LEN(KV_NAME_MAX) + 1];
	kp_base64_encode(marker, strlen(marker), token);
	(void)fprintf(out, "],\"nextLink\":\"%s/%s?api-version=%s&$skiptoken=%s&maxresults=%lld\"}",
		c->base, path, c->api, token, (long long)p->max);
}

// The rows of one page, of which there may be more than fit it.
static int print_page(const struct kv_call *c, struct row *rows, size_t count, const char *path,
	bool versions, FILE *out)
{
	struct kv_page p;
	int64_t shown = 0;
	int ret = kv_page_read(c, &p);
	if (ret)
		return ret;
	if (count)
		qsort(rows, count, sizeof(*rows), by_marker);
	(void)fputs("{\"value\":[", out);
	for (size_t i = 0; i < count; i++) {
		if (p.after[0] && strcasecmp(rows[i].marker, p.after) <= 0)
			continue;
		if (shown == p.max) {
			print_next(c, &p, path, rows[i - 1].marker, out);
			return 0;
		}
		if (shown++)
			(void)fputc(',', out);
		ret = kv_show_item(c, rows[i].k, rows[i].v, versions, out);
		if (ret)
			return ret;
	}
	(void)fputs(c->vault->hsm ? "]}" : "],\"nextLink\":null}", out);
	return 0;
}

static int list(struct kv_call *c, bool deleted, FILE *out)
{
	size_t n = 0;
	autofree struct row *rows = calloc(c->vault->count + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < c->vault->count; i++) {
		const struct kv_key *k = c->vault->keys[i];
		if (!k->deleted == !deleted && c->now >= k->hidden_until)
			rows[n++] = (struct row){k->name, k, kv_key_latest(k)};
	}
	return print_page(c, rows, n, deleted ? "deletedkeys" : "keys", false, out);
}

int kv_list(struct kv_call *c, FILE *out)
{
	return list(c, false, out);
}

int kv_list_deleted(struct kv_call *c, FILE *out)
{
	return list(c, true, out);
}

int kv_versions(struct kv_call *c, FILE *out)
{
	struct kv_key *k;
	char path[KV_NAME_MAX + 32];
	int ret = kv_live(c, &k);
	if (ret)
		return ret;
	autofree struct row *rows = calloc(k->count + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < k->count; i++)
		rows[i] = (struct row){k->versions[i].id, k, &k->versions[i]};
	(void)snprintf(path, sizeof(path), "keys/%s/versions", k->name);
	return print_page(c, rows, k->count, path, true, out);
}
