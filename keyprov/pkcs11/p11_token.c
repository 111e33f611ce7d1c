// SPDX-License-Identifier: MIT
// Looking through slots; see p11_token.h. Modules are not believed: counts are checked, texts need
// not be padded, and a slot that fails says nothing about its neighbours.
#include "p11_token.h"

#include "p11_rv.h"

#include <stdio.h>
#include <string.h>

#define SLOTS_MAX 4096 // of one module; more is taken for a mistake of the module's
#define SLOTS_TRIES 8  // for slots that appear while they are counted
#define LIST_TEXT 400
#define NAME_TEXT 80
#define LISTED 3      // tokens by name; of more, how many
#define URL_SHOWN 255 // chars of a key URL in a sentence

// Tokens on their way into a sentence.
struct list {
	char text[LIST_TEXT];
	size_t count;
};

// What is seen on the way; the texts are for the sentence.
struct search {
	const struct p11_config *config;
	bool several; // modules: each token's is told
	struct p11_token *found;
	struct list matched;
	struct list others;	  // those that do not match, or cannot be used
	char nonsense[LIST_TEXT]; // what a module said that cannot be
	CK_RV failed, lost;	  // the last answers that were errors
};

static const char *list_text(struct list *l)
{
	size_t used = strlen(l->text);
	if (l->count > LISTED)
		(void)snprintf(
			l->text + used, LIST_TEXT - used, " and %zu more", l->count - LISTED);
	return l->count ? l->text : "none";
}

static void note_failure(struct search *s, CK_RV rv)
{
	s->failed = rv;
	if (p11_rv_is_lost(rv))
		s->lost = rv;
}

// What stands before the padding; some modules end it with a NUL.
static size_t text_len(const CK_UTF8CHAR *text, size_t size)
{
	size_t len = strnlen((const char *)text, size);
	while (len && text[len - 1] == ' ')
		len--;
	return len;
}

#define PAD(field) pad(field, sizeof(field))
static void pad(CK_UTF8CHAR *text, size_t size)
{
	size_t len = text_len(text, size);
	memset(text + len, ' ', size - len);
}

void p11_plain_text(const void *text, size_t len, char *out, size_t room)
{
	const unsigned char *p = text;
	size_t n = len < room ? len : room - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = p[i] >= ' ' && p[i] < 0x7f && p[i] != '"' ? (char)p[i] : '?';
	out[n] = '\0';
}

// Up to the serial number, with the bracket left open.
static void name_of(const CK_TOKEN_INFO *info, char out[NAME_TEXT])
{
	char label[sizeof(info->label) + 1], serial[sizeof(info->serialNumber) + 1];
	p11_plain_text(
		info->label, text_len(info->label, sizeof(info->label)), label, sizeof(label));
	p11_plain_text(info->serialNumber, text_len(info->serialNumber, sizeof(info->serialNumber)),
		serial, sizeof(serial));
	(void)snprintf(out, NAME_TEXT, "token \"%s\" (serial %s", label, serial);
}

static void describe(const struct p11_module *m, struct p11_token *t)
{
	char name[NAME_TEXT];
	name_of(&t->info, name);
	int len = snprintf(t->where, sizeof(t->where), "%s, module %s)", name, m->name);
	// A module's name may be a long path, and stands last.
	if (len >= (int)sizeof(t->where))
		memcpy(t->where + sizeof(t->where) - 5, "...)", 5);
}

static void list_add(const struct search *s, struct list *l, const struct p11_module *m,
	const CK_TOKEN_INFO *info, const char *note)
{
	char name[NAME_TEXT];
	size_t used = strlen(l->text);
	if (l->count++ >= LISTED)
		return;
	name_of(info, name);
	(void)snprintf(l->text + used, LIST_TEXT - used, "%s%s%s%.32s%s)", used ? ", " : "", name,
		s->several ? ", module " : "", s->several ? m->name : "", note);
}

static CK_RV too_many(struct search *s, const struct p11_module *m, CK_ULONG count)
{
	(void)snprintf(s->nonsense, sizeof(s->nonsense),
		"module %.200s says that it has %lu slots, which cannot be", m->name, count);
	return CKR_GENERAL_ERROR;
}

// *out is the caller's to free, also after a failure.
static CK_RV list_slots(
	struct search *s, const struct p11_module *m, CK_SLOT_ID **out, CK_ULONG *count)
{
	for (int i = 0; i < SLOTS_TRIES; i++) {
		CK_ULONG room = 0;
		CK_RV rv = m->f->C_GetSlotList(CK_TRUE, NULL, &room);
		if (rv != CKR_OK)
			return rv;
		if (room > SLOTS_MAX)
			return too_many(s, m, room);
		free(*out);
		*out = calloc(room + 1, sizeof(**out));
		if (!*out)
			return CKR_HOST_MEMORY;
		*count = room;
		rv = room ? m->f->C_GetSlotList(CK_TRUE, *out, count) : CKR_OK;
		if (rv == CKR_OK && *count > room)
			return too_many(s, m, *count);
		if (rv != CKR_BUFFER_TOO_SMALL)
			return rv;
	}
	return CKR_BUFFER_TOO_SMALL;
}

