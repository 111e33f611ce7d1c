// SPDX-License-Identifier: MIT
// Data through a real mount: any offset and length, the end, errors, and many at once.
#include "front_rig.h"

#include "scope.h"

// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#define assert_errno(call, number)               \
	do {                                     \
		errno = 0;                       \
		assert_int_equal((call), -1);    \
		assert_int_equal(errno, number); \
	} while (0)

static void fill(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245u + 12345u;
		p[i] = (uint8_t)(seed >> 16);
	}
}

static void any_offset_and_length_is_byte_exact(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 1);
	rig_mount(&r);
	int fd autoclose = rig_open(&r, 0, O_RDWR);
	uint8_t *model autofree = calloc(1, RIG_SIZE);
	uint8_t *buf autofree = malloc(RIG_SIZE);
	unsigned seed = 1;
	for (int i = 0; i < 300; i++) {
		seed = seed * 1103515245u + 12345u;
		size_t off = (seed >> 3) % RIG_SIZE;
		size_t len = 1 + (seed >> 11) % (i % 10 == 0 ? RIG_SIZE : 9000);
		len = len > RIG_SIZE - off ? RIG_SIZE - off : len;
		fill(model + off, len, seed);
		assert_int_equal(pwrite(fd, model + off, len, (off_t)off), len);
		size_t back = off > 5 ? off - 5 : 0;
		assert_int_equal(pread(fd, buf, len, (off_t)back), len);
		assert_memory_equal(buf, model + back, len);
	}
	assert_true(rig_holds(&r, 0, 0, model, RIG_SIZE));
	rig_fini(&r);
}

static void the_end_is_short_for_reads_and_enospc_for_writes(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 1);
	rig_mount(&r);
	int fd autoclose = rig_open(&r, 0, O_RDWR);
	char buf[100] = {0};
	assert_int_equal(pread(fd, buf, 100, RIG_SIZE - 10), 10);
	assert_int_equal(pread(fd, buf, 100, RIG_SIZE), 0);
	assert_int_equal(pread(fd, buf, 100, (off_t)RIG_SIZE * 1000), 0);
	assert_int_equal(pwrite(fd, buf, 100, RIG_SIZE - 10), 10);
	assert_errno(pwrite(fd, buf, 100, RIG_SIZE), ENOSPC);
	assert_errno(pwrite(fd, buf, 1, (off_t)RIG_SIZE * 1000), ENOSPC);
	assert_int_equal(lseek(fd, 0, SEEK_END), RIG_SIZE);
	assert_int_equal(lseek(fd, 5, SEEK_DATA), 5);
	assert_int_equal(lseek(fd, 5, SEEK_HOLE), RIG_SIZE);
	assert_errno(lseek(fd, RIG_SIZE, SEEK_DATA), ENXIO);
	rig_fini(&r);
}

static void o_direct_reads_and_writes(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 1);
	rig_mount(&r);
	int fd autoclose = rig_open(&r, 0, O_RDWR | O_DIRECT);
	uint8_t *a autofree = aligned_alloc(4096, 2u << 20);
	uint8_t *b autofree = aligned_alloc(4096, 2u << 20);
	fill(a, 2u << 20, 3);
	assert_int_equal(pwrite(fd, a, 2u << 20, 4096), 2u << 20); // more than one request
	assert_int_equal(pread(fd, b, 2u << 20, 4096), 2u << 20);
	assert_memory_equal(a, b, 2u << 20);
	rig_fini(&r);
}

static void fallocate_follows_the_disk_and_never_grows_it(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 2);
	r.disks[1].thin = true;
	memset(r.disks[1].data, 7, RIG_SMALL);
	rig_mount(&r);
	int thick autoclose = rig_open(&r, 0, O_RDWR);
	int thin autoclose = rig_open(&r, 1, O_RDWR);
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	assert_errno(fallocate(thick, punch, 0, 4096), EOPNOTSUPP);
	assert_errno(fallocate(thick, FALLOC_FL_ZERO_RANGE, 0, 4096), EOPNOTSUPP);
	assert_int_equal(fallocate(thin, punch, 100, 200), 0);
	assert_true(rig_holds(&r, 1, 100, "\0", 1));
	assert_true(rig_holds(&r, 1, 99, "\7", 1));
	assert_true(rig_holds(&r, 1, 300, "\7", 1));
	assert_int_equal(fallocate(thin, punch, RIG_SMALL - 100, 9999), 0); // clipped
	assert_int_equal(fallocate(thin, punch, RIG_SMALL, 1), 0);
	assert_int_equal(fallocate(thin, FALLOC_FL_ZERO_RANGE, 0, 50), 0);
	assert_errno(fallocate(thin, FALLOC_FL_ZERO_RANGE, RIG_SMALL - 1, 2), ENOSPC);
	assert_int_equal(atomic_load(&r.disks[1].zeroed), 3);
	assert_int_equal(fallocate(thin, 0, 0, RIG_SMALL), 0);
	assert_int_equal(fallocate(thin, FALLOC_FL_KEEP_SIZE, 0, 1), 0);
	assert_int_equal(atomic_load(&r.disks[1].allocated), 2);
	assert_errno(fallocate(thin, 0, 0, RIG_SMALL + 1), ENOSPC);
	assert_errno(fallocate(thin, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), EOPNOTSUPP);
	struct stat st;
	assert_int_equal(fstat(thin, &st), 0);
	assert_int_equal(st.st_size, RIG_SMALL);
	rig_fini(&r);
}

