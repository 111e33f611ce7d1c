# SPDX-License-Identifier: MIT
"""cmkdisk-tokenkey on a terminal of its own: PROGRAM URL, the URL without a PIN."""
import os
import pty
import re
import select
import signal
import sys
import termios
import time

PROGRAM, URL = sys.argv[1:]


class Run:
    def __init__(self, *argv, stopped=False):
        go, ready = os.pipe()
        self.pid, self.tty = pty.fork()
        if self.pid == 0:
            os.close(ready)
            os.read(go, 1)
            os.execv(PROGRAM, [PROGRAM, *argv])
        if stopped:  # by Ctrl-S: the program can write nothing until Ctrl-Q
            os.write(self.tty, b"\x13")
        os.close(go)
        os.close(ready)
        self.said = ""

    def read(self, until=None):
        end = time.monotonic() + 30
        while until is None or until not in self.said:
            assert time.monotonic() < end, f"waited for {until!r}; it said {self.said!r}"
            if not select.select([self.tty], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(self.tty, 4096)
            except OSError:
                break
            if not data:
                break
            self.said += data.decode()
        return self.said

    def echo(self):
        return bool(termios.tcgetattr(self.tty)[3] & termios.ECHO)

    def quiet(self):
        end = time.monotonic() + 30
        while self.echo():
            assert time.monotonic() < end, "the echo is never off"
            time.sleep(0.01)

    def type(self, text):
        os.write(self.tty, text.encode())

    def end(self):
        self.read()
        return os.waitpid(self.pid, 0)[1]


run = Run("show", "--key", URL)
assert "PIN for pkcs11:token=bank;object=made (Enter: none): " in run.read(until="none): "), run.said
run.quiet()
run.type("1234\n")
assert run.end() == 0, run.said
assert "1234" not in run.said.split("Version")[0], "the PIN is shown"
assert "newest" in run.said, run.said

# The echo is off before the question is there: whoever types ahead is not shown.
run = Run("show", "--key", URL, stopped=True)
run.quiet()
assert not select.select([run.tty], [], [], 0)[0], "the terminal was not stopped"
run.type("\x11")
run.read(until="none): ")
run.type("1234\n")
assert run.end() == 0, run.said

run = Run("show", "--key", URL)
run.read(until="none): ")
run.quiet()
run.type("\n")
assert os.waitstatus_to_exitcode(run.end()) == 78, f"no PIN: {run.said}"

for key, signum in (("\x03", signal.SIGINT), (None, signal.SIGTERM)):
    run = Run("show", "--key", URL)
    run.read(until="none): ")
    run.quiet()
    if key:
        run.type(key)
    else:
        os.kill(run.pid, signum)
    status = os.waitpid(run.pid, 0)[1]
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signum, status
    assert run.echo(), "the terminal is left without echo"

# An answer that is not yes destroys nothing. The PIN in the list of arguments is wiped meanwhile.
SECRET = "pin-value=1234"
for answer, wanted in (("no\n", 77), ("yes\n", 0)):
    run = Run("destroy", "--all", "--key", URL + "&" + SECRET)
    run.read(until="Type yes: ")
    assert 'To be destroyed in token "bank"' in run.said, run.said
    assert re.search(r'^  key "made" \(id [0-9a-f]{32}\), RSA 3072\r$', run.said, re.M), run.said
    with open(f"/proc/{run.pid}/cmdline", "rb") as f:
        line = f.read()
    assert b"pin-value=" in line and b"1234" not in line, f"the PIN can be read: {line!r}"
    run.type(answer)
    assert os.waitstatus_to_exitcode(run.end()) == wanted, run.said
