#!/bin/bash
# SPDX-License-Identifier: MIT
# The program cmkdisk-tokenkey as `cmkdisk tokenkey`: every verb against SoftHSM, beside stock
# programs, and every way for a PIN to get there. Usage: tokenkey_program.sh PROGRAM MODULE, a module
# around SoftHSM that misbehaves on request (tests/helpers/deviant_pkcs11.c).
# shellcheck source-path=SCRIPTDIR source=tokenkey_rig.sh disable=SC2030,SC2031
. "${0%/*}/tokenkey_rig.sh"
deviant=$2

# The checks can fail.
[ "$(failed=0; expect 1 -- --help 2>/dev/null; echo $failed)" = 1 ] || fail "expect cannot fail"
[ "$(failed=0; same x 1 2 2>/dev/null; echo $failed)" = 1 ] || fail "same cannot fail"

# new: what stock programs see of it is what was promised.
K=$(url disk)
expect 0 "Key URL     pkcs11:token=bank;object=disk
" -- new --key "$K"
grep -q 'pin-source.*pin-source' out && fail "the key URL is told with its query twice"
first=$(json disk 'd["newest"]')
[[ $first =~ ^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$ ]] || fail "$first is no UUIDv7"
age=$((16#${first:0:12} / 1000 - $(date +%s)))
[ ${age#-} -lt 60 ] || fail "the id's time is $age s off"
objects disk >seen
for word in "ID:         $first" "Usage:      decrypt, unwrap" "sensitive, always sensitive, never extractable, local" \
	"Usage:      encrypt, wrap" "RSA 3072 bits"; do
	grep -qF "$word" seen || fail "pkcs11-tool does not see '$word': $(cat seen)"
done
today=$(date -u +%F)
same "starts today" "$(json disk 'd["versions"][0]["starts"]')" "$today"
same "no end" "$(json disk 'd["versions"][0]["ends"]')" None
expect 73 "tokenkey rotate" -- new --key "$K"
same "still one" "$(json disk 'len(d["versions"])')" 1
expect 0 -- new --key "$(url aes)" --type aes --exportable
objects aes >seen
grep -q "AES length 32" seen || fail "not an AES-256 key: $(cat seen)"
grep -q "never extractable" seen && fail "--exportable did nothing"
expect 0 -- new --key "pkcs11:token=bank;object=pinned;id=%01%02?$Q" --bits 2048
same "the URL's id" "$(json pinned 'd["newest"], d["versions"][0]["bits"]')" "('0102', 2048)"
"$prog" new --json --key "$(url made)" --starts 2030-01-31 --ends 2031-01-31 >made.json || fail "new --json"
same "new --json" "$(python3 -c 'import json; d = json.load(open("made.json")); print(d["key_url"], d["starts"], d["ends"], d["bits"], len(d["version"]))')" \
	"pkcs11:token=bank;object=made 2030-01-31 2031-01-31 3072 32"

# What the URL says of the type is what is made, and what contradicts it makes nothing.
T="pkcs11:token=bank;object=typed;type"
expect 64 "type=secret-key" -- new --key "$T=secret-key?$Q" --type rsa
expect 64 "type=private" -- new --key "$T=private?$Q" --type aes
expect 64 "AES key 256" -- new --key "$T=secret-key?$Q" --bits 2048
same "nothing was made" "$(objects typed)" ""
expect 0 -- new --key "$T=secret-key?$Q" --bits 256
same "an AES key" "$(json typed 'd["versions"][0]["type"], len(d["versions"])')" "('AES', 1)"
expect 0 -- new --key "pkcs11:token=bank;object=typed2;type=private?$Q" --bits 2048 --type rsa

# A last day that is past makes nothing, whatever the first; today is not past.
yesterday=$(date -u -d yesterday +%F)
expect 64 "--ends 2020-01-01: that day is past" -- new --key "$(url past)" --ends 2020-01-01
expect 64 "that day is past" -- new --key "$(url past)" --starts 2019-01-01 --ends "$yesterday"
expect 64 "that day is past" -- rotate --key "$K" --ends "$yesterday"
same "nothing was made" "$(objects past)$(json disk 'len(d["versions"])')" 1
expect 0 -- new --key "$(url brief)" --ends "$(date -u +%F)" --bits 2048

# rotate
expect 0 -- rotate --key "$K"
second=$(json disk 'd["newest"]')
[[ $second > $first ]] || fail "the new version $second is not newer than $first"
same "order by ids" "$(json disk 'd["order"]')" "its id was made last"
same "same type and size" "$(json disk '{(v["type"], v["bits"]) for v in d["versions"]}')" "{('RSA', 3072)}"
expect 0 -- rotate --key "$(url aes)"
same "AES rotated" "$(json aes 'len(d["versions"])')" 2
expect 64 "leave the id out" -- rotate --key "pkcs11:token=bank;object=pinned;id=%01%02?$Q"
expect 66 "tokenkey new" -- rotate --key "$(url nothing)"
# A new version that would not be the newest, or not provably, is not made.
expect 64 "later day with --starts" -- rotate --key "$(url made)"
expect 78 "tokenkey dates --version 0102" -- rotate --key "pkcs11:token=bank;object=pinned?$Q" --starts "$today"
same "nothing was made" "$(json made 'len(d["versions"])') $(json pinned 'len(d["versions"])')" "1 1"
expect 0 -- dates --key "$(url pinned)" --starts 2020-01-01
expect 0 -- rotate --key "$(url pinned)"
same "order by dates" "$(json pinned 'd["order"], len(d["versions"])')" "('its start date is the latest', 2)"
expect 0 -- rotate --key "$(url made)" --starts 2030-02-01
same "none of them has started" "$(json made 'd["versions"][1]["version"] == d["newest"]')" True

# Keys of other programs.
p11 --login --pin 1234 --keypairgen --key-type rsa:2048 --label foreign --id 01 >/dev/null 2>&1 || fail "pkcs11-tool"
p11 --login --pin 1234 --keypairgen --key-type rsa:2048 --label foreign --id 02 >/dev/null 2>&1 || fail "pkcs11-tool"
expect 0 "No newest: " -- show --key "$(url foreign)"
# Those of another kind, or without an id: every verb says so, and none calls for another that would
# say no as well.
p11 --login --pin 1234 --keypairgen --key-type EC:prime256v1 --label curve --id 0c >/dev/null 2>&1 || fail "pkcs11-tool"
p11 --login --pin 1234 --keypairgen --key-type rsa:2048 --label blank >/dev/null 2>&1 || fail "pkcs11-tool"
for odd in "curve another kind" "blank no id (CKA_ID)"; do
	K=$(url "${odd%% *}")
	for verb in "new --bits 2048" show rotate "dates --starts 2030-01-01" disable enable "destroy --all --yes"; do
		# shellcheck disable=SC2086 # words
		expect 78 "${odd#* }" -- $verb --key "$K"
	done
	[ "$(objects "${odd%% *}" | grep -c 'Key Object')" = 2 ] || fail "${odd%% *} is not what it was: $(objects "${odd%% *}")"
done
expect 78 "another kind" -- show --key "pkcs11:token=bank;id=%0C?$Q"
K=$(url disk)
same "no order" "$(json foreign 'd["newest"], len(d["versions"])')" "(None, 2)"
expect 78 "newer than version 0" -- rotate --key "$(url foreign)"
expect 64 "say with --version" -- dates --key "$(url foreign)" --starts 2020-01-01
expect 0 -- dates --key "$(url foreign)" --version 01 --starts 2020-01-01
expect 0 -- dates --key "$(url foreign)" --version 02 --starts 2021-01-01
same "order was given" "$(json foreign 'd["newest"]')" 02

# dates
expect 0 -- dates --key "$K" --version "$first" --starts 2024-02-29 --ends 2025-12-31
same "set" "$(json disk '[(v["starts"], v["ends"]) for v in d["versions"]][0]')" "('2024-02-29', '2025-12-31')"
expect 0 -- dates --key "$K" --version "$first" --ends none
same "taken away" "$(json disk '[(v["starts"], v["ends"]) for v in d["versions"]][0]')" "('2024-02-29', None)"
expect 64 "needs --starts" -- dates --key "$K" --version "$first"
expect 66 "no version" -- dates --key "$K" --version 99 --starts 2024-01-01
# SoftHSM does not tell those of an AES key: asked for, they are refused; else a note tells of it.
expect 78 "no dates" -- dates --key "$(url aes)" --version "$(json aes 'd["newest"]')" --starts 2024-01-01
expect 78 "without effect" -- rotate --key "$(url aes)" --ends 2031-01-01
same "not kept" "$(json aes 'len(d["versions"])')" 2

# disable, enable: the token itself refuses the key, and then not.
p11 --read-object --type pubkey --label disk --id "$first" -o pub.der 2>/dev/null || fail "no public half"
openssl pkeyutl -encrypt -pubin -inkey pub.der -keyform DER -pkeyopt rsa_padding_mode:oaep -in pin -out sealed
unseal() {
	p11 --login --pin 1234 --decrypt --mechanism RSA-PKCS-OAEP --hash-algorithm SHA-1 --id "$first" --input-file sealed 2>/dev/null | cmp -s - pin
}
unseal || fail "pkcs11-tool cannot use the key"
expect 0 -- disable --key "$K"
unseal && fail "a disabled key decrypts"
same "both are off" "$(json disk '[(v["decrypt"], v["unwrap"]) for v in d["versions"]]')" "[(False, False), (False, False)]"
expect 0 -- disable --key "$K"
expect 0 -- enable --key "$K" --version "$first"
unseal || fail "an enabled key does not decrypt"
# What a shell leaves of an unquoted URL is no key: nothing is changed, nor is a PIN asked for.
before=$(p11 --login --pin 1234 --list-objects 2>/dev/null)
for verb in disable enable "dates --starts 2024-01-01" "destroy --all --yes"; do
	for token in "pkcs11:token=bank?$Q" pkcs11:token=bank pkcs11:; do
		# shellcheck disable=SC2086 # words
		expect 64 "every key" -- $verb --key "$token"
		grep -q PIN err && fail "$verb asks for a PIN first: $(cat err)"
	done
done
same "nothing was changed" "$(p11 --login --pin 1234 --list-objects 2>/dev/null)" "$before"
unseal || fail "a key was disabled"
same "one is on" "$(json disk '[v["decrypt"] for v in d["versions"]]')" "[True, False]"

# destroy
expect 64 "one of them" -- destroy --key "$K" --yes
expect 64 "one of them" -- destroy --key "$K" --all --version "$first" --yes
expect 64 "--yes" -- destroy --key "$K" --version "$first"
same "none is gone" "$(objects disk | grep -c 'Key Object')" 4
# One id, two labels: which of them is meant must be said.
p11 --login --pin 1234 --keypairgen --key-type rsa:2048 --label twin --id "$first" >/dev/null 2>&1 || fail "pkcs11-tool"
expect 64 "several labels match" -- destroy --key "pkcs11:token=bank?$Q" --version "$first" --yes
grep -q 'key "disk".*"twin"\|key "twin".*"disk"' err || fail "the labels are not told: $(cat err)"
same "none of the twins is gone" "$(objects disk | grep -c "$first") $(objects twin | grep -c "$first")" "2 2"
expect 0 "Destroyed   key \"twin\" (id $first), RSA 2048" -- destroy --key "$(url twin)" --version "$first" --yes
expect 0 "Destroyed   key \"disk\" (id $first), RSA 3072" -- destroy --key "pkcs11:token=bank?$Q" --version "$first" --yes
same "both halves of one" "$(objects disk | grep -c 'Key Object')" 2
objects disk | grep -q "$first" && fail "$first is still there"
expect 0 -- destroy --key "$K" --all --yes
same "all" "$(objects disk | grep -c 'Key Object')" 0
expect 66 "no such key" -- show --key "$K"

# Bad command lines.
M=module-path=$MODULE
K=$(url made)
expect 64 "needs --key" -- new
expect 64 "unknown" -- new --nonsense "$K"
expect 64 "needs a value" -- new --key
expect 64 "does not take --all" -- new --key "$K" --all
expect 64 "options only" -- show --key "$K" more
expect 64 "pin-value does not name the key" -- show --key "pkcs11:token=bank;object=made;pin-value=s3cret?$M"
for wrong in "show pkcs11:token=bank?pin-value=s3cret" "show --kye=pkcs11:pin-value=s3cret" "pkcs11:pin-value=s3cret" \
	"show --key pkcs11:token=bank;pin-value=s3cret" "show --key pkcs11:token=bank&pin-source=s3cret"; do
	# shellcheck disable=SC2086 # words
	expect 64 -- $wrong
	grep -q s3cret out err && fail "$wrong: the value is shown: $(cat err)"
done
expect 64 -- frobnicate --key "$K"
expect 64 "2048" -- new --key "$K" --bits 1024
expect 64 "AES" -- new --key "$K" --bits 256
expect 64 -- new --key "$K" --type dsa
expect 64 "is no day" -- new --key "$K" --starts 2030-02-30
expect 64 "is no day" -- new --key "$K" --starts none
expect 64 "before it starts" -- new --key "$K" --starts 2030-01-02 --ends 2030-01-01
expect 64 "CKA_ID" -- dates --key "$K" --version xyz --starts 2030-01-01
expect 64 "object=" -- new --key "pkcs11:token=bank?$Q"
expect 78 "" -- show --key "pkcs11:token=bank;object=x;nonsense=1?$Q"
"$prog" >/dev/null 2>err && fail "no verb is no success"

# The PIN: from a file, from a descriptor, in the list of arguments, from nowhere.
expect 78 -- show --key "pkcs11:token=bank;object=made?$M"
expect 0 -- show --key "pkcs11:token=bank;object=made?$M&pin-source=fd:7" 7<pin
expect 64 "fd:8" -- show --key "pkcs11:token=bank;object=made?$M&pin-source=fd:8"
expect 64 "holds no PIN" -- show --key "pkcs11:token=bank;object=made?$M&pin-source=fd:7" 7</dev/null
expect 64 "two PINs" -- show --key "pkcs11:token=bank;object=made?$M&pin-source=fd:7&pin-value=1" 7<pin
"$prog" show --key "pkcs11:token=bank;object=made?pin-value=%31234&$M" >out 2>err || fail "pin-value: $(cat err)"
grep -q "^cmkdisk-tokenkey: warning: .*can be read by everybody" err || fail "no warning: $(cat err)"
expect 64 "a program is never run for a PIN" -- show --key "pkcs11:token=bank;object=made?$M&pin-source=|cat"
expect 64 "a program is never run for a PIN" -- show --key "pkcs11:token=bank;object=made?$M&pin-source=%7Ccat"
expect 78 "key URL, behind the '?'" -- show --key "pkcs11:token=bank;object=made?module-path=none.so&pin-source=file:$dir/pin"
expect 78 "install the HSM's PKCS#11 module" -- show --key "pkcs11:token=bank;object=made?module-path=/none.so&pin-source=file:$dir/pin"
echo 9999 >wrong
chmod 600 wrong
expect 77 -- show --key "pkcs11:token=bank;object=made?$M&pin-source=/$PWD/wrong"
p11 -L 2>/dev/null | grep -q "user PIN count low" || fail "no try was counted, so nothing was shown"
expect 0 -- show --key "$K"
p11 -L 2>/dev/null | grep -q "user PIN count low" && fail "the right PIN does not reset the count"

# On a terminal: no echo, Enter is none, Ctrl-C leaves the echo on; a PIN in argv is wiped there.
python3 "${0%/*}/tokenkey_terminal.py" "$prog" "pkcs11:token=bank;object=made?$M" || fail "on a terminal"
same "destroyed after yes" "$(objects made | grep -c 'Key Object')" 0

# Sealed before it reads anything; the name it was called by; --help.
mkfifo slow
"$prog" show --key "pkcs11:token=bank;object=aes?$M&pin-source=fd:7" 7<>slow >/dev/null & waiting=$!
sleep 0.5
grep -q '^Max core file size *0 *0 ' /proc/$waiting/limits || fail "core files are not forbidden"
echo 1234 >slow
wait $waiting || fail "a PIN that comes late is not taken"
(exec -a "cmkdisk tokenkey" "$prog" show --key "$(url nothing)") 2>err
grep -q '^cmkdisk tokenkey: ' err || fail "messages do not begin with argv[0]"
expect 0 -- --help
for verb in new rotate show dates enable disable destroy; do
	grep -q "^  $verb  " out || fail "--help does not explain $verb"
done
# SoftHSM hides a token for a moment when another process logs in: it is looked for again.
for blink in 120 3000; do
	cp "$deviant" deviant.so
	echo "C_GetSlotList=blink:$blink" >control
	DEVIANT_CONTROL=$PWD/control "$prog" show --key "pkcs11:token=bank;object=aes?module-path=$PWD/deviant.so&pin-source=file:$dir/pin" \
		>out 2>err
	same "a token that is gone for $blink ms" $? $((blink > 1000 ? 69 : 0))
done
# Of many tokens only a few are listed, after what to do.
for _ in 1 2 3 4 5; do
	softhsm2-util --init-token --free --label five --pin 1234 --so-pin 87654321 >/dev/null
done
for i in 6 5 4 3 2 1; do
	p11 --login --pin 1234 --keygen --key-type AES:32 --label six --id "0123456789abcdef0123456789abcd0$i" >/dev/null 2>&1
done
expect 0 "or name one with id= in the key URL: key " -- show --key "$(url six)"
grep -q 'No newest: .*cd01) without a start date, .*cd02) .* and [1-9] more$' out || fail "six keys: $(cat out)"
expect 78 "add token= or serial= to it" -- show --key "pkcs11:token=five;object=aes?$Q"
grep -q ') and 2 more$' err || fail "five tokens: $(cat err)"
"$prog" show --key "$(url aes)" >/dev/full 2>err && fail "a full standard output is no success"

exit $failed