static void errors_of_one_disk_arrive_as_such_and_only_there(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 2);
	rig_mount(&r);
	int fd = rig_open(&r, 0, O_RDWR);
	int other autoclose = rig_open(&r, 1, O_RDWR);
	char buf[10] = {0};
	atomic_store(&r.disks[0].fail, -ENOSPC);
	assert_errno(pwrite(fd, buf, 10, 0), ENOSPC);
	atomic_store(&r.disks[0].fail, -EIO);
	assert_errno(pread(fd, buf, 10, 0), EIO);
	assert_errno(pwrite(fd, buf, 10, 0), EIO);
	assert_errno(fsync(fd), EIO);
	assert_errno(fdatasync(fd), EIO);
	assert_int_equal(pwrite(other, buf, 10, 0), 10);
	assert_int_equal(pread(other, buf, 10, 0), 10);
	assert_int_equal(close(fd), 0); // nothing is lost by closing
	rig_fini(&r);
}

static void fsync_reaches_the_disk(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 1);
	rig_mount(&r);
	int fd autoclose = rig_open(&r, 0, O_RDWR);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(fdatasync(fd), 0);
	assert_int_equal(atomic_load(&r.disks[0].flushed), 2);
	rig_fini(&r);
}

struct job {
	struct rig *rig;
	unsigned index;
	pthread_t thread;
	int failed;
};

// Each job has every eighth block of 4 KiB.
static void *run_job(void *arg)
{
	struct job *j = arg;
	uint8_t a[4096];
	uint8_t b[4096];
	int fd autoclose = rig_open(j->rig, 0, O_RDWR);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = j->index; i < RIG_SIZE / 4096; i += 8) {
			fill(a, sizeof(a), i + round);
			j->failed |= pwrite(fd, a, 4096, (off_t)i * 4096) != 4096;
			j->failed |= pread(fd, b, 4096, (off_t)i * 4096) != 4096;
			j->failed |= memcmp(a, b, 4096) != 0;
		}
	}
	return NULL;
}

static void eight_jobs_at_once_do_not_mix_their_data(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 1);
	rig_mount(&r);
	struct job jobs[8];
	for (unsigned i = 0; i < 8; i++) {
		jobs[i] = (struct job){.rig = &r, .index = i};
		assert_int_equal(pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]), 0);
	}
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(pthread_join(jobs[i].thread, NULL), 0);
		assert_int_equal(jobs[i].failed, 0);
	}
	rig_fini(&r);
}

struct reader {
	int fd;
	pthread_t thread;
};

static void *read_one(void *arg)
{
	struct reader *reader = arg;
	char byte;
	ssize_t n = pread(reader->fd, &byte, 1, 0);
	return (void *)(intptr_t)n;
}

static void a_hung_backing_file_does_not_stop_the_other_disks(void **state)
{
	(void)state;
	struct rig r;
	rig_init(&r, 2);
	rig_mount(&r);
	int hung autoclose = rig_open(&r, 0, O_RDONLY);
	int other autoclose = rig_open(&r, 1, O_RDONLY);
	(void)pthread_mutex_lock(&r.disks[0].gate);
	struct reader readers[15]; // more than the usual threads
	for (size_t i = 0; i < 15; i++) {
		readers[i].fd = hung;
		assert_int_equal(
			pthread_create(&readers[i].thread, NULL, read_one, &readers[i]), 0);
	}
	while (atomic_load(&r.disks[0].waiting) < 10) // all of the usual threads
		(void)sched_yield();
	char byte;
	for (int i = 0; i < 100; i++)
		assert_int_equal(pread(other, &byte, 1, i), 1);
	(void)pthread_mutex_unlock(&r.disks[0].gate);
	for (size_t i = 0; i < 15; i++) {
		void *n = NULL;
		assert_int_equal(pthread_join(readers[i].thread, &n), 0);
		assert_int_equal((intptr_t)n, 1);
	}
	rig_fini(&r);
}

struct job1 {
	int fd;
	unsigned at;
	bool write;
	pthread_t thread;
};

