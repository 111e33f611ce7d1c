# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# A TPM 2.0 of the case's own: swtpm behind the resource manager tpm2-abrmd, on a system bus that
# nobody else sees, and tpm2-pkcs11 over it. Sourced after lib.sh, lease.sh and pkcs11.sh, whose
# functions then mean this token.
# shellcheck source-path=SCRIPTDIR source=pkcs11.sh
# shellcheck source=private.sh
. "$CASES/private.sh"

# start_tpm: a new TPM with TOKEN "bank" and the usual PIN.
start_tpm() {
	local found=(/usr/lib/*/pkcs11/libtpm2_pkcs11.so)
	need_program swtpm tpm2-abrmd dbus-daemon tpm2_getcap tpm2_ptool pkcs11-tool openssl
	MODULE=${found[0]}
	[ -e "$MODULE" ] || skip "tpm2-pkcs11 is not installed"
	private_run
	modules_leak
	mkdir -p /run/dbus "$SCRATCH/tpm" "$SCRATCH/store"
	export TPM2_PKCS11_STORE=$SCRATCH/store TPM2_PKCS11_TCTI=tabrmd: TPM2TOOLS_TCTI=tabrmd:
	start_bus
	on_exit stop_tpm
	run_tpm
	tpm2-abrmd --allow-root --tcti="swtpm:path=$SCRATCH/tpm/socket" >>"$SCRATCH/tpm2-abrmd.log" 2>&1 &
	on_exit end_process $!
	wait_for 20 tpm_answers
	# As cmkdisk-pkcs11(7) has it.
	quietly tpm2_ptool init
	quietly tpm2_ptool addtoken --pid 1 --label bank --sopin "$SO_PIN" --userpin "$PIN"
	TOKEN=bank
	PINFILE=$SCRATCH/pin
	pin_file_says "$PIN"
}

# A bus at the place where everybody looks for the system's.
start_bus() {
	cat >"$SCRATCH/bus.conf" <<-'XML'
		<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
		  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
		<busconfig>
		  <type>system</type>
		  <listen>unix:path=/run/dbus/system_bus_socket</listen>
		  <auth>EXTERNAL</auth>
		  <policy context="default">
		    <allow user="*"/>
		    <allow own="*"/>
		    <allow send_destination="*"/>
		    <allow receive_sender="*"/>
		  </policy>
		</busconfig>
	XML
	dbus-daemon --config-file="$SCRATCH/bus.conf" --nofork --nopidfile >>"$SCRATCH/bus.log" 2>&1 &
	on_exit end_process $!
	wait_for 20 [ -S /run/dbus/system_bus_socket ]
}

end_process() {
	kill "$1" 2>/dev/null || return 0
	wait "$1" || true
}

# run_tpm: it is there, with the state that it had. stop_tpm: it is gone.
run_tpm() {
	local socket=$SCRATCH/tpm/socket
	rm -f "$socket" "$socket.ctrl"
	swtpm socket --tpm2 --tpmstate "dir=$SCRATCH/tpm" --server "type=unixio,path=$socket" \
		--ctrl "type=unixio,path=$socket.ctrl" --flags startup-clear,not-need-init >>"$SCRATCH/swtpm.log" 2>&1 &
	TPM=$!
	wait_for 20 [ -S "$socket" ]
}

stop_tpm() {
	[ -z "${TPM-}" ] || end_process "$TPM"
	TPM=
}

tpm_answers() {
	tpm2_getcap properties-fixed >/dev/null 2>&1
}

# quietly CMD...: what it says is in tool.log.
quietly() {
	"$@" >>"$SCRATCH/tool.log" 2>&1 || fail "$1: $(cat "$SCRATCH/tool.log")"
}

# patiently CMD...: tpm2-pkcs11 does not wait for its store (SQLite) while somebody reads it, as the
# agents of mounted disks do at each check; what fails for that reason is done again.
patiently() {
	local i
	for i in {1..20}; do
		"$@" && return 0
		sleep 0.1
	done
	fail "it failed $i times: $*"
}

# wrong_pins: how many wrong PINs the TPM has seen; at its limit it locks them all.
wrong_pins() {
	local line
	line=$(tpm2_getcap properties-variable | grep LOCKOUT_COUNTER)
	echo $((${line##*: }))
}

# forget_wrong_pins: as its owner can.
forget_wrong_pins() {
	tpm2_dictionarylockout --clear-lockout
}
