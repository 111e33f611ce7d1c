// SPDX-License-Identifier: MIT
// Who we are, for azure_config_read(): the key set's credential before its identity, and both
// before the environment.
#include "azure_cloud.h"
#include "azure_config_read.h"

#include <stdio.h>
#include <string.h>

#define CREDENTIAL "cmkdisk.azure.credential"

static const char *const members[] = {"type", "tenantId", "clientId", "clientSecretFile",
	"certificateFile", "certificatePasswordFile", "sendChain", "tokenFile", "objectId",
	"resourceId", "additionallyAllowedTenants", NULL};

static void read_environment(const struct config_reader *r, struct azure_identity *id)
{
	id->tenant_id = config_env(r, "AZURE_TENANT_ID");
	id->client_id = config_env(r, "AZURE_CLIENT_ID");
	id->client_secret = config_env(r, "AZURE_CLIENT_SECRET");
	id->certificate_path = config_env(r, "AZURE_CLIENT_CERTIFICATE_PATH");
	id->certificate_password = config_env(r, "AZURE_CLIENT_CERTIFICATE_PASSWORD");
	const char *chain = config_env(r, "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN");
	id->send_chain = strcmp(chain, "1") == 0 || strcasecmp(chain, "true") == 0;
	id->token_file = config_env(r, "AZURE_FEDERATED_TOKEN_FILE");
	id->object_id = id->resource_id = "";
	id->authority_host = config_env(r, "AZURE_AUTHORITY_HOST");
	id->allowed_tenants = config_env(r, "AZURE_ADDITIONALLY_ALLOWED_TENANTS");
	id->token_credentials = config_env(r, "AZURE_TOKEN_CREDENTIALS");
	id->identity_endpoint = config_env(r, "IDENTITY_ENDPOINT");
	id->identity_header = config_env(r, "IDENTITY_HEADER");
	id->identity_thumbprint = config_env(r, "IDENTITY_SERVER_THUMBPRINT");
	id->imds_endpoint = config_env(r, "IMDS_ENDPOINT");
	id->msi_endpoint = config_env(r, "MSI_ENDPOINT");
	id->msi_secret = config_env(r, "MSI_SECRET");
	id->imds_host = config_env(r, "AZURE_POD_IDENTITY_AUTHORITY_HOST");
}

static enum cmk_verdict read_type(const struct config_reader *r, const struct kp_json *credential)
{
	static const struct {
		const char *name;
		enum azure_credential which;
	} types[] = {
		{"clientSecret", AZURE_CLIENT_SECRET},
		{"clientCertificate", AZURE_CLIENT_CERTIFICATE},
		{"workloadIdentity", AZURE_WORKLOAD_IDENTITY},
		{"managedIdentity", AZURE_MANAGED_IDENTITY},
	};
	const char *type = "";
	enum cmk_verdict v = config_text(r, credential, CREDENTIAL, "type", &type);
	if (v != CMK_GRANTED)
		return v;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(types[i].name, type) == 0) {
			r->c->identity.which = types[i].which;
			return CMK_GRANTED;
		}
	return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"key set: " CREDENTIAL ".type is '%s'; write clientSecret, clientCertificate, "
		"workloadIdentity or managedIdentity",
		type);
}

static enum cmk_verdict bad_tenants(const struct config_reader *r)
{
	return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"key set: " CREDENTIAL ".additionallyAllowedTenants must be a list of tenant ids, "
		"or [\"*\"]");
}

static enum cmk_verdict read_tenants(const struct config_reader *r, const struct kp_json *list)
{
	struct config_memory *m = r->c->memory;
	size_t room = 1;
	if (kp_json_is_null(list))
		return CMK_GRANTED;
	if (!kp_json_is_array(list))
		return bad_tenants(r);
	for (const struct kp_json *j = kp_json_first(list); j; j = kp_json_next(j)) {
		if (!kp_json_text(j))
			return bad_tenants(r);
		room += strlen(kp_json_text(j)) + 1;
	}
	char *end = m->tenants = calloc(1, room);
	if (!end)
		return kp_outcome_set(
			r->o, CMK_UNREACHABLE, CMK_REASON_NONE, "no memory to read the key set");
	for (const struct kp_json *j = kp_json_first(list); j; j = kp_json_next(j)) {
		size_t left = room - (size_t)(end - m->tenants);
		end += snprintf(end, left, "%s%s", end == m->tenants ? "" : ";", kp_json_text(j));
	}
	r->c->identity.allowed_tenants = m->tenants;
	return CMK_GRANTED;
}

static enum cmk_verdict read_secret(const struct config_reader *r, const struct kp_json *credential,
	const char *name, char **owned, const char **out)
{
	const char *path = NULL;
	char where[96];
	enum cmk_verdict v = config_text(r, credential, CREDENTIAL, name, &path);
	if (v != CMK_GRANTED || !path)
		return v;
	(void)snprintf(where, sizeof(where), CREDENTIAL ".%s", name);
	v = config_secret_file(r, where, path, owned);
	if (v == CMK_GRANTED)
		*out = *owned;
	return v;
}

