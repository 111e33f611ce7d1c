// SPDX-License-Identifier: MIT
// The members of an identity as actions and the state file spell them; see identity_model.h.
#include "emu_time.h"
#include "identity_model.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
#define RESOURCE_CHARS NAME_CHARS "/()"

static void federated_end(struct federated *f)
{
	free(f->issuer);
	free(f->subject);
	free(f->audience);
	free(f->key);
	*f = (struct federated){0};
}

static void drop_federated(struct identity *id)
{
	for (size_t i = 0; i < id->federated_count; i++)
		federated_end(&id->federated[i]);
	free(id->federated);
	id->federated = NULL;
	id->federated_count = 0;
}

void identity_end(struct identity *id)
{
	free(id->certificates);
	drop_federated(id);
	free(id->secrets);
	free(id->resource_id);
	*id = (struct identity){0};
}

struct identity *identity_find(struct identities *i, const char *who)
{
	for (size_t n = 0; n < i->count; n++) {
		struct identity *id = &i->ids[n];
		if (strcmp(id->name, who) == 0 || strcasecmp(id->client_id, who) == 0 ||
			strcasecmp(id->object_id, who) == 0)
			return id;
	}
	return NULL;
}

int identity_wanted(
	struct identities *i, const struct kp_json *args, struct identity **out, struct kp_err *err)
{
	const char *who = kp_json_str(args, "identity");
	if (!who)
		who = kp_json_str(args, "name");
	if (!who && i->count != 1)
		return kp_fail(err, EINVAL,
			"there are %zu identities; say which one is meant with \"identity\"",
			i->count);
	*out = who ? identity_find(i, who) : &i->ids[0];
	return *out ? 0
		    : kp_fail(err, ENOENT, "there is no identity %.64s; see identity.list", who);
}

