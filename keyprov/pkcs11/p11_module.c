// SPDX-License-Identifier: MIT
// Loading modules and getting them ready; see p11_module.h.
//
// p11-kit finds and loads them; they are initialised here. Its "managed" modules serve programs in
// which several libraries share a module. An agent is the only user of its modules: what it needs
// is the module's own answer to C_Initialize, and a C_Finalize that reaches the module. Managed
// ones hide the first and count the second, and may need memory that can be written and executed,
// which hardened services forbid. The price: modules registered as "remote:" are not seen, as
// p11-kit has them managed only; its p11-kit-client.so is a module like any other.
#include "p11_module.h"

#include "p11_rv.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LIST_TEXT 400

static enum cmk_verdict no_memory(struct kp_outcome *o)
{
	return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"not enough memory to load PKCS#11 modules; the next check tries again");
}

// Values may be secret: there is no other copy of them than the one that modules read.
static enum cmk_verdict set_environment(char *const *environment, struct kp_outcome *o)
{
	for (; environment && *environment; environment++) {
		size_t len = strcspn(*environment, "=");
		autofree char *name = strndup(*environment, len);
		const char *value = *environment + len + ((*environment)[len] == '=');
		if (!name || setenv(name, value, 1))
			return no_memory(o);
	}
	return CMK_GRANTED;
}

static const char *unfit(const char *path)
{
	struct stat st;
	if (stat(path, &st))
		return strerror(errno);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return "it belongs to another user; it must be root's or one's own";
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return "others may write to it; chmod go-w it";
	return NULL;
}

static const char *unfit_directory(const char *path)
{
	autofree char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	if (!slash)
		return strerror(ENOMEM);
	slash[slash == dir] = '\0';
	return unfit(dir);
}

// real: the file behind all links, which is the one that is checked and loaded. Who may write into
// the directory of a link may put another one there.
static enum cmk_verdict check_path(const char *path, char real[PATH_MAX], struct kp_outcome *o)
{
	const char *what = "", *why;
	if (*path != '/')
		why = "the path must be absolute";
	else if (!realpath(path, real))
		why = errno == ENOENT ? "there is no such file; install the HSM's PKCS#11 module, "
					"or correct module-path in the key URL"
				      : strerror(errno);
	else if (!(why = unfit(real))) {
		what = "its directory: ";
		why = unfit_directory(real);
		if (!why)
			why = unfit_directory(path);
	}
	if (!why)
		return CMK_GRANTED;
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"PKCS#11 module %s cannot be loaded: %s%s", path, what, why);
}

static const char *last_message(void)
{
	const char *message = p11_kit_message();
	return message ? message : "p11-kit does not say why";
}

// Takes over f and name, also on failure; out->all has room.
static enum cmk_verdict add(
	struct p11_modules *out, CK_FUNCTION_LIST *f, char *name, struct kp_outcome *o)
{
	if (!name) {
		p11_kit_module_release(f);
		return no_memory(o);
	}
	out->all[out->count++] = (struct p11_module){.f = f,
		.name = name,
		.reserved = p11_kit_config_option(f, "x-init-reserved"),
		.missing = p11_module_missing(f)};
	return CMK_GRANTED;
}

static void library_close(void **library)
{
	if (*library)
		(void)dlclose(*library);
}

static enum cmk_verdict load_path(const char *path, struct p11_modules *out, struct kp_outcome *o)
{
	char real[PATH_MAX];
	enum cmk_verdict v = check_path(path, real, o);
	if (v != CMK_GRANTED)
		return v;
	out->all = calloc(1, sizeof(*out->all));
	if (!out->all)
		return no_memory(o);
	scoped(library_close) void *library = dlopen(real, RTLD_NOW | RTLD_LOCAL);
	if (!p11_module_has_list(library))
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"PKCS#11 module %s has no function list, though C_GetFunctionList says so; "
			"it is faulty: install another version of it",
			path);
	CK_FUNCTION_LIST *f = p11_kit_module_load(real, P11_KIT_MODULE_UNMANAGED);
	if (!f)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"%s cannot be loaded as a PKCS#11 module: %s; name the HSM's own with "
			"module-path in the key URL",
			path, last_message());
	return add(out, f, strdup(path), o);
}

// Whether a registered module may hold keys of ours, by name (NULL any). Modules of trust policy
// hold certificates.
static bool wanted(CK_FUNCTION_LIST *f, const char *module_name, const char *name)
{
	if (module_name)
		return name && strcmp(name, module_name) == 0;
	return !(p11_kit_module_get_flags(f) & P11_KIT_MODULE_TRUSTED);
}

static enum cmk_verdict none_registered(
	const char *module_name, const char *names, struct kp_outcome *o)
{
	if (!module_name)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"no PKCS#11 module is registered with p11-kit; install the module of the "
			"token, or name its file with module-path in the key URL");
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"no PKCS#11 module \"%.64s\" is registered with p11-kit; correct module-name in "
		"the key URL, or register it (see pkcs11.conf(5)); registered are: %s",
		module_name, *names ? names : "none");
}

