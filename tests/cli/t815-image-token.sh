#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Images signed and opened with keys in a SoftHSM2 token.
# shellcheck disable=SC2086 # lists of options
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/image.sh"
need softhsm2-util pkcs11-tool
cd "$T" || exit 1
keys
token
n=0
for k in p256 p384 ed rsa2048 rsa3072 enc-rsa; do
	n=$((n + 1))
	openssl pkcs8 -topk8 -nocrypt -in $k.pem -out $k.p8
	ok "the token takes $k" -- softhsm2-util --import $k.p8 --token oem --label $k \
		--id 0$n --pin 271828
done
# softhsm2-util leaves out the permission to derive.
tool() { pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --token-label oem --login --pin 271828 "$@"; }
for k in enc-ec other; do
	openssl pkey -in $k.pem -outform DER -out $k.der
	openssl pkey -in $k.pem -pubout -outform DER -out $k-pub.der
	n=$((n + 1))
	ok "the token takes $k" -- tool --write-object $k.der --type privkey --label $k --id 0$n --usage-derive
	ok "and its public half" -- tool --write-object $k-pub.der --type pubkey --label $k --id 0$n
done
U='pkcs11:token=oem;object='

# --- signing, each kind of key
for k in p256 p384 ed rsa2048 rsa3072; do
	sha=256
	[ $k = p384 ] && sha=384
	cell "$k in the token" "$B --key $U$k" "$W key=$k-pub.pem sha=$sha" "--key $k-pub.pem"
	expect 0 '1 signature verified' "$k: verified with the token's public key" -- \
		provisor image verify --key "$U$k" signed.bin
done
# Raw RSA and Ed25519: the token's bytes are those of the file.
for k in rsa2048 rsa3072 ed; do
	provisor image sign $B --key "$U$k" fw.bin -o token.bin >/dev/null
	provisor image sign $B --key $k.pem fw.bin -o file.bin >/dev/null
	same "$k: the same image from file and token" token.bin file.bin
done
cell 'pure Ed25519 in the token' "$B --key ${U}ed --pure" "$W key=ed-pub.pem sha=512 pure=1" "-k ed-pub.pem"
cell 'two keys of one token' "$B --key ${U}p256 --key ${U}rsa3072" \
	"$W key=p256-pub.pem key=rsa3072-pub.pem" "-k p256-pub.pem -k ${U}rsa3072"
cell 'STiRoT with a key in the token' "--flavor st-h5-stirot $B --key ${U}p256 -E ${U}enc-ec -S 0x8000 --pad" \
	"$W st=1 magic=0x73ab1024 key=p256-pub.pem decrypt=enc-ec.pem slot=0x8000 pad=1" \
	"--flavor st-h5-stirot -k p256-pub.pem --decrypt-key ${U}enc-ec"

# --- decryption in the token
provisor image sign $B -k p256.pem -E enc-ec-pub.pem fw.bin -o ec.bin >/dev/null
provisor image sign $B -k rsa2048.pem -E enc-rsa-pub.pem fw.bin -o rsa.bin >/dev/null
expect 0 'encrypted' 'ECDH in the token' -- \
	provisor image verify -k p256-pub.pem --decrypt-key "${U}enc-ec" ec.bin
expect 0 'encrypted' 'RSA in the token' -- \
	provisor image verify -k rsa2048-pub.pem --decrypt-key "${U}enc-rsa" rsa.bin
ok 'the firmware comes out' -- sh -c "
	provisor image decrypt --decrypt-key '${U}enc-ec' --payload-only ec.bin -o p.bin &&
	head -c 5003 p.bin | cmp - fw.bin"
expect 4 'MAC differs' 'another key of the token' -- \
	provisor image decrypt --decrypt-key "${U}other" ec.bin -o x.bin
expect 4 'not encrypted to this RSA key' 'another RSA key of the token' -- \
	provisor image decrypt --decrypt-key "${U}rsa2048" rsa.bin -o x.bin

# --- what goes wrong
echo 000000 >wrong
chmod 600 wrong
expect 6 'PIN' 'a wrong PIN' -- provisor image sign $B --key "${U}p256" --pin-file wrong fw.bin -o x.bin
expect 6 "no private key .* matches" 'a key that is not there' -- \
	provisor image sign $B --key "${U}nosuch" fw.bin -o x.bin
expect 6 'CKR_KEY_FUNCTION_NOT_PERMITTED' 'a key that may not derive' -- \
	provisor image decrypt --decrypt-key "${U}p256" ec.bin -o x.bin
expect 6 'is no key of P-256 or RSA' 'decryption with Ed25519' -- \
	provisor image decrypt --decrypt-key "${U}ed" ec.bin -o x.bin
not_ok 'nothing came of these' -- test -e x.bin
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small.p8 2>/dev/null
softhsm2-util --import small.p8 --token oem --label small --id 55 --pin 271828 >/dev/null
expect 6 'another size than 2048 or 3072' 'RSA-1024' -- \
	provisor image sign $B --key "${U}small" fw.bin -o x.bin
ok 'key export-public of RSA' -- sh -c "
	provisor key export-public '${U}rsa2048' -o out.pem && cmp out.pem rsa2048-pub.pem"

# --- many images, one login
: >list
for i in 1 2 3 4 5 6 7 8 9 10; do
	echo "fw.bin batch$i.bin 1.0.$i" >>list
done
printf '\n# a note\nfw.bin last.hex\n' >>list
expect 0 'batch7.bin: version 1.0.7' 'a batch' -- \
	provisor image sign $B -x 0x8000000 --key "${U}p256" --batch list
ok 'one login for all of them' -- sh -c "
	P11FLAGS_LOG=$T/logins provisor image sign $B -x 0x8000000 --key '${U}p256' --batch list \\
		--module '$BUILD/tests/preload/p11flags.so' && test \"\$(wc -l <logins)\" = 1"
for i in 1 10; do
	expect 0 "version 1.0.$i\+0" "image $i of the batch" -- \
		provisor image verify -k p256-pub.pem batch$i.bin
done
ok 'their counters follow their versions' -- sh -c '
	provisor --json image inspect batch10.bin | jq -e ".entries[0].meaning == \"16777226\""'
expect 0 'version 1.2.3\+4' 'and the one in HEX' -- provisor image verify -k p256-pub.pem last.hex
printf 'fw.bin ok.bin\nnosuch.bin no.bin\nfw.bin later.bin\n' >list
expect 1 "'list' line 2: .*nosuch.bin" 'a line that fails' -- \
	provisor image sign $B --key p256.pem --batch list
ok 'those before it are done, those after it are not' -- sh -c 'test -e ok.bin && test ! -e later.bin'
echo 'fw.bin' >list
expect 3 "line 1: a line is 'IN OUT" 'a line without output' -- \
	provisor image sign $B --key p256.pem --batch list
done_testing