static int read_guid(
	const struct kp_json *j, const char *member, char out[EMU_GUID], struct kp_err *err)
{
	const char *text = kp_json_str(j, member);
	if (!text && kp_json_is_null(kp_json_get(j, member)))
		return 0;
	if (!text || !emu_is_guid(text))
		return kp_fail(err, EINVAL, "\"%s\" must be a GUID", member);
	for (size_t i = 0; i < EMU_GUID; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	return 0;
}

static int read_managed(const struct kp_json *j, struct identity *id, struct kp_err *err)
{
	const char *managed = kp_json_str(j, "managed");
	if (managed && strcmp(managed, "system") == 0)
		id->managed = MANAGED_SYSTEM;
	else if (managed && strcmp(managed, "user") == 0)
		id->managed = MANAGED_USER;
	else if (managed || !kp_json_is_null(kp_json_get(j, "managed")))
		return kp_fail(err, EINVAL, "\"managed\" is \"system\", \"user\" or null");
	else if (kp_json_get(j, "managed"))
		id->managed = MANAGED_NO;
	const char *resource = kp_json_str(j, "resourceId");
	if (resource && resource[strspn(resource, RESOURCE_CHARS)])
		return kp_fail(
			err, EINVAL, "a \"resourceId\" consists of letters, digits and /-._()");
	if (resource) {
		free(id->resource_id);
		id->resource_id = strdup(resource);
		if (!id->resource_id)
			return -ENOMEM;
	}
	return 0;
}

static int bad_certificate(struct kp_err *err)
{
	return kp_fail(err, EINVAL,
		"\"certificates\" must be certificates in PEM form, for RSA keys of 2048 bits or "
		"more");
}

static int add_certificates(struct identity *id, const char *pem, struct kp_err *err)
{
	scoped(jwt_key_free) EVP_PKEY *key = NULL;
	if (!pem || !strstr(pem, "-----BEGIN CERTIFICATE-----") || jwt_key_parse(pem, NULL, &key))
		return bad_certificate(err);
	char *all;
	if (asprintf(&all, "%s%s\n", id->certificates ? id->certificates : "", pem) < 0)
		return -ENOMEM;
	free(id->certificates);
	id->certificates = all;
	return 0;
}

static int read_certificates(const struct kp_json *j, struct identity *id, struct kp_err *err)
{
	const struct kp_json *given = kp_json_get(j, "certificates");
	if (!given)
		given = kp_json_get(j, "certificate");
	if (!given)
		return 0;
	free(id->certificates);
	id->certificates = NULL;
	if (kp_json_text(given))
		return add_certificates(id, kp_json_text(given), err);
	if (!kp_json_is_array(given))
		return bad_certificate(err);
	int ret = 0;
	for (const struct kp_json *c = kp_json_first(given); c && ret == 0; c = kp_json_next(c))
		ret = add_certificates(id, kp_json_text(c), err);
	return ret;
}

static int federated_key(const struct kp_json *j, char **out)
{
	const char *text = kp_json_str(j, "key");
	if (!text)
		return kp_json_print(kp_json_get(j, "key"), false, out);
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

static int add_federated(struct identity *id, const struct kp_json *j, struct kp_err *err)
{
	const char *issuer = kp_json_str(j, "issuer"), *subject = kp_json_str(j, "subject");
	const char *audience = kp_json_str(j, "audience");
	if (!issuer || !subject || !kp_json_get(j, "key"))
		return kp_fail(err, EINVAL,
			"a federated credential needs \"issuer\", \"subject\" and \"key\" (PEM, "
			"JWK or JWK set)");
	struct federated *list =
		reallocarray(id->federated, id->federated_count + 1, sizeof(*id->federated));
	if (!list)
		return -ENOMEM;
	id->federated = list;
	struct federated *f = &list[id->federated_count++];
	*f = (struct federated){.issuer = strdup(issuer),
		.subject = strdup(subject),
		.audience = strdup(audience ? audience : "api://AzureADTokenExchange")};
	if (!f->issuer || !f->subject || !f->audience || federated_key(j, &f->key))
		return -ENOMEM;
	scoped(jwt_key_free) EVP_PKEY *key = NULL;
	int ret = jwt_key_parse(f->key, NULL, &key);
	if (ret == -EINVAL)
		return kp_fail(err, EINVAL,
			"the \"key\" of a federated credential is no RSA public key of 2048 bits "
			"or more, as PEM, JWK or JWK set");
	return ret == -ENOENT ? 0 : ret; // a set of several: the token says which
}

static int read_federated(const struct kp_json *j, struct identity *id, struct kp_err *err)
{
	const struct kp_json *list = kp_json_get(j, "federated");
	if (!list)
		return 0;
	drop_federated(id);
	if (kp_json_is_object(list))
		return add_federated(id, list, err);
	if (!kp_json_is_array(list))
		return kp_fail(err, EINVAL, "\"federated\" must be an array of objects");
	int ret = 0;
	for (const struct kp_json *f = kp_json_first(list); f && ret == 0; f = kp_json_next(f))
		ret = add_federated(id, f, err);
	return ret;
}

static int read_name(const struct kp_json *j, struct identity *id, struct kp_err *err)
{
	const char *name = kp_json_str(j, "name");
	if (id->name[0])
		return 0;
	if (!name || !*name || *name == '.' || strlen(name) >= sizeof(id->name) ||
		name[strspn(name, NAME_CHARS)])
		return kp_fail(err, EINVAL,
			"an identity needs a \"name\" of 1 to 63 letters, digits, '-', '_' and "
			"'.'");
	memcpy(id->name, name, strlen(name) + 1);
	return 0;
}

int identity_read(const struct kp_json *j, struct identity *id, struct kp_err *err)
{
	int ret = read_name(j, id, err);
	if (ret == 0)
		ret = read_guid(j, "clientId", id->client_id, err);
	if (ret == 0)
		ret = read_guid(j, "objectId", id->object_id, err);
	if (ret == 0)
		ret = read_managed(j, id, err);
	if (ret == 0)
		ret = read_certificates(j, id, err);
	if (ret == 0)
		ret = read_federated(j, id, err);
	if (ret)
		return ret;
	int64_t lifetime_ms = id->lifetime * 1000;
	ret = emu_arg_duration(j, "tokenLifetime", &lifetime_ms, err);
	if (ret)
		return ret;
	id->lifetime = lifetime_ms < 1000 ? 1 : lifetime_ms / 1000;
	const struct kp_json *enabled = kp_json_get(j, "enabled");
	if (enabled && !kp_json_bool(j, "enabled", &id->enabled))
		return kp_fail(err, EINVAL, "\"enabled\" must be true or false");
	return 0;
}
