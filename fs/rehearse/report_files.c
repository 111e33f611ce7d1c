// SPDX-License-Identifier: MIT
// The three forms of a report in one directory. What is in them may be shown to anybody who may
// know of the key: its URL, the host's name, sentences of the key store; no secret.
#include "rehearsal.h"

#include "json.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

typedef int writer(const struct rehearsal *r, FILE *f);

static int write_json(const struct rehearsal *r, FILE *f)
{
	struct json *j scoped(json_free) = NULL;
	autofree char *text = NULL;
	int rc = report_json(r, &j);
	if (!rc)
		rc = json_print(j, true, &text);
	if (rc)
		return rc;
	return fprintf(f, "%s\n", text) < 0 || fflush(f) ? -EIO : 0;
}

static const struct {
	const char *name;
	writer *write;
} forms[] = {
	{"report.txt", report_text},
	{"report.json", write_json},
	{"report.html", report_html},
};
#define FORMS (sizeof(forms) / sizeof(forms)[0])

// The directory, made if need be, in *fd.
static int open_place(const char *dir, int *fd, struct errmsg *err)
{
	if (mkdir(dir, 0777) && errno != EEXIST)
		return errmsg_set(err, errno, "%s: cannot make this directory for the report: %s",
			dir, strerror(errno));
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return errmsg_set(err, errno,
			"%s: cannot be opened as a directory for the report: %s", dir,
			strerror(errno));
	return 0;
}

static int refuse_former(int fd, const char *dir, struct errmsg *err)
{
	for (size_t i = 0; i < FORMS; i++)
		if (!faccessat(fd, forms[i].name, F_OK, AT_SYMLINK_NOFOLLOW))
			return errmsg_set(err, EEXIST,
				"%s: there is a report already (%s); name another directory, or "
				"move that one away",
				dir, forms[i].name);
	return 0;
}

int report_files_check(const char *dir, struct errmsg *err)
{
	autoclose int fd = -1;
	int rc = open_place(dir, &fd, err);
	if (!rc)
		rc = refuse_former(fd, dir, err);
	if (!rc && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS))
		rc = errmsg_set(err, errno, "%s: a report cannot be written there: %s", dir,
			strerror(errno));
	return rc;
}

// Writes one form as a new file, and keeps only a whole one.
static int write_form(
	const struct rehearsal *r, size_t form, int dirfd, const char *dir, struct errmsg *err)
{
	const char *name = forms[form].name;
	autoclose int fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return errmsg_set(
			err, errno, "%s/%s: cannot be made: %s", dir, name, strerror(errno));
	FILE *f autofclose = fdopen(fd, "w");
	int rc = f ? 0 : -errno;
	if (f)
		(void)TAKE_FD(fd);
	if (!rc)
		rc = forms[form].write(r, f);
	if (!rc && (fflush(f) || fsync(fileno(f))))
		rc = -errno;
	if (!rc)
		return 0;
	(void)unlinkat(dirfd, name, 0);
	return errmsg_set(err, -rc, "%s/%s: cannot be written: %s", dir, name, strerror(-rc));
}

int report_files(const struct rehearsal *r, const char *dir, struct errmsg *err)
{
	autoclose int fd = -1;
	int rc = open_place(dir, &fd, err);
	if (!rc)
		rc = refuse_former(fd, dir, err);
	for (size_t i = 0; !rc && i < FORMS; i++)
		rc = write_form(r, i, fd, dir, err);
	return rc;
}
