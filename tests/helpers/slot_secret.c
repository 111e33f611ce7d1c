// SPDX-License-Identifier: MIT
// slot_secret AGENT PLUGINDIR BACKING OUT: asks the key of the disk's first binding for its slot
// secret and writes its 32 bytes to OUT (0600). With it stock cryptsetup opens the keyslot:
//   cryptsetup luksDump --dump-volume-key --volume-key-file DEK --key-file OUT BACKING
#include "agent.h"
#include "luks.h"
#include "scope.h"
#include "secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int write_out(const char *path, const struct secret *s)
{
	int fd autoclose = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, s->data, s->len) != (ssize_t)s->len) {
		perror(path);
		return 74;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct errmsg err = {{0}};
	struct volume *v scoped(volume_close) = NULL;
	struct agent *a scoped(agent_free) = NULL;
	struct secret *plain scoped(secret_free) = NULL;
	struct agent_answer answer;
	if (argc != 5) {
		(void)fprintf(stderr, "usage: slot_secret AGENT PLUGINDIR BACKING OUT\n");
		return 64;
	}
	if (volume_open(argv[3], false, &v, &err)) {
		(void)fprintf(stderr, "slot_secret: %s\n", err.text);
		return 65;
	}
	const struct binding *b = &volume_info(v)->bindings[0];
	struct agent_config c = {.program = argv[1],
		.plugin_dir = argv[2],
		.key_url = b->key_url,
		.config = "{}",
		.disk = ""};
	if (agent_new(&c, &a, &err)) {
		(void)fprintf(stderr, "slot_secret: %s\n", err.text);
		return 78;
	}
	agent_unwrap(a, b->key_version, b->alg, b->wrapped, b->wrapped_len, &plain, &answer);
	if (answer.verdict != CMK_GRANTED) {
		(void)fprintf(stderr, "slot_secret: %s\n", answer.sentence);
		return 77;
	}
	return write_out(argv[4], plain);
}
