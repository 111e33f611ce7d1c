# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the cases share; sourced by each: . "$CASES/lib.sh". The runner gives SCRATCH (private,
# removed afterwards), BUILD, CASES, and a PATH in which `cmkdisk` is the one under test.
# Functions that make something set a variable (KEY, DISK, MNT, FILE, LOOP) and undo it at the end.
set -euo pipefail

undo_list=()

# on_exit CMD...: runs it at the end, whatever the outcome, last registered first.
on_exit() {
	undo_list+=("$(printf '%q ' "$@")")
}

undo_all() {
	local status=$? i
	trap - EXIT
	set +e
	# A skip's reason must stay the last line, so a clean-up speaks only when the case ran.
	[ "$status" -ne 77 ] || exec >/dev/null 2>&1
	for ((i = ${#undo_list[@]} - 1; i >= 0; i--)); do
		eval "${undo_list[i]}"
	done
	exit "$status"
}
trap undo_all EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

fail() {
	echo "failed: $*" >&2
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

step() {
	echo "-- $*"
}

# Whether the program under test is slowed down by a sanitizer: each command takes a quarter of a second.
sanitized() {
	# Read to the end: a grep -q that leaves early ends ldd by a signal, and pipefail calls that "no".
	ldd "$(command -v cmkdisk)" | grep -E 'lib[at]san' >/dev/null
}

need_fuse() {
	[ -c /dev/fuse ] || skip "there is no /dev/fuse here"
	{ : <>/dev/fuse; } 2>/dev/null || skip "/dev/fuse may not be opened here"
	if [ "$(id -u)" -eq 0 ]; then
		unshare -m true 2>/dev/null || skip "root may not mount here"
	else
		command -v fusermount3 >/dev/null || skip "fusermount3 is not installed"
	fi
}

need_root() {
	[ "$(id -u)" -eq 0 ] || skip "this needs root"
}

need_program() {
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

need_loop() {
	local probe=$SCRATCH/loop-probe device
	truncate -s 1M "$probe"
	device=$(losetup -f --show "$probe" 2>/dev/null) || skip "loop devices are not permitted here"
	losetup -d "$device"
	rm "$probe"
}

# new_key [NAME]: KEY is the path of a new key bundle.
new_key() {
	KEY=$SCRATCH/${1:-key}.json
	cmkdisk keyfile new "$KEY"
}

# new_disk [NAME [SIZE [CREATE-OPTION...]]]: DISK is a new backing file, bound to KEY.
new_disk() {
	local name=${1:-disk.img} size=${2:-64M}
	shift $(($# < 2 ? $# : 2))
	DISK=$SCRATCH/$name
	cmkdisk create --size "$size" --key "file:$KEY" "$@" "$DISK"
}

# mount_disk [MOUNT-OPTION...] BACKING...: mounts on MNT ($SCRATCH/mnt unless set before); FILE is
# the last disk's file in it.
mount_disk() {
	MNT=${MNT:-$SCRATCH/mnt}
	mkdir -p "$MNT"
	on_exit leave_mount "$MNT"
	cmkdisk mount "$@" "$MNT"
	# shellcheck disable=SC2034 # for the case
	FILE=$MNT/$(basename "${!#}")
}

# umount_disk [MNT]: must succeed.
umount_disk() {
	cmkdisk umount "${1:-$MNT}" || fail "cannot unmount ${1:-$MNT}"
	! mounted "${1:-$MNT}" || fail "${1:-$MNT} is mounted after umount"
}

mounted() {
	findmnt --mountpoint "$1" >/dev/null 2>&1
}

# For on_exit: unmounts what still is.
leave_mount() {
	mounted "$1" || return 0
	cmkdisk umount "$1" || umount "$1" 2>/dev/null || fusermount3 -u "$1"
}

# state_of [DISK-NAME]: the states in MNT, one a line: active, grace-denied, grace-unreachable, stopped.
state_of() {
	cmkdisk status --json "$MNT" | jq -r --arg name "${1-}" \
		'.. | objects | select(has("state") and ($name == "" or .name == $name)) | .state' | sort -u
}

# wait_state STATE [SECONDS [DISK-NAME]]: until every disk (or that one) is in it. STATE is an
# extended regular expression: grace.* is either grace. SECONDS only where a later one would be wrong.
wait_state() {
	local want=$1 seconds=${2:-20} name=${3-} end now=
	end=$((SECONDS + seconds))
	while [ "$SECONDS" -le "$end" ]; do
		now=$(state_of "$name" || true)
		[[ $now =~ ^($want)$ ]] && return 0
		sleep 0.05
	done
	fail "waited $seconds s for the state $want${name:+ of $name}; it is '$now': $(cmkdisk status "$MNT" 2>&1)"
}

# expect_fail STATUS REGEX CMD...: CMD must exit with STATUS and say what REGEX (grep -E) finds.
expect_fail() {
	local want=$1 regex=$2 status=0 said
	shift 2
	said=$("$@" 2>&1 </dev/null) || status=$?
	[ "$status" -eq "$want" ] || fail "'$*' exited with $status, expected $want; it said: $said"
	grep -Eq -- "$regex" <<<"$said" || fail "'$*' should say /$regex/; it said: $said"
}

# refused STATUS REGEX CMD...: as expect_fail, and what it says is one sentence for a person: a single
# line from cmkdisk that names nothing twice in front and is more than an errno's bare text.
refused() {
	local want=$1 regex=$2 status=0 said
	shift 2
	said=$("$@" 2>&1 </dev/null) || status=$?
	[ "$status" -eq "$want" ] || fail "'$*' exited with $status, expected $want; it said: $said"
	grep -Eq -- "$regex" <<<"$said" || fail "'$*' should say /$regex/; it said: $said"
	[ "$(wc -l <<<"$said")" -eq 1 ] || fail "'$*' should say one line; it said: $said"
	grep -Eq '^cmkdisk( keyfile| tokenkey| byok)?: ' <<<"$said" || fail "'$*' does not say who speaks: $said"
	! grep -Eq '^cmkdisk: (.+): \1:' <<<"$said" || fail "'$*' names something twice: $said"
	! grep -Eq '^cmkdisk: ([^ ]*: )?(No such|Not a|Is a|Permission|Operation|Invalid|Input/|Device or|Too many|File )[^;:,]*$' <<<"$said" ||
		fail "'$*' says no more than an errno: $said"
}

# daemon_pid [MNT]: of the daemon behind the mount.
daemon_pid() {
	cmkdisk status --json "${1:-$MNT}" | jq '.[0].pid'
}

# agents_of PID: the key agents of a daemon, one a line.
agents_of() {
	pgrep -P "$1" -f cmkdisk-agent || true
}

# wait_gone PID...: until all these processes have ended. An orphan is buried by the runner, later.
wait_gone() {
	local pid i
	for pid in "$@"; do
		for ((i = 0; i < 400; i++)); do
			case $(ps -o stat= -p "$pid") in
			'' | Z*) continue 2 ;;
			esac
			sleep 0.05
		done
		fail "process $pid is there after 20 s: $(ps -o stat=,args= -p "$pid")"
	done
}

# expect_same FILE FILE
expect_same() {
	cmp "$1" "$2" || fail "$1 and $2 differ"
}

# loop_over FILE: LOOP is a loop device on it, without a page cache of its own.
loop_over() {
	LOOP=$(losetup -f --show --direct-io=on "$1") || fail "no loop device for $1"
	on_exit leave_loop "$LOOP" "$1"
}

# unloop [DEVICE]: detached when it returns.
unloop() {
	local device=${1:-$LOOP} i
	losetup -d "$device" 2>/dev/null || true
	for ((i = 0; i < 100; i++)); do
		[ -e "/sys/block/${device#/dev/}/loop/backing_file" ] || return 0
		sleep 0.05
	done
	fail "$device stays attached; something on it is still mounted"
}

# For on_exit: detaches the device unless it is someone else's by now.
leave_loop() {
	[ "$(cat "/sys/block/${1#/dev/}/loop/backing_file" 2>/dev/null)" != "$2" ] || unloop "$1"
}

# mount_on DEVICE DIRECTORY [MOUNT-OPTION...]: a filesystem, unmounted at the end.
mount_on() {
	local device=$1 directory=$2
	shift 2
	mkdir -p "$directory"
	mount "$@" "$device" "$directory"
	on_exit leave_directory "$directory"
}

leave_directory() {
	! mounted "$1" || umount "$1"
}

# as_user CMD...: as an ordinary user (nobody, when we are root), with a runtime directory of its own.
as_user() {
	if [ "$(id -u)" -ne 0 ]; then
		"$@"
		return
	fi
	[ -d "$SCRATCH/user-run" ] || install -d -m 0700 -o 65534 -g 65534 "$SCRATCH/user-run"
	setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
		env HOME="$SCRATCH" XDG_RUNTIME_DIR="$SCRATCH/user-run" "$@"
}

# Some hosts keep /dev/fuse for root, where a desktop has it open to all: opens it, for this case's
# private mounts only.
fuse_for_users() {
	[ "$(stat -c %a /dev/fuse)" != 666 ] || return 0
	need_root
	mknod -m 0666 "$SCRATCH/dev-fuse" c 10 229
	mount --bind "$SCRATCH/dev-fuse" /dev/fuse || skip "/dev/fuse is root's and cannot be opened to users here"
	on_exit umount -l /dev/fuse
}
