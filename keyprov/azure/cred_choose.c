// SPDX-License-Identifier: MIT
// Which credential signs us in: the one that a key set names, or the first of the chain whose
// variables are there. The order and the names are those of Azure's own libraries.
#include "cred.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool set(const char *s)
{
	return s && *s;
}

static enum cmk_verdict misconfigured(struct kp_outcome *o, const char *sentence)
{
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE, "%s", sentence);
}

// The first thing that a credential lacks, as its variable is called; NULL if it is complete.
// by_name: a key set chose it, so that the vault's own tenant may serve.
static const char *lacking(
	const struct azure_identity *id, enum azure_credential which, bool by_name)
{
	if (which == AZURE_CLIENT_SECRET && !set(id->client_secret))
		return "AZURE_CLIENT_SECRET";
	if (which == AZURE_CLIENT_CERTIFICATE && !set(id->certificate_path))
		return "AZURE_CLIENT_CERTIFICATE_PATH";
	if (which == AZURE_WORKLOAD_IDENTITY && !set(id->token_file))
		return "AZURE_FEDERATED_TOKEN_FILE";
	if (!set(id->client_id))
		return "AZURE_CLIENT_ID";
	return by_name || set(id->tenant_id) ? NULL : "AZURE_TENANT_ID";
}

static const char *const kinds[] = {
	[AZURE_CLIENT_SECRET] = "client secret",
	[AZURE_CLIENT_CERTIFICATE] = "client certificate",
	[AZURE_WORKLOAD_IDENTITY] = "workload identity",
	[AZURE_MANAGED_IDENTITY] = "managed identity",
};

static const char *const sources[] = {
	[MANAGED_APP_SERVICE] = "App Service",
	[MANAGED_APP_SERVICE_2017] = "App Service 2017",
	[MANAGED_CLOUD_SHELL] = "Cloud Shell",
	[MANAGED_ARC] = "Azure Arc",
	[MANAGED_IMDS] = "instance metadata",
};

static void set_name(struct cred *c)
{
	const struct azure_identity *id = &c->config->identity;
	if (c->which != AZURE_MANAGED_IDENTITY) {
		(void)snprintf(c->name, sizeof(c->name), "%s of application %.64s", kinds[c->which],
			id->client_id);
		return;
	}
	const char *by = set(id->client_id)	? "client id "
			 : set(id->resource_id) ? ""
			 : set(id->object_id)	? "object id "
						: "of this machine";
	const char *which = set(id->client_id)	   ? id->client_id
			    : set(id->resource_id) ? id->resource_id
						   : cred_str(id->object_id);
	const char *application = cred_str(id->federated_client_id);
	(void)snprintf(c->name, sizeof(c->name), "%s%.40s%smanaged identity %s%.*s (%s)",
		*application ? "application " : "", application, *application ? " by the " : "", by,
		*application ? 40 : CRED_NAME_MAX - 64, which, sources[c->managed]);
}

// Which selectors a source understands. An identity that cannot be asked for must not quietly
// become another.
static enum cmk_verdict check_selector(const struct cred *c, struct kp_outcome *o)
{
	const struct azure_identity *id = &c->config->identity;
	bool other = set(id->object_id) || set(id->resource_id);
	if (c->managed == MANAGED_CLOUD_SHELL && (set(id->client_id) || other))
		return misconfigured(o,
			"Cloud Shell has one identity only; name none by client id, object id or "
			"resource id");
	if (c->managed == MANAGED_APP_SERVICE_2017 && other && !set(id->client_id))
		return misconfigured(o,
			"this App Service (MSI_ENDPOINT) finds identities by client id only; name "
			"the identity's client id");
	return CMK_GRANTED;
}

static enum cmk_verdict choose_managed(struct cred *c, struct kp_outcome *o)
{
	const struct azure_identity *id = &c->config->identity;
	bool endpoint = set(id->identity_endpoint);
	c->which = AZURE_MANAGED_IDENTITY;
	if (endpoint && set(id->identity_header) && set(id->identity_thumbprint))
		return misconfigured(o,
			"managed identities of Service Fabric (IDENTITY_SERVER_THUMBPRINT) are not "
			"supported; give a key set another credential");
	if (endpoint && set(id->identity_header))
		c->managed = MANAGED_APP_SERVICE;
	else if (set(id->msi_endpoint))
		c->managed = set(id->msi_secret) ? MANAGED_APP_SERVICE_2017 : MANAGED_CLOUD_SHELL;
	else if ((endpoint && set(id->imds_endpoint)) ||
		 (!endpoint && access(c->system->arc_agent, F_OK) == 0))
		c->managed = MANAGED_ARC;
	else
		c->managed = MANAGED_IMDS;
	set_name(c);
	return check_selector(c, o);
}

