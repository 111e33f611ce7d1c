// SPDX-License-Identifier: MIT
// Key URLs of vaults: what is one, and which may be asked. Also spans of time.
#include "azure_duration.h"
#include "azure_fixture.h"
#include "azure_url.h"

#include <errno.h>

static struct azure_url good(const char *text)
{
	struct azure_url u;
	struct kp_err err = {""};
	if (azure_url_parse(text, &u, &err))
		fail_msg("%s", err.text);
	return u;
}

static void a_url_with_and_without_version_is_read(void **state)
{
	(void)state;
	struct azure_url u = good("https://Contoso.Vault.Azure.net/keys/Disk-Key");
	assert_string_equal(u.origin, "https://contoso.vault.azure.net");
	assert_string_equal(u.host, "contoso.vault.azure.net");
	assert_string_equal(u.name, "Disk-Key");
	assert_string_equal(u.version, "");
	u = good("https://c.vault.azure.net:443/keys/k/" V1);
	assert_string_equal(u.origin, "https://c.vault.azure.net");
	assert_string_equal(u.version, V1);
	u = good("https://c.vault.localhost:8443/keys/k/" V1 "/");
	assert_string_equal(u.origin, "https://c.vault.localhost:8443");
	assert_string_equal(u.version, V1);
	assert_string_equal(good("https://c.vault.azure.net/keys/k/").version, "");
}

static void what_is_no_key_url_is_refused_with_the_form(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"ftp://c.vault.azure.net/keys/k",
		"https://",
		"https:///keys/k",
		"https://c.vault.azure.net",
		"https://c.vault.azure.net/",
		"https://c.vault.azure.net/keys",
		"https://c.vault.azure.net/keys/",
		"https://c.vault.azure.net/secrets/k",
		"https://c.vault.azure.net/Keys/k",
		"https://c.vault.azure.net//keys/k",
		"https://c.vault.azure.net/keys/a_b",
		"https://c.vault.azure.net/keys/a%20b",
		"https://c.vault.azure.net/keys/../k",
		"https://c.vault.azure.net/keys/k?x=1",
		"https://c.vault.azure.net/keys/k#x",
		"https://c.vault.azure.net/keys/k/latest",
		"https://c.vault.azure.net/keys/k/0123456789ABCDEF0123456789ABCDEF",
		"https://c.vault.azure.net/keys/k/0123456789abcdef0123456789abcde",
		"https://c.vault.azure.net/keys/k/" V1 "0",
		"https://c.vault.azure.net/keys/k/" V1 "/x",
		"https://c.vault.azure.net/keys/k/" V1 "//",
		"https://c.vault.azure.net:/keys/k",
		"https://c.vault.azure.net:0/keys/k",
		"https://c.vault.azure.net:65536/keys/k",
		"https://c.vault.azure.net:443x/keys/k",
		"https://user@c.vault.azure.net/keys/k",
		"https://user:pw@c.vault.azure.net/keys/k",
		"https://.vault.azure.net/keys/k",
		"https://c..vault.azure.net/keys/k",
		"https://c.vault.azure.net./keys/k",
		"https://[::1]/keys/k",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct azure_url u;
		struct kp_err err = {""};
		if (azure_url_parse(bad[i], &u, &err) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		require_text(err.text, "https://VAULT.vault.azure.net/keys/NAME");
	}
	char longest[400] = "https://c.vault.azure.net/keys/", *end = longest + strlen(longest);
	memset(end, 'k', 127);
	(void)good(longest);
	end[127] = 'k';
	struct azure_url u;
	assert_int_equal(azure_url_parse(longest, &u, NULL), -EINVAL);
}

static bool allowed(const char *text, const struct azure_config *c, struct kp_err *err)
{
	struct azure_url u = good(text);
	int ret = azure_url_allow(&u, c, err);
	assert_true(ret == 0 || ret == -EINVAL);
	assert_true(ret || u.suffix);
	return ret == 0;
}

