#!/bin/bash
# SPDX-License-Identifier: MIT
# The program cmkdisk-keyfile: every verb, every exit code, and that neither a race nor kill -9
# loses a key. Usage: keyfile_program.sh PROGRAM
# shellcheck disable=SC2030,SC2031 # the subshells that set "failed" are meant to keep it
set -u
prog=$1
dir=$(mktemp -d "$PWD/keyfile-program.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0

fail() {
	echo "FAILED: $*" >&2
	failed=1
}

# expect STATUS [TEXT] -- ARGS: the exit code, TEXT in the output, and one line on stderr if it fails.
expect() {
	local status=$1 text="" got
	shift
	if [ "$1" != -- ]; then
		text=$1
		shift
	fi
	shift
	"$prog" "$@" >out 2>err
	got=$?
	[ "$got" = "$status" ] || fail "$* exited with $got, not $status: $(cat err)"
	if [ -n "$text" ] && ! cat out err | grep -qF -- "$text"; then
		fail "$*: no '$text' in: $(cat out err)"
	fi
	if [ "$status" = 0 ]; then
		[ -s err ] && fail "$*: succeeded but complained: $(cat err)"
	else
		[ "$(wc -l <err)" = 1 ] || fail "$*: not one sentence: $(cat err)"
	fi
}

# json BUNDLE EXPRESSION: a value of show --json, as python sees it in d.
json() {
	"$prog" show --json "$1" | python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$2"
}

same() {
	[ "$2" = "$3" ] || fail "$1: '$2', not '$3'"
}

# The checks above can fail.
[ "$(failed=0; expect 1 -- --help 2>/dev/null; echo $failed)" = 1 ] || fail "expect cannot fail"
[ "$(failed=0; same x 1 2 2>/dev/null; echo $failed)" = 1 ] || fail "same cannot fail"

# new
expect 0 "file:$dir/k%20%C3%A4.json" -- new --bits 2048 "k ä.json"
expect 0 "file:$dir/rsa.json" -- new rsa.json
same "mode" "$(stat -c %a rsa.json)" 600
same "default size" "$(json rsa.json 'd["versions"][0]["bits"]')" 3072
expect 0 -- new --type oct oct.json
same "oct size" "$(json oct.json 'd["versions"][0]["bits"]')" 256
before=$(sha256sum <rsa.json)
expect 73 "never overwritten" -- new rsa.json
same "not overwritten" "$(sha256sum <rsa.json)" "$before"
expect 0 -- new --type oct --expires-in 1h --not-before 2020-01-01T00:00:00+01:00 dated.json
same "nbf" "$(json dated.json 'd["versions"][0]["attributes"]["nbf"]')" 1577833200
same "exp" "$(json dated.json 'd["versions"][0]["attributes"]["exp"] - d["created"] in (3600, 3601)')" True
expect 0 -- new --type oct --expires-at 2021-01-01T00:00:00Z expired.json
expect 0 expired -- show expired.json

# Bad command lines.
expect 64 -- new
expect 64 "one key bundle" -- new a b
expect 64 -- frobnicate rsa.json
expect 64 "does not take --json" -- new --json a
expect 64 "unknown" -- new --nonsense a
expect 64 "needs a value" -- new --bits
expect 64 "2048" -- new --bits 1024 a
expect 64 -- new --bits x a
expect 64 -- new --type dsa a
expect 64 "256" -- new --type oct --bits 128 a
expect 64 -- new --expires-in 1x a
expect 64 -- new --expires-in 0 a
expect 64 -- new --expires-at tomorrow a
expect 64 -- new --expires-at 2030-02-30T00:00:00Z a
expect 64 "two options" -- new --expires-in 1h --expires-at 2030-01-01T00:00:00Z a
expect 64 "before it becomes valid" -- new --not-before 2031-01-01T00:00:00Z --expires-at 2030-01-01T00:00:00Z a
expect 64 "key URL" -- show file:/a
expect 64 -- show dir/
[ -e a ] && fail "a refused command line made a file"
"$prog" >/dev/null 2>err && fail "no verb is no success"

# rotate
old=$(json rsa.json 'd["versions"][0]["version"]')
new=$("$prog" rotate rsa.json) || fail "rotate"
same "two versions" "$(json rsa.json 'len(d["versions"])')" 2
same "new is last" "$(json rsa.json 'd["versions"][-1]["version"]')" "$new"
same "old is kept" "$(json rsa.json 'd["versions"][0]["version"]')" "$old"
same "same size" "$(json rsa.json 'd["versions"][1]["bits"]')" 3072
expect 64 -- rotate --bits 128 oct.json

# disable, enable: all or one, and twice is fine and writes nothing.
enabled='[v["attributes"]["enabled"] for v in d["versions"]]'
expect 0 -- disable rsa.json
same "all disabled" "$(json rsa.json "$enabled")" "[False, False]"
inode=$(stat -c %i rsa.json)
expect 0 -- disable rsa.json
same "twice writes nothing" "$(stat -c %i rsa.json)" "$inode"
expect 0 -- enable --version "$old" rsa.json
same "one enabled" "$(json rsa.json "$enabled")" "[True, False]"
expect 0 disabled -- show rsa.json
expect 0 -- enable rsa.json
same "all enabled" "$(json rsa.json "$enabled")" "[True, True]"
expect 64 "no version" -- disable --version 00 rsa.json

# expire
exps='[v["attributes"]["exp"] for v in d["versions"]]'
expect 0 -- expire --at 2030-01-01T00:00:00Z rsa.json
same "expiry" "$(json rsa.json "$exps")" "[1893456000, 1893456000]"
expect 0 -- expire --version "$old" --never rsa.json
same "expiry of one" "$(json rsa.json "$exps")" "[None, 1893456000]"
expect 0 -- expire --in 1d rsa.json
expect 0 -- expire rsa.json
same "expired now" "$(json rsa.json '[v["state"] for v in d["versions"]]')" "['expired', 'expired']"
inode=$(stat -c %i rsa.json)
expect 0 -- expire rsa.json
same "expired stays" "$(stat -c %i rsa.json)" "$inode"
expect 0 -- expire --never rsa.json
expect 64 -- expire --never --in 1d rsa.json

# delete, recover
expect 0 -- delete rsa.json
expect 0 -- delete rsa.json
same "deleted" "$(json rsa.json 'd["deletedDate"] is None')" False
expect 0 Deleted -- show rsa.json
expect 77 "recover" -- rotate rsa.json
expect 0 -- recover rsa.json
expect 0 -- recover rsa.json
same "recovered" "$(json rsa.json 'd["deletedDate"]')" None

# show tells nothing private.
python3 - rsa.json oct.json >private <<'EOF'
import json, sys
for name in sys.argv[1:]:
    for v in json.load(open(name))["versions"]:
        for m in ("d", "p", "q", "dp", "dq", "qi", "k"):
            if m in v["key"]:
                print(v["key"][m])
EOF
[ "$(wc -l <private)" = 13 ] || fail "the list of private members is not whole"
grep -qFf private rsa.json || fail "the search for private members cannot find any"
for b in rsa.json oct.json; do
	"$prog" show "$b" | grep -qFf private && fail "show $b prints private members"
	"$prog" show --json "$b" | grep -qFf private && fail "show --json $b prints private members"
done
rm private

# What is wrong with the file.
for verb in rotate disable enable expire delete recover show; do
	expect 66 "no such key bundle" -- $verb missing.json
	expect 66 "no directory" -- $verb nowhere/k.json
done
expect 66 -- new nowhere/k.json
cp oct.json open.json && chmod 640 open.json
expect 77 "chmod 600" -- disable open.json
echo '{' >broken.json && chmod 600 broken.json
expect 65 "not a usable key bundle" -- disable broken.json
expect 65 -- show broken.json
ln -s oct.json link.json
expect 77 "symbolic link" -- show link.json
expect 73 -- new link.json
head -c 300000 /dev/zero >big.json && chmod 600 big.json
expect 65 "larger" -- show big.json
"$prog" show oct.json >/dev/full 2>err && fail "a full standard output is no success"
expect 66 "a?b" -- show "$(printf 'a\033b')"

# Locks: parallel changes are all there afterwards; one that is held too long is said to be busy.
for _ in 1 2 3 4 5 6; do "$prog" rotate oct.json >/dev/null & pids+=" $!"; done
for p in $pids; do wait "$p" || fail "a parallel rotate failed"; done
same "parallel rotates" "$(json oct.json 'len(d["versions"])')" 7
(flock 9; exec sleep 30) 9>.oct.json.lock &
holder=$!
while flock -n .oct.json.lock true; do sleep 0.02; done
"$prog" disable oct.json 2>/dev/null & waiting=$!
expect 75 "try again" -- disable oct.json
wait $waiting
same "busy for both" $? 75
# While one waits: it is sealed before it reads anything.
"$prog" disable oct.json & waiting=$!
sleep 0.3
grep -q '^Max core file size *0 *0 ' /proc/$waiting/limits || fail "core files are not forbidden"
kill "$holder"
wait "$holder" 2>/dev/null
wait $waiting || fail "did not go on when the lock was released"
expect 0 -- disable oct.json
expect 0 -- enable oct.json

# Two at once make one key.
"$prog" new --type oct twin.json >/dev/null 2>&1 & a=$!
"$prog" new --type oct twin.json >/dev/null 2>&1 & b=$!
wait $a; a=$?; wait $b; b=$?
same "twins" "$((a + b))" 73

# kill -9 at any moment leaves the old or the new bundle, and nothing in the way of the next.
count() { "$prog" show --json oct.json | grep -c '"version":'; }
versions=$(count)
for i in $(seq 40); do
	"$prog" rotate oct.json >/dev/null 2>&1 & p=$!
	[ $((i % 3)) = 0 ] || sleep "0.00$((i % 10))"
	kill -9 $p 2>/dev/null
	wait $p 2>/dev/null
	now=$(count)
	[ "$now" = "$versions" ] || [ "$now" = $((versions + 1)) ] || fail "$versions versions became $now"
	versions=$now
done
expect 0 -- disable oct.json
same "no leftover" "$(find . -name '.*.lock')" ""

# --help names every verb; messages begin with the name it was called by.
expect 0 -- --help
for verb in new rotate disable enable expire delete recover show; do
	grep -q "^  $verb  " out || fail "--help does not explain $verb"
done
(exec -a "cmkdisk keyfile" "$prog" show missing.json) 2>err
grep -q '^cmkdisk keyfile: ' err || fail "messages do not begin with argv[0]"

exit $failed
