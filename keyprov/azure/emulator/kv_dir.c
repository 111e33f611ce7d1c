// SPDX-License-Identifier: MIT
// The state directory:
//   backup.key                      32 bytes that backups are sealed with
//   vaults/NAME/vault.json          kind and settings; a directory without it is no vault (yet, or
//                                   any more) and is swept away at the next start
//   vaults/NAME/keys/KEY.json       one key with all its versions; KEY in lower case
#include "emu_file.h"
#include "kv_vaults.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>

static void dir_close(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

#define FILE_MOST (4u << 20)

static int sync_dir(const char *dir)
{
	autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int read_file(const char *dir, const char *name, char **text, size_t *len)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	return emu_file_read(path, FILE_MOST, text, len, NULL);
}

static int write_file(const char *dir, const char *name, const char *text, size_t len)
{
	return emu_file_write(dir, name, 0600, text, len, NULL);
}

static int make_dir(const char *path)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int vault_path(
	const struct vaults *v, const char *vault, const char *rest, char out[PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s/%s%s", v->dir, vault, rest) < PATH_MAX ? 0
										  : -ENAMETOOLONG;
}

static void key_file(const char *key, char out[KV_NAME_MAX + 8])
{
	int n = snprintf(out, KV_NAME_MAX + 8, "%s.json", key);
	for (int i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)out[i]);
}

int kv_dir_add(struct vaults *v, const struct kv_vault *vault)
{
	char dir[PATH_MAX], keys[PATH_MAX];
	autofree char *text = NULL;
	const struct kv_settings *s = &vault->set;
	int ret = vault_path(v, vault->name, "", dir);
	if (ret == 0)
		ret = vault_path(v, vault->name, "/keys", keys);
	if (ret == 0)
		ret = make_dir(dir);
	if (ret == 0)
		ret = make_dir(keys);
	if (ret == 0)
		ret = sync_dir(v->dir);
	if (ret)
		return ret;
	int n = asprintf(&text,
		"{\"format\":1,\"hsm\":%s,\"days\":%lld,\"purgeProtection\":%s,\"model\":\"%s\","
		"\"firewall\":%s,\"publicAccess\":%s,\"notFoundLag\":%lld}\n",
		vault->hsm ? "true" : "false", (long long)s->days,
		s->purge_protection ? "true" : "false", s->rbac ? "rbac" : "policy",
		s->firewall ? "true" : "false", s->public_access ? "true" : "false",
		(long long)s->lag);
	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return write_file(dir, "vault.json", text, (size_t)n);
}

// Every file of a directory, and the directory.
static int sweep(const char *path)
{
	scoped(dir_close) DIR *d = opendir(path);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
			unlinkat(dirfd(d), e->d_name, 0) < 0 && errno != EISDIR)
			return -errno;
	return rmdir(path) < 0 ? -errno : 0;
}

static int sweep_vault(const struct vaults *v, const char *name)
{
	char dir[PATH_MAX], keys[PATH_MAX];
	int ret = vault_path(v, name, "", dir);
	if (ret == 0)
		ret = vault_path(v, name, "/keys", keys);
	if (ret == 0)
		ret = sweep(keys);
	return ret ? ret : sweep(dir);
}

int kv_dir_remove(struct vaults *v, const struct kv_vault *vault)
{
	char dir[PATH_MAX], file[PATH_MAX];
	int ret = vault_path(v, vault->name, "", dir);
	if (ret == 0)
		ret = vault_path(v, vault->name, "/vault.json", file);
	if (ret == 0 && unlink(file) < 0 && errno != ENOENT)
		ret = -errno;
	// From here on it is gone, whatever happens to the rest.
	if (ret == 0)
		ret = sync_dir(dir);
	return ret ? ret : sweep_vault(v, vault->name);
}

int kv_dir_put(struct vaults *v, const struct kv_vault *vault, const struct kv_key *k)
{
	char dir[PATH_MAX], name[KV_NAME_MAX + 8];
	autofree char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	int ret = kv_key_print(k, f);
	if (fclose(f) != 0 && ret == 0)
		ret = -ENOMEM;
	if (ret == 0)
		ret = vault_path(v, vault->name, "/keys", dir);
	key_file(k->name, name);
	if (ret == 0)
		ret = write_file(dir, name, text, len);
	if (text)
		explicit_bzero(text, len);
	return ret;
}

int kv_dir_drop(struct vaults *v, const struct kv_vault *vault, const char *key)
{
	char dir[PATH_MAX], name[KV_NAME_MAX + 8];
	int ret = vault_path(v, vault->name, "/keys", dir);
	if (ret)
		return ret;
	key_file(key, name);
	scoped(dir_close) DIR *d = opendir(dir);
	if (!d || unlinkat(dirfd(d), name, 0) < 0)
		return -errno;
	return sync_dir(dir);
}

