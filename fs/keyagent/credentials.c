// SPDX-License-Identifier: MIT
// The credentials of the environment; see credentials.h.
#include "credentials.h"

#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct credentials {
	struct secret *block;
	size_t len; // bytes used of it
};

// What the names begin with; one that ends in '=' is the whole of it.
static const char *const wanted[] = {"AZURE_", "IDENTITY_", "MSI_",
	"IMDS_ENDPOINT=", "HTTPS_PROXY=", "https_proxy=", "ALL_PROXY=", "all_proxy=", "NO_PROXY=",
	"no_proxy=", "SSL_CERT_FILE=", "SSL_CERT_DIR="};

static bool is_wanted(const char *line)
{
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
			return true;
	return false;
}

// The pages that the secret lies on.
static void *pages_of(const struct secret *s, size_t *len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)s->data, start = at - at % page;
	*len = (at + s->len - start + page - 1) / page * page;
	return (void *)start;
}

// A secret is not there in a forked child; this one is needed by the daemon.
static int keep_across_fork(const struct secret *s)
{
	size_t len;
	void *start = pages_of(s, &len);
	return madvise(start, len, MADV_DOFORK) ? -errno : 0;
}

// Moves every wanted line into c, as far as there is room, and closes the gaps. Returns how much
// room they need.
static size_t move(struct credentials *c)
{
	size_t needed = 0;
	char **keep = environ;
	for (char **e = environ; *e; e++) {
		if (!is_wanted(*e)) {
			*keep++ = *e;
			continue;
		}
		size_t len = strlen(*e) + 1;
		needed += len;
		if (needed <= c->block->len) {
			memcpy(c->block->data + c->len, *e, len);
			c->len += len;
		}
		wipe(*e, len);
	}
	*keep = NULL;
	return needed;
}

static bool any_wanted(void)
{
	for (char **e = environ; e && *e; e++)
		if (is_wanted(*e))
			return true;
	return false;
}

int credentials_take(struct credentials **out, struct errmsg *err)
{
	*out = NULL;
	if (!any_wanted())
		return 0;
	struct credentials *c scoped(credentials_free) = calloc(1, sizeof(*c));
	int r = c ? secret_new(CREDENTIALS_MAX, &c->block) : -ENOMEM;
	if (r == 0)
		r = keep_across_fork(c->block);
	if (r)
		return errmsg_set(
			err, -r, "no memory for the environment's credentials: %s", strerror(-r));
	size_t needed = move(c);
	if (needed > CREDENTIALS_MAX)
		return errmsg_set(err, E2BIG,
			"the environment's AZURE_*, IDENTITY_*, MSI_* and proxy variables are %zu "
			"bytes long together, more than %u: unset those that are not needed",
			needed, CREDENTIALS_MAX);
	*out = TAKE(c);
	return 0;
}

void credentials_free(struct credentials **c)
{
	if (!*c)
		return;
	secret_free(&(*c)->block);
	free(*c);
	*c = NULL;
}

const char *credentials_block(const struct credentials *c, size_t *len)
{
	*len = c ? c->len : 0;
	return *len > 0 ? (const char *)c->block->data : NULL;
}

bool credentials_lock(const struct credentials *c)
{
	if (!c)
		return true;
	size_t len;
	void *start = pages_of(c->block, &len);
	return mlock2(start, len, 0) == 0;
}
