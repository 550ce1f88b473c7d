#!/bin/sh
# OB keys: from descriptions to bytes, what is refused, what lint says. The
# golden objects are made by another program (make-obk-xml.py).
. "$(dirname "$0")/lib.sh"
need xxd openssl jq
provisor --version | grep -q libxml2 || {
	echo '1..0 # SKIP built without libxml2'
	exit 0
}
cd "$T" || exit 1
G=$TOP/fixtures/golden
C=$TOP/fixtures/corrupt/obk-xml
cp -r "$G/obk-xml" prov
cp "$C"/*.xml prov/Config/
cp prov/Keys/root.pem outside.pem
cd prov || exit 1

said() { # PATTERN
	if grep -Eq -- "$1" "$T/out"; then pass "said: $1"; else fail "said: $1"; fi
}

ok 'make-obk-xml.sh' -- sh "$TOP/fixtures/corrupt/make-obk-xml.sh" "$T/corrupt"
ok 'gives what is committed' -- diff -r "$T/corrupt" "$C"

for n in stirot_h5 stirot_h7rs da da_h7rs da_password oemirot_h5 urot_keys ahk; do
	ok "$n is built" -- provisor obk build "Config/$n.xml" -o "$n.out"
	same "$n has the bytes of the other program" "$n.out" "Binary/$n.golden"
done
ok 'the output the description names' -- provisor obk build Config/stirot_h5.xml
same 'is the same' Binary/stirot_h5.obk Binary/stirot_h5.golden
ok 'it is private' -- test "$(stat -c %a Binary/stirot_h5.obk)" = 600
ok 'again' -- provisor obk build Config/stirot_h5.xml -o again.obk
same 'the same bytes' again.obk stirot_h5.out

# --- openssl sees the same keys and hashes
tail -c +133 stirot_h5.out | tail -c +33 | head -c 91 >spki.der
openssl pkey -in Keys/authentication.pem -pubout -outform DER -out want.der
same 'the public key, by openssl' spki.der want.der
tail -c +45 stirot_h5.out | openssl dgst -sha256 -binary >hash.bin
head -c 44 stirot_h5.out | tail -c 32 >have
same 'the hash, by openssl' have hash.bin
openssl pkey -in Keys/root.pem -pubout -outform DER | tail -c 64 |
	openssl dgst -sha256 -binary >hash.bin
head -c 76 da.out | tail -c 32 >have
same 'the hash of the root key, by openssl' have hash.bin
printf ST-demo-only-pw1 | openssl dgst -sha256 -binary >hash.bin
head -c 76 da_password.out | tail -c 32 >have
same 'the hash of the password, by openssl' have hash.bin

# --- the password for the host
ok 'the password file' -- provisor obk build Config/da_password.xml -o x.obk \
	--password-out password.bin
printf '0000008010000000 53542d64656d6f2d6f6e6c792d707731' | xxd -r -p >want
same 'has the form of ST' password.bin want
expect 2 'the object has no password' 'a password where there is none' -- \
	provisor obk build Config/da.xml -o y.obk --password-out y.bin
not_ok 'nothing is written' -- test -e y.obk

# --- what is refused, and that nothing is left
bad() { # CODE NAME PATTERN
	rm -f bad.obk
	expect "$1" "$3" "refused: $2" -- provisor obk build "Config/$2.xml" -o bad.obk
	not_ok "no output: $2" -- test -e bad.obk
}
bad 3 entity 'line 1: a document type, and with it entities, is not accepted'
bad 3 not-obk 'no Obdata in it'
bad 3 no-fields 'it has no field'
bad 3 unknown-element "element 'Blob' is not known here"
bad 3 second-hash "a second 'Hash'"
bad 3 second-value "two elements 'Value' in one 'File'"
bad 3 no-value "'Permission' lacks the element 'Value'"
bad 3 half-header 'ObDestAddress and DoEncryption go together'
bad 3 flag-2 "'DoEncryption' of 'Info' is not a number up to 1"
bad 5 destination '0x0ffd0110 is no destination'
bad 5 destination '^--unlisted takes destinations'
bad 3 wrong-length 'takes a body of 288 bytes, not of 96'
bad 3 no-hash 'needs a hash, the description has none'
bad 5 mask-empty 'the permissions are empty: nobody could ever'
bad 5 mask-no-regression 'permissions 0x0077 allow no regression'
bad 5 mask-no-regression '^--yes-irreversible builds it'
bad 3 mask-text "'everything' is no permission"
bad 3 mask-long '1 to 32 hex digits'
bad 3 da-fields 'is a root key and permissions, or a password'
bad 5 password-short 'the password has 3 bytes; the description asks for 4 to 16'
bad 5 password-long 'the password has 17 bytes'
bad 5 password-empty 'the password is empty'
bad 3 password-space 'begins or ends with white space'
bad 3 key-type "keys of type 'rsa-2048'"
bad 3 type-private "'Private' is neither 'Public' nor empty"
bad 3 not-a-choice "'0x03' is none of the values to choose from"
bad 3 not-true-or-false "'0x02' is none of the values"
bad 3 too-wide "'0x102' does not fit 1 bytes"
bad 3 decimal "'131072' is not a number in hexadecimal"
bad 3 not-hex "'0x2000g' is not a number in hexadecimal"
bad 3 no-width "'Secure size' lacks its width"
bad 3 overlap "'Execution' and 'Download' lie over each other"
bad 3 sector 'is not made of sectors of 0x2000 bytes'
bad 3 past-flash 'does not lie in 0x80000 bytes of flash'
bad 3 data-overlap "'Download' and 'Data download' lie over each other"
bad 3 state 'minimal product state 0x73 is none'
bad 5 state-locked "minimal product state 'locked'"
bad 5 same-keys 'one key both authenticates and encrypts'
bad 1 missing-key "opening 'Config/./../Keys/none.pem': No such file"
bad 3 public-for-private 'holds no PEM private key'
expect 5 "wants to write 'Config/../../da.obk', outside of its own folders" \
	'an output outside' -- provisor obk build Config/output-outside.xml
not_ok 'it is not there' -- test -e ../da.obk
expect 0 "field 'Root key' reads 'Config/../../outside.pem', outside the folders" \
	'an input outside is said' -- provisor obk build Config/input-outside.xml -o x.obk
expect 0 '' 'what cannot be taken back' -- provisor obk build \
	Config/mask-no-regression.xml -o x.obk --yes-irreversible
expect 5 'is no destination' 'unlisted is not irreversible' -- provisor obk build \
	Config/destination.xml -o y.obk --yes-irreversible
ok 'an unlisted destination' -- provisor obk build Config/destination.xml -o x.obk --unlisted
expect 2 "output '.*' is one of the inputs" 'output over a key' -- \
	provisor obk build Config/da.xml -o Config/../Keys/root.pem
expect 0 'not written' 'a dry run' -- provisor obk build Config/da.xml -o dry.obk --dry-run
not_ok 'writes nothing' -- test -e dry.obk
expect 3 "'stm32f4' has no OB keys" 'another chip' -- \
	provisor obk build Config/da.xml -o x.obk --chip stm32f4
expect 5 'the device has no crypto engine' 'H563 does not encrypt' -- \
	provisor obk build Config/da.xml -o x.obk --chip stm32h563zi
expect 1 'No such file' 'no description' -- provisor obk build none.xml -o x.obk
expect 2 'an argument is missing' 'no arguments' -- provisor obk build

# --- from JSON
cat >da.json <<'END'
{"title":"DA", "destination":"0x0ffd0100", "encrypt":true, "da":true,
 "fields":[{"type":"public-key","file":"Keys/root.pub.pem"},
 {"type":"permissions","value":"full-regression, partial-regression, secure-debug-hdpl1, secure-debug-hdpl2, secure-debug-hdpl3, nonsecure-debug-hdpl1, nonsecure-debug-hdpl2, nonsecure-debug-hdpl3"}]}
END
ok 'from JSON' -- provisor obk from-json da.json -o json.obk
same 'the same object' json.obk Binary/da.golden
printf 'ST-demo-only-pw1\n' >pw.txt
cat >pw.json <<'END'
{"destination":"0x0ffd0100", "encrypt":true, "da":true, "fields":[{"type":"password","file":"pw.txt"}]}
END
ok 'a password from a file' -- provisor obk from-json pw.json -o json.obk
same 'the same object' json.obk Binary/da_password.golden
cat >keys.json <<'END'
{"destination":"0x0FFD0160", "encrypt":true, "fields":[
 {"type":"public-key","file":"Keys/authentication.pem","align":4},
 {"type":"public-key","file":"Keys/authentication_ns.pem","align":4},
 {"type":"private-key","file":"Keys/encryption.pem","align":4}]}
END
ok 'keys' -- provisor obk from-json keys.json -o json.obk
same 'the same object' json.obk Binary/oemirot_h5.golden
json() { # CODE PATTERN TEXT
	printf '%s' "$3" >bad.json
	expect "$1" "$2" "JSON: $2" -- provisor obk from-json bad.json -o bad.obk
}
json 3 "unknown member 'fieldz'" '{"fieldz":[]}'
json 3 "'fields' is a list" '{"fields":[]}'
json 3 'field 1 is not an object' '{"fields":[1]}'
json 3 "type 'pin' is none of" '{"fields":[{"type":"pin"}]}'
json 3 "'destination' needs 'encrypt'" '{"destination":"0x0ffd0100","fields":[{"type":"number","value":"0x1"}]}'
json 3 "field 1: unknown member 'pass'" '{"fields":[{"type":"number","value":"0x1","pass":"x"}]}'
json 3 'not a JSON object' '[]'

# --- an encrypted key file
printf 'open sesame\n' >pass.txt
printf 'wrong\n' >wrong.txt
openssl pkcs8 -topk8 -v2 aes-256-cbc -in Keys/encryption.pem -passout file:pass.txt \
	-out Keys/locked.pem
sed 's|Keys/encryption.pem|Keys/locked.pem|' keys.json >locked.json
ok 'an encrypted key' -- provisor obk from-json locked.json -o locked.obk \
	--passphrase-file pass.txt
same 'the same object' locked.obk Binary/oemirot_h5.golden
expect 3 'wrong passphrase' 'a wrong passphrase' -- provisor obk from-json locked.json \
	-o bad.obk --passphrase-file wrong.txt
not_ok 'no output' -- test -e bad.obk

# --- a key in a token: its public half
if command -v softhsm2-util >/dev/null; then
	token oem
	ok 'a key in the token' -- provisor key generate --token 'pkcs11:token=oem' \
		--type ec-p256 --label root
	sed 's|Keys/root.pub.pem|pkcs11:token=oem;object=root|' da.json >token.json
	ok 'the root key of the token' -- provisor obk from-json token.json -o token.obk
	ok 'its public half' -- provisor key export-public \
		'pkcs11:token=oem;object=root' -o root-token.pem
	openssl pkey -pubin -in root-token.pem -outform DER | tail -c 64 |
		openssl dgst -sha256 -binary >hash.bin
	head -c 76 token.obk | tail -c 32 >have
	same 'the hash is that of the token key' have hash.bin
	sed 's|Keys/encryption.pem|pkcs11:token=oem;object=root|' keys.json >token.json
	cat >spy.c <<-'END'
		#include <stdio.h>
		__attribute__((constructor)) static void loaded(void)
		{
			fclose(fopen("loaded", "w"));
		}
	END
	cc -shared -fPIC -o spy.so spy.c
	evil="pkcs11:token=oem;object=root?module-path=$T/spy.so"
	sed "s|Keys/root.pub.pem|$evil|" da.json >evil.json
	expect 5 'module-path' 'a description that names code to load' -- \
		provisor obk from-json evil.json -o bad.obk
	sed "s|<Value>[^<]*root.pem|<Value>$evil|" Config/da.xml >Config/evil.xml
	ok 'in XML as well' -- grep -q module-path Config/evil.xml
	expect 5 'module-path' 'is refused' -- provisor obk build Config/evil.xml -o bad.obk
	not_ok 'nothing is loaded' -- test -e loaded
	not_ok 'nor written' -- test -e bad.obk
	expect 2 'stays in its token' 'a private key does not come out' -- \
		provisor obk from-json token.json -o bad.obk
fi

# --- lint
lint() { # CODE NAME PATTERN [OPTION...]
	_lc=$1 _ln=$2 _lp=$3
	shift 3
	expect "$_lc" "$_lp" "lint: $_ln" -- provisor obk lint "$@" "$C/$_ln.obk"
}
lint 4 hash 'the hash is not that of the data'
lint 3 images '3 images; one or two'
lint 3 firmware-empty 'the firmware area is empty'
lint 3 areas 'execution and download area lie over each other'
lint 3 data-slot 'data slot of 0x3f0 bytes'
lint 3 der 'no public key of P-256 in DER'
lint 3 point 'no point of P-256'
lint 3 pkcs8 "not in ST's short PKCS#8 form"
lint 3 scalar 'no private key of P-256'
lint 3 da-tail 'the last 16 bytes are not zero'
lint 5 place '0x0ffd0101 is no destination'
lint 0 clear 'stored in clear'
lint 5 clear 'stored in clear' --chip stm32h573
lint 0 clear 'stored in clear' --chip stm32h563
lint 5 lock 'no debug and no regression ever again'
lint 0 lock 'lock$' --yes-irreversible
lint 3 lock-words 'not the words ST gives it' --yes-irreversible
lint 4 pair 'hash 1 of 2 is not that of its data'
expect 5 'their places overlap' 'two boot paths in one job' -- \
	provisor obk lint Binary/stirot_h5.golden Binary/oemirot_h5.golden
expect 0 'one that everybody knows' 'a known password' -- \
	provisor obk lint Binary/da_password.golden
expect 5 '' 'lint as JSON' -- provisor --json obk lint "$C/lock.obk"
members=$(jq -r '.code,.files[0].findings[0].error' "$T/out" | tr '\n' ' ')
ok 'its members' -- test "$members" = '5 irreversible '

# --- inspect
expect 0 '44 +4 +minimal product state +0x7200 closed' 'inspect' -- \
	provisor obk inspect Binary/stirot_h5.golden
said '48 +72 +encryption key +secret, not shown'
d=$(openssl pkey -in Keys/encryption.pem -outform DER | xxd -p -c 200 | cut -c 15-40)
cp "$T/out" shown
not_ok 'no private key is shown' -- grep -q "$d" shown
expect 0 'debug authentication' 'the general inspect' -- provisor inspect Binary/da.golden
expect 3 'the file has 5' 'not OB keys' -- provisor obk inspect pw.txt
done_testing
