# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For cases that write under load and compare afterwards with what was acknowledged
# (tests/helpers/stamped_blocks.c); sourced after lib.sh.
# shellcheck source-path=SCRIPTDIR source=lib.sh
need_fuse
need_program jq stamped_blocks

# start_writer FILE THREADS: returns when every record was written once and the load runs.
start_writer() {
	rm -f "$SCRATCH/writer" "$SCRATCH/state"
	mkfifo "$SCRATCH/writer"
	stamped_blocks write "$1" "$SCRATCH/state" "$((SRANDOM))" "$2" <"$SCRATCH/writer" >"$SCRATCH/met" &
	WRITER=$!
	exec {WRITER_INPUT}>"$SCRATCH/writer"
	on_exit leave_writer "$WRITER"
	until grep -q ready "$SCRATCH/met"; do
		kill -0 "$WRITER" 2>/dev/null || fail "the writer ended early"
		sleep 0.02
	done
}

# end_writer: what it met is in $SCRATCH/met.
end_writer() {
	exec {WRITER_INPUT}>&-
	wait "$WRITER" || fail "what a writer read while writing was wrong, or it failed"
	WRITER=
	sed -i '/^ready$/d' "$SCRATCH/met"
}

leave_writer() {
	[ "$1" != "${WRITER-}" ] || kill "$1" 2>/dev/null
}

# expect_met CONDITION TEXT: jq's CONDITION holds for what the writers met.
expect_met() {
	jq -e "$1" "$SCRATCH/met" >/dev/null || fail "$2: $(cat "$SCRATCH/met")"
}

# expect_kept FILE CONDITION: every record is as promised, and jq's CONDITION holds for the count.
expect_kept() {
	stamped_blocks check "$1" "$SCRATCH/state" >"$SCRATCH/kept" || fail "acknowledged writes are lost: $(cat "$SCRATCH/kept")"
	jq -e "$2" "$SCRATCH/kept" >/dev/null || fail "not checked as meant: $2 does not hold for $(cat "$SCRATCH/kept")"
}

# expect_check_can_fail: some bytes changed, one record in the place of another; FILE is of no use afterwards.
expect_check_can_fail() {
	printf 'not what was written' | dd of="$FILE" bs=20 seek=1234600 oflag=seek_bytes conv=notrunc status=none
	dd if="$FILE" of="$FILE" bs=512 skip=77 seek=4242 count=1 conv=notrunc status=none
	! stamped_blocks check "$FILE" "$SCRATCH/state" >"$SCRATCH/kept" 2>/dev/null || fail "the check is blind"
	jq -e '.wrong == 2' "$SCRATCH/kept" >/dev/null || fail "the check should see two wrong records: $(cat "$SCRATCH/kept")"
}
