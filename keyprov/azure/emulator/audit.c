// SPDX-License-Identifier: MIT
// The audit log and its counts; see audit.h.
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define SUBSCRIPTION "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000000"
#define CLAIM_OBJECT "http://schemas.microsoft.com/identity/claims/objectidentifier"

struct row {
	char operation[64], vault[128];
	int status;
	int64_t count;
};

struct audit {
	pthread_mutex_t lock;
	int fd; // -1: counts only
	struct row *rows;
	size_t row_count;
};

int audit_open(const char *path, struct audit **out, struct kp_err *err)
{
	scoped(audit_free) struct audit *a = calloc(1, sizeof(*a));
	if (!a)
		return kp_fail(err, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&a->lock, NULL);
	a->fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	if (path && a->fd < 0)
		return kp_fail(
			err, errno, "%s: cannot open the audit log: %s", path, strerror(errno));
	*out = TAKE(a);
	return 0;
}

void audit_free(struct audit **a)
{
	if (!*a)
		return;
	kp_scope_close(&(*a)->fd);
	(void)pthread_mutex_destroy(&(*a)->lock);
	free((*a)->rows);
	free(*a);
	*a = NULL;
}

static const char *status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} known[] = {
		{200, "OK"},
		{204, "NoContent"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{409, "Conflict"},
		{429, "Too Many Requests"},
		{500, "Internal Server Error"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].status == status)
			return known[i].text;
	return status == 0 ? "" : status < 300 ? "OK" : "Error";
}

static void print_time(char out[40])
{
	struct timespec now;
	struct tm tm;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	size_t n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(out + n, 40 - n, ".%07ldZ", now.tv_nsec / 100);
}