// library-description, library-manufacturer, library-version. A module that does not tell is
// matched by a URI that says nothing of it.
static bool module_matches(const struct p11_config *config, CK_FUNCTION_LIST *f)
{
	CK_INFO info = {0};
	if (f->C_GetInfo(&info) != CKR_OK)
		memset(&info, 0, sizeof(info));
	PAD(info.manufacturerID);
	PAD(info.libraryDescription);
	return p11_kit_uri_match_module_info(config->uri, &info);
}

static bool slot_matches(const struct p11_config *config, CK_FUNCTION_LIST *f, CK_SLOT_ID slot)
{
	CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(config->uri);
	CK_SLOT_INFO info = {0};
	if (wanted != (CK_SLOT_ID)-1 && wanted != slot)
		return false;
	if (f->C_GetSlotInfo(slot, &info) != CKR_OK)
		memset(&info, 0, sizeof(info));
	PAD(info.slotDescription);
	PAD(info.manufacturerID);
	return p11_kit_uri_match_slot_info(config->uri, &info);
}

static CK_RV read_token(CK_FUNCTION_LIST *f, CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	CK_RV rv = f->C_GetTokenInfo(slot, info);
	PAD(info->label);
	PAD(info->manufacturerID);
	PAD(info->model);
	PAD(info->serialNumber);
	return rv;
}

// Of a slot that the URL does not mean, and only when no token was found: so that a person sees
// what is there.
static void look_beside(struct search *s, const struct p11_module *m, CK_SLOT_ID slot)
{
	CK_TOKEN_INFO info = {0};
	char note[40];
	if (slot_matches(s->config, m->f, slot) || read_token(m->f, slot, &info) != CKR_OK ||
		!(info.flags & CKF_TOKEN_INITIALIZED))
		return;
	(void)snprintf(note, sizeof(note), ", slot-id %lu", slot);
	list_add(s, &s->others, m, &info, note);
}

static void look_at_slot(struct search *s, const struct p11_module *m, CK_SLOT_ID slot)
{
	struct p11_token t = {.f = m->f, .slot = slot};
	if (!slot_matches(s->config, m->f, slot))
		return;
	CK_RV rv = read_token(m->f, slot, &t.info);
	if (rv != CKR_OK) {
		note_failure(s, rv);
		return;
	}
	describe(m, &t);
	bool matches = p11_kit_uri_match_token_info(s->config->uri, &t.info);
	if (!(t.info.flags & CKF_TOKEN_INITIALIZED)) {
		// Several modules offer an empty slot for a new token, whatever else is there.
		if (matches && text_len(t.info.label, sizeof(t.info.label)))
			list_add(s, &s->others, m, &t.info, ", not initialised");
		return;
	}
	list_add(s, matches ? &s->matched : &s->others, m, &t.info, "");
	if (matches && s->matched.count == 1)
		*s->found = t;
}

typedef void look_fn(struct search *s, const struct p11_module *m, CK_SLOT_ID slot);

static void look_at_module(struct search *s, const struct p11_module *m, look_fn *look)
{
	autofree CK_SLOT_ID *slots = NULL;
	CK_ULONG count = 0;
	if (!m->ready || !module_matches(s->config, m->f))
		return;
	CK_RV rv = list_slots(s, m, &slots, &count);
	if (rv != CKR_OK) {
		note_failure(s, rv);
		return;
	}
	for (CK_ULONG i = 0; i < count; i++)
		look(s, m, slots[i]);
}

// What to do stands before the lists: a long sentence is cut at its end.
static enum cmk_verdict none_found(
	struct search *s, const struct p11_modules *modules, struct kp_outcome *o)
{
	char asked[200], why[P11_RV_TEXT] = "";
	p11_modules_list(modules, asked, sizeof(asked));
	for (size_t i = 0; i < modules->count; i++)
		look_at_module(s, &modules->all[i], look_beside);
	if (*s->nonsense)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"no token matches %.*s, but %s; it is faulty: install another version of "
			"it",
			URL_SHOWN, s->config->text, s->nonsense);
	if (s->failed != CKR_OK)
		p11_rv_name(s->failed, why);
	return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"no token matches %.*s; connect the token, or correct the key URL%s%s; other "
		"tokens there: %s; modules asked: %s",
		URL_SHOWN, s->config->text, *why ? "; a slot answered " : "", why,
		list_text(&s->others), asked);
}

static CK_RV unseen(const struct search *s, const struct p11_modules *modules)
{
	if (*p11_kit_uri_get_token_info(s->config->uri)->serialNumber)
		return CKR_OK;
	for (size_t i = 0; i < modules->count; i++)
		if (!modules->all[i].ready)
			return modules->all[i].refused;
	return s->failed;
}

enum cmk_verdict p11_token_find(const struct p11_config *config, const struct p11_modules *modules,
	struct p11_token *out, CK_RV *lost, struct kp_outcome *o)
{
	struct search s = {.config = config, .several = modules->count > 1, .found = out};
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < modules->count; i++)
		look_at_module(&s, &modules->all[i], look_at_slot);
	*lost = s.matched.count ? CKR_OK : s.lost;
	out->unseen = unseen(&s, modules);
	if (s.matched.count == 1)
		return CMK_GRANTED;
	memset(out, 0, sizeof(*out));
	if (!s.matched.count)
		return none_found(&s, modules, o);
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"%zu tokens match %.*s; add token= or serial= to it, so that one is meant: %s",
		s.matched.count, URL_SHOWN, config->text, list_text(&s.matched));
}
