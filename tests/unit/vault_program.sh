#!/bin/sh
# SPDX-License-Identifier: MIT
# The program cmkdisk-vault: its files, its exit statuses, what holds over restarts.
# usage: vault_program.sh CMKDISK-VAULT
set -eu

vault=$1
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null; rm -rf "$dir"' EXIT
state=$dir/state

fail() {
	echo "vault_program: $*" >&2
	exit 1
}

# status EXPECTED WORDS COMMAND...: how it ends, and what it says on standard error.
status() {
	expected=$1
	words=$2
	shift 2
	got=0
	timeout 60 "$@" >"$dir/out" 2>"$dir/err" || got=$?
	[ "$got" -eq "$expected" ] || fail "$*: exit status $got, expected $expected: $(cat "$dir/err")"
	grep -q -- "$words" "$dir/err" || fail "$*: does not say '$words': $(cat "$dir/err")"
}

serve() {
	rm -f "$dir/ready"
	"$vault" serve --state "$state" --ready-fd 3 "$@" 3>"$dir/ready" >"$dir/serve.out" 2>"$dir/serve.err" &
	pid=$!
	for _ in $(seq 600); do
		[ ! -s "$dir/ready" ] || return 0
		kill -0 "$pid" 2>/dev/null || fail "serve $*: ended: $(cat "$dir/serve.err")"
		sleep 0.1
	done
	fail "serve $*: not ready within a minute"
}

end() {
	kill -"$1" "$pid"
	got=0
	wait "$pid" || got=$?
	pid=
	[ "$got" -eq 0 ] || fail "serve ended by SIG$1 with status $got"
}

act() {
	timeout 60 "$vault" 'do' --state "$state" "$@"
}

ask() {
	curl -s --noproxy '*' --max-time 20 --cacert "$state/ca.pem" -o /dev/null -w '%{http_code}' "$@"
}

status 64 'unknown verb' "$vault" open
status 64 'does not take' "$vault" env --empty
status 64 'allow-remote' "$vault" serve --state "$state" --listen 0.0.0.0:0
status 64 'no name of a vault' "$vault" serve --state "$state" --vault 'a/b'
status 66 'no cmkdisk-vault has served' "$vault" env --state "$state"
status 69 'no cmkdisk-vault serves' "$vault" 'do' --state "$state" key.list
status 64 'no action' "$vault" 'do' --state "$state" door.open
echo '{"at":"1s","do":"door.open"}' >"$dir/timeline"
status 64 'door.open' "$vault" serve --state "$state" --timeline "$dir/timeline"
for step in '"do":"fault.add","kind":"hangg"' '"do":"fault.add","kind":"hang","fore":"5s"' \
	'"do":"fault.add","kind":"hang","match":{"op":"KeyGet"}' '"do":"key.disable","kee":"disk-key"'; do
	echo "{\"at\":\"1s\",$step}" >"$dir/timeline"
	status 64 'step 1: ' "$vault" serve --state "$state" --timeline "$dir/timeline"
done
status 64 'is no address' "$vault" serve --state "$state" --listen localhost --allow-remote
[ ! -e "$state" ] || fail "a command line or a timeline that is wrong left something: $(ls "$state")"
for verb in serve env; do
	! "$vault" $verb --help | grep -q 'key\.create' || fail "$verb --help tells of actions"
done
"$vault" 'do' --help | grep -q 'faults: status, latency, hang,' || fail "do --help names no kinds of faults"
! "$vault" 'do' --help | grep -q -- --listen || fail "do --help tells of serve's options"
mkdir -m 0777 "$dir/shared"
chmod 0777 "$dir/shared"
status 77 'chmod 0700' "$vault" serve --state "$dir/shared"

serve
for file in ca-key.pem server-key.pem disk-host.secret env.sh admin.sock audit.log emulator.json; do
	[ "$(stat -c %a "$state/$file")" = 600 ] || fail "$file has mode $(stat -c %a "$state/$file")"
done
[ "$(stat -c %a "$state")" = 700 ] || fail "the state directory is open to others"
url=$(jq -r .activeKey.keyUrl "$state/keyset.json")
grep -q "^key  *$url\$" "$dir/serve.out" || fail "the key URL is not printed: $(cat "$dir/serve.out")"
grep -q 'create .*--grace-denied 1min' "$dir/serve.out" || fail "the commands printed show a revocation after an hour only"
secret=$(cat "$state/disk-host.secret")
! grep -q "$secret" "$dir/serve.out" "$dir/ready" "$state/env.sh" "$state/identities.json" ||
	fail "the client secret is told where it should not be"
status 75 'another cmkdisk-vault' "$vault" serve --state "$state"
[ "$(ask "$url?api-version=7.4")" = 401 ] || fail "no challenge at $url"

