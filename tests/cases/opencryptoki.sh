# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# An opencryptoki of the case's own: its daemon pkcsslotd with the configuration that the package
# brings, whose slot 3 has a token in software. Sourced after lib.sh, lease.sh and pkcs11.sh, whose
# functions then mean this token.
# shellcheck source-path=SCRIPTDIR source=pkcs11.sh
# shellcheck source=private.sh
. "$CASES/private.sh"

# pkcsslotd and its clients share System V memory, which is no mount: a namespace of its own for that.
if [ -z "${OWN_IPC-}" ]; then
	need_root
	need_program pkcsslotd pkcs11-tool unshare
	unshare --ipc true 2>/dev/null || skip "root may not have shared memory of its own here"
	OWN_IPC=1 exec unshare --ipc -- "$0"
fi

# start_opencryptoki: its daemon runs, and TOKEN "bank" has the usual PIN.
start_opencryptoki() {
	local found=(/usr/lib/*/pkcs11/libopencryptoki.so)
	MODULE=${found[0]}
	[ -e "$MODULE" ] || skip "opencryptoki's PKCS#11 module is not installed"
	getent group pkcs11 >/dev/null || skip "there is no group pkcs11, which opencryptoki asks for"
	local conf=/etc/opencryptoki/opencryptoki.conf
	[[ $(tr -d '\n ' <"$conf") == *'slot3{stdll=libpkcs11_sw.so}'* ]] || skip "$conf has no token in software in slot 3"
	cp "$conf" "$SCRATCH/opencryptoki.conf"
	private_run
	modules_leak
	mkdir -p /run/lock/opencryptoki/swtok
	private_directory /dev/shm 1777
	private_directory /etc/opencryptoki 755
	private_directory /var/lib/opencryptoki 770
	mkdir -p /var/lib/opencryptoki/swtok/TOK_OBJ
	chgrp -R pkcs11 /run/lock/opencryptoki /var/lib/opencryptoki
	chmod -R 770 /run/lock/opencryptoki /var/lib/opencryptoki/swtok
	cp "$SCRATCH/opencryptoki.conf" "$conf"
	on_exit stop_slotd
	start_slotd
	# As cmkdisk-pkcs11(7) has it. No other SO PIN than the factory's makes a token.
	! pkcs11-tool --module "$MODULE" --slot 3 --init-token --label bank --so-pin 11111111 >token.log 2>&1 ||
		fail "an SO PIN of one's own will do: say so"
	grep -q CKR_PIN_INCORRECT token.log || fail "it is refused otherwise: $(cat token.log)"
	pkcs11-tool --module "$MODULE" --slot 3 --init-token --label bank --so-pin 87654321 >/dev/null
	pkcs11-tool --module "$MODULE" --slot 3 --init-pin --login --login-type so --so-pin 87654321 --new-pin "$PIN" >/dev/null
	TOKEN=bank
	PINFILE=$SCRATCH/pin
	pin_file_says "$PIN"
}

slotd_answers() {
	pkcs11-tool --module "$MODULE" --list-slots >/dev/null 2>&1
}

start_slotd() {
	pkcsslotd -f >>"$SCRATCH/pkcsslotd.log" 2>&1 &
	SLOTD=$!
	wait_for 20 slotd_answers
}

# stop_slotd: asked in kind it waits until nobody uses the token.
stop_slotd() {
	[ -n "${SLOTD-}" ] || return 0
	kill -9 "$SLOTD"
	wait "$SLOTD" || true
	SLOTD=
}
