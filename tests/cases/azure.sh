# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the cases share in which a disk's key is in a vault of their own; sourced after lib.sh,
# lease.sh and vault.sh.
# shellcheck source-path=SCRIPTDIR source=lease.sh

# azure_disk JQ-FILTER [MOUNT-OPTION...]: a vault, the key set SET (the ready-made one, changed by
# the filter), and a disk made and mounted with it: DISK, MNT, FILE, with known bytes in it.
azure_disk() {
	local filter=$1
	shift
	start_vault
	with_policy "$filter"
	DISK=$SCRATCH/disk.img
	cmkdisk create --size 64M --set "$SET" "$DISK"
	mount_disk --set "$SET" "$@" "$DISK"
	fill "$FILE"
}

# expect_why CAUSE/REASON REGEX [DISK-NAME]: what the status gives as the cause, and as its sentence.
expect_why() {
	local now
	now=$(of_disk '"\(.cause)/\(.reason)"' "${3-}")
	[ "$now" = "$1" ] || fail "the cause should be $1; it is $now"
	expect_sentence "$2" "${3-}"
}

# count_of NAME: of the disk's checks: total, granted, denied, failed.
count_of() {
	of_disk ".checks.$1"
}

count_reaches() {
	[ "$(count_of "$1")" -ge "$2" ]
}

# wait_more NAME [N]: until N more checks came out like that.
wait_more() {
	wait_for 40 count_reaches "$1" $(($(count_of "$1") + ${2:-1}))
}

# expect_active TEXT: the disk is in no grace.
expect_active() {
	[ "$(state_of)" = active ] || fail "$1: it is $(state_of): $(of_disk .sentence)"
}

# quietly ACTION...: as vault, without the result.
quietly() {
	vault "$@" >/dev/null
}