static bool is_temporary(const char *name)
{
	return name[0] == '.';
}

static int load_key(struct kv_vault *vault, const char *dir, const char *name, struct kp_err *err)
{
	autofree char *text = NULL;
	size_t len = 0;
	int ret = read_file(dir, name, &text, &len);
	struct kv_key **keys = realloc(vault->keys, (vault->count + 1) * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	vault->keys = keys;
	if (ret == 0)
		ret = kv_key_parse(text, len, &keys[vault->count]);
	if (text)
		explicit_bzero(text, len);
	if (ret)
		return kp_fail(err, -ret,
			"%s/%s: cannot be read as a key: %s; remove or restore it", dir, name,
			strerror(-ret));
	vault->count++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcasecmp((*(struct kv_key *const *)a)->name, (*(struct kv_key *const *)b)->name);
}

static int load_keys(const struct vaults *v, struct kv_vault *vault, struct kp_err *err)
{
	char dir[PATH_MAX];
	int ret = vault_path(v, vault->name, "/keys", dir);
	scoped(dir_close) DIR *d = ret ? NULL : opendir(dir);
	if (!d)
		return kp_fail(err, errno, "%s: %s", dir, strerror(errno));
	for (struct dirent *e = readdir(d); e && ret == 0; e = readdir(d)) {
		if (!is_temporary(e->d_name))
			ret = load_key(vault, dir, e->d_name, err);
		else if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	if (ret == 0 && vault->count)
		qsort(vault->keys, vault->count, sizeof(*vault->keys), by_name);
	return ret;
}

static bool read_settings(const struct kp_json *j, struct kv_vault *vault)
{
	struct kv_settings *s = &vault->set;
	const char *model = kp_json_str(j, "model");
	int64_t format;
	if (!model || !kp_json_int(j, "format", &format) || format != 1)
		return false;
	s->rbac = strcmp(model, "rbac") == 0;
	return kp_json_bool(j, "hsm", &vault->hsm) && kp_json_int(j, "days", &s->days) &&
	       kp_json_bool(j, "purgeProtection", &s->purge_protection) &&
	       kp_json_bool(j, "firewall", &s->firewall) &&
	       kp_json_bool(j, "publicAccess", &s->public_access) &&
	       kp_json_int(j, "notFoundLag", &s->lag);
}

static int load_vault(struct vaults *v, const char *name, struct kp_err *err)
{
	char dir[PATH_MAX];
	autofree char *text = NULL;
	scoped(kp_json_free) struct kp_json *j = NULL;
	size_t len;
	int ret = vault_path(v, name, "", dir);
	if (ret == 0)
		ret = read_file(dir, "vault.json", &text, &len);
	if (ret == -ENOENT)
		return sweep_vault(v, name);
	scoped(kv_vault_free) struct kv_vault *vault = calloc(1, sizeof(*vault));
	if (!vault)
		return -ENOMEM;
	(void)snprintf(vault->name, sizeof(vault->name), "%s", name);
	if (ret == 0)
		ret = kp_json_parse(text, len, &j);
	if (ret == 0 && (!read_settings(j, vault) || strlen(name) > KV_VAULT_NAME_MAX))
		ret = -EBADMSG;
	if (ret)
		return kp_fail(err, -ret, "%s/vault.json: cannot be read: %s; remove or restore it",
			dir, strerror(-ret));
	ret = load_keys(v, vault, err);
	if (ret == 0)
		ret = kv_vault_add(v, vault);
	if (ret == 0)
		vault = NULL;
	return ret;
}

static int backup_key(struct vaults *v, const char *state)
{
	autofree char *text = NULL;
	size_t len;
	int ret = read_file(state, "backup.key", &text, &len);
	if (ret == 0 && len == sizeof(v->backup_key))
		memcpy(v->backup_key, text, len);
	else if (ret == 0)
		ret = -EBADMSG;
	else if (ret == -ENOENT && RAND_priv_bytes(v->backup_key, sizeof(v->backup_key)) == 1)
		ret = write_file(state, "backup.key", (char *)v->backup_key, sizeof(v->backup_key));
	return ret;
}

int kv_dir_open(struct vaults *v, const char *state, struct kp_err *err)
{
	int ret = backup_key(v, state);
	if (ret == 0)
		ret = make_dir(v->dir);
	if (ret == 0)
		ret = sync_dir(state);
	scoped(dir_close) DIR *d = ret ? NULL : opendir(v->dir);
	if (!d)
		return kp_fail(err, ret ? -ret : errno, "%s: cannot be used as state directory: %s",
			state, strerror(ret ? -ret : errno));
	for (struct dirent *e = readdir(d); e && ret == 0; e = readdir(d))
		if (!is_temporary(e->d_name))
			ret = load_vault(v, e->d_name, err);
	return ret;
}
