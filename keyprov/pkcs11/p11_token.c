// SPDX-License-Identifier: MIT
// Looking through slots; see p11_token.h. Modules are not believed: counts are checked, texts need
// not be padded, and a slot that fails says nothing about its neighbours.
#include "p11_token.h"

#include "p11_rv.h"

#include <stdio.h>
#include <string.h>

#define SLOTS_MAX 4096 // of one module; more is taken for a mistake of the module's
#define SLOTS_TRIES 8  // for slots that appear while they are counted
#define LIST_TEXT 320

// What is seen on the way; the texts are for the sentence.
struct search {
	const struct p11_config *config;
	struct p11_token *found;
	size_t matches;
	char matched[LIST_TEXT];  // with their modules, when there are several
	char others[LIST_TEXT];	  // labels of those that do not match, or cannot be used
	char nonsense[LIST_TEXT]; // what a module said that cannot be
	CK_RV failed, lost;	  // the last answers that were errors
};

static void list_add(char list[LIST_TEXT], const char *item, const char *note)
{
	size_t used = strlen(list);
	(void)snprintf(list + used, LIST_TEXT - used, "%s%s%s", used ? ", " : "", item, note);
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

static void describe(const struct p11_module *m, struct p11_token *t)
{
	char label[sizeof(t->info.label) + 1], serial[sizeof(t->info.serialNumber) + 1];
	p11_plain_text(t->info.label, text_len(t->info.label, sizeof(t->info.label)), label,
		sizeof(label));
	p11_plain_text(t->info.serialNumber,
		text_len(t->info.serialNumber, sizeof(t->info.serialNumber)), serial,
		sizeof(serial));
	int len = snprintf(t->where, sizeof(t->where), "token \"%s\" (serial %s, module %s)", label,
		serial, m->name);
	// A module's name may be a long path, and stands last.
	if (len >= (int)sizeof(t->where))
		memcpy(t->where + sizeof(t->where) - 5, "...)", 5);
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

static void look_at_slot(struct search *s, const struct p11_module *m, CK_SLOT_ID slot)
{
	struct p11_token t = {.f = m->f, .slot = slot};
	if (!slot_matches(s->config, m->f, slot))
		return;
	CK_RV rv = m->f->C_GetTokenInfo(slot, &t.info);
	if (rv != CKR_OK) {
		note_failure(s, rv);
		return;
	}
	PAD(t.info.label);
	PAD(t.info.manufacturerID);
	PAD(t.info.model);
	PAD(t.info.serialNumber);
	describe(m, &t);
	bool matches = p11_kit_uri_match_token_info(s->config->uri, &t.info);
	if (!(t.info.flags & CKF_TOKEN_INITIALIZED)) {
		// Several modules offer an empty slot for a new token, whatever else is there.
		if (matches && text_len(t.info.label, sizeof(t.info.label)))
			list_add(s->others, t.where, " (not initialised)");
		return;
	}
	if (!matches) {
		list_add(s->others, t.where, "");
		return;
	}
	list_add(s->matched, t.where, "");
	if (!s->matches++)
		*s->found = t;
}

static void look_at_module(struct search *s, const struct p11_module *m)
{
	autofree CK_SLOT_ID *slots = NULL;
	CK_ULONG count = 0;
	if (!module_matches(s->config, m->f))
		return;
	CK_RV rv = list_slots(s, m, &slots, &count);
	if (rv != CKR_OK) {
		note_failure(s, rv);
		return;
	}
	for (CK_ULONG i = 0; i < count; i++)
		look_at_slot(s, m, slots[i]);
}

static enum cmk_verdict none_found(
	const struct search *s, const struct p11_modules *modules, struct kp_outcome *o)
{
	char asked[LIST_TEXT], why[P11_RV_TEXT] = "";
	p11_modules_list(modules, asked, sizeof(asked));
	if (*s->nonsense)
		return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
			"no token matches %s, but %s; it is faulty: install another version of it",
			s->config->text, s->nonsense);
	if (s->failed != CKR_OK)
		p11_rv_name(s->failed, why);
	return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE,
		"no token matches %s; modules asked: %s; other tokens there: %s%s%s; connect the "
		"token, or correct the key URL",
		s->config->text, asked, *s->others ? s->others : "none",
		*why ? "; a slot answered " : "", why);
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
	struct search s = {.config = config, .found = out};
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < modules->count; i++)
		if (modules->all[i].ready)
			look_at_module(&s, &modules->all[i]);
	*lost = s.matches ? CKR_OK : s.lost;
	out->unseen = unseen(&s, modules);
	if (s.matches == 1)
		return CMK_GRANTED;
	memset(out, 0, sizeof(*out));
	if (!s.matches)
		return none_found(&s, modules, o);
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
		"%zu tokens match %s: %s; add token= or serial= to the key URL, so that one is "
		"meant",
		s.matches, config->text, s.matched);
}
