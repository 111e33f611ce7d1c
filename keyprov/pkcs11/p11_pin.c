// SPDX-License-Identifier: MIT
// See p11_pin.h.
#include "p11_pin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_MAX (P11_PIN_MAX + 3) // with a line end, and one byte to see that it is too long

static enum cmk_verdict unusable(const char *path, const char *why, struct kp_outcome *o)
{
	return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE, "PIN file %s: %s", path, why);
}

static enum cmk_verdict new_text(
	const struct cmk_host *host, struct p11_pin *pin, struct kp_outcome *o)
{
	pin->text = host->secret_alloc(host, READ_MAX + 1);
	if (pin->text)
		return CMK_GRANTED;
	return kp_outcome_set(o, CMK_UNREACHABLE, CMK_REASON_NONE, "no locked memory for the PIN");
}

// NULL, or why the open file is not taken.
static const char *unfit(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "it is no regular file; write the PIN into one";
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "it belongs to another user; it must belong to root or to the user of this "
		       "process";
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		return "others than its owner may use it; say chmod 600";
	return NULL;
}

// The whole of a file of at most READ_MAX bytes. *len is READ_MAX where there is more.
static int read_all(int fd, char *text, size_t *len)
{
	*len = 0;
	while (*len < READ_MAX) {
		ssize_t n = read(fd, text + *len, READ_MAX - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		*len += (size_t)n;
	}
	return 0;
}

// Takes off the line end. NULL, or why what is left is no PIN.
static const char *no_pin(struct p11_pin *pin)
{
	if (pin->len && pin->text[pin->len - 1] == '\n') {
		pin->text[--pin->len] = '\0';
		if (pin->len && pin->text[pin->len - 1] == '\r')
			pin->text[--pin->len] = '\0';
	}
	if (!pin->len)
		return "it is empty; write the PIN into it";
	if (pin->len > P11_PIN_MAX)
		return "it holds more than the 255 bytes of a PIN";
	for (size_t i = 0; i < pin->len; i++)
		if ((unsigned char)pin->text[i] < ' ' || pin->text[i] == 0x7f)
			return "it holds more than one line of text; write the PIN into it and "
			       "nothing else";
	return NULL;
}

static enum cmk_verdict from_file(const char *path, struct p11_pin *out, struct kp_outcome *o)
{
	struct stat st;
	// O_NONBLOCK: somebody else's FIFO must not hold us up.
	autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"PIN file %s: cannot be opened: %s; write the PIN into it (mode 600), or "
			"correct pin-source in the key URL",
			path, strerror(errno));
	const char *why = unfit(&st);
	if (why)
		return unusable(path, why, o);
	int ret = read_all(fd, out->text, &out->len);
	if (ret)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"PIN file %s: cannot be read: %s", path, strerror(-ret));
	why = no_pin(out);
	if (why)
		return unusable(path, why, o);
	out->written = st.st_mtim;
	return CMK_GRANTED;
}

static enum cmk_verdict from_person(const char *text, struct p11_pin *out, struct kp_outcome *o)
{
	out->len = strlen(text);
	if (out->len > P11_PIN_MAX)
		return kp_outcome_set(o, CMK_MISCONFIGURED, CMK_REASON_NONE,
			"the PIN that was given is longer than %d bytes; give the right one",
			P11_PIN_MAX);
	memcpy(out->text, text, out->len + 1);
	return CMK_GRANTED;
}

enum cmk_verdict p11_pin_get(const struct cmk_host *host, const struct p11_config *config,
	struct p11_pin *out, struct kp_outcome *o)
{
	*out = (struct p11_pin){0};
	if (!config->pin && !config->pin_source)
		return CMK_GRANTED;
	enum cmk_verdict v = new_text(host, out, o);
	if (v == CMK_GRANTED)
		v = config->pin ? from_person(config->pin, out, o)
				: from_file(config->pin_source, out, o);
	if (v != CMK_GRANTED)
		p11_pin_free(host, out);
	return v;
}

void p11_pin_free(const struct cmk_host *host, struct p11_pin *pin)
{
	host->secret_free(host, pin->text);
	*pin = (struct p11_pin){0};
}
