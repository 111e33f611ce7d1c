// SPDX-License-Identifier: MIT
// The key set and the environment: what is read from which, what wins, and what is refused.
#include "azure_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define URL "https://contoso.vault.azure.net/keys/k"
#define SECRET "s3cret-of-the-application"
#define SET(azure) "{\"cmkdisk\":{\"azure\":{" azure "}}}"
#define CREDENTIAL(members) SET("\"credential\":{" members "}")

struct world {
	struct provider_host host;
	struct azure_config c;
	struct kp_outcome o;
	char path[4096];
};

static int setup(void **state)
{
	static struct world w;
	char cwd[3000];
	memset(&w, 0, sizeof(w));
	provider_host_init(&w.host);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	(void)snprintf(w.path, sizeof(w.path), "%s/azure-config-%d", cwd, (int)getpid());
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	azure_config_free(&w->c);
	(void)unlink(w->path);
	assert_int_equal(w->host.secrets, 0);
	return 0;
}

static enum cmk_verdict read_at(
	struct world *w, const char *url, const char *config, const char *const *environment)
{
	const struct cmk_key_ref ref = {.struct_size = sizeof(ref),
		.key_url = url,
		.config = config,
		.disk = "data 1/\xc3\xa9(x)",
		.environment = environment};
	azure_config_free(&w->c);
	memset(&w->o, 0, sizeof(w->o));
	return azure_config_read(&w->host.api, &ref, &w->c, &w->o);
}

static struct azure_config *good(
	struct world *w, const char *config, const char *const *environment)
{
	if (read_at(w, URL, config, environment) != CMK_GRANTED)
		fail_msg("%s: %s", config, w->o.err.text);
	return &w->c;
}

static void refused(struct world *w, const char *config, const char *says)
{
	if (read_at(w, URL, config, NULL) != CMK_MISCONFIGURED)
		fail_msg("taken: %s", config);
	require_text(w->o.err.text, says);
	require_no_text(w->o.err.text, SECRET);
}

static void nothing_said_gives_the_documented_defaults(void **state)
{
	struct world *w = *state;
	const struct azure_config *c = good(w, "{}", NULL);
	assert_string_equal(c->api_version, "7.4");
	assert_string_equal(c->alg, "");
	assert_int_equal(c->suffix_count, 0);
	assert_string_equal(c->ca_file, "");
	assert_string_equal(c->proxy, "");
	assert_int_equal(c->confirm_ms, 15000);
	assert_int_equal(c->firewall, CMK_DENIED);
	assert_int_equal(c->no_host, CMK_UNREACHABLE);
	assert_false(c->follow_rotation);
	assert_false(c->http_loopback);
	assert_int_equal(c->identity.which, AZURE_CHAIN);
	assert_string_equal(c->identity.client_secret, "");
	assert_string_equal(c->identity.authority_host, "https://login.microsoftonline.com");
	assert_string_equal(c->user_agent, "cmkdisk/" CMKDISK_VERSION " (disk data_1____x_)");
}

static void a_host_without_the_environment_member_is_taken(void **state)
{
	struct world *w = *state;
	const struct cmk_key_ref ref = {
		.struct_size = offsetof(struct cmk_key_ref, environment),
		.key_url = URL,
		.config = "{}",
		.disk = "",
		.environment = (const char *const *)(uintptr_t)1,
	};
	assert_int_equal(azure_config_read(&w->host.api, &ref, &w->c, &w->o), CMK_GRANTED);
	assert_string_equal(w->c.user_agent, "cmkdisk/" CMKDISK_VERSION);
}

static void every_member_is_read(void **state)
{
	struct world *w = *state;
	const struct azure_config *c = good(w,
		SET("\"apiVersion\":\"2025-07-01\",\"alg\":\"RSA-OAEP\",\"vaultSuffixes\":"
		    "[\".vault.localhost\",\"vault.example.org\"],\"caFile\":\"/etc/passwd\","
		    "\"proxy\":\"http://p:1\",\"httpLoopback\":true,\"confirmAfter\":\"1min 5s\","
		    "\"firewall\":\"unreachable\",\"unknownHost\":\"denied\","
		    "\"authorityHost\":\"https://login.vault.localhost:1\""),
		NULL);
	assert_string_equal(c->api_version, "2025-07-01");
	assert_string_equal(c->alg, "RSA-OAEP");
	assert_int_equal(c->suffix_count, 2);
	assert_string_equal(c->suffixes[0], "vault.localhost");
	assert_string_equal(c->suffixes[1], "vault.example.org");
	assert_string_equal(c->ca_file, "/etc/passwd");
	assert_string_equal(c->proxy, "http://p:1");
	assert_true(c->http_loopback);
	assert_int_equal(c->confirm_ms, 65000);
	assert_int_equal(c->firewall, CMK_UNREACHABLE);
	assert_int_equal(c->no_host, CMK_DENIED);
	assert_string_equal(c->identity.authority_host, "https://login.vault.localhost:1");
}

