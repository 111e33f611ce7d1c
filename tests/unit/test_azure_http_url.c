// SPDX-License-Identifier: MIT
// Where a request may go at all, and by which way: a row for each kind of address.
#include "azure_fixture.h"

#include "azure_http_url.h"

#define ONLY_HTTPS "only https is used"
#define ON_THIS_LINK "plain http goes to this host, and to addresses in 169.254.0.0/16"
#define THIS_HOST "only this host is asked"
#define NO_URL "no plain http or https URL"

enum asked { VAULT, LOOPBACK_ALLOWED, DIRECT, ARC };

static const struct {
	enum asked asked;
	const char *url;
	const char *refused; // NULL: allowed
} rows[] = {
	{VAULT, "https://contoso.vault.azure.net/keys/k", NULL},
	{VAULT, "https://192.0.2.1:8443/", NULL},
	{VAULT, "http://contoso.vault.azure.net/keys/k", ONLY_HTTPS},
	{VAULT, "http://127.0.0.1/", ONLY_HTTPS},
	{VAULT, "http://169.254.169.254/", ONLY_HTTPS},
	{VAULT, "ftp://127.0.0.1/", ONLY_HTTPS},
	{VAULT, "https://u:p@contoso.vault.azure.net/", NO_URL},
	{VAULT, "https://u@contoso.vault.azure.net/", NO_URL},
	{VAULT, "contoso", NO_URL},
	{VAULT, "", NO_URL},
	{LOOPBACK_ALLOWED, "http://127.0.0.1:8080/", NULL},
	{LOOPBACK_ALLOWED, "http://[::1]:8080/", NULL},
	{LOOPBACK_ALLOWED, "http://localhost/", NULL},
	{LOOPBACK_ALLOWED, "http://contoso.vault.LOCALHOST/", NULL},
	{LOOPBACK_ALLOWED, "http://169.254.169.254/", ONLY_HTTPS},
	{LOOPBACK_ALLOWED, "http://[fe80::1]/", ONLY_HTTPS},
	{LOOPBACK_ALLOWED, "http://contoso.vault.azure.net/", ONLY_HTTPS},
	{LOOPBACK_ALLOWED, "http://localhost.example.org/", ONLY_HTTPS},
	{LOOPBACK_ALLOWED, "http://127.0.0.1.example.org/", ONLY_HTTPS},
	{DIRECT, "http://169.254.169.254/metadata/identity/oauth2/token", NULL},
	{DIRECT, "http://169.254.129.2:8081/msi/token", NULL},
	{DIRECT, "http://[fe80::1]/", NULL},
	{DIRECT, "http://[febf::1]:80/", NULL},
	{DIRECT, "http://localhost:50342/oauth2/token", NULL},
	{DIRECT, "http://127.0.0.1:41000/msi/token", NULL},
	{DIRECT, "https://192.0.2.1/", NULL},
	{DIRECT, "http://192.0.2.1/", ON_THIS_LINK},
	{DIRECT, "http://169.253.0.1/", ON_THIS_LINK},
	{DIRECT, "http://169.255.0.1/", ON_THIS_LINK},
	{DIRECT, "http://169.254.1.1.example.org/", ON_THIS_LINK},
	{DIRECT, "http://169.254.example.org/", ON_THIS_LINK},
	{DIRECT, "http://[fec0::1]/", ON_THIS_LINK},
	{DIRECT, "http://[2001:db8::1]/", ON_THIS_LINK},
	{DIRECT, "http://identity/", ON_THIS_LINK},
	{DIRECT, "http://localhost.example.org/", ON_THIS_LINK},
	{DIRECT, "gopher://127.0.0.1/", ONLY_HTTPS},
	{ARC, "http://localhost:40342/metadata/identity/oauth2/token", NULL},
	{ARC, "http://127.0.0.1:40342/", NULL},
	{ARC, "http://[::1]:40342/", NULL},
	{ARC, "https://localhost:40342/", NULL},
	{ARC, "http://169.254.169.254/", THIS_HOST},
	{ARC, "http://[fe80::1]/", THIS_HOST},
	{ARC, "http://192.0.2.1/", THIS_HOST},
	{ARC, "https://192.0.2.1/", THIS_HOST},
	{ARC, "https://arc.example.org/", THIS_HOST},
};

static void each_address_is_asked_or_refused_as_the_rules_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct azure_config config = plain_config();
		struct http_way way = {.proxy = ""};
		struct http_reply reply = {0};
		const enum asked asked = rows[i].asked;
		const struct http_request q = {.method = "GET",
			.url = rows[i].url,
			.direct = asked == DIRECT || asked == ARC,
			.this_host = asked == ARC};
		config.http_loopback = asked == LOOPBACK_ALLOWED;
		bool allowed = http_url_allowed(&config, &q, &way, &reply);
		if (allowed != !rows[i].refused)
			fail_msg("row %zu, %s: %d, %s", i, q.url, allowed, reply.err.text);
		assert_int_equal(reply.failure, allowed ? HTTP_OK : HTTP_REFUSED_URL);
		if (!allowed)
			require_text(reply.err.text, rows[i].refused);
	}
}

static void the_way_is_by_proxy_but_for_this_host_and_its_services(void **state)
{
	(void)state;
	static const struct {
		const char *url;
		bool direct, proxied;
	} ways[] = {
		{"https://contoso.vault.azure.net/", false, true},
		{"https://contoso.vault.localhost/", false, false},
		{"https://127.0.0.1/", false, false},
		{"http://169.254.169.254/", true, false},
		{"https://192.0.2.1/", true, false},
	};
	struct azure_config config = plain_config();
	config.proxy = "http://proxy.example.org";
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct http_way way = {.proxy = ""};
		struct http_reply reply = {0};
		const struct http_request q = {
			.method = "GET", .url = ways[i].url, .direct = ways[i].direct};
		assert_true(http_url_allowed(&config, &q, &way, &reply));
		assert_string_equal(way.proxy, ways[i].proxied ? config.proxy : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_address_is_asked_or_refused_as_the_rules_say),
		cmocka_unit_test(the_way_is_by_proxy_but_for_this_host_and_its_services),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
