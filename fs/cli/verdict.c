// SPDX-License-Identifier: MIT
// Verdicts for commands.
#include "verdict.h"
#include "agent.h"
#include "binding.h"
#include "clock.h"
#include "keydates.h"

#include <errno.h>

static const char *const verdicts[] = {
	[CMK_GRANTED] = "granted",
	[CMK_DENIED] = "denied",
	[CMK_UNREACHABLE] = "unreachable",
	[CMK_MISCONFIGURED] = "misconfigured",
	[CMK_BAD_BLOB] = "bad-blob",
};
#define VERDICT_COUNT ((int)(sizeof(verdicts) / sizeof(verdicts[0])))

static const char *const reasons[] = {
	[CMK_REASON_NONE] = "none",
	[CMK_REASON_DISABLED] = "disabled",
	[CMK_REASON_DELETED] = "deleted",
	[CMK_REASON_FORBIDDEN] = "forbidden",
	[CMK_REASON_NOT_PERMITTED] = "not-permitted",
	[CMK_REASON_IDENTITY] = "identity",
};
#define REASON_COUNT ((int)(sizeof(reasons) / sizeof(reasons[0])))

int dates_errno(const struct binding *b, const struct cmk_key_info *info, struct errmsg *err)
{
	char sentence[512];
	int rc = key_dates_judge(b->key_url, b->key_version, info->nbf, info->exp,
		clock_wall_s(clock_real()), sentence, sizeof(sentence));
	return rc ? errmsg_set(err, -rc, "%s", sentence) : 0;
}

const char *verdict_name(int verdict)
{
	return verdict >= 0 && verdict < VERDICT_COUNT ? verdicts[verdict] : "unknown";
}

const char *reason_name(int reason)
{
	return reason >= 0 && reason < REASON_COUNT ? reasons[reason] : "unknown";
}
