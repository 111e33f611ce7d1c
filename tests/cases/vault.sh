# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the cases with a vault of their own share; sourced after lib.sh.
# shellcheck source-path=SCRIPTDIR source=lib.sh

# start_vault [OPTION...]: cmkdisk-vault with its state in VAULT_STATE ($SCRATCH/vault unless set
# before); returns when it answers. SET is its ready-made key set, KEY_URL its key (version-less),
# VAULT_PID its process. Ended at the end; a second call goes on with the same state.
start_vault() {
	VAULT_STATE=${VAULT_STATE:-$SCRATCH/vault}
	local log=$SCRATCH/vault.log i
	rm -f "$SCRATCH/vault.json"
	cmkdisk-vault serve --state "$VAULT_STATE" --print json "$@" >"$SCRATCH/vault.json" 2>>"$log" &
	VAULT_PID=$!
	on_exit stop_vault
	for ((i = 0; i < 600; i++)); do
		if jq -e . "$SCRATCH/vault.json" >/dev/null 2>&1 && [ -s "$SCRATCH/vault.json" ]; then
			SET=$VAULT_STATE/keyset.json
			# shellcheck disable=SC2034 # for the case
			[ ! -e "$SET" ] || KEY_URL=$(jq -r .activeKey.keyUrl "$SET")
			return 0
		fi
		kill -0 "$VAULT_PID" 2>/dev/null || fail "cmkdisk-vault ended: $(cat "$log")"
		sleep 0.05
	done
	fail "cmkdisk-vault did not get ready: $(cat "$log")"
}

stop_vault() {
	[ -n "${VAULT_PID-}" ] || return 0
	kill "$VAULT_PID" 2>/dev/null
	wait "$VAULT_PID" 2>/dev/null
	VAULT_PID=
}

# vault ACTION [NAME=VALUE]...: asks it for an action; the result goes to standard output.
vault() {
	cmkdisk-vault "do" --state "$VAULT_STATE" "$@"
}

# with_policy JQ-FILTER: SET is a copy of the ready-made key set, changed: '.cmkdisk.interval = "1s"'.
with_policy() {
	jq "$1" "$VAULT_STATE/keyset.json" >"$SCRATCH/set.json"
	SET=$SCRATCH/set.json
}

# vault_environment: the environment that the emulator gives for other programs.
vault_environment() {
	# shellcheck disable=SC1091 # made at run time
	. "$VAULT_STATE/env.sh"
}

# resolve_vaults NAME...: these host names are this machine, in this case's private mounts, for
# programs that do not know that .localhost is.
resolve_vaults() {
	need_root
	{
		cat /etc/hosts
		printf '127.0.0.1 %s\n' "$@"
	} >"$SCRATCH/hosts"
	mount --bind "$SCRATCH/hosts" /etc/hosts
	on_exit umount -l /etc/hosts
}
