# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A disk is LUKS2 as the others read and write it; sourced with SECTOR set. No step that stands for
# the others uses code of ours: header by cryptsetup, slot secret by openssl, data by libgcrypt.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$CASES/lib.sh"
need_fuse
need_program cryptsetup blkid file openssl python3 jq xts_gcrypt
HELPERS=$(dirname "$CASES")/helpers

# Large enough for sector numbers of more than 32 bits; sparse.
SIZE=$((3 << 40))
GIB=$((1 << 30))
# "OFFSET LENGTH" of what is written: start, unaligned, over ends of sectors and of 31, 32 and 41
# bits, many pieces at once, the last bytes.
ranges=("0 1048576" "$((2097152 + 777)) 3" "$((4194304 + 511)) 4098" "$((2 * GIB - 5000)) 10001"
	"$((4 * GIB - 1)) 2" "$((SIZE / 2 - 4097)) 8195" "$((2048 * GIB - 1048577)) 3145731"
	"$((SIZE - 777)) 777")

put() { # FILE OFFSET: standard input goes there
	dd of="$1" bs=1M seek="$2" oflag=seek_bytes iflag=fullblock conv=notrunc status=none
}

get() { # FILE OFFSET LENGTH
	dd if="$1" bs=1M skip="$2" count="$3" iflag=skip_bytes,count_bytes,fullblock status=none
}

# around OFFSET LENGTH: FROM and LEN are the whole sectors of it, and one more on either side.
around() {
	local end=$((($1 + $2 + SECTOR - 1) / SECTOR * SECTOR + SECTOR))
	FROM=$(($1 / SECTOR * SECTOR - SECTOR))
	[ "$FROM" -ge 0 ] || FROM=0
	[ "$end" -le "$SIZE" ] || end=$SIZE
	LEN=$((end - FROM))
}

# independently FROM LEN [TWEAK-FROM]: the backing file's plaintext as libgcrypt sees it.
independently() {
	get "$DISK" $((data_offset + $1)) "$2" | xts_gcrypt dec "$SCRATCH/dek" "$SECTOR" "${3:-$1}"
}

expect_mounts() {
	mount_disk "$DISK"
	get "$FILE" 0 1048576 | cmp - "$SCRATCH/plain.0" || fail "the data has changed after: $1"
	umount_disk
}

new_key
new_disk disk.img "$SIZE" --sector-size "$SECTOR"
data_offset=$(cmkdisk info --json "$DISK" | jq .dataOffset)

step "stock tools know what it is"
cryptsetup isLuks --type luks2 "$DISK" || fail "cryptsetup does not take it for LUKS2"
cryptsetup luksDump "$DISK" >"$SCRATCH/dump"
for line in 'Version:\s+2' 'cipher: aes-xts-plain64' "sector: $SECTOR \[bytes\]" "offset: $data_offset" '0: cmkdisk$' \
	'1: cmkdisk-seal$'; do
	grep -Eq "$line" "$SCRATCH/dump" || fail "luksDump should say /$line/: $(cat "$SCRATCH/dump")"
done
cryptsetup luksDump --dump-json-metadata "$DISK" |
	jq -e --arg url "file:$KEY" '.tokens["0"].key_url == $url and .segments["0"].encryption == "aes-xts-plain64"' >/dev/null ||
	fail "the metadata is not as it should be"
blkid -p "$DISK" | grep -q 'VERSION="2".*TYPE="crypto_LUKS"' || fail "blkid: $(blkid -p "$DISK")"
file "$DISK" | grep -q 'LUKS encrypted file, ver 2' || fail "file: $(file "$DISK")"

step "they unlock it: slot secret by openssl, volume key by cryptsetup"
"$HELPERS/unwrap-slot-secret" "$KEY" "$DISK" "$SCRATCH/slot"
cryptsetup luksDump -q --dump-volume-key --volume-key-file "$SCRATCH/dek" --key-file "$SCRATCH/slot" "$DISK" >/dev/null

step "our ciphertext is theirs: every byte, and what was never written"
mount_disk "$DISK"
for i in "${!ranges[@]}"; do
	read -r offset length <<<"${ranges[i]}"
	head -c "$length" /dev/urandom >"$SCRATCH/plain.$i"
	put "$FILE" "$offset" <"$SCRATCH/plain.$i"
	around "$offset" "$length"
	get "$FILE" "$FROM" "$LEN" >"$SCRATCH/ours"
	independently "$FROM" "$LEN" >"$SCRATCH/theirs"
	expect_same "$SCRATCH/ours" "$SCRATCH/theirs"
	get "$SCRATCH/theirs" $((offset - FROM)) "$length" | cmp - "$SCRATCH/plain.$i" ||
		fail "libgcrypt does not find what was written at $offset"
done
umount_disk
independently 0 1048576 "$SECTOR" | cmp -s - "$SCRATCH/plain.0" && fail "the comparison is blind: a wrong tweak passes"

step "their ciphertext is ours"
for i in "${!ranges[@]}"; do
	read -r offset length <<<"${ranges[i]}"
	around "$offset" "$length"
	head -c "$LEN" /dev/urandom >"$SCRATCH/foreign.$i"
	xts_gcrypt enc "$SCRATCH/dek" "$SECTOR" "$FROM" <"$SCRATCH/foreign.$i" | put "$DISK" $((data_offset + FROM))
done
mount_disk "$DISK"
for i in "${!ranges[@]}"; do
	read -r offset length <<<"${ranges[i]}"
	around "$offset" "$length"
	get "$FILE" "$FROM" "$LEN" | cmp - "$SCRATCH/foreign.$i" || fail "the mount does not read what they wrote at $offset"
done
put "$FILE" 0 <"$SCRATCH/plain.0"
umount_disk

step "one header copy is enough"
dd if=/dev/urandom of="$DISK" bs=64k count=1 conv=notrunc status=none
expect_mounts "wrecking the first header copy"
cryptsetup isLuks "$DISK" || fail "the first copy was not repaired"
dd if=/dev/urandom of="$DISK" bs=64k seek=1 count=1 conv=notrunc status=none
expect_mounts "wrecking the second header copy"

step "a header backup of stock tools brings back the disk"
cryptsetup luksHeaderBackup "$DISK" --header-backup-file "$SCRATCH/header"
dd if=/dev/urandom of="$DISK" bs=1M count=$((data_offset >> 20)) conv=notrunc status=none
expect_fail 65 'LUKS' cmkdisk mount "$DISK" "$MNT"
cryptsetup luksHeaderRestore -q "$DISK" --header-backup-file "$SCRATCH/header"
expect_mounts "restoring the header"

step "a recovery passphrase comes and goes, and the seal does not mind"
printf 'correct horse' >"$SCRATCH/passphrase"
cheap=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
cryptsetup luksAddKey -q "${cheap[@]}" --key-file "$SCRATCH/slot" "$DISK" "$SCRATCH/passphrase"
cryptsetup luksDump -q --dump-volume-key --volume-key-file "$SCRATCH/dek2" --key-file "$SCRATCH/passphrase" "$DISK" >/dev/null
expect_same "$SCRATCH/dek" "$SCRATCH/dek2"
expect_mounts "luksAddKey"
cryptsetup luksRemoveKey -q "$DISK" "$SCRATCH/passphrase"
expect_mounts "luksRemoveKey"

step "erased means erased"
cryptsetup erase -q "$DISK"
expect_fail 65 'disk.img.*(keyslot|erase)' cmkdisk mount "$DISK" "$MNT"
! mounted "$MNT" || fail "an erased disk is mounted"
