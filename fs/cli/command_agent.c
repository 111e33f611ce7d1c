// SPDX-License-Identifier: MIT
// See command_agent.h.
#include "command_agent.h"
#include "agent.h"
#include "cli.h"
#include "command_records.h"
#include "keyset.h"
#include "pin.h"

// Longer than a mount's: a person waits, no disk does.
#define AGENT_DEADLINE_MS 30000

int command_agent(const struct cli *cli, const char *key_url, const struct keyset *settings,
	const char *backing, const char *disk, struct agent **out, struct errmsg *err)
{
	int rc = pin_provide(cli, settings, key_url, backing, err);
	if (rc)
		return rc;
	return agent_new(&(struct agent_config){.program = cli->agent,
				 .plugin_dir = cli->plugin_dir,
				 .credentials = cli->credentials,
				 .key_url = key_url,
				 .config = settings ? settings->config : "{}",
				 .disk = disk,
				 .deadline_ms = AGENT_DEADLINE_MS,
				 .answered = command_records_answered,
				 .answered_ctx = cli->records},
		out, err);
}
