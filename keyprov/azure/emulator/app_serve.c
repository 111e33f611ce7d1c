// SPDX-License-Identifier: MIT
// The life of a running emulator; see app.h.
#include "app.h"

#include "emu_time.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static void app_end(struct app *a)
{
	// No step of the timeline may meet listeners that are gone, no handler parts that are.
	timeline_free(&a->timeline);
	emu_http_free(&a->http);
	vaults_free(&a->vaults);
	identities_free(&a->identities);
	audit_free(&a->audit);
	faults_free(&a->faults);
	emu_cert_free(&a->cert);
	kp_scope_close(&a->lock);
}

static void run_step(void *ctx, int64_t at_ms, const char *action, const struct kp_json *args)
{
	struct app *a = ctx;
	scoped(kp_json_free) struct kp_json *result = NULL;
	struct kp_err err = {""};
	struct emu_request q = {
		.port = EMU_ADMIN, .authority = "", .path = "/timeline", .client = "timeline"};
	int ret = app_act(a, action, args, &result, &err);
	app_note(a, &q, action, args, ret, &err);
	(void)fprintf(stderr, "cmkdisk-vault: %lld.%03lld s: %s: %s\n", (long long)(at_ms / 1000),
		(long long)(at_ms % 1000), action, ret ? err.text : "done");
}

static int check_step(void *ctx, const struct kp_json *args, struct kp_err *err)
{
	(void)ctx;
	return app_check(args, true, err);
}

static int open_timeline(struct app *a, struct kp_err *err)
{
	struct timeline_host host = {.check = check_step, .run = run_step, .ctx = a};
	return a->options->timeline ? timeline_open(a->options->timeline, &host, &a->timeline, err)
				    : 0;
}

// What can be known to be wrong before anything is made.
static int check_options(const struct app_options *o, struct kp_err *err)
{
	if (!o->listen || emu_socket_loopback(o->listen))
		return 0;
	if (!emu_socket_address(o->listen))
		return kp_fail(err, EINVAL,
			"--listen %s: is no address to listen on; write one such as 127.0.0.1:8443 "
			"or [::1]:8443",
			o->listen);
	if (o->allow_remote)
		return 0;
	return kp_fail(err, EINVAL,
		"--listen %s: is not an address of this host's loopback, such as 127.0.0.1:8443; "
		"add --allow-remote if other hosts shall reach keys that nothing protects",
		o->listen);
}

static int listen_on(struct app *a, enum emu_port port, const char *address, struct kp_err *err)
{
	const struct emu_listen l = {
		.port = port,
		.address = address,
		.cert_pem = port == EMU_TLS ? a->cert.cert_pem : NULL,
		.key_pem = port == EMU_TLS ? a->cert.key_pem : NULL,
	};
	int ret = emu_http_listen(a->http, &l, a->bound[port], err);
	const char *colon = strrchr(a->bound[port], ':');
	if (!ret && colon)
		a->settings.ports[port] = (int)strtol(colon + 1, NULL, 10);
	return ret;
}

// At the port of the last run, or at any other if somebody has taken that one meanwhile; then the
// URLs change.
static int listen_kept(struct app *a, enum emu_port port, const char *host, struct kp_err *err)
{
	char address[EMU_ADDRESS_ROOM];
	int kept = a->settings.ports[port];
	(void)snprintf(address, sizeof(address), "%s:%d", host, kept);
	int ret = listen_on(a, port, address, err);
	if (ret != -EADDRINUSE || kept == 0)
		return ret;
	(void)fprintf(stderr,
		"cmkdisk-vault: warning: port %d is taken; another is used, and URLs change\n",
		kept);
	(void)snprintf(address, sizeof(address), "%s:0", host);
	return listen_on(a, port, address, err);
}

static int listen_plain(struct app *a, enum emu_port port, struct kp_err *err)
{
	char address[EMU_ADDRESS_ROOM];
	int wanted = a->options->ports[port];
	if (wanted == APP_PORT_OFF)
		return 0;
	if (wanted == 0)
		return listen_kept(a, port, "127.0.0.1", err);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%d", wanted);
	return listen_on(a, port, address, err);
}

