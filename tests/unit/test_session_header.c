// SPDX-License-Identifier: MIT
// The header of a disk in use: its data key is given out only for a disk that may be used just
// then. The lease is a stand-in that says so as often as it is told to; its symbol wins over that
// of the library.
#include "../helpers/volume_rig.h"

#include "scope.h"
#include "secret.h"
#include "session_internal.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static atomic_int usable_for; // questions

int lease_check(struct lease *l)
{
	(void)l;
	return usable_for-- > 0 ? 0 : -EIO;
}

struct world {
	struct volume_rig rig;
	struct session session;
	struct session_disk disk;
	struct binding binding;
	struct secret *slot;
	int fd, called;
	int rc;
	struct errmsg err;
};

static void world_begin(struct world *w)
{
	struct volume *v scoped(volume_close) = NULL;
	*w = (struct world){.disk = {.session = &w->session, .backing = (char *)"disk.img"}};
	rig_begin(&w->rig);
	rig_create(&w->rig);
	w->fd = open(w->rig.path, O_RDWR | O_CLOEXEC);
	assert_true(w->fd >= 0);
	(void)snprintf(w->disk.path, sizeof(w->disk.path), "/proc/self/fd/%d", w->fd);
	(void)pthread_mutex_init(&w->session.headers, NULL);
	(void)pthread_mutex_init(&w->session.rotation.lock, NULL);
	(void)pthread_cond_init(&w->session.rotation.news, NULL);
	assert_int_equal(volume_open(w->rig.path, false, &v, &w->err), 0);
	w->disk.info = *volume_info(v);
	w->disk.info.bindings = NULL;
	w->binding = volume_info(v)->bindings[0];
	assert_int_equal(rig_secret(RIG_SECRET, &w->slot), 0);
	usable_for = INT_MAX;
}

static void world_end(struct world *w)
{
	secret_free(&w->slot);
	(void)close(w->fd);
	rig_end(&w->rig);
}

static int count(void *ctx, struct volume *v, const struct secret *dek, struct errmsg *err)
{
	struct world *w = ctx;
	(void)err;
	assert_non_null(v);
	assert_int_equal(dek->len, VOLUME_KEY_LEN);
	assert_null(w->slot); // wiped before the header is changed
	w->called++;
	return 0;
}

static void *use(void *ctx)
{
	struct world *w = ctx;
	w->rc = session_header_use(&w->disk, &w->binding, &w->slot, count, w, &w->err);
	return NULL;
}

static void a_disk_in_use_gives_its_data_key(void **state)
{
	(void)state;
	struct world w scoped(world_end);
	world_begin(&w);
	use(&w);
	assert_int_equal(w.rc, 0);
	assert_int_equal(w.called, 1);
	assert_null(w.slot);
}

static void one_that_stops_while_it_waits_for_its_turn_gives_none(void **state)
{
	(void)state;
	struct world w scoped(world_end);
	pthread_t thread;
	world_begin(&w);
	(void)pthread_mutex_lock(&w.session.headers); // another disk's backing store hangs
	assert_int_equal(pthread_create(&thread, NULL, use, &w), 0);
	for (bool waits = false; !waits;) {
		with_lock(&w.session.rotation.lock);
		waits = w.session.rotation.in_header;
	}
	usable_for = 0;
	(void)pthread_mutex_unlock(&w.session.headers);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(w.rc, -ENOKEY);
	assert_non_null(strstr(w.err.text, "is stopped"));
	assert_int_equal(w.called, 0);
	assert_null(w.slot);
}

static void one_that_stops_while_its_header_is_read_gives_none(void **state)
{
	(void)state;
	struct world w scoped(world_end);
	world_begin(&w);
	usable_for = 1;
	use(&w);
	assert_int_equal(w.rc, -ENOKEY);
	assert_int_equal(w.called, 0);
	assert_null(w.slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_in_use_gives_its_data_key),
		cmocka_unit_test(one_that_stops_while_it_waits_for_its_turn_gives_none),
		cmocka_unit_test(one_that_stops_while_its_header_is_read_gives_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