static enum cmk_verdict read_credential(
	const struct config_reader *r, const struct kp_json *credential)
{
	struct azure_identity *id = &r->c->identity;
	struct config_memory *m = r->c->memory;
	const struct {
		const char *name, **out;
	} texts[] = {{"tenantId", &id->tenant_id}, {"clientId", &id->client_id},
		{"certificateFile", &id->certificate_path}, {"tokenFile", &id->token_file},
		{"objectId", &id->object_id}, {"resourceId", &id->resource_id}};
	enum cmk_verdict v = config_known(r, credential, CREDENTIAL, members);
	if (v == CMK_GRANTED)
		v = read_type(r, credential);
	// For a managed identity, AZURE_CLIENT_ID chooses one only if nothing here does.
	if (id->which == AZURE_MANAGED_IDENTITY &&
		(kp_json_get(credential, "objectId") || kp_json_get(credential, "resourceId")))
		id->client_id = "";
	for (size_t i = 0; v == CMK_GRANTED && i < sizeof(texts) / sizeof(*texts); i++)
		v = config_text(r, credential, CREDENTIAL, texts[i].name, texts[i].out);
	if (v == CMK_GRANTED)
		v = config_flag(r, credential, CREDENTIAL, "sendChain", &id->send_chain);
	if (v == CMK_GRANTED)
		v = read_secret(
			r, credential, "clientSecretFile", &m->client_secret, &id->client_secret);
	if (v == CMK_GRANTED)
		v = read_secret(r, credential, "certificatePasswordFile", &m->certificate_password,
			&id->certificate_password);
	if (v == CMK_GRANTED)
		v = read_tenants(r, kp_json_get(credential, "additionallyAllowedTenants"));
	return v;
}

// Whether the chain will come to the managed identity, having found nothing complete before it.
static bool is_managed(const struct azure_identity *id)
{
	if (id->which != AZURE_CHAIN)
		return id->which == AZURE_MANAGED_IDENTITY;
	if (strcasecmp(id->token_credentials, "ManagedIdentityCredential") == 0)
		return true;
	bool principal = id->tenant_id[0] && id->client_id[0];
	return !(principal &&
		 (id->client_secret[0] || id->certificate_path[0] || id->token_file[0]));
}

// The key set's own identity: exactly one that a user made is the one to use.
static enum cmk_verdict read_set_identity(
	const struct config_reader *r, const struct kp_json *credential)
{
	struct azure_identity *id = &r->c->identity;
	bool chosen = kp_json_get(credential, "clientId") || kp_json_get(credential, "objectId") ||
		      kp_json_get(credential, "resourceId");
	if (chosen || !is_managed(id))
		return CMK_GRANTED;
	const struct kp_json *all =
		kp_json_get(kp_json_get(r->set, "identity"), "userAssignedIdentities");
	const struct kp_json *one = kp_json_first_member(all);
	if (!one)
		return CMK_GRANTED;
	if (kp_json_next(one))
		return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"key set: identity.userAssignedIdentities has several; choose one with "
			"clientId or resourceId in " CREDENTIAL);
	const char *client_id = kp_json_str(one, "clientId");
	id->client_id = client_id ? client_id : "";
	id->resource_id = client_id ? "" : kp_json_name(one);
	return CMK_GRANTED;
}

static const char *default_authority(const char *key_url)
{
	const char *host = strstr(key_url, "://");
	const struct azure_cloud *cloud =
		host ? azure_cloud_of(host + 3, strcspn(host + 3, ":/?#")) : NULL;
	return cloud ? cloud->authority : azure_clouds[0].authority;
}

static const char *federated_client(const struct config_reader *r)
{
	const char *id = kp_json_str(r->set, "federatedClientId");
	if (!id)
		id = kp_json_str(kp_json_get(r->set, "properties"), "federatedClientId");
	return id && strcasecmp(id, "None") != 0 ? id : "";
}

enum cmk_verdict config_identity(const struct config_reader *r)
{
	struct azure_identity *id = &r->c->identity;
	const struct kp_json *credential = kp_json_get(r->azure, "credential");
	read_environment(r, id);
	id->federated_client_id = federated_client(r);
	enum cmk_verdict v =
		config_text(r, r->azure, "cmkdisk.azure", "authorityHost", &id->authority_host);
	if (!id->authority_host[0])
		id->authority_host = default_authority(r->key_url);
	if (v != CMK_GRANTED)
		return v;
	if (kp_json_is_null(credential))
		return read_set_identity(r, NULL);
	if (!kp_json_is_object(credential))
		return kp_outcome_set(r->o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"key set: " CREDENTIAL " must be an object");
	v = read_credential(r, credential);
	return v == CMK_GRANTED ? read_set_identity(r, credential) : v;
}
