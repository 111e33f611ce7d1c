# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the cases with a SoftHSM of their own share; sourced after lib.sh and lease.sh.
# shellcheck source-path=SCRIPTDIR source=lease.sh
# shellcheck source=grace.sh
. "$CASES/grace.sh"

# The module, and for tokens without one yet: who may do what.
MODULE=/usr/lib/softhsm/libsofthsm2.so
PIN=1234
SO_PIN=87654321
declare -A token_dir

# start_softhsm: a SoftHSM without tokens in $SCRATCH, for this case and the agents of its disks.
# PINFILE is the file that its keys' URLs name.
start_softhsm() {
	need_program softhsm2-util pkcs11-tool jq python3
	[ -e "$MODULE" ] || skip "$MODULE is not installed"
	export SOFTHSM2_CONF=$SCRATCH/softhsm2.conf
	mkdir -p "$SCRATCH/tokens" "$SCRATCH/drawer" "$SCRATCH/no-tpm"
	# Where all registered modules are searched, tpm2-pkcs11 makes its store, elsewhere.
	export TPM2_PKCS11_STORE=$SCRATCH/no-tpm
	printf '%s\n' "directories.tokendir = $SCRATCH/tokens" 'objectstore.backend = file' \
		'log.level = ERROR' 'slots.removable = false' >"$SOFTHSM2_CONF"
	PINFILE=$SCRATCH/pin
	pin_file_says "$PIN"
}

# pin_file_says PIN: from now on; a new file in the old one's place.
pin_file_says() {
	(umask 077 && printf '%s\n' "$1" >"$PINFILE.new")
	mv "$PINFILE.new" "$PINFILE"
}

# new_token NAME: a token of that label with the usual PIN. TOKEN is its name.
new_token() {
	local before dir
	before=" $(ls "$SCRATCH/tokens") "
	softhsm2-util --init-token --free --label "$1" --pin "$PIN" --so-pin "$SO_PIN" >/dev/null
	for dir in "$SCRATCH"/tokens/*; do
		[[ ${before//$'\n'/ } == *" ${dir##*/} "* ]] || token_dir[$1]=$dir
	done
	TOKEN=$1
}

# pull_token [NAME]: it is in no slot any more, with all its keys. push_token puts it back.
pull_token() {
	mv "${token_dir[${1:-$TOKEN}]}" "$SCRATCH/drawer/"
}

push_token() {
	local dir=${token_dir[${1:-$TOKEN}]}
	mv "$SCRATCH/drawer/${dir##*/}" "$dir"
}

# key_uri [OBJECT [MORE-PATH-ATTRIBUTES]]: prints the URL by which an operator names a key of TOKEN.
key_uri() {
	echo "pkcs11:token=$TOKEN;object=${1:-disk}${2:+;$2}?module-path=$MODULE&pin-source=file:$PINFILE"
}

# bare URI: what of it may stand in a header.
bare() {
	echo "${1%%\?*}"
}

# pinned URI ID: the same key, of that version only.
pinned() {
	# shellcheck disable=SC2001 # every two digits, not one text
	echo "${1%%\?*};id=$(sed 's/../%&/g' <<<"$2")?${1#*\?}"
}

# token_key [OPTION...]: KEY is a new key in TOKEN, made by cmkdisk tokenkey; VERSION its version.
token_key() {
	KEY=$(key_uri)
	VERSION=$(tokenkey new --key "$KEY" --json "$@" | jq -r .version)
	[[ $VERSION =~ ^[0-9a-f]{32}$ ]] || fail "tokenkey new made the version '$VERSION'"
}

# known_key [ID]: KEY is a key in TOKEN that was made elsewhere: the case can put it back (again, after
# lose_known_key) as who has a backup can.
known_key() {
	KEY=$(key_uri)
	VERSION=${1:-0a}
	[ -e "$SCRATCH/known.pem" ] ||
		openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$SCRATCH/known.pem"
	insist softhsm2-util --import "$SCRATCH/known.pem" --token "$TOKEN" --label disk --id "$VERSION" --pin "$PIN" >/dev/null
}

# dated_key ID [OBJECT]: an AES key in TOKEN, of any id, that can have dates: SoftHSM 2.6 does not tell
# those of private objects, and this stock tool makes none of an AES key. day SHIFT prints a date.
dated_key() {
	tool --keygen --key-type aes:32 --label "${2:-disk}" --id "$1" >/dev/null
}

day() {
	date -u -d "$1 days" +%Y-%m-%d
}

# insist CMD...: again if the token was away: SoftHSM 2.6 rewrites its file at every login, and shows
# none to other processes meanwhile. An HSM is not like that.
insist() {
	local i
	for ((i = 0; i < 20; i++)); do
		! "$@" 2>"$SCRATCH/insisted" || return 0
		grep -Eq 'no token matches|CKR_GENERAL_ERROR|CKR_USER_PIN_NOT_INITIALIZED|CKR_TOKEN_NOT_RECOGNIZED|No slot|not find' \
			"$SCRATCH/insisted" || break
		sleep 0.1
	done
	fail "'$*': $(cat "$SCRATCH/insisted")"
}

# tokenkey VERB OPTION...: cmkdisk tokenkey, as the owner of the key.
tokenkey() {
	insist cmkdisk tokenkey "$@"
}

# tool OPTION...: pkcs11-tool, logged in to TOKEN.
tool() {
	insist pkcs11-tool --module "$MODULE" --token-label "$TOKEN" --login --pin "$PIN" "$@"
}

# remove_key ID: both halves of it are destroyed, with a stock tool.
remove_key() {
	tool --delete-object --type privkey --id "$1"
	tool --delete-object --type pubkey --id "$1"
}

# token_disk [CREATE-OPTION...]: DISK is a new backing file that KEY opens.
token_disk() {
	DISK=$SCRATCH/disk.img
	cmkdisk create --size 64M --key "$KEY" "$@" "$DISK"
}

# mount_token_disk [MOUNT-OPTION...]: DISK on MNT with KEY, and known bytes on it.
mount_token_disk() {
	mount_disk --key "$KEY" "$@" "$DISK"
	fill "$FILE"
}

# grace_of SECONDS: sets grace to it, or to more where a sanitizer makes every command slow.
# shellcheck disable=SC2034 # for the case
grace_of() {
	grace=$1
	! sanitized || grace=$((3 * $1))
}

# lose CMD...: a command that takes the key away at once.
lose() {
	taking 0 0 "$@"
}

# token_flags [NAME]: what the token says about its PIN, as CK_TOKEN_INFO's flags, a number.
# token_flags_set BITS [NAME]: as if the token had come to say that.
token_flags() {
	edit_flags "${token_dir[${1:-$TOKEN}]}" 0
}

token_flags_set() {
	edit_flags "${token_dir[${2:-$TOKEN}]}" "$1" >/dev/null
}

# In the token's file: a count of changes, then attributes; this one has the number 0x8000534b and is
# a CK_ULONG (kind 2), all big-endian.
edit_flags() {
	python3 - "$1/token.object" "$2" <<-'PYTHON'
		import struct, sys
		path, bits = sys.argv[1], int(sys.argv[2], 0)
		with open(path, "rb") as f:
		    data = bytearray(f.read())
		at = data.index(struct.pack(">QQ", 0x8000534B, 2)) + 16
		flags = struct.unpack_from(">Q", data, at)[0]
		print(flags)
		if bits:
		    struct.pack_into(">Q", data, at, flags | bits)
		    struct.pack_into(">Q", data, 0, struct.unpack_from(">Q", data, 0)[0] + 1)
		    with open(path, "wb") as f:
		        f.write(data)
	PYTHON
}
