// SPDX-License-Identifier: MIT
#include "p11_deviant_rig.h"

#include "credentials.h"
#include "secret.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LINE_LEN 256

static const uint8_t plain_text[32] = "thirty-two bytes to keep secret";

// At once, so that a module that reads meanwhile sees the old text or the new.
static void write_file(const char *path, const char *text)
{
	char next[160];
	(void)snprintf(next, sizeof(next), "%s.next", path);
	FILE *f = fopen(next, "we");
	assert_non_null(f);
	assert_int_equal(fchmod(fileno(f), 0600), 0);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(next, path), 0);
}

void rig_order(const struct deviant_rig *r, const char *text)
{
	write_file(r->control, text);
	write_file(r->log, "");
}

void rig_write_pin(const struct deviant_rig *r, const char *pin)
{
	write_file(r->pin, pin);
}

static void make_keys(struct p11_rig *p11)
{
	CK_SESSION_HANDLE s = p11_rig_session(p11, "bank");
	(void)p11_rig_generate(
		p11, s, &(struct p11_rig_key){.label = "disk", .id = "\1\2", .bits = 2048});
	(void)p11_rig_generate(
		p11, s, &(struct p11_rig_key){.label = "decoy", .id = "\3\4", .bits = 2048});
	(void)p11_rig_generate(p11, s, &(struct p11_rig_key){.label = "aes", .id = "\5\6"});
	assert_int_equal(p11->f->C_CloseSession(s), CKR_OK);
}

int deviant_rig_setup(void **state)
{
	struct deviant_rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	p11_rig_new(&r->p11);
	make_keys(&r->p11);
	(void)snprintf(r->control, sizeof(r->control), "%s/control", r->p11.dir);
	(void)snprintf(r->log, sizeof(r->log), "%s/log", r->p11.dir);
	(void)snprintf(r->pin, sizeof(r->pin), "%s/pin", r->p11.dir);
	int n = snprintf(r->config, sizeof(r->config),
		"{\"cmkdisk\":{\"pkcs11\":{\"query\":\"module-path=%s&pin-source=file:%s\","
		"\"environment\":{\"SOFTHSM2_CONF\":\"%s\",\"DEVIANT_CONTROL\":\"%s\","
		"\"DEVIANT_LOG\":\"%s\"}}}}",
		DEVIANT_MODULE, r->pin, getenv("SOFTHSM2_CONF"), r->control, r->log);
	assert_in_range(n, 1, sizeof(r->config) - 1);
	rig_write_pin(r, P11_RIG_PIN "\n");
	rig_order(r, "");
	rig_forget(r);
	*state = r;
	return 0;
}

int deviant_rig_teardown(void **state)
{
	struct deviant_rig *r = *state;
	credentials_free(&r->credentials);
	p11_rig_free(&r->p11);
	free(r);
	return 0;
}

void rig_forget(struct deviant_rig *r)
{
	struct errmsg err = {.text = ""};
	char *conf = strdup(getenv("SOFTHSM2_CONF"));
	assert_non_null(conf);
	credentials_free(&r->credentials);
	if (credentials_take(&r->credentials, &err))
		fail_msg("%s", err.text);
	// It is taken for agents; a test may load the module itself.
	assert_int_equal(setenv("SOFTHSM2_CONF", conf, 1), 0);
	free(conf);
}

struct agent *rig_start(const struct deviant_rig *r, const char *key_url, uint32_t deadline_ms)
{
	struct agent *a = NULL;
	struct errmsg err = {.text = ""};
	struct agent_config c = {.program = AGENT_PROGRAM,
		.plugin_dir = PROVIDER_DIR,
		.key_url = key_url,
		.config = r->config,
		.disk = "test",
		.credentials = r->credentials,
		.deadline_ms = deadline_ms};
	if (agent_new(&c, &a, &err))
		fail_msg("%s", err.text);
	return a;
}

void rig_make(struct agent *a, struct cmk_wrapped *out, struct agent_answer *answer)
{
	struct secret *plain scoped(secret_free) = NULL;
	assert_int_equal(secret_dup(plain_text, sizeof(plain_text), &plain), 0);
	agent_wrap(a, plain, out, answer);
}

bool rig_ask(struct agent *a, const struct cmk_wrapped *w, struct agent_answer *answer)
{
	struct secret *plain scoped(secret_free) = NULL;
	agent_unwrap(a, w->version, w->alg, w->data, w->len, &plain, answer);
	assert_true((plain != NULL) == (answer->verdict == CMK_GRANTED));
	return plain && plain->len == sizeof(plain_text) &&
	       memcmp(plain->data, plain_text, sizeof(plain_text)) == 0;
}

bool rig_recovers(struct agent *a, const struct cmk_wrapped *w)
{
	struct agent_answer answer;
	if (rig_ask(a, w, &answer))
		return true;
	if (!strstr(answer.sentence, "it is started again in")) {
		print_message("%s\n", answer.sentence);
		return false;
	}
	assert_in_range(answer.retry_after_ms, 1, 5000);
	uint32_t ms = answer.retry_after_ms + 5;
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	(void)nanosleep(&t, NULL);
	bool granted = rig_ask(a, w, &answer);
	if (!granted)
		print_message("%s\n", answer.sentence);
	return granted;
}

unsigned rig_logged(const struct deviant_rig *r, int pid, const char *text)
{
	char line[LINE_LEN];
	unsigned n = 0;
	FILE *f = fopen(r->log, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) && (pid == 0 || strtol(line, NULL, 10) == pid);
	(void)fclose(f);
	return n;
}

long rig_logged_number(const struct deviant_rig *r, const char *text)
{
	char line[LINE_LEN];
	long n = 0;
	FILE *f = fopen(r->log, "re");
	assert_non_null(f);
	while (n == 0 && fgets(line, sizeof(line), f))
		if (strstr(line, text))
			n = strtol(strstr(line, text) + strlen(text), NULL, 0);
	(void)fclose(f);
	return n;
}

void rig_orderly(const struct deviant_rig *r, int pid)
{
	unsigned opened = rig_logged(r, 0, " C_OpenSession = 0x0\n");
	unsigned closed = rig_logged(r, 0, " C_CloseSession = ");
	if (opened != closed)
		fail_msg("%u sessions were opened, %u closed", opened, closed);
	unsigned started = rig_logged(r, 0, " C_Initialize flags ");
	assert_int_equal(rig_logged(r, 0, " C_Initialize flags 0x2\n"), started);
	assert_int_equal(rig_logged(r, pid, " C_Initialize flags "), started);
	assert_int_equal(rig_logged(r, pid, " C_"), rig_logged(r, 0, " C_"));
}

int rig_pid(const struct agent *a)
{
	struct agent_stats st;
	agent_stats(a, &st);
	return st.pid;
}

bool rig_is_alive(int pid)
{
	return kill(pid, 0) == 0;
}
