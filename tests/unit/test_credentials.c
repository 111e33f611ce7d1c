// SPDX-License-Identifier: MIT
// The credentials of the user's environment: out of the process's environment, into locked memory,
// and from there to the providers that they are for, as a PIN is to that of its key alone. The
// tests start themselves again, because what /proc/PID/environ shows is what a process was started
// with.
#include "agent_rig.h"
#include "credentials_fixture.h"
#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static const char *const full[] = {"PATH=/bin", "AZURE_CLIENT_SECRET=" SECRET, "LANG=C",
	"AZURE_TENANT_ID=t", "IDENTITY_HEADER=h", "MSI_SECRET=m", "IMDS_ENDPOINT=http://imds",
	"IMDS_ENDPOINT_OTHER=x", "https_proxy=p1", "HTTPS_PROXY=p2", "HTTP_PROXY=p3", "NO_PROXY=n1",
	"no_proxy=n2", "ALL_PROXY=a1", "all_proxy=a2", "SSL_CERT_FILE=f", "SSL_CERT_DIR=d",
	"MY_AZURE_X=y", "AZURE_EMPTY=", "SOFTHSM2_CONF=s", NULL};

static void part_take(void)
{
	struct credentials *c = NULL;
	struct errmsg err = {""};
	assert_true(environ_shows(SECRET)); // or the search below could not fail
	assert_true(environ_shows("IDENTITY_HEADER"));
	assert_int_equal(credentials_take(&c, &err), 0);
	assert_false(environ_shows(SECRET));
	static const char *const gone[] = {"AZURE_CLIENT_SECRET", "AZURE_TENANT_ID",
		"IDENTITY_HEADER", "MSI_SECRET", "IMDS_ENDPOINT", "https_proxy", "HTTPS_PROXY",
		"NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"AZURE_EMPTY"};
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		assert_null(getenv(gone[i]));
	for (const char *const *line = full; *line; line++) {
		bool stays = strncmp(*line, "PATH=", 5) == 0 || strncmp(*line, "LANG=", 5) == 0 ||
			     strncmp(*line, "MY_", 3) == 0 ||
			     strncmp(*line, "HTTP_PROXY=", 11) == 0 ||
			     strncmp(*line, "IMDS_ENDPOINT_", 14) == 0;
		if (strncmp(*line, "SOFTHSM2_", 9) == 0)
			continue; // of another kind
		assert_int_equal(environ_shows(*line), stays);
		assert_int_equal(is_told(c, VAULT_KEY, *line), !stays);
		assert_false(is_told(c, TOKEN_KEY, *line));
	}
	assert_string_equal(getenv("MY_AZURE_X"), "y");
	assert_string_equal(getenv("LANG"), "C");
	credentials_free(&c);
	credentials_free(&c); // NULL is allowed
}

static void what_is_taken_is_gone_from_environ_and_nothing_else_is(void **state)
{
	(void)state;
	assert_int_equal(start_part("take", full), 0);
}

static void part_none(void)
{
	struct credentials *c = NULL;
	struct errmsg err = {""};
	struct secret *told = NULL;
	assert_int_equal(credentials_take(&c, &err), 0);
	const struct credentials *both[] = {c, NULL};
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(credentials_for(both[i], VAULT_KEY, &told), 0);
		assert_null(told);
		assert_int_equal(credentials_for(both[i], TOKEN_KEY, &told), 0);
		assert_null(told);
		assert_int_equal(credentials_len(both[i], TOKEN_KEY), 0);
		assert_true(credentials_lock(both[i], VAULT_KEY));
		assert_false(credentials_know_pin(both[i], TOKEN_KEY));
	}
	assert_string_equal(getenv("PATH"), "/bin");
	credentials_free(&c);
}

static void none_is_none(void **state)
{
	(void)state;
	const char *const env[] = {"PATH=/bin", "LANG=C", NULL};
	assert_int_equal(start_part("none", env), 0);
}

static void part_fits(void)
{
	struct credentials *c = NULL;
	struct errmsg err = {""};
	assert_int_equal(credentials_take(&c, &err), 0);
	assert_int_equal(credentials_len(c, VAULT_KEY), CREDENTIALS_MAX);
	credentials_free(&c);
}

static void part_too_long(void)
{
	struct credentials *c = NULL;
	struct errmsg err = {""};
	assert_int_equal(credentials_take(&c, &err), -E2BIG);
	assert_null(c);
	assert_non_null(strstr(err.text, "16385 bytes"));
	assert_non_null(strstr(err.text, "AZURE_*"));
	assert_null(strstr(err.text, "xxx"));
	assert_false(environ_shows("xxx"));
	assert_null(getenv("AZURE_CLIENT_SECRET"));
}

