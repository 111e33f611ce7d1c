#!/bin/bash
# SPDX-License-Identifier: MIT
# The program cmkdisk-tokenkey as `cmkdisk byok`: what it makes of keys in SoftHSM, taken apart by the
# openssl program alone, is the very key. Usage: byok_program.sh PROGRAM
# shellcheck source-path=SCRIPTDIR source=tokenkey_rig.sh
. "${0%/*}/tokenkey_rig.sh"

# The same program under its other name.
ln -s "$prog" "$dir/cmkdisk-byok"
tokenkey=$prog
prog=$dir/cmkdisk-byok
KID=https://contoso.vault.azure.net/keys/kek/0123456789abcdef0123456789abcdef

openssl genrsa -out kek.pem 3072 2>/dev/null
openssl pkey -in kek.pem -pubout -out kek.pub
modulus() { # FILE [OPTION...]: in hexadecimal digits
	openssl rsa -noout -modulus -in "$@" 2>/dev/null | sed 's/.*=//'
}
# jwk STYLE: the JSON of kek.pem; numbers in base64url, or in base64 as the Azure CLI has them.
jwk() {
	python3 - "$(modulus kek.pem)" "$KID" "$1" <<-'JSON'
		import base64, json, sys
		n, kid, style = bytes.fromhex(sys.argv[1]), sys.argv[2], sys.argv[3]
		key = {"kid": kid, "kty": "RSA-HSM", "key_ops": ["import"], "e": "AQAB"}
		key["n"] = base64.urlsafe_b64encode(n).decode().rstrip("=")
		if style == "cli":
		    key["n"] = base64.b64encode(b"\0" + n).decode()
		if style == "many":
		    key["key_ops"] = ["import", "wrapKey"]
		print(json.dumps(key if style == "bare" else {"attributes": {"enabled": True}, "key": key, "tags": None}))
	JSON
}
for style in bare cli many; do jwk $style >$style.json; done

"$tokenkey" new --key "$(url rsa)" --exportable --bits 2048 >/dev/null || fail "new rsa"
"$tokenkey" new --key "$(url aes)" --exportable --type aes >/dev/null 2>&1 || fail "new aes"
"$tokenkey" new --key "$(url kept)" --bits 2048 >/dev/null || fail "new kept"

# unwrap BLOB OUT [KEK]: by the openssl program: RSA-OAEP with SHA-1, then RFC 5649.
unwrap() {
	rm -f ephemeral "$2"
	python3 -c '
import base64, json, sys
blob = json.load(open(sys.argv[1]))
assert blob["schema_version"] == "1.0.0" and blob["header"]["alg"] == "dir" and blob["header"]["enc"] == "CKM_RSA_AES_KEY_WRAP", blob
assert blob["generator"].startswith("cmkdisk ") and set(blob) == {"schema_version", "header", "ciphertext", "generator"}, blob
assert not set("+/=") & set(blob["ciphertext"])
data = base64.urlsafe_b64decode(blob["ciphertext"] + "===")
open("first", "wb").write(data[:384])
open("second", "wb").write(data[384:])' "$1" || return 1
	openssl pkeyutl -decrypt -inkey "${3:-kek.pem}" -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha1 \
		-in first -out ephemeral 2>/dev/null || return 1
	[ "$(stat -c %s ephemeral)" = 32 ] || return 1
	openssl enc -d -id-aes256-wrap-pad -K "$(od -An -v -tx1 ephemeral | tr -d ' \n')" -iv a65959a6 -in second -out "$2"
}

