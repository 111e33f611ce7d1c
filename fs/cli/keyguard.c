// SPDX-License-Identifier: MIT
// The sentences of the guard rails, each written once.
#include "keyguard.h"
#include "keyset.h"
#include "keyurl.h"
#include "print.h"

#include <cmkdisk/keyprov.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DAY_S 86400

static void warn(struct keyguard_warnings *out, const char *fmt, ...) printf_like(2, 3);
static void warn(struct keyguard_warnings *out, const char *fmt, ...)
{
	struct errmsg text;
	va_list ap;
	va_start(ap, fmt);
	(void)errmsg_vset(&text, EINVAL, fmt, ap);
	va_end(ap);
	memcpy(out->text[out->count++], text.text, sizeof(text.text));
}

bool keyguard_purgeable(const struct cmk_key_info *info)
{
	return strstr(info->recovery_level, "Purgeable") != NULL;
}

#define PURGEABLE_SENTENCE                                                                 \
	"%.300s: its recovery level is %s: whoever may purge deleted keys can destroy it " \
	"for ever, and every disk with it; turn on purge protection for the key store"

int keyguard_refuse_purgeable(
	const char *key_url, const struct cmk_key_info *info, struct errmsg *err)
{
	if (!keyguard_purgeable(info))
		return 0;
	return errmsg_set(err, EDOM,
		PURGEABLE_SENTENCE ", or say --allow-purgeable if that risk is wanted", key_url,
		info->recovery_level);
}

bool keyguard_near_expiry(const struct cmk_key_info *info, uint64_t near_s, int64_t wall_s)
{
	uint64_t within = near_s ? near_s : NEAR_EXPIRY_DEFAULT_S;
	return info->exp && (info->exp <= wall_s || (uint64_t)(info->exp - wall_s) <= within);
}

int64_t keyguard_days_left(int64_t exp, int64_t wall_s)
{
	int64_t left = exp - wall_s;
	return left < 0 ? -((DAY_S - 1 - left) / DAY_S) : left / DAY_S;
}

static void look_at_attributes(const struct keyset *k, const struct cmk_key_info *info,
	int64_t wall_s, struct keyguard_warnings *out)
{
	char date[32];
	if (keyguard_purgeable(info))
		warn(out, PURGEABLE_SENTENCE, k->key_url, info->recovery_level);
	// Past its date it is refused, or was asked for by on-expiry=ignore.
	if (info->exp <= wall_s || !keyguard_near_expiry(info, k->near_expiry_s, wall_s))
		return;
	format_time(info->exp, date, sizeof(date));
	warn(out,
		"%.300s: version %s expires at %s, in %" PRId64 " days; rotate the key, or set a "
		"later date in the key store",
		k->key_url, info->version, date, keyguard_days_left(info->exp, wall_s));
}

void keyguard_look(const struct keyset *k, const struct cmk_key_info *info, const char *unseen,
	int64_t wall_s, struct keyguard_warnings *out)
{
	*out = (struct keyguard_warnings){0};
	if (info)
		look_at_attributes(k, info, wall_s, out);
	else if (unseen)
		warn(out, "expiry, recovery level and rotation of the key cannot be seen: %s",
			unseen);
	if (!key_url_has_version(k->key_url))
		return;
	if (!key_url_rotates(k->key_url))
		warn(out,
			"%.300s names one version of the key: disks do not follow its rotation; "
			"leave the version out if they should",
			k->key_url);
	else if (k->rotation != KEYSET_ROTATION_ON)
		warn(out,
			"%.300s names one version of the key: disks do not follow its rotation; "
			"leave the version out if they should, or set "
			"rotationToLatestKeyVersionEnabled in the key set",
			k->key_url);
}
