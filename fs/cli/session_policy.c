// SPDX-License-Identifier: MIT
// The policy in force: as the disk was created with, or stricter. What -o asks for must not be
// longer; a key set, which serves many disks, shortens those that are longer and lets the others
// be.
#include "session_internal.h"
#include "units.h"

#include <errno.h>

static int shorten(const struct session_disk *d, const char *name, uint64_t wanted, uint64_t in_set,
	uint64_t sealed, uint64_t *out, struct errmsg *err)
{
	*out = in_set < sealed ? in_set : sealed; // unset is the longest of all
	if (wanted == DURATION_UNSET)
		return 0;
	char want[32], have[32];
	format_duration_ms(wanted, want, sizeof(want));
	format_duration_ms(sealed, have, sizeof(have));
	if (wanted > sealed)
		return errmsg_set(err, EDOM,
			"%s: -o %s=%s is longer than the %s that the disk was created with; mount "
			"options may only shorten it",
			d->backing, name, want, have);
	*out = wanted;
	return 0;
}

int session_policy(struct session_disk *d, struct errmsg *err)
{
	const struct session *s = d->session;
	const struct volume_policy *sealed = &d->info.policy;
	const struct mount_options *o = &s->options;
	const struct keyset none = KEYSET_NONE, *set = s->pin ? s->pin : &none;
	d->policy = (struct lease_policy){
		.expiry_stops = sealed->expiry_stops, .resume_auto = !o->resume_manual};
	int rc = shorten(d, "grace-denied", o->grace_denied_ms, set->grace_denied_ms,
		sealed->grace_denied_ms, &d->policy.grace_denied_ms, err);
	if (!rc)
		rc = shorten(d, "grace-unreachable", o->grace_unreachable_ms,
			set->grace_unreachable_ms, sealed->grace_unreachable_ms,
			&d->policy.grace_unreachable_ms, err);
	if (rc)
		return rc;
	if (!o->on_expiry_given) {
		d->policy.expiry_stops |= set->on_expiry_given && set->expiry_stops;
		return 0;
	}
	if (sealed->expiry_stops && !o->expiry_stops)
		return errmsg_set(err, EDOM,
			"%s: -o on-expiry=ignore, but the disk was created with on-expiry=stop; "
			"mount options may only tighten it",
			d->backing);
	d->policy.expiry_stops = o->expiry_stops;
	return 0;
}

bool session_rotates(const struct session *s)
{
	if (s->options.read_only || s->options.rotation_off)
		return false;
	return !s->pin || s->pin->rotation != KEYSET_ROTATION_OFF;
}