# An RSA key: the recovered one has the modulus of the token's public half, opens what was sealed with
# that, and is whole.
expect 0 "disk.byok" -- --kek bare.json --key "$(url rsa)" --out disk.byok
# SoftHSM 2.6 pads to whole 8 bytes before it wraps, which is told beforehand.
grep -q '^cmkdisk-byok: note: .*pads with zeros' err || fail "no note: $(cat err)"
same "mode" "$(stat -c %a disk.byok)" 600
# Whoever has the other half of it gets the key: it can be compared.
sum=$(openssl pkey -pubin -in kek.pub -outform DER | sha256sum)
grep -q "^For         $KID\$" out || fail "the key exchange key is not named: $(cat out)"
grep -q "^SHA-256     ${sum%% *}\$" out || fail "not the fingerprint $sum: $(cat out)"
same "named" "$(python3 -c 'import json; print(json.load(open("disk.byok"))["header"]["kid"])')" "$KID"
unwrap disk.byok rsa.der || fail "openssl cannot unwrap it"
openssl genrsa -out other.pem 3072 2>/dev/null
(unwrap disk.byok never.der other.pem) && fail "another key unwraps it"
openssl pkey -inform DER -in rsa.der -check -noout >/dev/null 2>err || fail "no whole key: $(cat err)"
p11 --read-object --type pubkey --label rsa -o rsa.pub 2>/dev/null || fail "no public half"
[ -n "$(modulus rsa.der -inform DER)" ] || fail "no modulus"
same "modulus" "$(modulus rsa.der -inform DER)" "$(modulus rsa.pub -inform DER -pubin)"
openssl pkeyutl -encrypt -pubin -inkey rsa.pub -keyform DER -pkeyopt rsa_padding_mode:oaep -in pin -out sealed
openssl pkeyutl -decrypt -inkey rsa.der -keyform DER -pkeyopt rsa_padding_mode:oaep -in sealed -out opened
cmp -s pin opened || fail "the recovered key does not open what was sealed with the token's public half"
python3 - <<-'DER' || fail "more than padding behind the key"
	key = open("rsa.der", "rb").read()
	end = 4 + int.from_bytes(key[2:4], "big")
	assert key[:2] == b"\x30\x82" and end <= len(key) < end + 8 and not any(key[end:])
DER
grep -aq 'PRIVATE KEY' disk.byok && fail "a private key in plain"

# An AES key: token and recovered key encrypt alike.
expect 0 "--hsm-name" -- --kek cli.json --key "$(url aes)" --out aes.byok
grep -q 'pads with zeros' err && fail "an AES key needs no padding"
unwrap aes.byok aes.key || fail "openssl cannot unwrap the AES key"
same "AES-256" "$(stat -c %s aes.key)" 32
printf '%032d' 7 >plain
p11 --login --pin 1234 --encrypt --mechanism AES-CBC --iv 00000000000000000000000000000000 \
	--id "$(prog=$tokenkey json aes 'd["newest"]')" --input-file plain --output-file by-token 2>/dev/null ||
	fail "the token does not encrypt"
openssl enc -aes-256-cbc -nopad -K "$(od -An -v -tx1 aes.key | tr -d ' \n')" -iv 00000000000000000000000000000000 -in plain -out by-openssl
cmp -s by-token by-openssl || fail "the recovered AES key is another one"
cmp -s by-token plain && fail "the comparison of keys compares nothing"

# The file: nothing is replaced unless asked for, and nothing is left behind.
before=$(sha256sum <disk.byok)
expect 73 "--force" -- --kek bare.json --key "$(url rsa)" --out disk.byok
same "not replaced" "$(sha256sum <disk.byok)" "$before"
expect 0 -- --kek bare.json --key "$(url rsa)" --out disk.byok --force
[ "$(sha256sum <disk.byok)" != "$before" ] || fail "not replaced with --force"
expect 66 -- --kek bare.json --key "$(url rsa)" --out nowhere/disk.byok
same "no leftover" "$(ls -d ./*.byok.* nowhere 2>/dev/null)" ""
mkdir in-the-way
expect 73 -- --kek bare.json --key "$(url rsa)" --out in-the-way

# What must not leave, and what there is none of.
expect 77 "not to be exported" -- --kek bare.json --key "$(url kept)" --out kept.byok
expect 66 -- --kek bare.json --key "$(url nothing)" --out kept.byok
[ -e kept.byok ] && fail "a refused key made a file"
"$tokenkey" rotate --key "$(url rsa)" >/dev/null || fail "rotate"
expect 77 "not to be exported" -- --kek bare.json --key "$(url rsa)" --out newest.byok
id=$(prog=$tokenkey json rsa 'd["versions"][0]["version"]')
expect 0 "$id" -- --kek bare.json --key "pkcs11:token=bank;object=rsa;id=${id//??/%&}?$Q" --out old.byok

