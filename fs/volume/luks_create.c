// SPDX-License-Identifier: MIT
// A new disk: LUKS2 header, one keyslot, the binding, and last the seal. Before the seal stands,
// volume_open() refuses the file as one whose creation was interrupted.
#include "luks_internal.h"

#include "clock.h"
#include "json.h"
#include "scope.h"
#include "secret.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct creation {
	struct device dev;
	const struct volume_params *params;
	const char *name;
	uint64_t data_offset;
	struct secret *dek;
	struct header header;
};

static void creation_free(struct creation *c)
{
	device_free(&c->dev);
	secret_free(&c->dek);
}

static bool label_fits(const char *label)
{
	size_t len = strlen(label);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)label[i] < 0x20 || label[i] == 0x7f)
			return false;
	return len < sizeof(((struct volume_info *)NULL)->label);
}

static int check_params(struct creation *c, const char *path, struct errmsg *err)
{
	const struct volume_params *p = c->params;
	uint64_t have;

	if (p->sector_size != 512 && p->sector_size != 4096)
		return errmsg_set(err, EINVAL,
			"a sector size of %u bytes cannot be; choose 512 or 4096", p->sector_size);
	if (c->data_offset < MIB || c->data_offset % MIB != 0 || c->data_offset > DATA_OFFSET_MAX)
		return errmsg_set(err, EINVAL,
			"a data offset of %llu bytes cannot be; choose whole MiB from 1 to 128",
			(unsigned long long)c->data_offset);
	if (p->label && !label_fits(p->label))
		return errmsg_set(err, EINVAL,
			"the label is too long or holds control characters; choose one of at most "
			"47 bytes");
	int ret = policy_check(&p->policy, p->sector_size, err);
	if (!ret)
		ret = probe_backing(path, c->name, true, &have, err);
	if (ret)
		return ret;
	uint64_t need = c->data_offset + p->policy.size;
	if (have < need)
		return errmsg_set(err, EINVAL,
			"%s: %llu bytes long, but header and disk need %llu; make it longer, or "
			"the disk smaller",
			c->name, (unsigned long long)have, (unsigned long long)need);
	return probe_unused(path, c->name, err);
}

static int format(struct creation *c, struct errmsg *err)
{
	const uint64_t area = c->data_offset - 2 * METADATA_SIZE;
	struct crypt_params_luks2 params = {
		.sector_size = c->params->sector_size,
		.label = c->params->label,
		.subsystem = VOLUME_SUBSYSTEM,
	};

	// libcryptsetup 2.6 takes an empty area for "all of the device" and overwrites it.
	assert(area >= KEYSLOTS_AREA_MIN);
	int ret = secret_random(VOLUME_KEY_LEN, &c->dek);
	if (ret)
		return errmsg_set(err, -ret, "%s: no random data key: %s", c->name, strerror(-ret));
	ret = device_quick_pbkdf(&c->dev);
	if (!ret)
		ret = crypt_set_metadata_size(c->dev.cd, METADATA_SIZE, area);
	if (!ret)
		ret = crypt_set_data_offset(c->dev.cd, c->data_offset / 512);
	if (!ret)
		ret = crypt_format(c->dev.cd, CRYPT_LUKS2, "aes", "xts-plain64", NULL,
			(const char *)c->dek->data, c->dek->len, &params);
	if (ret)
		return device_fail(&c->dev, c->name, ret, "writing the LUKS2 header", err);
	return 0;
}

// Reads back what the library wrote, with the eyes of volume_open().
static int read_back(struct creation *c, struct errmsg *err)
{
	struct json *json scoped(json_free) = NULL;
	const char *text = NULL;

	int ret = crypt_dump_json(c->dev.cd, &text, 0);
	if (ret)
		return device_fail(&c->dev, c->name, ret, "reading the LUKS2 header back", err);
	ret = json_parse(text, strlen(text), &json);
	if (ret)
		return errmsg_set(err, -ret, "%s: cannot read the LUKS2 header back: %s", c->name,
			strerror(-ret));
	return header_check(c->name, json, &c->header, err);
}

static int bind_key(
	struct creation *c, struct binding *b, const struct secret *slot_secret, struct errmsg *err)
{
	b->token = 0;
	b->keyslot = 0;
	b->created = clock_wall_s(clock_real());
	memcpy(b->digest, c->header.digest, sizeof(b->digest));

	int ret = device_put_keyslot(&c->dev, c->name, b->keyslot, c->dek, slot_secret, err);
	if (ret)
		return ret;
	return device_put_binding(&c->dev, c->name, b, err);
}

static int put_seal(struct creation *c, const struct binding *b, struct errmsg *err)
{
	struct seal seal = {
		.token = 1, .policy = c->params->policy, .mac_count = 1, .pending_keyslot = -1};
	struct seal_fields fields = {
		.cipher = VOLUME_CIPHER,
		.key_len = VOLUME_KEY_LEN,
		.sector_size = c->header.sector_size,
		.data_offset = c->header.data_offset,
		.policy = c->params->policy,
		.bindings = b,
		.binding_count = 1,
	};
	memcpy(fields.digest, c->header.digest, sizeof(fields.digest));
	(void)snprintf(fields.uuid, sizeof(fields.uuid), "%s", crypt_get_uuid(c->dev.cd));

	int ret = seal_mac(&fields, c->dek, seal.mac[0]);
	if (ret)
		return errmsg_set(
			err, -ret, "%s: cannot seal the header: %s", c->name, strerror(-ret));
	return device_put_seal(&c->dev, c->name, &seal, err);
}

int volume_create(const char *path, const struct volume_params *p, struct binding *b,
	const struct secret *slot_secret, struct errmsg *err)
{
	char *name autofree = NULL;
	struct creation c scoped(creation_free) = {.params = p};

	if (probe_name(p->name ? p->name : path, &name))
		return errmsg_set(err, ENOMEM, "%s: out of memory", path);
	c.name = name;
	c.data_offset = p->data_offset ? p->data_offset : DATA_OFFSET_DEFAULT;
	int ret = check_params(&c, path, err);
	if (!ret)
		ret = binding_acceptable(b, err);
	if (!ret)
		ret = device_init(path, name, &c.dev, err);
	if (!ret)
		ret = format(&c, err);
	if (!ret)
		ret = read_back(&c, err);
	if (!ret)
		ret = bind_key(&c, b, slot_secret, err);
	if (!ret)
		ret = put_seal(&c, b, err);
	return ret;
}