static void *read_or_write_one(void *arg)
{
	struct job1 *j = arg;
	char byte = 'w';
	return (void *)(intptr_t)(j->write ? pwrite(j->fd, &byte, 1, j->at)
					   : pread(j->fd, &byte, 1, j->at));
}

#define STUCK 200u // far more than a mount ever has threads

static void *read_the_other_disk(void *arg)
{
	char byte;
	for (int i = 0; i < 100; i++)
		if (pread(*(int *)arg, &byte, 1, i) != 1)
			return (void *)1;
	return NULL;
}

static void no_number_of_hung_requests_stops_the_other_disks(void **state)
{
	(void)state;
	struct rig r;
	struct job1 jobs[STUCK];
	rig_init(&r, 2);
	rig_mount(&r);
	int hung autoclose = rig_open(&r, 0, O_RDWR);
	int other autoclose = rig_open(&r, 1, O_RDONLY);
	(void)pthread_mutex_lock(&r.disks[0].gate);
	for (unsigned i = 0; i < STUCK; i++) {
		jobs[i] = (struct job1){.fd = hung, .at = i, .write = i & 1};
		assert_int_equal(
			pthread_create(&jobs[i].thread, NULL, read_or_write_one, &jobs[i]), 0);
	}
	while (atomic_load(&r.disks[0].waiting) < 10)
		(void)sched_yield();
	// Longer than it takes to add all the threads that are added while nothing is answered.
	struct timespec until;
	pthread_t reader;
	void *answer = NULL;
	(void)usleep(4000000);
	assert_int_equal(pthread_create(&reader, NULL, read_the_other_disk, &other), 0);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	int in_time = pthread_timedjoin_np(reader, &answer, &until);
	unsigned threads = (unsigned)atomic_load(&r.disks[0].waiting);
	(void)pthread_mutex_unlock(&r.disks[0].gate);
	for (unsigned i = 0; i < STUCK; i++) {
		void *n = NULL;
		assert_int_equal(pthread_join(jobs[i].thread, &n), 0);
		assert_int_equal((intptr_t)n, 1);
	}
	if (in_time)
		(void)pthread_join(reader, &answer);
	for (unsigned i = 0; i < STUCK; i++) {
		const uint8_t wanted = i & 1 ? 'w' : 0;
		assert_true(rig_holds(&r, 0, i, &wanted, 1));
	}
	rig_fini(&r);
	assert_int_equal(in_time, 0);
	assert_null(answer);
	assert_in_range(threads, 1, 10);
}

struct fuse_session;
struct fuse_buf;

// So many of the next attempts to receive a request fail so.
static atomic_int refusals, refusal;

int __real_fuse_session_receive_buf(struct fuse_session *se, struct fuse_buf *buf);
int __wrap_fuse_session_receive_buf(struct fuse_session *se, struct fuse_buf *buf);
int __wrap_fuse_session_receive_buf(struct fuse_session *se, struct fuse_buf *buf)
{
	if (atomic_load(&refusals) > 0 && atomic_fetch_sub(&refusals, 1) > 0)
		return atomic_load(&refusal);
	return __real_fuse_session_receive_buf(se, buf);
}

static void short_memory_does_not_end_the_mount(void **state)
{
	(void)state;
	static const int passing[] = {-ENOMEM, -EAGAIN, -EINTR};
	struct rig r;
	char byte;
	rig_init(&r, 1);
	for (size_t i = 0; i < 3; i++) {
		atomic_store(&refusal, passing[i]);
		atomic_store(&refusals, 5);
		rig_mount(&r);
		int fd autoclose = rig_open(&r, 0, O_RDONLY);
		atomic_store(&refusals, 5);
		for (int n = 0; n < 20; n++)
			assert_int_equal(pread(fd, &byte, 1, n), 1);
		assert_true(atomic_load(&refusals) <= 0);
		rig_unmount(&r);
		front_free(&r.front);
	}
	rig_fini(&r);
}

int main(void)
{
	int unavailable = rig_unavailable();
	if (unavailable)
		return unavailable;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_offset_and_length_is_byte_exact),
		cmocka_unit_test(the_end_is_short_for_reads_and_enospc_for_writes),
		cmocka_unit_test(o_direct_reads_and_writes),
		cmocka_unit_test(fallocate_follows_the_disk_and_never_grows_it),
		cmocka_unit_test(errors_of_one_disk_arrive_as_such_and_only_there),
		cmocka_unit_test(fsync_reaches_the_disk),
		cmocka_unit_test(eight_jobs_at_once_do_not_mix_their_data),
		cmocka_unit_test(a_hung_backing_file_does_not_stop_the_other_disks),
		cmocka_unit_test(no_number_of_hung_requests_stops_the_other_disks),
		cmocka_unit_test(short_memory_does_not_end_the_mount),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