# The key exchange key.
warned() { # TEXT ARGS: done, with this warning
	local text=$1
	shift
	setsid -w "$prog" "$@" >out 2>err </dev/null || fail "$*: $(cat err)"
	grep -q "^cmkdisk-byok: warning: .*$text" err || fail "$*: no warning '$text': $(cat err)"
	grep -q '^Blob  ' out || fail "$*: not told where the blob is: $(cat out)"
	grep -q 'Next step' out && fail "$*: a next step that no vault lets through: $(cat out)"
}
warned "names no key exchange key" --kek kek.pub --key "$(url aes)" --out unnamed.byok
warned "may do more than import" --kek many.json --key "$(url aes)" --out many.byok
# One sentence: a warning is moot where nothing is made.
expect 77 "not to be exported" -- --kek kek.pub --key "$(url kept)" --out kept.byok
expect 77 "not to be exported" -- --kek many.json --key "$(url kept)" --out kept.byok
expect 73 "--force" -- --kek kek.pub --key "$(url aes)" --out unnamed.byok
expect 0 "Next step" -- --kek kek.pub --kid "$KID" --key "$(url aes)" --out named.byok
unwrap named.byok again.key || fail "named.byok"
cmp -s aes.key again.key || fail "another key"
expect 64 "with its version" -- --kek kek.pub --kid https://contoso.vault.azure.net/keys/kek --key "$(url aes)" --out x.byok
expect 66 -- --kek missing --key "$(url aes)" --out x.byok
for mode in 620 602; do
	install -m $mode bare.json open.json
	expect 78 "others may write to it" -- --kek open.json --key "$(url aes)" --out x.byok
done
if [ "$(id -u)" = 0 ]; then
	install -m 600 -o 65534 bare.json theirs.json
	expect 78 "another user" -- --kek theirs.json --key "$(url aes)" --out x.byok
fi
setsid -w "$prog" --kek <(cat kek.pub) --kid "$KID" --key "$(url aes)" --out piped.byok >out 2>err </dev/null ||
	fail "a pipe is not taken: $(cat err)"
grep -q "^SHA-256     ${sum%% *}\$" out || fail "not the fingerprint of the PEM: $(cat out)"
expect 65 "neither" -- --kek plain --key "$(url aes)" --out x.byok
expect 65 "holds a private key" -- --kek kek.pem --key "$(url aes)" --out x.byok
openssl pkey -in kek.pem -aes256 -passout pass:x -out locked.pem
expect 65 "holds a private key" -- --kek locked.pem --key "$(url aes)" --out x.byok
python3 -c 'import json; d = json.load(open("bare.json")); json.dump(dict(d, d="AQAB"), open("private.json", "w"))'
expect 65 "give the public half" -- --kek private.json --key "$(url aes)" --out x.byok
# What the Azure CLI prints of a public key has all members, of which it knows nothing.
python3 -c 'import json; d = json.load(open("bare.json")); json.dump(dict(d, d=None), open("nulls.json", "w"))'
expect 0 -- --kek nulls.json --key "$(url aes)" --out nulls.byok
echo '{"key":{"kty":"EC","x":"AAAA"}}' >ec.json
expect 65 "no RSA key" -- --kek ec.json --key "$(url aes)" --out x.byok
echo '{' >broken.json
expect 65 "no JSON" -- --kek broken.json --key "$(url aes)" --out x.byok
openssl genrsa 1024 2>/dev/null | openssl pkey -pubout -out small.pub
expect 65 "2048" -- --kek small.pub --key "$(url aes)" --out x.byok
head -c 70000 /dev/zero >large
expect 65 "too large" -- --kek large --key "$(url aes)" --out x.byok
expect 64 "needs --kek" -- --key "$(url aes)" --out x.byok
expect 64 "options only" -- --kek kek.pub --key "$(url aes)" --out x.byok more
[ -e x.byok ] && fail "a refused command made a file"
expect 0 "usage: cmkdisk-byok [OPTION]..." -- --help

exit $failed