static void vaults_of_the_known_clouds_are_allowed_and_nothing_else(void **state)
{
	(void)state;
	struct kp_err err = {""};
	struct azure_config c = plain_config();
	for (const struct azure_cloud *k = azure_clouds; k->suffix; k++) {
		char text[200];
		(void)snprintf(text, sizeof(text), "https://contoso.%s/keys/k", k->suffix);
		struct azure_url u = good(text);
		assert_int_equal(azure_url_allow(&u, &c, &err), 0);
		assert_ptr_equal(u.cloud, k);
	}
	static const char *const bad[] = {
		"https://vault.azure.net/keys/k",
		"https://contosovault.azure.net/keys/k",
		"https://evilvault.azure.net/keys/k",
		"https://a.b.vault.azure.net/keys/k",
		"https://contoso.vault.azure.net.example.org/keys/k",
		"https://contoso.vault.azure.com/keys/k",
		"https://contoso.vault.azure.net:8443/keys/k",
		"https://contoso.vault.localhost/keys/k",
		"https://169.254.169.254/keys/k",
		"http://contoso.vault.azure.net/keys/k",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (allowed(bad[i], &c, &err))
			fail_msg("allowed: %s", bad[i]);
		require_text(err.text, "*.vault.azure.net");
		require_text(err.text, "*.managedhsm.usgovcloudapi.net");
		require_text(err.text, "vaultSuffixes");
	}
}

static void further_suffixes_allow_any_port_and_http_only_to_loopback(void **state)
{
	(void)state;
	static const char *suffixes[] = {"vault.localhost", "vault.example.org"};
	struct kp_err err = {""};
	struct azure_config c = plain_config();
	c.suffixes = suffixes;
	c.suffix_count = 2;
	assert_true(allowed("https://c.vault.localhost:8443/keys/k", &c, &err));
	assert_true(allowed("https://a.b.vault.example.org/keys/k", &c, &err));
	assert_true(allowed("https://c.vault.azure.net/keys/k", &c, &err));
	assert_false(allowed("https://vault.example.org/keys/k", &c, &err));
	assert_false(allowed("https://evilvault.example.org/keys/k", &c, &err));
	require_text(err.text, "*.vault.example.org");
	assert_false(allowed("http://c.vault.localhost:8080/keys/k", &c, &err));
	require_text(err.text, "write https");
	c.http_loopback = true;
	assert_true(allowed("http://c.vault.localhost:8080/keys/k", &c, &err));
	assert_false(allowed("http://c.vault.example.org/keys/k", &c, &err));
}

static void durations_are_read_as_systemd_writes_them(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms; // -1: refused
	} rows[] = {{"15s", 15000}, {"15", 15000}, {"1h 30min", 5400000}, {"1min30s", 90000},
		{"250ms", 250}, {"0", 0}, {"1d", 86400000}, {"25h", -1}, {"", -1}, {"s", -1},
		{"15 s", -1}, {"15s ", -1}, {" 15s", -1}, {"-1s", -1}, {"1s 1h", -1}, {"1s 1s", -1},
		{"1.5s", -1}, {"15x", -1}, {"1h 30", -1}, {"99999999999s", -1}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint32_t ms = 0;
		bool ok = azure_duration(rows[i].text, &ms);
		if (ok != (rows[i].ms >= 0) || (ok && ms != (uint32_t)rows[i].ms))
			fail_msg("'%s': %d, %u", rows[i].text, ok, ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_with_and_without_version_is_read),
		cmocka_unit_test(what_is_no_key_url_is_refused_with_the_form),
		cmocka_unit_test(vaults_of_the_known_clouds_are_allowed_and_nothing_else),
		cmocka_unit_test(further_suffixes_allow_any_port_and_http_only_to_loopback),
		cmocka_unit_test(durations_are_read_as_systemd_writes_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