static void sixteen_kibibytes_are_the_limit(void **state)
{
	(void)state;
	static char line[CREDENTIALS_MAX + 1];
	const char *const env[] = {line, NULL};
	(void)snprintf(line, sizeof(line), "AZURE_CLIENT_SECRET=");
	size_t name = strlen(line);
	memset(line + name, 'x', CREDENTIALS_MAX - 1 - name);
	assert_int_equal(start_part("fits", env), 0);
	line[CREDENTIALS_MAX - 1] = 'x';
	assert_int_equal(start_part("too_long", env), 0);
}

// As the daemon is: forked after they were taken.
static void part_fork(void)
{
	struct credentials *c = NULL;
	struct errmsg err = {""};
	int status = 0;
	assert_int_equal(credentials_take(&c, &err), 0);
	assert_int_equal(credentials_set_pin(c, TOKEN_KEY, "1234"), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		bool there = is_told(c, VAULT_KEY, "AZURE_CLIENT_SECRET=" SECRET) &&
			     is_told(c, TOKEN_KEY, "CMKDISK_PIN=1234");
		bool locked = credentials_lock(c, VAULT_KEY) && credentials_lock(c, TOKEN_KEY);
		credentials_free(&c);
		_exit(there && locked ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	credentials_free(&c);
}

static void they_survive_a_fork(void **state)
{
	(void)state;
	assert_int_equal(start_part("fork", full), 0);
}

static struct agent *make_agent(const char *dir, const char *url, const struct credentials *c)
{
	struct agent *a = NULL;
	struct errmsg err = {""};
	struct agent_config config = {.program = AGENT_PROGRAM,
		.plugin_dir = dir,
		.key_url = url,
		.config = "{}",
		.disk = "",
		.deadline_ms = LONG_MS,
		.credentials = c};
	if (agent_new(&config, &a, &err))
		fail_msg("%s", err.text);
	return a;
}

static void heard(const char *dir, const char *url, const struct credentials *c, char out[512])
{
	struct agent_answer answer;
	struct cmk_key_info info;
	struct agent *a scoped(agent_free) = make_agent(dir, url, c);
	agent_describe(a, "", &info, &answer);
	(void)snprintf(out, 512, "%s", answer.sentence);
}

static void part_agent(void)
{
	struct credentials *c = NULL;
	struct errmsg err = {""};
	char text[512];
	assert_int_equal(credentials_take(&c, &err), 0);
	heard(PROVIDER_DIR "-https", "https:environment", c, text);
	assert_non_null(strstr(text, "told=1 lines=[ AZURE_CLIENT_SECRET(17) AZURE_TENANT_ID=t "
				     "IDENTITY_HEADER=h MSI_SECRET=m IMDS_ENDPOINT=http://imds "
				     "https_proxy=p1 HTTPS_PROXY=p2 NO_PROXY=n1 no_proxy=n2 "
				     "ALL_PROXY=a1 all_proxy=a2 SSL_CERT_FILE=f SSL_CERT_DIR=d "
				     "AZURE_EMPTY= ]"));
	heard(PROVIDER_DIR "-https", "https:environment", NULL, text);
	assert_string_equal(text, "told=1 lines=[ ]");
	heard(PROVIDER_DIR, "deviant:environment", c, text);
	assert_string_equal(text, "told=1 lines=[ ]");
	assert_int_equal(credentials_set_pin(c, TOKEN_KEY, "1234"), 0);
	heard(PROVIDER_DIR "-pkcs11", TOKEN_KEY, c, text);
	assert_string_equal(text, "told=1 lines=[ SOFTHSM2_CONF=s CMKDISK_PIN=1234 ]");
	heard(PROVIDER_DIR "-pkcs11", "PKCS11:environment", c, text);
	assert_string_equal(text, "told=1 lines=[ SOFTHSM2_CONF=s ]");
	// The process's own environment has nothing of it.
	heard(PROVIDER_DIR "-https", "https:witness", c, text);
	assert_non_null(strstr(text, "env=[ PATH LANG ]"));
	credentials_free(&c);
}

static void providers_are_told_what_is_for_their_keys_alone(void **state)
{
	(void)state;
	assert_int_equal(start_part("agent", full), 0);
}

// How often the secret is in the memory of a process that may be read; -1: it may not.
static int count_in(pid_t pid)
{
	static const char secret[] = SECRET;
	static uint8_t buf[1 << 20];
	char path[64], line[512];
	int found = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	int mem autoclose = open(path, O_RDONLY | O_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps autofclose = fopen(path, "re");
	if (mem < 0 || !maps)
		return -1;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from = 0, to = 0;
		char access[8] = "";
		if (sscanf(line, "%lx-%lx %7s", &from, &to, access) != 3 ||
			strncmp(access, "rw", 2) != 0 || to - from > (1ul << 30))
			continue;
		for (unsigned long at = from; at < to; at += sizeof(buf) - sizeof(secret)) {
			size_t want = to - at < sizeof(buf) ? to - at : sizeof(buf);
			ssize_t n = pread(mem, buf, want, (off_t)at);
			const uint8_t *p = buf;
			while (n > 0 && (p = memmem(p, (size_t)(buf + n - p), secret,
						 sizeof(secret) - 1)) != NULL) {
				found++;
				p++;
			}
		}
	}
	return found;
}

static int settled_count(pid_t pid, int expected)
{
	int found = count_in(pid);
	for (int tries = 0; tries < 100 && found > expected; tries++) {
		(void)usleep(20 * 1000);
		found = count_in(pid);
	}
	return found;
}

#define SKIPPED 77

static void part_memory(void)
{
	struct credentials *c = NULL;
	struct errmsg err = {""};
	struct agent_answer answer;
	struct agent_stats st;
	assert_int_equal(credentials_take(&c, &err), 0);
	struct agent *a = make_agent(PROVIDER_DIR "-https", "https:good", c);
	assert_true(rig_unwrap(a, &answer));
	agent_stats(a, &st);
	int found = settled_count(st.pid, 1); // where the provider may read it
	if (found < 0)
		_exit(SKIPPED);
	assert_int_equal(found, 1);
	assert_true(rig_unwrap(a, &answer)); // and it is not sent again
	assert_int_equal(settled_count(st.pid, 1), 1);
	agent_free(&a);
	credentials_free(&c);
}

static void an_agent_holds_them_once_until_it_closes(void **state)
{
	(void)state;
	int status = start_part("memory", full);
	if (status == SKIPPED)
		skip();
	assert_int_equal(status, 0);
}

static void what_does_not_fit_into_one_message_is_refused_beforehand(void **state)
{
	(void)state;
	static char line[CREDENTIALS_MAX];
	const char *const env[] = {line, NULL};
	(void)snprintf(line, sizeof(line), "AZURE_CLIENT_SECRET=");
	size_t name = strlen(line);
	memset(line + name, 'x', sizeof(line) - 1 - name);
	assert_int_equal(start_part("room", env), 0);
}

static void part_room(void)
{
	static char config[9000];
	struct credentials *c = NULL;
	struct agent *a = NULL;
	struct errmsg err = {""};
	struct agent_answer answer;
	assert_int_equal(credentials_take(&c, &err), 0);
	memset(config, ' ', sizeof(config) - 1);
	struct agent_config wanted = {.program = AGENT_PROGRAM,
		.plugin_dir = PROVIDER_DIR "-https",
		.key_url = "https:good",
		.config = config,
		.disk = "",
		.deadline_ms = LONG_MS,
		.credentials = c};
	assert_int_equal(agent_new(&wanted, &a, &err), -EINVAL);
	assert_non_null(strstr(err.text, "16384 bytes of credentials"));
	assert_null(strstr(err.text, "xxx"));
	config[7000] = '\0'; // with less of a key set it goes through
	assert_int_equal(agent_new(&wanted, &a, &err), 0);
	assert_true(rig_unwrap(a, &answer));
	agent_free(&a);
	credentials_free(&c);
}

static int run_part(const char *name)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} parts[] = {{"take", part_take}, {"none", part_none}, {"fits", part_fits},
		{"too_long", part_too_long}, {"fork", part_fork}, {"agent", part_agent},
		{"memory", part_memory}, {"room", part_room}};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcmp(parts[i].name, name) != 0)
			continue;
		parts[i].run(); // a failed assertion ends the process
		return 0;
	}
	return 64;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken_is_gone_from_environ_and_nothing_else_is),
		cmocka_unit_test(none_is_none),
		cmocka_unit_test(sixteen_kibibytes_are_the_limit),
		cmocka_unit_test(they_survive_a_fork),
		cmocka_unit_test(providers_are_told_what_is_for_their_keys_alone),
		cmocka_unit_test(an_agent_holds_them_once_until_it_closes),
		cmocka_unit_test(what_does_not_fit_into_one_message_is_refused_beforehand),
	};
	if (argc == 2)
		return run_part(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
