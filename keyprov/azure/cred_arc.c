// SPDX-License-Identifier: MIT
// Azure Arc's proof of being on this machine. The challenge comes over plain http and names a file
// to read and send back: without these rules, whoever answers could have any file of ours.
#include "cred.h"
#include "cred_text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define KEY_MAX 4096

static enum cmk_verdict refuse(struct kp_outcome *o, const char *sentence, const char *what)
{
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"Azure Arc's agent was asked for a token and %s%s%.100s; see that its agent "
		"(azcmagent) and nothing else answers at IDENTITY_ENDPOINT",
		sentence, *what ? ": " : "", what);
}

// The path in `Basic realm=PATH` (RFC 7617 has quotes, the agent has none). NULL if there is none.
static const char *realm(const char *challenge, char *path, size_t room)
{
	static const char prefix[] = "Basic realm=";
	if (!challenge || strncasecmp(challenge, prefix, sizeof(prefix) - 1) != 0)
		return NULL;
	const char *s = challenge + sizeof(prefix) - 1;
	bool quoted = *s == '"';
	s += quoted;
	size_t n = quoted ? strcspn(s, "\"") : strcspn(s, ", \t\r\n");
	if (n == 0 || n >= room || (quoted && s[n] != '"'))
		return NULL;
	memcpy(path, s, n);
	path[n] = '\0';
	return path;
}

// The part of path below dir, if it is a plain name that ends in .key.
static const char *key_name(const char *path, const char *dir)
{
	size_t n = strlen(dir), len = strlen(path);
	if (strncmp(path, dir, n) != 0 || path[n] != '/')
		return NULL;
	const char *name = path + n + 1;
	if (strchr(name, '/') || *name == '.' || len < 5 || strcmp(path + len - 4, ".key") != 0)
		return NULL;
	return name;
}

// What the descriptor really is: a directory above that is a link leads elsewhere.
static bool lies_in(int fd, const char *dir, const char *name)
{
	char link[64], real[PATH_MAX], want[PATH_MAX];
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, real, sizeof(real) - 1);
	if (n <= 0)
		return false;
	real[n] = '\0';
	int len = snprintf(want, sizeof(want), "%s/%s", dir, name);
	return len > 0 && (size_t)len < sizeof(want) && strcmp(real, want) == 0;
}

static enum cmk_verdict read_key(const struct cred *c, const char *path, const char *name,
	struct cred_text *out, struct kp_outcome *o)
{
	struct stat st;
	autoclose int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP)
		return refuse(o, "named a key file that is a symbolic link", path);
	if (fd < 0 && errno == EACCES)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%.200s: this program may not read the key of Azure Arc's agent; add its "
			"user to the group himds",
			path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%.200s: cannot open the key of Azure Arc's agent: %s", path,
			strerror(errno));
	if (!S_ISREG(st.st_mode) || !lies_in(fd, c->system->arc_dir, name))
		return refuse(o, "named a key file that is none, or lies elsewhere", path);
	if (st.st_size > KEY_MAX)
		return refuse(o, "named a key file of more than 4096 bytes", path);
	scoped(cred_text_end) struct cred_text key = {0};
	struct kp_err err;
	int ret = cred_text_new(c->host, KEY_MAX + 2, &key, &err);
	if (ret)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE, "%s", err.text);
	ret = cred_text_read_fd(&key, fd);
	cred_text_trim(&key);
	if (ret || key.len == 0 || key.len > KEY_MAX)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"%.200s: the key of Azure Arc's agent is empty or changes while it is read",
			path);
	if (strcspn(key.p, "\r\n") != key.len)
		return refuse(o, "named a key file of more than one line", path);
	cred_text_add(out, key.p);
	return CMK_GRANTED;
}

enum cmk_verdict cred_arc_key(
	const struct cred *c, const char *challenge, struct cred_text *out, struct kp_outcome *o)
{
	char path[PATH_MAX];
	if (!realm(challenge, path, sizeof(path)))
		return refuse(o, "did not name the file that proves where it runs", "");
	const char *name = key_name(path, c->system->arc_dir);
	if (!name)
		return refuse(o, "named a file that is none of its keys", path);
	return read_key(c, path, name, out, o);
}
