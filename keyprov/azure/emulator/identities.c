// SPDX-License-Identifier: MIT
// The identities: opening and closing; see identities.h.
#include "identities.h"

#include "identity_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void identities_free(struct identities **p)
{
	struct identities *i = *p;
	if (!i)
		return;
	for (size_t n = 0; n < IDENTITY_ARC_KEYS; n++) {
		// A key file is good for one answer, which nobody gives any more.
		if (i->arc[n].path)
			(void)unlink(i->arc[n].path);
		free(i->arc[n].path);
	}
	for (size_t n = 0; n < i->count; n++)
		identity_end(&i->ids[n]);
	free(i->ids);
	free(i->grants);
	jwt_key_free(&i->key);
	free(i->dir);
	free(i->tenant);
	free(i->authority);
	free(i->arc_dir);
	(void)pthread_mutex_destroy(&i->lock);
	free(i);
	*p = NULL;
}

static int copy_config(struct identities *i, const struct identities_config *c)
{
	i->clock = c->clock;
	i->dir = strdup(c->dir);
	i->tenant = strdup(c->tenant);
	i->authority = strdup(c->authority);
	if (c->arc_dir)
		i->arc_dir = strdup(c->arc_dir);
	else if (asprintf(&i->arc_dir, "%s/arc", c->dir) < 0)
		i->arc_dir = NULL;
	return i->dir && i->tenant && i->authority && i->arc_dir ? 0 : -ENOMEM;
}

int identities_open(const struct identities_config *c, struct identities **out, struct kp_err *err)
{
	scoped(identities_free) struct identities *i = calloc(1, sizeof(*i));
	if (!i)
		return kp_fail(err, ENOMEM, "no memory for the identities");
	(void)pthread_mutex_init(&i->lock, NULL);
	if (copy_config(i, c))
		return kp_fail(err, ENOMEM, "no memory for the identities");
	if (mkdir(i->arc_dir, 0700) < 0 && errno != EEXIST)
		return kp_fail(err, errno, "%s: cannot be made: %s", i->arc_dir, strerror(errno));
	int ret = identity_load(i, err);
	if (ret)
		return ret;
	*out = TAKE(i);
	return 0;
}
