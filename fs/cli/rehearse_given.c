// SPDX-License-Identifier: MIT
// main() has moved credentials out of the environment; the commands of a rehearsal need them there,
// for they are run as the operator would run them.
#include "rehearse_given.h"

#include "credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int given_key_environment(
	const struct cli *cli, const char *key_url, struct given_key *out, struct errmsg *err)
{
	*out = (struct given_key){.told = NULL};
	int r = credentials_for(cli->credentials, key_url, &out->told);
	size_t len = !r && out->told ? out->told->len : 0, lines = 0;
	for (size_t i = 0; i < len; i++)
		lines += out->told->data[i] == '\0';
	out->environment = calloc(lines + 1, sizeof(*out->environment));
	if (r || !out->environment)
		return errmsg_set(err, ENOMEM, "no memory for the key's credentials");
	char *line = lines ? (char *)out->told->data : NULL;
	for (size_t i = 0; i < lines; i++, line += strlen(line) + 1)
		out->environment[i] = line;
	return 0;
}

void given_key_free(struct given_key *k)
{
	free(k->environment);
	secret_free(&k->told);
	k->environment = NULL;
}
