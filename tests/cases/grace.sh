# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the cases share in which a key store takes a key away and the disk must stop on time, whatever
# store it is; sourced after lib.sh and lease.sh.
# shellcheck source-path=SCRIPTDIR source=lease.sh disable=SC2016

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

# boot_ns: CLOCK_BOOTTIME, ns.
boot_ns() {
	local up
	read -r up _ </proc/uptime
	echo "${up/./}0000000"
}

# taking FROM TO CMD...: a command that takes the key away FROM to TO seconds later; the earliest and the
# latest moment for that are kept, for deadline_after.
taking() {
	local from=$1 to=$2
	shift 2
	lost_from=$(($(boot_ns) + from * 1000000000))
	"$@" >/dev/null
	lost_to=$(($(boot_ns) + to * 1000000000))
}

# deadline_after GRACE [DISK-NAME]: low and high are the bounds of the deadline, for expect_of. It is
# GRACE seconds after the last proof; nobody can have proved anything after the key was lost, and
# somebody has in the half of the grace before.
deadline_after() {
	local grace=$(($1 * 1000000000))
	read -r low high < <("$HELPERS/lease-deadline" "$MNT" ${2:+"$2"}) || fail "no deadline: $(state_of)"
	[ "$low" -le $((lost_to + grace)) ] || fail "the deadline $low..$high is later than $1 s after $lost_to"
	[ "$high" -ge $((lost_from + grace / 2)) ] || fail "the deadline $low..$high is no $1 s after $lost_from"
}

# stops_on_time WITNESS ERRNO [DISK-NAME]: the disk is in grace until low..high. Until then not one
# request of the witness fails, from then on all do; the key is gone, the status says why as before,
# and who opens FILE gets ERRNO.
stops_on_time() {
	local why cause
	why=$(of_disk '"\(.cause)/\(.reason)"' "${3-}")
	cause=${why%/*}
	wait_state stopped 60 "${3-}"
	# 300 ms more of failures for the witness to see.
	sleep 0.3
	testimony "$1"
	expect_of "$1" '.lastOkBegun <= $high' "a request that was put after the deadline succeeded"
	expect_of "$1" '.lastOkEnded <= $high + 100e6' "a request succeeded 100 ms after the deadline"
	expect_of "$1" '.lastOkEnded >= $low - 300e6' "the grace was cut short"
	expect_of "$1" '.firstFailed >= $low' "a request failed within the grace"
	expect_of "$1" '.failed > 100 and .errors == {"5": .failed}' "the only error is EIO, again and again"
	[ "$(of_disk .keyPresent "${3-}")" = false ] || fail "status says the key is present"
	expect_why "$why" . "${3-}"
	cmkdisk status "$MNT" | grep -q "STOPPED ($cause): I/O fails, key wiped; goes on by itself" ||
		fail "the stop is not shown: $(cmkdisk status "$MNT")"
	expect_errno "$2" open_anew
}

# unharmed WITNESS: none of its requests failed, or waited for what happened to the key.
unharmed() {
	testimony "$1"
	expect_of "$1" '.failed == 0 and .ok > 1000' "I/O failed"
	expect_of "$1" '.longestGapMs < 2000' "I/O paused"
}
