# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the cases about leases, key agents and secrets share; sourced after lib.sh.
# shellcheck source-path=SCRIPTDIR source=lib.sh

HELPERS=$(dirname "$CASES")/helpers

# of_disk FILTER [DISK-NAME]: what jq's FILTER finds in the status of each disk (or that one).
of_disk() {
	cmkdisk status --json "$MNT" |
		jq -r --arg name "${2-}" ".[0].disks[] | select(\$name == \"\" or .name == \$name) | $1"
}

# wait_for SECONDS CMD...: until CMD succeeds.
wait_for() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || fail "it never came true: $*"
		sleep 0.02
	done
}

# ended PID: it runs no more, though its parent may not have asked how it ended.
ended() {
	! grep -q '^State:[[:space:]]*[A-WYa-z]' "/proc/$1/status" 2>/dev/null
}

# expect_sentence REGEX [DISK-NAME]: the status tells why.
expect_sentence() {
	local said
	said=$(of_disk '.sentence // ""' "${2-}")
	grep -Eq -- "$1" <<<"$said" || fail "the status should say /$1/; it says: $said"
}

# expect_errno NAME CMD...: CMD fails, and says the text of this errno.
expect_errno() {
	local text said
	text=$(python3 -c 'import errno, os, sys; print(os.strerror(getattr(errno, sys.argv[1])))' "$1")
	shift
	! said=$("$@" 2>&1 </dev/null) || fail "'$*' should fail: $text"
	[[ $said == *"$text"* ]] || fail "'$*' should fail with '$text'; it said: $said"
}

# open_anew [PATH]: for expect_errno.
open_anew() {
	python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDONLY)' "${1:-$FILE}"
}

# fill FILE [MIB]: random bytes onto a disk, 8 MiB behind its start, where no witness writes; a copy
# of them is in $SCRATCH/NAME.copy.
fill() {
	local copy
	copy=$SCRATCH/$(basename "$1").copy
	dd if=/dev/urandom of="$copy" bs=1M count="${2:-4}" status=none
	dd if="$copy" of="$1" bs=1M seek=8 oflag=direct conv=notrunc status=none
}

# expect_filled FILE: what fill() wrote is still there.
expect_filled() {
	local copy
	copy=$SCRATCH/$(basename "$1").copy
	cmp -n "$(stat -c %s "$copy")" -i 0:8M "$copy" "$1" || fail "$1 is not what was written"
}

# witness NAME FILE [THREADS]: tests/helpers/io_witness on it, with its files open from now on.
declare -A witness_pid
witness() {
	io_witness "$2" "${3:-4}" >"$SCRATCH/$1.out" &
	witness_pid[$1]=$!
	on_exit leave_witness "$1"
	wait_for 20 grep -q ready "$SCRATCH/$1.out"
}

# testimony NAME: ends the witness; what it saw is in $SCRATCH/NAME.seen.
testimony() {
	kill "${witness_pid[$1]}"
	wait "${witness_pid[$1]}" || fail "the witness $1 failed"
	unset "witness_pid[$1]"
	tail -n 1 "$SCRATCH/$1.out" >"$SCRATCH/$1.seen"
	cat "$SCRATCH/$1.seen"
}

leave_witness() {
	[ -z "${witness_pid[$1]-}" ] || kill -9 "${witness_pid[$1]}"
}

# expect_of NAME CONDITION TEXT: jq's CONDITION holds for what the witness saw. $low and $high are
# the bounds of the deadline, in ns.
expect_of() {
	jq -e --argjson low "${low:-0}" --argjson high "${high:-0}" "$2" "$SCRATCH/$1.seen" >/dev/null ||
		fail "$3: $2 does not hold for $(cat "$SCRATCH/$1.seen") (deadline $low..$high)"
}

# hold FILE: from now on held() tells what can be had of pages that were read before (helpers/held-pages).
hold() {
	coproc HOLDER { exec "$HELPERS/held-pages" "$1"; }
	on_exit leave_holder
}

held() {
	local said
	echo >&"${HOLDER[1]}"
	read -r said <&"${HOLDER[0]}"
	echo "$said"
}

held_is() {
	[[ $(held) == "$1" ]]
}

leave_holder() {
	local pid=${HOLDER_PID-}
	[ -n "$pid" ] || return 0
	kill "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
}

# search_memory PID dek|bytes FILE: FOUND is how often it is there, UNPROTECTED how often on a page
# that may be swapped or dumped.
search_memory() {
	local said
	said=$("$HELPERS/memory-search" "$@") || fail "cannot search process $1"
	FOUND=$(jq .found <<<"$said")
	# shellcheck disable=SC2034 # for the case
	UNPROTECTED=$(jq .unprotected <<<"$said")
	jq -r '.where[]' <<<"$said" >"$SCRATCH/where"
}

expect_found() {
	search_memory "$@"
	[ "$FOUND" -gt 0 ] || fail "$2 should be in the memory of $1: this search finds nothing"
}

expect_not_found() {
	search_memory "$@"
	[ "$FOUND" -eq 0 ] || fail "$2 is in the memory of $1: $(cat "$SCRATCH/where")"
}

# private_program PROVIDER...: a copy of the program in $SCRATCH/prefix, first in PATH from here on,
# that has also these test providers.
private_program() {
	local provider
	mkdir -p "$SCRATCH/prefix/lib"
	cp -r "$BUILD/bin" "$BUILD/libexec" "$SCRATCH/prefix/"
	cp -r "$BUILD/lib/cmkdisk" "$SCRATCH/prefix/lib/"
	for provider in "$@"; do
		cp "$BUILD/tests/providers/cmkdisk-keyprov-$provider.so" "$SCRATCH/prefix/lib/cmkdisk/providers/"
	done
	chmod -R go-w "$SCRATCH/prefix"
	PATH=$SCRATCH/prefix/bin:$PATH
}
