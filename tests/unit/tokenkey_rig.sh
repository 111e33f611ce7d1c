# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the tests of cmkdisk-tokenkey share: a SoftHSM of their own with a token "bank" in a directory
# that is removed at the end, and checks. Sourced with the program as $1.
set -u
prog=$1
MODULE=/usr/lib/softhsm/libsofthsm2.so
for needed in softhsm2-util pkcs11-tool openssl; do
	command -v $needed >/dev/null || { echo "$needed is not installed"; exit 77; }
done
[ -e $MODULE ] || { echo "$MODULE is not there"; exit 77; }
dir=$(mktemp -d "$PWD/tokenkey.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0

mkdir tokens
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$dir" >softhsm2.conf
export SOFTHSM2_CONF=$dir/softhsm2.conf
softhsm2-util --init-token --free --label bank --pin 1234 --so-pin 87654321 >/dev/null || exit 1
(umask 077; echo 1234 >pin)
Q="module-path=$MODULE&pin-source=file:$dir/pin"

fail() {
	echo "FAILED: $*" >&2
	# shellcheck disable=SC2034 # for the test
	failed=1
}

same() {
	[ "$2" = "$3" ] || fail "$1: '$2', not '$3'"
}

# url LABEL: a whole key URL.
url() {
	echo "pkcs11:token=bank;object=$1?$Q"
}

# p11 ARGS: the stock program on the same token.
p11() {
	pkcs11-tool --module $MODULE --token-label bank "$@"
}

# objects LABEL: as the stock program sees them.
objects() {
	p11 --login --pin 1234 --list-objects 2>/dev/null | awk -v want="$1" '
		/^[A-Z]/ { if (hit) printf "%s", block; block = ""; hit = 0 }
		{ block = block $0 "\n" }
		$1 == "label:" && $2 == want { hit = 1 }
		END { if (hit) printf "%s", block }'
}

# json LABEL EXPRESSION: a value of show --json, as python sees it in d.
json() {
	"$prog" show --json --key "$(url "$1")" |
		python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$2"
}

# expect STATUS [TEXT] -- ARGS: the exit code, TEXT in the output, one sentence on stderr if it fails
# and nothing but notes if it does not; each with the program's name. Without a terminal.
expect() {
	local status=$1 text="" got
	shift
	if [ "$1" != -- ]; then
		text=$1
		shift
	fi
	shift
	setsid -w "$prog" "$@" >out 2>err </dev/null
	got=$?
	[ "$got" = "$status" ] || fail "$* exited with $got, not $status: $(cat err)"
	if [ -n "$text" ] && [[ "$(cat out err)" != *"$text"* ]]; then
		fail "$*: no '$text' in: $(cat out err)"
	fi
	if [ "$status" = 0 ]; then
		grep -qv "^${prog##*/}: note: " err && fail "$*: succeeded but complained: $(cat err)"
	else
		[ "$(grep -cv "^${prog##*/}: note: " err)" = 1 ] || fail "$*: not one sentence: $(cat err)"
	fi
	grep -qv "^${prog##*/}: " err && fail "$*: it does not say who speaks: $(cat err)"
}
