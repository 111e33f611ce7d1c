// SPDX-License-Identifier: MIT
// Vaults and their keys in memory; see kv_vaults.h.
#include "kv_vaults.h"

#include <errno.h>
#include <string.h>

void kv_lock(struct vaults *v)
{
	(void)pthread_mutex_lock(&v->lock);
}

void kv_unlock(struct vaults **v)
{
	if (*v)
		(void)pthread_mutex_unlock(&(*v)->lock);
}

struct kv_vault *kv_vault_find(const struct vaults *v, const char *name)
{
	for (size_t i = 0; i < v->count; i++)
		if (!v->vaults[i]->removed && strcasecmp(v->vaults[i]->name, name) == 0)
			return v->vaults[i];
	return NULL;
}

void kv_vault_free(struct kv_vault **v)
{
	if (!*v)
		return;
	for (size_t i = 0; i < (*v)->count; i++)
		kv_key_free(&(*v)->keys[i]);
	free((*v)->keys);
	free(*v);
	*v = NULL;
}

int kv_vault_add(struct vaults *v, struct kv_vault *fresh)
{
	struct kv_vault **all = realloc(v->vaults, (v->count + 1) * sizeof(struct kv_vault *));
	if (!all)
		return -ENOMEM;
	v->vaults = all;
	all[v->count++] = fresh;
	return 0;
}

// Where the key of this name is, or would be.
static size_t place(const struct kv_vault *vault, const char *name, bool *found)
{
	size_t i = 0;
	while (i < vault->count && strcasecmp(vault->keys[i]->name, name) < 0)
		i++;
	*found = i < vault->count && strcasecmp(vault->keys[i]->name, name) == 0;
	return i;
}

struct kv_key *kv_vault_key(const struct kv_vault *vault, const char *name)
{
	bool found;
	size_t i = place(vault, name, &found);
	return found ? vault->keys[i] : NULL;
}

int kv_vault_put(struct vaults *v, struct kv_vault *vault, struct kv_key **k)
{
	bool found;
	size_t i = place(vault, (*k)->name, &found);
	if (!found) {
		struct kv_key **keys =
			realloc(vault->keys, (vault->count + 1) * sizeof(struct kv_key *));
		if (!keys)
			return -ENOMEM;
		vault->keys = keys;
	}
	int ret = kv_dir_put(v, vault, *k);
	if (ret)
		return ret;
	if (found) {
		kv_key_free(&vault->keys[i]);
	} else {
		memmove(&vault->keys[i + 1], &vault->keys[i],
			(vault->count - i) * sizeof(struct kv_key *));
		vault->count++;
	}
	vault->keys[i] = TAKE(*k);
	return 0;
}

int kv_vault_drop(struct vaults *v, struct kv_vault *vault, struct kv_key *k)
{
	bool found;
	size_t i = place(vault, k->name, &found);
	int ret = kv_dir_drop(v, vault, k->name);
	if (ret)
		return ret;
	kv_key_free(&vault->keys[i]);
	vault->count--;
	memmove(&vault->keys[i], &vault->keys[i + 1], (vault->count - i) * sizeof(struct kv_key *));
	return 0;
}

int kv_vault_sweep(struct vaults *v, struct kv_vault *vault, int64_t now)
{
	for (size_t i = vault->count; i > 0; i--) {
		struct kv_key *k = vault->keys[i - 1];
		if (!k->deleted || now < k->purge_at)
			continue;
		int ret = kv_vault_drop(v, vault, k);
		if (ret)
			return ret;
	}
	return 0;
}
