# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the cases about rotation and rekey share; sourced after lib.sh and lease.sh.
# shellcheck source-path=SCRIPTDIR source=lib.sh

# newest [BUNDLE]: the newest version of a key.
newest() {
	cmkdisk keyfile show --json "${1:-$KEY}" | jq -r '.versions | max_by(.created) | .version'
}

# rotate_key [BUNDLE]: VERSION is a new version of it, FORMER the newest one before.
rotate_key() {
	# shellcheck disable=SC2034 # for the case
	FORMER=${VERSION-}
	VERSION=$(cmkdisk keyfile rotate "${1:-$KEY}")
}

# bound BACKING: the versions that open it, sorted.
bound() {
	cmkdisk info --json "$1" | jq -r '[.bindings[].keyVersion] | sort | join(" ")'
}

# versions: those in use in MNT, one a line.
versions() {
	of_disk .key.version | sort -u
}

versions_are() {
	[ "$(versions)" = "$1" ]
}

# bound_is BACKING VERSION...: the header has these bindings and no more.
bound_is() {
	local backing=$1
	shift
	[ "$(bound "$backing")" = "$(tr ' ' '\n' <<<"$*" | sort | paste -sd ' ')" ]
}

# rotation_says CODE [DISK-NAME]: the status has this error of a rotation; - for none.
rotation_says() {
	[ "$(of_disk '.rotation.error.code // "-"' "${2-}" | sort -u)" = "$1" ]
}

# no_gap NAME: the witness never failed, and never waited for long.
no_gap() {
	testimony "$1"
	expect_of "$1" '.failed == 0 and .ok > 1000' "I/O failed"
	expect_of "$1" '.longestGapMs < 2000' "I/O paused"
}
