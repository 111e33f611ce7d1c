// SPDX-License-Identifier: MIT
// See credentials.h.
#include "credentials.h"

#include "kept.h"
#include "notes.h"
#include "plugins.h"
#include "scope.h"
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum kind { KIND_VAULT, KIND_MODULE, KIND_COUNT, KIND_NOBODY = KIND_COUNT };

struct block {
	struct secret *text; // NULL: nothing
	size_t len;	     // bytes used of it
};

struct pin {
	struct pin *next;
	char *key_url;
	struct secret *line; // "CMKDISK_PIN=..." with its NUL; NULL: there is no PIN
};

struct credentials {
	struct block blocks[KIND_COUNT];
	struct pin *pins;
	struct notes *notes;
};

#define PIN_NAME "CMKDISK_PIN="

// What the names begin with; one that ends in '=' is the whole of it. The first that fits counts.
static const struct {
	const char *name;
	enum kind kind;
} wanted[] = {{"AZURE_", KIND_VAULT}, {"IDENTITY_", KIND_VAULT}, {"MSI_", KIND_VAULT},
	{"IMDS_ENDPOINT=", KIND_VAULT}, {"HTTPS_PROXY=", KIND_VAULT}, {"https_proxy=", KIND_VAULT},
	{"ALL_PROXY=", KIND_VAULT}, {"all_proxy=", KIND_VAULT}, {"NO_PROXY=", KIND_VAULT},
	{"no_proxy=", KIND_VAULT}, {"SSL_CERT_FILE=", KIND_VAULT}, {"SSL_CERT_DIR=", KIND_VAULT},
	{"SOFTHSM2_CONF=", KIND_MODULE}, {"TPM2_PKCS11_STORE=", KIND_MODULE},
	{"TPM2_PKCS11_TCTI=", KIND_MODULE}, {"TPM2_PKCS11_LOG_LEVEL=", KIND_MODULE},
	{"TPM2_PKCS11_BACKEND=", KIND_MODULE}, {"TSS2_LOG=", KIND_MODULE},
	{"TSS2_FAPICONF=", KIND_MODULE}, {"OPENSC_CONF=", KIND_MODULE},
	{"YUBIHSM_PKCS11_CONF=", KIND_MODULE}, {"P11NETHSM_CONFIG_FILE=", KIND_MODULE},
	{"P11_KIT_SERVER_ADDRESS=", KIND_MODULE}, {"KRYOPTIC_CONF=", KIND_MODULE},
	{"ChrystokiConfigurationPath=", KIND_MODULE}, {"CKNFAST_", KIND_MODULE},
	{"NFAST_", KIND_MODULE}, {"CLOUDHSM_PIN=", KIND_NOBODY}, {"CLOUDHSM_", KIND_MODULE},
	{"PKCS11SPY", KIND_MODULE}};

static const struct {
	const char *scheme;
	enum kind kind;
} told[] = {{"https", KIND_VAULT},
	// The provider itself refuses http: but for loopback addresses that a key set allows for
	// tests.
	{"http", KIND_VAULT}, {"pkcs11", KIND_MODULE}};

#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

static bool is_wanted(const char *line, enum kind *kind)
{
	for (size_t i = 0; i < COUNT_OF(wanted); i++)
		if (strncmp(line, wanted[i].name, strlen(wanted[i].name)) == 0) {
			*kind = wanted[i].kind;
			return true;
		}
	return false;
}

static void keep_line(struct block *b, const char *line, size_t len, size_t *needed)
{
	*needed += len;
	if (!b->text || *needed > b->text->len)
		return;
	memcpy(b->text->data + b->len, line, len);
	b->len += len;
}

// Moves every wanted line into c, as far as there is room, and closes the gaps. needed: how much
// room they need.
static void move(struct credentials *c, size_t needed[KIND_COUNT])
{
	char **keep = environ;
	for (char **e = environ; *e; e++) {
		enum kind kind;
		if (!is_wanted(*e, &kind)) {
			*keep++ = *e;
			continue;
		}
		size_t len = strlen(*e) + 1;
		if (kind != KIND_NOBODY)
			keep_line(&c->blocks[kind], *e, len, &needed[kind]);
		wipe(*e, len);
	}
	*keep = NULL;
}

// A block for each kind of which there is something.
static int make_room(struct credentials *c)
{
	int r = 0;
	for (char **e = environ; e && *e && r == 0; e++) {
		enum kind kind;
		if (is_wanted(*e, &kind) && kind != KIND_NOBODY && !c->blocks[kind].text)
			r = kept_new(CREDENTIALS_MAX, &c->blocks[kind].text);
	}
	return r;
}

int credentials_take(struct credentials **out, struct errmsg *err)
{
	static const char *const names[] = {
		[KIND_VAULT] = "AZURE_*, IDENTITY_*, MSI_* and proxy variables",
		[KIND_MODULE] = "variables for PKCS#11 modules"};
	size_t needed[KIND_COUNT] = {0};
	*out = NULL;
	struct credentials *c scoped(credentials_free) = calloc(1, sizeof(*c));
	int r = c ? notes_new(&c->notes) : -ENOMEM;
	r = r ? r : make_room(c);
	if (r)
		return errmsg_set(
			err, -r, "no memory for the environment's credentials: %s", strerror(-r));
	if (environ)
		move(c, needed);
	for (enum kind k = 0; k < KIND_COUNT; k++)
		if (needed[k] > CREDENTIALS_MAX)
			return errmsg_set(err, E2BIG,
				"the environment's %s are %zu bytes long together, more than %u: "
				"unset those that are not needed",
				names[k], needed[k], CREDENTIALS_MAX);
	*out = TAKE(c);
	return 0;
}

