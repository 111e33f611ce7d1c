# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A real filesystem on a loop device over a disk; sourced with FS, SIZE, MKFS (an array) and a
# function check_filesystem DEVICE, which fails unless it is clean.
# shellcheck disable=SC2153 # SIZE is theirs
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$CASES/lib.sh"
need_fuse
need_root
need_loop
need_program "mkfs.$FS" fio python3
grep -qw "$FS" /proc/filesystems || modprobe -q "$FS" || skip "this kernel has no $FS"

checksums() {
	(cd "$FSDIR" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

# A tree of real files, a large one, a sparse one, and one of many small synced writes.
populate() {
	cp -a "$TREE" "$FSDIR/tree"
	head -c "$1" /dev/urandom >"$FSDIR/large"
	truncate -s 64M "$FSDIR/sparse"
	for offset in 1 999999 33554431 67108000; do
		head -c 70000 /dev/urandom |
			dd of="$FSDIR/sparse" bs=64k seek=$offset oflag=seek_bytes conv=notrunc status=none
	done
	fio --name=small --filename="$FSDIR/small" --rw=randwrite --bsrange=1-9000 --blockalign=1 --size=2M \
		--io_size=1M --fsync=1 --fallocate=none --ioengine=psync --randrepeat=0 --minimal >/dev/null
}

# The source of the tree is compared with it, so that the checksums are of the right bytes.
compare_with_source() {
	diff -r --no-dereference "$TREE" "$FSDIR/tree" >/dev/null || fail "$FS: the copied tree is not the source"
}

on_disk() { # CMD...: with the disk mounted and LOOP on it
	mount_disk "$DISK"
	loop_over "$FILE"
	"$@"
	unloop
	umount_disk
}

make_and_fill() {
	"${MKFS[@]}" "$LOOP" >/dev/null
	mount_on "$LOOP" "$FSDIR"
	populate "$1"
	compare_with_source
	checksums >"$SCRATCH/sums"
	[ "$(wc -l <"$SCRATCH/sums")" -gt 500 ] || fail "$TREE is too small to be a test"
	umount "$FSDIR"
	check_filesystem "$LOOP" || fail "$FS is not clean after its first use"
}

compare_and_change() {
	check_filesystem "$LOOP" || fail "$FS is not clean after the remount of the disk"
	mount_on "$LOOP" "$FSDIR"
	checksums >"$SCRATCH/again"
	expect_same "$SCRATCH/sums" "$SCRATCH/again"
	compare_with_source
	rm -r "$FSDIR/tree"
	cp "$FSDIR/large" "$FSDIR/second"
	expect_same "$FSDIR/large" "$FSDIR/second"
	umount "$FSDIR"
	check_filesystem "$LOOP" || fail "$FS is not clean in the end"
}

filesystem_case() { # SECTOR TREE LARGE-FILE [CREATE-OPTION...]
	local sector=$1 large=$3
	TREE=$2
	shift 3
	step "$FS on a disk of $sector-byte sectors $*"
	new_disk "disk-$sector.img" "$SIZE" --sector-size "$sector" "$@"
	on_disk make_and_fill "$large"
	on_disk compare_and_change
	rm "$DISK"
}

FSDIR=$SCRATCH/fs
new_key
filesystem_case 4096 /usr/include 100M
filesystem_case 512 /usr/include/linux 20M --thin