static void upper(char *p)
{
	for (; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
}

static void resource_id(const struct audit_event *e, char *out, size_t room)
{
	if (!e->vault)
		(void)snprintf(out, room, "/TENANTS");
	else
		(void)snprintf(out, room,
			SUBSCRIPTION
			"/RESOURCEGROUPS/CMKDISK-VAULT/PROVIDERS/MICROSOFT.KEYVAULT/%s/%s",
			e->hsm ? "MANAGEDHSMS" : "VAULTS", e->vault);
	upper(out);
}

static int text(struct kp_json *j, const char *member, const char *value)
{
	return kp_json_add_str(j, member, value ? value : "");
}

// A vault writes the caller as an object, a managed HSM as a string that holds one.
static int add_identity(struct kp_json *j, const struct audit_event *e)
{
	scoped(kp_json_free) struct kp_json *identity = NULL;
	struct kp_json *claim = NULL;
	autofree char *printed = NULL;
	int ret = kp_json_object(&identity);
	if (!ret)
		ret = kp_json_object(&claim);
	if (!ret)
		ret = kp_json_add(identity, "claim", claim);
	if (!ret && e->object_id)
		ret = kp_json_add_str(claim, CLAIM_OBJECT, e->object_id);
	if (!ret && e->app_id)
		ret = kp_json_add_str(claim, "appid", e->app_id);
	if (ret || !e->hsm)
		return ret ? ret : kp_json_add(j, "identity", TAKE(identity));
	ret = kp_json_print(identity, false, &printed);
	return ret ? ret : kp_json_add_str(j, "identity", printed);
}

static int add_request(struct kp_json *j, const struct emu_request *q, const struct audit_event *e)
{
	autofree char *uri = NULL;
	const char *agent = emu_header(q, "User-Agent");
	if (asprintf(&uri, "%s://%s%s%s%s", q->port == EMU_TLS ? "https" : "http", q->authority,
		    q->path, e->api_version ? "?api-version=" : "",
		    e->api_version ? e->api_version : "") < 0) {
		uri = NULL;
		return -ENOMEM;
	}
	struct kp_json *p = NULL;
	int ret = kp_json_object(&p);
	if (!ret)
		ret = kp_json_add(j, "properties", p);
	struct kp_json *where = e->hsm ? j : p; // of the members that an HSM has at the top
	if (!ret && e->hsm)
		ret = kp_json_add_str(p, "PoolType", "M-HSM");
	if (!ret && e->hsm)
		ret = text(j, "PoolName", e->vault);
	if (!ret)
		ret = text(p, "clientInfo", agent);
	if (!ret)
		ret = text(where, "requestUri", uri);
	if (!ret)
		ret = text(p, "id", e->id);
	if (!ret && e->answer_id)
		ret = text(p, "requestId", e->answer_id);
	return ret ? ret : kp_json_add_int(where, "httpStatusCode", e->status);
}

static int build(struct kp_json *j, const struct emu_request *q, const struct audit_event *e)
{
	char when[40], id[512], ms[16];
	print_time(when);
	resource_id(e, id, sizeof(id));
	(void)snprintf(ms, sizeof(ms), "%u", e->duration_ms);
	int ret = text(j, "time", when);
	if (!ret)
		ret = text(j, "resourceId", id);
	if (!ret)
		ret = text(j, "operationName", e->operation);
	if (!ret)
		ret = text(j, "operationVersion", e->api_version);
	if (!ret)
		ret = text(j, "category", "AuditEvent");
	if (!ret)
		ret = text(j, "resultType", e->status && e->status < 400 ? "Success" : "Failed");
	if (!ret)
		ret = text(j, "resultSignature", status_text(e->status));
	if (!ret)
		ret = text(j, "resultDescription", e->description);
	if (!ret)
		ret = e->hsm ? kp_json_add_int(j, "durationMs", e->duration_ms)
			     : text(j, "durationMs", ms);
	if (!ret)
		ret = text(j, "callerIpAddress", q->client);
	if (!ret)
		ret = text(j, "correlationId", e->request_id);
	if (!ret)
		ret = add_identity(j, e);
	return ret ? ret : add_request(j, q, e);
}

static void write_line(int fd, char *line)
{
	size_t len = strlen(line), done = 0;
	line[len++] = '\n'; // where the NUL was
	while (done < len) {
		ssize_t n = write(fd, line + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return;
		done += (size_t)n;
	}
}

static void tally(struct audit *a, const struct audit_event *e)
{
	const char *vault = e->vault ? e->vault : "";
	size_t i = 0;
	for (; i < a->row_count; i++)
		if (a->rows[i].status == e->status &&
			strcmp(a->rows[i].operation, e->operation) == 0 &&
			strcmp(a->rows[i].vault, vault) == 0)
			break;
	if (i == a->row_count) {
		struct row *grown = reallocarray(a->rows, i + 1, sizeof(*grown));
		if (!grown)
			return;
		a->rows = grown;
		grown[i] = (struct row){.status = e->status};
		(void)snprintf(grown[i].operation, sizeof(grown[i].operation), "%s", e->operation);
		(void)snprintf(grown[i].vault, sizeof(grown[i].vault), "%s", vault);
		a->row_count++;
	}
	a->rows[i].count++;
}

void audit_write(struct audit *a, const struct emu_request *q, const struct audit_event *e)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	autofree char *line = NULL;
	int ret = kp_json_object(&j);
	if (!ret)
		ret = build(j, q, e);
	if (!ret)
		ret = kp_json_print(j, false, &line);
	(void)pthread_mutex_lock(&a->lock);
	if (!ret && a->fd >= 0)
		write_line(a->fd, line);
	if (!e->uncounted)
		tally(a, e);
	(void)pthread_mutex_unlock(&a->lock);
}

static int count(
	struct audit *a, const struct kp_json *args, struct kp_json **result, struct kp_err *err)
{
	const char *operation = kp_json_str(args, "operation"), *vault = kp_json_str(args, "vault");
	scoped(kp_json_free) struct kp_json *counts = NULL;
	int64_t status, total = 0;
	bool by_status = kp_json_int(args, "status", &status);
	if (!by_status && !kp_json_is_null(kp_json_get(args, "status")))
		return kp_fail(err, EINVAL, "status: expected a number such as 403");
	int ret = kp_json_array(&counts);
	for (size_t i = 0; i < a->row_count && !ret; i++) {
		const struct row *r = &a->rows[i];
		struct kp_json *j = NULL;
		if ((operation && strcasecmp(operation, r->operation) != 0) ||
			(vault && strcasecmp(vault, r->vault) != 0) ||
			(by_status && status != r->status))
			continue;
		total += r->count;
		ret = kp_json_object(&j);
		if (!ret)
			ret = kp_json_push(counts, j);
		if (!ret)
			ret = kp_json_add_str(j, "operation", r->operation);
		if (!ret && *r->vault)
			ret = kp_json_add_str(j, "vault", r->vault);
		if (!ret)
			ret = kp_json_add_int(j, "status", r->status);
		if (!ret)
			ret = kp_json_add_int(j, "count", r->count);
	}
	if (!ret)
		ret = kp_json_object(result);
	if (!ret)
		ret = kp_json_add_int(*result, "count", total);
	return ret ? ret : kp_json_add(*result, "counts", TAKE(counts));
}

int audit_action(void *audit, const char *verb, const struct kp_json *args, struct kp_json **result,
	struct kp_err *err)
{
	struct audit *a = audit;
	int ret = 0;
	(void)pthread_mutex_lock(&a->lock);
	if (strcmp(verb, "count") == 0) {
		ret = count(a, args, result, err);
		if (ret)
			ret = kp_fail(err, -ret, "out of memory");
	} else if (strcmp(verb, "reset") == 0) {
		a->row_count = 0;
	} else {
		ret = kp_fail(err, EINVAL, "audit.%s: unknown; there are count and reset", verb);
	}
	(void)pthread_mutex_unlock(&a->lock);
	return ret;
}