static void pin_free(struct pin **p)
{
	if (!*p)
		return;
	secret_free(&(*p)->line);
	free((*p)->key_url);
	free(*p);
	*p = NULL;
}

void credentials_free(struct credentials **c)
{
	if (!*c)
		return;
	for (enum kind k = 0; k < KIND_COUNT; k++)
		secret_free(&(*c)->blocks[k].text);
	while ((*c)->pins) {
		struct pin *p = (*c)->pins;
		(*c)->pins = p->next;
		pin_free(&p);
	}
	notes_free(&(*c)->notes);
	free(*c);
	*c = NULL;
}

static struct pin *find_pin(const struct credentials *c, const char *key_url)
{
	struct pin *p = c ? c->pins : NULL;
	while (p && strcmp(p->key_url, key_url) != 0)
		p = p->next;
	return p;
}

int credentials_set_pin(struct credentials *c, const char *key_url, const char *pin)
{
	size_t len = pin ? strlen(pin) : 0;
	if (len > CREDENTIALS_PIN_MAX)
		return -EINVAL;
	struct pin *p scoped(pin_free) = calloc(1, sizeof(*p));
	if (!p || !(p->key_url = strdup(key_url)))
		return -ENOMEM;
	if (len > 0) {
		int r = kept_new(sizeof(PIN_NAME) + len, &p->line);
		if (r)
			return r;
		memcpy(p->line->data, PIN_NAME, sizeof(PIN_NAME) - 1);
		memcpy(p->line->data + sizeof(PIN_NAME) - 1, pin, len);
	}
	for (struct pin **at = &c->pins; *at; at = &(*at)->next)
		if (strcmp((*at)->key_url, key_url) == 0) {
			struct pin *old = *at;
			*at = old->next;
			pin_free(&old);
			break;
		}
	p->next = c->pins;
	c->pins = TAKE(p);
	return 0;
}

int credentials_same_pin(struct credentials *c, const char *of, const char *key_url)
{
	const struct pin *p = find_pin(c, of);
	if (!p)
		return -ENOENT;
	if (strcmp(of, key_url) == 0)
		return 0;
	return credentials_set_pin(
		c, key_url, p->line ? (const char *)p->line->data + sizeof(PIN_NAME) - 1 : NULL);
}

size_t credentials_count_pins(const struct credentials *c)
{
	size_t n = 0;
	for (const struct pin *p = c->pins; p; p = p->next)
		n++;
	return n;
}

bool credentials_know_pin(const struct credentials *c, const char *key_url)
{
	return find_pin(c, key_url) != NULL;
}

#define PARTS 2 // of what a provider is told: from the environment, and the PIN

static size_t parts_for(const struct credentials *c, const char *key_url, struct block parts[PARTS])
{
	char scheme[PLUGIN_NAME_ROOM];
	size_t n = 0;
	if (!c || key_url_scheme(key_url, scheme, sizeof(scheme), NULL))
		return 0;
	for (size_t i = 0; i < COUNT_OF(told); i++)
		if (strcmp(scheme, told[i].scheme) == 0 && c->blocks[told[i].kind].len > 0)
			parts[n++] = c->blocks[told[i].kind];
	const struct pin *p = find_pin(c, key_url);
	if (p && p->line)
		parts[n++] = (struct block){p->line, p->line->len};
	return n;
}

size_t credentials_len(const struct credentials *c, const char *key_url)
{
	struct block parts[PARTS];
	size_t n = parts_for(c, key_url, parts), len = 0;
	for (size_t i = 0; i < n; i++)
		len += parts[i].len;
	return len;
}

int credentials_for(const struct credentials *c, const char *key_url, struct secret **out)
{
	struct block parts[PARTS];
	size_t n = parts_for(c, key_url, parts), used = 0;
	*out = NULL;
	if (n == 0)
		return 0;
	int r = secret_new(credentials_len(c, key_url), out);
	for (size_t i = 0; i < n && r == 0; i++) {
		memcpy((*out)->data + used, parts[i].text->data, parts[i].len);
		used += parts[i].len;
	}
	return r;
}

bool credentials_lock(const struct credentials *c, const char *key_url)
{
	struct block parts[PARTS];
	size_t n = parts_for(c, key_url, parts);
	bool locked = !c || notes_lock(c->notes);
	for (size_t i = 0; i < n; i++)
		locked &= kept_lock(parts[i].text);
	return locked;
}

struct notes *credentials_notes(const struct credentials *c)
{
	return c ? c->notes : NULL;
}

int credentials_give_back_modules(const struct credentials *c)
{
	const struct block *b = &c->blocks[KIND_MODULE];
	for (size_t at = 0; at < b->len; at += strlen((char *)b->text->data + at) + 1)
		if (putenv((char *)b->text->data + at))
			return -ENOMEM;
	return 0;
}

void credentials_take_back_modules(const struct credentials *c)
{
	const struct block *b = &c->blocks[KIND_MODULE];
	uintptr_t from = b->text ? (uintptr_t)b->text->data : 0;
	char **keep = environ;
	for (char **e = environ; e && *e; e++)
		if ((uintptr_t)*e < from || (uintptr_t)*e >= from + b->len)
			*keep++ = *e;
	if (keep)
		*keep = NULL;
}