static void rotation_is_read_in_either_shape_of_a_key_set(void **state)
{
	struct world *w = *state;
	assert_true(good(w, "{\"rotationToLatestKeyVersionEnabled\":true}", NULL)->follow_rotation);
	assert_true(good(w, "{\"properties\":{\"rotationToLatestKeyVersionEnabled\":true}}", NULL)
			    ->follow_rotation);
	assert_false(
		good(w, "{\"rotationToLatestKeyVersionEnabled\":false}", NULL)->follow_rotation);
	assert_false(
		good(w, "{\"rotationToLatestKeyVersionEnabled\":null}", NULL)->follow_rotation);
}

static void what_is_wrong_is_named_with_what_was_expected(void **state)
{
	struct world *w = *state;
	refused(w, "[]", "no JSON object");
	refused(w, "{", "no JSON object");
	refused(w, "{\"cmkdisk\":{\"azure\":7}}", "cmkdisk.azure must be an object");
	refused(w, SET("\"apiversion\":\"7.4\""), "no member 'apiversion'");
	refused(w, SET("\"apiversion\":\"7.4\""), "confirmAfter");
	refused(w, SET("\"apiVersion\":7.4"), "cmkdisk.azure.apiVersion must be a text");
	refused(w, SET("\"apiVersion\":\"7.4&x=y\""), "apiVersion is '7.4&x=y'");
	refused(w, SET("\"alg\":\"RSA1_5\""), "RSA-OAEP-256");
	refused(w, SET("\"httpLoopback\":\"true\""), "httpLoopback must be true or false");
	refused(w, SET("\"firewall\":\"ignore\""), "write denied or unreachable");
	refused(w, SET("\"unknownHost\":\"granted\""), "write denied or unreachable");
	refused(w, SET("\"confirmAfter\":\"soon\""), "such as 15s");
	refused(w, SET("\"confirmAfter\":15"), "confirmAfter must be a text");
	refused(w, SET("\"vaultSuffixes\":\"vault.localhost\""), "vaultSuffixes must be a list");
	refused(w, SET("\"vaultSuffixes\":[7]"), "no host name");
	refused(w, SET("\"vaultSuffixes\":[\"\"]"), "no host name");
	refused(w, SET("\"vaultSuffixes\":[\"a/b\"]"), "no host name");
	refused(w, SET("\"caFile\":\"/no/such/file\""), "caFile names /no/such/file");
	refused(w, SET("\"caFile\":\"ca.pem\""), "no full path");
	refused(w, SET("\"credential\":\"x\""), "credential must be an object");
	refused(w, CREDENTIAL("\"tenantId\":\"t\""), "clientSecret, clientCertificate");
	refused(w, CREDENTIAL("\"type\":\"password\""), ".type is 'password'");
	refused(w, CREDENTIAL("\"type\":\"clientSecret\",\"clientSecret\":\"" SECRET "\""),
		"no member 'clientSecret'");
	refused(w, CREDENTIAL("\"type\":\"managedIdentity\",\"additionallyAllowedTenants\":\"*\""),
		"must be a list");
}

