// SPDX-License-Identifier: MIT
// See p11_world.h.
#include "p11_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct p11_world p11_world;

static void path_in_rig(char *out, size_t size, const char *name)
{
	int n = snprintf(out, size, "%s/%s", p11_world.rig.dir, name);
	assert_in_range(n, 1, size - 1);
}

static CK_RV counted_initialize(void *args)
{
	struct p11_world *w = &p11_world;
	w->initialised++;
	w->init_flags = ((CK_C_INITIALIZE_ARGS *)args)->flags;
	return w->init_says != CKR_OK ? w->init_says : w->real->C_Initialize(args);
}

static CK_RV counted_finalize(void *reserved)
{
	struct p11_world *w = &p11_world;
	w->finalised++;
	return w->final_says != CKR_OK ? w->final_says : w->real->C_Finalize(reserved);
}

static CK_RV flagged_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	struct p11_world *w = &p11_world;
	CK_RV rv = w->real->C_GetTokenInfo(slot, info);
	info->flags = (info->flags | w->set) & ~w->clear;
	if (w->serial)
		info->serialNumber[0] = (CK_UTF8CHAR)w->serial;
	return rv;
}

static CK_RV counted_open(
	CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify, CK_SESSION_HANDLE *s)
{
	struct p11_world *w = &p11_world;
	w->open_flags = flags;
	CK_RV rv = w->open_says != CKR_OK ? w->open_says
					  : w->real->C_OpenSession(slot, flags, app, notify, s);
	w->opened += rv == CKR_OK;
	return rv;
}

static CK_RV counted_close(CK_SESSION_HANDLE s)
{
	struct p11_world *w = &p11_world;
	CK_RV rv = w->real->C_CloseSession(s);
	w->closed += rv == CKR_OK;
	return w->close_says != CKR_OK ? w->close_says : rv;
}

static CK_RV counted_login(CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
	struct p11_world *w = &p11_world;
	w->login_user = user;
	w->logins++;
	w->set |= w->login_sets;
	w->login_null = !pin;
	w->login_len = len;
	return w->login_says != CKR_OK ? w->login_says : w->real->C_Login(s, user, pin, len);
}

int p11_world_setup(void **state)
{
	struct p11_world *w = &p11_world;
	memset(w, 0, sizeof(*w));
	p11_rig_new(&w->rig);
	provider_host_init(&w->host);
	path_in_rig(w->pin_path, sizeof(w->pin_path), "pin");
	p11_world_write_pin(P11_RIG_PIN);
	w->c = (struct p11_context){.host = &w->host.api,
		.config = &w->config,
		.modules = &w->modules,
		.pin_memory = &w->memory};
	*state = w;
	return 0;
}

int p11_world_teardown(void **state)
{
	struct p11_world *w = *state;
	p11_session_end(&w->c, &w->s);
	assert_int_equal(w->opened, w->closed);
	if (w->real)
		w->modules.all[0].f = w->real;
	p11_modules_free(&w->modules);
	p11_config_free(&w->host.api, &w->config);
	p11_rig_free(&w->rig);
	assert_int_equal(w->host.secrets, 0);
	return 0;
}

void p11_world_config(const char *url, const char *query)
{
	struct p11_world *w = &p11_world;
	p11_config_free(&w->host.api, &w->config);
	(void)snprintf(w->url, sizeof(w->url), "%s", url);
	(void)snprintf(
		w->json, sizeof(w->json), "{\"cmkdisk\":{\"pkcs11\":{\"query\":\"%s\"}}}", query);
	const struct cmk_key_ref ref = {
		.struct_size = sizeof(ref), .key_url = w->url, .config = w->json, .disk = "data"};
	if (p11_config_read(&w->host.api, &ref, &w->config, &w->o) != CMK_GRANTED)
		fail_msg("%s", w->o.err.text);
}

void p11_world_load(const char *url)
{
	struct p11_world *w = &p11_world;
	char query[256];
	int n = snprintf(query, sizeof(query), "module-path=%s&pin-source=file:%s", P11_RIG_MODULE,
		w->pin_path);
	assert_in_range(n, 1, sizeof(query) - 1);
	p11_world_config(url, query);
	if (p11_modules_load(&w->config, &w->modules, &w->o) != CMK_GRANTED)
		fail_msg("%s", w->o.err.text);
	w->real = w->modules.all[0].f;
	w->list = *w->real;
	w->list.C_Initialize = counted_initialize;
	w->list.C_Finalize = counted_finalize;
	w->list.C_GetTokenInfo = flagged_token_info;
	w->list.C_OpenSession = counted_open;
	w->list.C_CloseSession = counted_close;
	w->list.C_Login = counted_login;
	w->modules.all[0].f = &w->list;
}

void p11_world_write_pin(const char *pin)
{
	char new[128];
	path_in_rig(new, sizeof(new), "pin.new");
	int fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(dprintf(fd, "%s\n", pin), strlen(pin) + 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(rename(new, p11_world.pin_path), 0);
}

void p11_world_pull(bool away)
{
	char here[128], there[128];
	path_in_rig(here, sizeof(here), "tokens");
	path_in_rig(there, sizeof(there), "drawer");
	if (!away)
		assert_int_equal(rmdir(here), 0);
	assert_int_equal(rename(away ? here : there, away ? there : here), 0);
	if (away)
		assert_int_equal(mkdir(here, 0700), 0);
}

enum cmk_verdict p11_world_begin(bool read_write)
{
	struct p11_world *w = &p11_world;
	p11_session_end(&w->c, &w->s);
	memset(&w->o, 0, sizeof(w->o));
	return p11_session_begin(&w->c, read_write, &w->s, &w->o);
}

void require_outcome(
	enum cmk_verdict got, enum cmk_verdict verdict, enum cmk_reason reason, const char *part)
{
	const struct kp_outcome *o = &p11_world.o;
	if (got != verdict || (got != CMK_GRANTED && (o->verdict != got || o->reason != reason)))
		fail_msg("verdict %d reason %d: %s", got, o->reason, o->err.text);
	if (!strstr(o->err.text, part))
		fail_msg("'%s' is not in: %s", part, o->err.text);
	assert_null(strstr(o->err.text, P11_RIG_PIN));
}