static enum cmk_verdict load_registered(
	const char *module_name, struct p11_modules *out, struct kp_outcome *o)
{
	char names[LIST_TEXT] = "";
	size_t n = 0, used = 0;
	enum cmk_verdict v = CMK_GRANTED;
	autofree CK_FUNCTION_LIST **all = p11_kit_modules_load(NULL, P11_KIT_MODULE_UNMANAGED);
	if (!all)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"p11-kit cannot load the PKCS#11 modules registered with it: %s",
			last_message());
	while (all[n])
		n++;
	out->all = calloc(n + 1, sizeof(*out->all));
	for (size_t i = 0; i < n; i++) {
		autofree char *name = p11_kit_module_get_name(all[i]);
		if (used < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
				used ? ", " : "", name ? name : "?");
		if (!out->all || v != CMK_GRANTED || !wanted(all[i], module_name, name))
			p11_kit_module_release(all[i]);
		else
			v = add(out, all[i], TAKE(name), o);
	}
	if (!out->all)
		return no_memory(o);
	if (v == CMK_GRANTED && !out->count)
		v = none_registered(module_name, names, o);
	return v;
}

static void initialise(struct p11_module *m)
{
	m->refused = CKR_FUNCTION_NOT_SUPPORTED;
	if (m->missing)
		return;
	// One thread calls, but modules have threads of their own.
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK, .pReserved = m->reserved};
	CK_RV rv = m->f->C_Initialize(&args);
	if (rv == CKR_OK)
		m->ours = true;
	m->ready = rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED;
	m->refused = m->ready ? CKR_OK : rv;
}

static void finalise(struct p11_module *m)
{
	// One that refuses to end says next that it is initialised already, and is still ours.
	if (m->ours && m->ready)
		(void)m->f->C_Finalize(NULL);
	m->ready = false;
}

static enum cmk_verdict initialise_all(struct p11_modules *m, struct kp_outcome *o)
{
	char list[LIST_TEXT];
	bool any = false, all_faulty = true;
	for (size_t i = 0; i < m->count; i++) {
		initialise(&m->all[i]);
		any |= m->all[i].ready;
		all_faulty &= m->all[i].missing != NULL;
	}
	if (any)
		return CMK_GRANTED;
	if (all_faulty)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"PKCS#11 module %s has no %s, which every module must have; it is faulty: "
			"install another version of it",
			m->all[0].name, m->all[0].missing);
	p11_modules_list(m, list, sizeof(list));
	return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"no PKCS#11 module is ready: %s; see that the device is connected, that the "
		"module's own configuration can be read, and that its daemon (if it has one) runs",
		list);
}

enum cmk_verdict p11_modules_load(
	const struct p11_config *config, struct p11_modules *out, struct kp_outcome *o)
{
	memset(out, 0, sizeof(*out));
	enum cmk_verdict v = set_environment(config->environment, o);
	if (v == CMK_GRANTED)
		v = config->module_path ? load_path(config->module_path, out, o)
					: load_registered(config->module_name, out, o);
	if (v == CMK_GRANTED)
		v = initialise_all(out, o);
	if (v != CMK_GRANTED)
		p11_modules_free(out);
	return v;
}

enum cmk_verdict p11_modules_restart(struct p11_modules *m, struct kp_outcome *o)
{
	for (size_t i = 0; i < m->count; i++)
		finalise(&m->all[i]);
	return initialise_all(m, o);
}

enum cmk_verdict p11_modules_restart_later(struct p11_modules *m, struct kp_outcome *o)
{
	const struct timespec pause = {.tv_nsec = P11_PAUSE_MS * 1000000L};
	(void)nanosleep(&pause, NULL);
	return p11_modules_restart(m, o);
}

// p11-kit keeps its configuration as it read it first, until a list is released while no module is
// in use: without this, a module that is registered later would not be seen by this process.
static void forget_registry(void)
{
	CK_FUNCTION_LIST **none = calloc(1, sizeof(*none));
	if (none)
		p11_kit_modules_release(none);
}

void p11_modules_free(struct p11_modules *m)
{
	for (size_t i = 0; i < m->count; i++) {
		finalise(&m->all[i]);
		p11_kit_module_release(m->all[i].f);
		free(m->all[i].reserved);
		free(m->all[i].name);
	}
	forget_registry();
	free(m->all);
	memset(m, 0, sizeof(*m));
}

void p11_modules_list(const struct p11_modules *m, char *out, size_t size)
{
	size_t used = 0;
	*out = '\0';
	for (size_t i = 0; i < m->count && used < size; i++) {
		const struct p11_module *one = &m->all[i];
		char why[P11_RV_TEXT] = "";
		if (one->missing)
			(void)snprintf(why, sizeof(why), "%s", one->missing);
		else if (!one->ready)
			p11_rv_name(one->refused, why);
		used += (size_t)snprintf(out + used, size - used, "%s%s%s%s%s", used ? ", " : "",
			one->name,
			one->missing ? " (faulty: has no "
			: *why	     ? " (cannot be initialised: "
				     : "",
			why, *why ? ")" : "");
	}
}