static void the_environment_is_read_where_the_key_set_is_silent(void **state)
{
	struct world *w = *state;
	static const char *const environment[] = {"AZURE_TENANT_ID=" TENANT, "AZURE_CLIENT_ID=app",
		"AZURE_CLIENT_SECRET=" SECRET, "AZURE_CLIENT_CERTIFICATE_PATH=/c.pem",
		"AZURE_CLIENT_CERTIFICATE_PASSWORD=pw", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN=True",
		"AZURE_FEDERATED_TOKEN_FILE=/token",
		"AZURE_AUTHORITY_HOST=https://login.example.org",
		"AZURE_ADDITIONALLY_ALLOWED_TENANTS=a;b", "AZURE_TOKEN_CREDENTIALS=prod",
		"IDENTITY_ENDPOINT=http://i", "IDENTITY_HEADER=h", "IDENTITY_SERVER_THUMBPRINT=tp",
		"IMDS_ENDPOINT=http://m", "MSI_ENDPOINT=http://o", "MSI_SECRET=ms",
		"AZURE_POD_IDENTITY_AUTHORITY_HOST=http://pod", "HTTPS_PROXY=http://upper:1",
		"https_proxy=http://lower:1", "NO_PROXY=example.org", "SSL_CERT_FILE=/etc/passwd",
		"SSL_CERT_DIR=/etc", NULL};
	const struct azure_config *c = good(w, "{}", environment);
	const struct azure_identity *id = &c->identity;
	assert_string_equal(id->tenant_id, TENANT);
	assert_string_equal(id->client_id, "app");
	// Borrowed, not copied.
	assert_ptr_equal(id->client_secret, environment[2] + strlen("AZURE_CLIENT_SECRET="));
	assert_string_equal(id->certificate_path, "/c.pem");
	assert_string_equal(id->certificate_password, "pw");
	assert_true(id->send_chain);
	assert_string_equal(id->token_file, "/token");
	assert_string_equal(id->authority_host, "https://login.example.org");
	assert_string_equal(id->allowed_tenants, "a;b");
	assert_string_equal(id->token_credentials, "prod");
	assert_string_equal(id->identity_endpoint, "http://i");
	assert_string_equal(id->identity_header, "h");
	assert_string_equal(id->identity_thumbprint, "tp");
	assert_string_equal(id->imds_endpoint, "http://m");
	assert_string_equal(id->msi_endpoint, "http://o");
	assert_string_equal(id->msi_secret, "ms");
	assert_string_equal(id->imds_host, "http://pod");
	assert_string_equal(c->proxy, "http://lower:1");
	assert_string_equal(c->no_proxy, "example.org");
	assert_string_equal(c->ca_file, "/etc/passwd");
	assert_string_equal(c->ca_dir, "/etc");
	c = good(w, SET("\"caFile\":\"/etc/group\",\"proxy\":\"\",\"authorityHost\":\"https://x\""),
		environment);
	assert_string_equal(c->ca_file, "/etc/group");
	assert_string_equal(c->ca_dir, "");
	assert_string_equal(c->proxy, "");
	assert_string_equal(c->identity.authority_host, "https://x");
}

static void the_authority_is_that_of_the_vaults_cloud(void **state)
{
	struct world *w = *state;
	assert_int_equal(read_at(w, "https://c.vault.azure.cn/keys/k", "{}", NULL), CMK_GRANTED);
	assert_string_equal(w->c.identity.authority_host, "https://login.chinacloudapi.cn");
	assert_int_equal(
		read_at(w, "https://c.managedhsm.usgovcloudapi.net:443/keys/k", "{}", NULL),
		CMK_GRANTED);
	assert_string_equal(w->c.identity.authority_host, "https://login.microsoftonline.us");
}