enum { STEP_ENVIRONMENT = 1, STEP_WORKLOAD = 2, STEP_MANAGED = 4, STEP_ALL = 7 };

// AZURE_TOKEN_CREDENTIALS: which steps are left; 0 none of ours.
static unsigned allowed_steps(const char *name)
{
	static const struct {
		const char *name;
		unsigned steps;
	} names[] = {
		{"", STEP_ALL},
		{"prod", STEP_ALL},
		{"EnvironmentCredential", STEP_ENVIRONMENT},
		{"WorkloadIdentityCredential", STEP_WORKLOAD},
		{"ManagedIdentityCredential", STEP_MANAGED},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasecmp(name, names[i].name) == 0)
			return names[i].steps;
	return 0;
}

static void note_unused(struct cred *c, enum azure_credential which, const char *variable)
{
	size_t n = strlen(c->unused);
	(void)snprintf(c->unused + n, sizeof(c->unused) - n, "%s%s (%s is not set)", n ? ", " : "",
		kinds[which], variable);
}

// A credential that was begun but not finished is most likely a mistake.
static void warn_of_half(const struct cred *c, enum azure_credential which, const char *variable)
{
	const struct azure_identity *id = &c->config->identity;
	const char *key = which == AZURE_CLIENT_SECRET	      ? id->client_secret
			  : which == AZURE_CLIENT_CERTIFICATE ? id->certificate_path
							      : id->token_file;
	if (set(key))
		c->host->log(c->host, CMK_LOG_WARNING,
			"the %s is passed over because %s is not set; set it, or take the others "
			"away",
			kinds[which], variable);
}

static enum cmk_verdict choose_chain(struct cred *c, struct kp_outcome *o)
{
	static const struct {
		enum azure_credential which;
		unsigned step;
	} steps[] = {
		{AZURE_CLIENT_SECRET, STEP_ENVIRONMENT},
		{AZURE_CLIENT_CERTIFICATE, STEP_ENVIRONMENT},
		{AZURE_WORKLOAD_IDENTITY, STEP_WORKLOAD},
	};
	const struct azure_identity *id = &c->config->identity;
	const char *only = cred_str(id->token_credentials);
	unsigned allowed = allowed_steps(only);
	if (!allowed)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"AZURE_TOKEN_CREDENTIALS is '%.40s', which leaves no credential that a "
			"service can use; set it to prod, EnvironmentCredential, "
			"WorkloadIdentityCredential or ManagedIdentityCredential",
			only);
	c->chosen = allowed != STEP_MANAGED; // else it was named
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		if (!(allowed & steps[i].step))
			continue;
		const char *variable = lacking(id, steps[i].which, false);
		if (!variable) {
			c->which = steps[i].which;
			c->unused[0] = '\0';
			set_name(c);
			return CMK_GRANTED;
		}
		warn_of_half(c, steps[i].which, variable);
		note_unused(c, steps[i].which, variable);
	}
	if (allowed & STEP_MANAGED)
		return choose_managed(c, o);
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"no credential to sign in with, as AZURE_TOKEN_CREDENTIALS is '%.40s'; looked at: "
		"%s",
		only, c->unused);
}

enum cmk_verdict cred_choose(struct cred *c, struct kp_outcome *o)
{
	const struct azure_identity *id = &c->config->identity;
	if (id->which == AZURE_CHAIN)
		return choose_chain(c, o);
	if (id->which == AZURE_MANAGED_IDENTITY)
		return choose_managed(c, o);
	const char *variable = lacking(id, id->which, true);
	if (variable)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"the key set asks for a %s, but neither it nor %s says all that is needed "
			"for it",
			kinds[id->which], variable);
	c->which = id->which;
	set_name(c);
	return CMK_GRANTED;
}
