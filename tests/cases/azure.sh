# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the cases share in which a disk's key is in a vault of their own; sourced after lib.sh,
# lease.sh and vault.sh.
# shellcheck source-path=SCRIPTDIR source=lease.sh disable=SC2016
# shellcheck source=grace.sh
. "$CASES/grace.sh"

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

# quietly ACTION...: as vault, without the result.
quietly() {
	vault "$@" >/dev/null
}

# lose_in FROM TO ACTION...: an action that takes the key away FROM to TO seconds later.
lose_in() {
	local from=$1 to=$2
	shift 2
	taking "$from" "$to" quietly "$@"
}

# lose ACTION...: one that takes it away at once.
lose() {
	taking 0 0 quietly "$@"
}