static void put(struct world *w, const char *text, mode_t mode)
{
	(void)unlink(w->path);
	int fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void a_secret_comes_from_a_private_file_only(void **state)
{
	struct world *w = *state;
	char config[5000];
	(void)snprintf(config, sizeof(config),
		CREDENTIAL("\"type\":\"clientSecret\",\"tenantId\":\"t\",\"clientId\":\"c\","
			   "\"clientSecretFile\":\"%s\""),
		w->path);
	put(w, SECRET "\r\n", 0600);
	assert_string_equal(good(w, config, NULL)->identity.client_secret, SECRET);
	assert_int_equal(w->c.identity.which, AZURE_CLIENT_SECRET);
	assert_int_equal(w->host.secrets, 1);
	put(w, SECRET, 0640);
	refused(w, config, "chmod 600");
	put(w, SECRET, 0604);
	refused(w, config, "chmod 600");
	if (geteuid() == 0) {
		put(w, SECRET, 0600);
		assert_int_equal(chown(w->path, 65534, (gid_t)-1), 0);
		refused(w, config, "belongs to another user");
	}
	put(w, "\n", 0600);
	refused(w, config, "no text");
	(void)unlink(w->path);
	refused(w, config, "clientSecretFile names");
	assert_int_equal(w->host.secrets, 0);
	refused(w, CREDENTIAL("\"type\":\"clientSecret\",\"clientSecretFile\":\"x\""), "full path");
	refused(w, CREDENTIAL("\"type\":\"clientSecret\",\"clientSecretFile\":\"/dev/null\""),
		"no regular file");
}

static void a_credential_of_the_key_set_wins_over_the_environment(void **state)
{
	struct world *w = *state;
	static const char *const environment[] = {
		"AZURE_TENANT_ID=" TENANT, "AZURE_CLIENT_ID=app", "AZURE_CLIENT_SECRET=x", NULL};
	const struct azure_identity *id = &good(w,
		CREDENTIAL("\"type\":\"workloadIdentity\",\"clientId\":\"mine\","
			   "\"tokenFile\":\"/t\",\"additionallyAllowedTenants\":[\"a\",\"b\"]"),
		environment)
						   ->identity;
	assert_int_equal(id->which, AZURE_WORKLOAD_IDENTITY);
	assert_string_equal(id->client_id, "mine");
	assert_string_equal(id->tenant_id, TENANT);
	assert_string_equal(id->allowed_tenants, "a;b");
	id = &good(w, CREDENTIAL("\"type\":\"managedIdentity\",\"objectId\":\"o\""), environment)
		      ->identity;
	assert_string_equal(id->client_id, "");
	assert_string_equal(id->object_id, "o");
}

#define ARM "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/u/"
#define ONE "\"" ARM "one\":{\"clientId\":\"id-one\",\"principalId\":\"p\"}"
#define TWO "\"" ARM "two\":{\"clientId\":\"id-two\",\"principalId\":\"p\"}"
#define IDENTITIES(list) \
	"{\"identity\":{\"type\":\"UserAssigned\",\"userAssignedIdentities\":{" list "}}"

static void the_key_sets_own_identity_is_the_managed_one(void **state)
{
	struct world *w = *state;
	static const char *const application[] = {
		"AZURE_TENANT_ID=" TENANT, "AZURE_CLIENT_ID=app", "AZURE_CLIENT_SECRET=x", NULL};
	assert_string_equal(good(w, IDENTITIES(ONE) "}", NULL)->identity.client_id, "id-one");
	assert_string_equal(
		good(w, IDENTITIES("\"" ARM "one\":{}") "}", NULL)->identity.resource_id,
		ARM "one");
	assert_string_equal(good(w, IDENTITIES(ONE) "}", application)->identity.client_id, "app");
	refused(w, IDENTITIES(ONE "," TWO) "}", "choose one with clientId");
	assert_string_equal(
		good(w,
			IDENTITIES(ONE
				"," TWO) ",\"cmkdisk\":{\"azure\":{\"credential\":{"
					 "\"type\":\"managedIdentity\",\"clientId\":\"id-two\"}}}}",
			NULL)
			->identity.client_id,
		"id-two");
	assert_string_equal(good(w,
				    "{\"identity\":{\"type\":\"SystemAssigned\","
				    "\"userAssignedIdentities\":null}}",
				    NULL)
				    ->identity.client_id,
		"");
}

static void the_federated_client_is_read_and_none_is_none(void **state)
{
	struct world *w = *state;
	assert_string_equal(
		good(w, "{\"federatedClientId\":\"f\"}", NULL)->identity.federated_client_id, "f");
	assert_string_equal(good(w, "{\"properties\":{\"federatedClientId\":\"g\"}}", NULL)
				    ->identity.federated_client_id,
		"g");
	assert_string_equal(
		good(w, "{\"federatedClientId\":\"None\"}", NULL)->identity.federated_client_id,
		"");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_said_gives_the_documented_defaults),
		TEST(a_host_without_the_environment_member_is_taken),
		TEST(every_member_is_read),
		TEST(rotation_is_read_in_either_shape_of_a_key_set),
		TEST(what_is_wrong_is_named_with_what_was_expected),
		TEST(the_environment_is_read_where_the_key_set_is_silent),
		TEST(the_authority_is_that_of_the_vaults_cloud),
		TEST(a_secret_comes_from_a_private_file_only),
		TEST(a_credential_of_the_key_set_wins_over_the_environment),
		TEST(the_key_sets_own_identity_is_the_managed_one),
		TEST(the_federated_client_is_read_and_none_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