# Actions: JSON values, nested members, files, errors.
act fault.add name=f kind=status status=429 retryAfter=7 match.endpoint=imds match.operation=Token |
	jq -e '.match == {"endpoint":"imds","operation":"Token"} and .status == 429' >/dev/null || fail "fault.add"
imds=$(jq -r .imds "$dir/ready")
[ "$(ask -H Metadata:true "$imds/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.localhost")" = 429 ] ||
	fail "the fault does not strike"
act '{"do":"fault.list"}' | jq -e '.faults[0].struck == 1' >/dev/null || fail "fault.list"
act audit.count operation=Token status=429 | jq -e '.count == 1' >/dev/null || fail "audit.count"
echo g >"$dir/name"
act fault.add name=@"$dir/name" kind=hang | jq -e '.name == "g"' >/dev/null || fail "@FILE"
status 66 'no fault named h' "$vault" 'do' --state "$state" fault.clear name=h
status 64 'kind' "$vault" 'do' --state "$state" fault.add
status 64 'NAME=VALUE' "$vault" 'do' --state "$state" fault.add hang
# A word that is not known, or says nothing, must not widen what is done.
for wrong in 'access.grant identity=disk-host valt=contoso' 'access.grant identity=disk-host vault=' \
	'fault.add kind=hang fore=5s' 'fault.add kind=hang match.op=KeyUnwrap' 'audit.count operation=KeyUnwarp' \
	'fault.add kind=hang match.operation=KeyUnwarp' 'key.create key=disk-key sise=4096' 'key.disable key=disk-key version=null' \
	'key.expire key=disk-key att=5d' 'key.expire key=disk-key at=5d' 'vault.set vault=contoso dayz=7' 'vault.list at=1s'; do
	# shellcheck disable=SC2086 # words
	status 64 'it takes\|must be a string\|there are' "$vault" 'do' --state "$state" $wrong
done
for wrong in vault=nonesuch key=nonesuch 'key=disk-key version=none'; do
	# shellcheck disable=SC2086 # words
	status 66 'there is no' "$vault" 'do' --state "$state" access.grant identity=disk-host $wrong
done
act access.list | jq -e '.access | length == 3' >/dev/null || fail "a wrong grant was taken: $(act access.list)"
act key.list | jq -e '.keys[0].versions | length == 1 and .[0].enabled and (.[0].exp == null)' >/dev/null ||
	fail "a wrong action was carried out: $(act key.list)"
status 64 'is not one JSON object' "$vault" 'do' --state "$state" '{"do":"fault.list"'
status 64 'one argument' "$vault" 'do' --state "$state" '{"do":' '"fault.list"}'
before=$(act clock.get | jq .now)
act clock.advance by=31d | jq -e ".now >= $before + 2678400" >/dev/null || fail "clock.advance"
act listener.pause port=tls
[ "$(ask "$url?api-version=7.4")" = 000 ] || fail "a paused port answers"
act listener.resume port=tls
act listener.certificate which=wrong
[ "$(ask "$url?api-version=7.4")" = 000 ] || fail "a wrong certificate is trusted"
act listener.certificate which=good
[ "$(ask "$url?api-version=7.4")" = 401 ] || fail "no answer after the good certificate is back"
end TERM

# Keys, ports and identity hold over a restart, also after a crash; the seed is not sown twice.
cp "$state/keyset.json" "$dir/keyset.json"
serve
kill -9 "$pid"
wait "$pid" 2>/dev/null || :
cmp -s "$state/keyset.json" "$dir/keyset.json" || fail "the key set changed over a restart"
serve --vault second --hsm pool
jq -e '.keyUrls | keys == ["contoso","pool","second"]' "$dir/ready" >/dev/null || fail "the vaults asked for: $(cat "$dir/ready")"
end INT
echo '{"at":"100ms","do":"key.disable","key":"disk-key","vault":"contoso"}' >"$dir/timeline"
serve --timeline "$dir/timeline" --print json
cmp -s "$dir/ready" "$dir/serve.out" || fail "--print json and --ready-fd differ"
for _ in $(seq 100); do
	! grep -q 'key.disable: done' "$dir/serve.err" || break
	sleep 0.1
done
act key.list vault=contoso | jq -e '.keys | length == 1 and .[0].versions[0].enabled == false' >/dev/null ||
	fail "the timeline's step, or another key: $(act key.list vault=contoso)"
end TERM
"$vault" env --state "$state" --json | jq -e .keyUrls.contoso >/dev/null || fail "env --json"
[ "$(sh -c 'eval "$("$1" env --state "$2")"; echo "$AZURE_CLIENT_SECRET"' - "$vault" "$state")" = "$secret" ] || fail "env"

state=$dir/empty
serve --empty --imds off
jq -e '.keyUrls == {} and has("clientId") == false and has("imds") == false' "$dir/ready" >/dev/null || fail "--empty"
act vault.list | jq -e '.vaults == []' >/dev/null || fail "--empty makes a vault"
end TERM