static int listen_tls(struct app *a, struct kp_err *err)
{
	const char *address = a->options->listen;
	int ret = address ? listen_on(a, EMU_TLS, address, err)
			  : listen_kept(a, EMU_TLS, "127.0.0.1", err);
	const char *port = strrchr(a->bound[EMU_TLS], ':');
	(void)snprintf(
		a->login, sizeof(a->login), "https://login.vault.localhost%s", port ? port : "");
	return ret;
}

static int listen_rest(struct app *a, struct kp_err *err)
{
	char address[PATH_MAX + 32];
	int ret = 0;
	for (int i = EMU_IMDS; i <= EMU_ARC && !ret; i++)
		ret = listen_plain(a, (enum emu_port)i, err);
	(void)snprintf(address, sizeof(address), "unix:%s/admin.sock", a->options->state);
	return ret ? ret : listen_on(a, EMU_ADMIN, address, err);
}

static int open_audit(struct app *a, struct kp_err *err)
{
	char path[PATH_MAX + 16];
	(void)snprintf(path, sizeof(path), "%s/audit.log", a->options->state);
	return audit_open(a->options->audit ? a->options->audit : path, &a->audit, err);
}

// A request that comes while the parts are still being made waits for them.
static int route(void *ctx, struct emu_request *q, struct emu_reply *r)
{
	struct app *a = ctx;
	if (!atomic_load(&a->ready))
		return emu_reply_error(
			r, 503, "ServiceUnavailable", NULL, "The emulator is starting; ask again.");
	return app_route(a, q, r);
}

static int open_parts(struct app *a, struct kp_err *err)
{
	char authority[192];
	int ret = faults_new(a->options->seed, &a->faults);
	(void)snprintf(authority, sizeof(authority), "%s/%s", a->login, a->settings.tenant);
	if (!ret)
		ret = faults_authority(a->faults, authority);
	if (ret)
		return kp_fail(err, -ret, "out of memory");
	const struct identities_config ic = {.dir = a->options->state,
		.clock = &a->clock,
		.tenant = a->settings.tenant,
		.authority = a->login,
		.arc_dir = a->options->arc_dir};
	ret = identities_open(&ic, &a->identities, err);
	if (ret)
		return ret;
	const struct vaults_config vc = {.dir = a->options->state,
		.clock = &a->clock,
		.identities = a->identities,
		.faults = a->faults,
		.audit = a->audit,
		.authority = authority};
	return vaults_open(&vc, &a->vaults, err);
}

// The address decides the URLs, and these go into the parts: so listening comes before them.
static int open_all(struct app *a, struct kp_err *err)
{
	const char *dir = a->options->state;
	int ret = check_options(a->options, err);
	if (!ret)
		ret = open_timeline(a, err);
	if (!ret)
		ret = app_state_lock(dir, &a->lock, err);
	if (!ret)
		ret = app_settings_load(dir, &a->settings, err);
	if (!ret)
		ret = emu_ca_open(dir, &a->cert, err);
	if (!ret)
		ret = open_audit(a, err);
	if (!ret && emu_http_new(route, a, &a->http))
		ret = kp_fail(err, ENOMEM, "out of memory");
	if (!ret)
		ret = listen_tls(a, err);
	if (!ret)
		ret = open_parts(a, err);
	if (!ret)
		ret = app_seed(a, err);
	if (!ret)
		ret = listen_rest(a, err);
	if (!ret)
		ret = app_settings_save(dir, &a->settings, err);
	return ret ? ret : app_write_files(a, err);
}

static int start_timeline(struct app *a, struct kp_err *err)
{
	int ret = a->timeline ? timeline_start(a->timeline) : 0;
	return ret ? kp_fail(err, -ret, "cannot start the timeline: %s", strerror(-ret)) : 0;
}

int app_serve(const struct app_options *o, struct kp_err *err)
{
	scoped(app_end) struct app a = {.options = o, .lock = -1};
	sigset_t ends;
	int got;
	// Before any thread is made, so that all of them leave these to us.
	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	int ret = open_all(&a, err);
	if (ret)
		return ret;
	atomic_store(&a.ready, true);
	ret = app_announce(&a, err);
	if (!ret)
		ret = start_timeline(&a, err);
	return ret ? ret : -sigwait(&ends, &got);
}
