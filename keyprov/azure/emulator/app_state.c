// SPDX-License-Identifier: MIT
// The state directory: its lock, and the settings that outlive a run; see app.h.
#include "app.h"

#include "emu_file.h"
#include "emu_text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define SETTINGS "emulator.json"
#define SETTINGS_MOST 65536

static int make_directory(const char *dir)
{
	char path[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%s", dir);
	for (char *p = path + 1;; p++) {
		if (*p && *p != '/')
			continue;
		char end = *p;
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		if (!end)
			return 0;
		*p = '/';
	}
}

// Keys of others are not to be put where somebody else can read or change them.
static int check_owner(int fd, const char *dir, struct kp_err *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return kp_fail(err, errno, "%s: cannot look at it: %s", dir, strerror(errno));
	if (st.st_uid != geteuid())
		return kp_fail(err, EPERM,
			"%s: belongs to another user; a state directory must be yours alone", dir);
	// Not mended here: it might be a directory that is for others, named by mistake.
	if (st.st_mode & 077)
		return kp_fail(err, EPERM,
			"%s: others may look into it or write there; keys are kept in it, so chmod "
			"0700 it, or name a directory that is not there yet",
			dir);
	return 0;
}

int app_state_lock(const char *dir, int *out, struct kp_err *err)
{
	int ret = make_directory(dir);
	if (ret)
		return kp_fail(
			err, -ret, "%s: cannot make the state directory: %s", dir, strerror(-ret));
	autoclose int d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d < 0)
		return kp_fail(err, errno, "%s: cannot open the state directory: %s", dir,
			strerror(errno));
	ret = check_owner(d, dir, err);
	if (ret)
		return ret;
	autoclose int lock = openat(d, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (lock < 0)
		return kp_fail(err, errno, "%s/lock: cannot open it: %s", dir, strerror(errno));
	if (flock(lock, LOCK_EX | LOCK_NB) < 0)
		return kp_fail(err, errno == EWOULDBLOCK ? EBUSY : errno,
			"%s: another cmkdisk-vault serves this state directory; end it, or give "
			"another --state",
			dir);
	*out = TAKE_FD(lock);
	return 0;
}

static int parse(struct kp_json *j, struct app_settings *s)
{
	const struct kp_json *ports = kp_json_get(j, "ports");
	const char *tenant = kp_json_str(j, "tenant"), *client = kp_json_str(j, "clientId");
	const char *vault = kp_json_str(j, "vault");
	if (!tenant || !emu_is_guid(tenant))
		return -EBADMSG;
	(void)snprintf(s->tenant, sizeof(s->tenant), "%s", tenant);
	(void)snprintf(s->client_id, sizeof(s->client_id), "%s", client ? client : "");
	(void)snprintf(s->vault, sizeof(s->vault), "%s", vault ? vault : "");
	(void)kp_json_bool(j, "seeded", &s->seeded);
	for (int i = 0; i < EMU_PORTS; i++) {
		int64_t n;
		if (kp_json_int(ports, app_port_name((enum emu_port)i), &n) && n > 0 && n < 65536)
			s->ports[i] = (int)n;
	}
	return 0;
}

int app_settings_load(const char *dir, struct app_settings *s, struct kp_err *err)
{
	char path[PATH_MAX + 32];
	autofree char *text = NULL;
	scoped(kp_json_free) struct kp_json *j = NULL;
	size_t len;
	*s = (struct app_settings){.seeded = false};
	(void)snprintf(path, sizeof(path), "%s/" SETTINGS, dir);
	int ret = emu_file_read(path, SETTINGS_MOST, &text, &len, err);
	if (ret == -ENOENT) {
		ret = emu_guid(s->tenant);
		return ret ? kp_fail(err, -ret, "no random bytes: %s", strerror(-ret)) : 0;
	}
	if (ret)
		return ret;
	ret = kp_json_parse(text, len, &j);
	if (!ret)
		ret = parse(j, s);
	return ret ? kp_fail(err, -ret,
			     "%s: is not as cmkdisk-vault wrote it; remove the state directory to "
			     "begin anew",
			     path)
		   : 0;
}

static int print(const struct app_settings *s, char **out)
{
	scoped(kp_json_free) struct kp_json *j = NULL;
	struct kp_json *ports = NULL;
	int ret = kp_json_object(&j);
	if (!ret)
		ret = kp_json_object(&ports);
	if (!ret)
		ret = kp_json_add(j, "ports", ports);
	if (!ret)
		ret = kp_json_add_str(j, "tenant", s->tenant);
	if (!ret)
		ret = kp_json_add_str(j, "clientId", s->client_id);
	if (!ret)
		ret = kp_json_add_str(j, "vault", s->vault);
	if (!ret)
		ret = kp_json_add_bool(j, "seeded", s->seeded);
	for (int i = 0; i < EMU_PORTS && !ret; i++)
		if (s->ports[i])
			ret = kp_json_add_int(ports, app_port_name((enum emu_port)i), s->ports[i]);
	return ret ? ret : kp_json_print(j, true, out);
}

int app_settings_save(const char *dir, const struct app_settings *s, struct kp_err *err)
{
	autofree char *text = NULL;
	if (print(s, &text))
		return kp_fail(err, ENOMEM, "out of memory");
	return emu_file_write(dir, SETTINGS, 0600, text, strlen(text), err);
}
