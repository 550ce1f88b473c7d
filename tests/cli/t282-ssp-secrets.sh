#!/bin/sh
# ssp with descriptions of secrets, batches, and a token that seals and makes
# random secrets.
. "$(dirname "$0")/lib.sh"
need softhsm2-util jq xxd strace python3
token oem
G="$TOP/fixtures/golden/ssp"
cd "$T" || exit 1
printf SSP_KEY_TEST_001 >k
head -c 16 /dev/urandom >boot.key
ok 'softhsm2-util puts an AES key into the token' -- softhsm2-util --import k \
	--aes --token oem --pin 271828 --label ssp --id 01
KEY='pkcs11:token=oem;object=ssp;type=secret-key'
ROOT="--public-key $G/key0.pem"

# --- the token seals: the same file as with the key file
pack() { # KEY OUT ARGS...
	_k=$1 _o=$2
	shift 2
	# shellcheck disable=SC2086
	provisor ssp pack --chip stm32mp15 --secrets "$G/secrets.bin" \
		--rma-unlock 0x312 --rma-relock 0xeca $ROOT --key "$_k" -o "$_o" "$@"
}
ok 'packed by the token, IV of 16 bytes' -- pack "$KEY" t.ssp
ok 'packed with the key file' -- pack k f.ssp --nonce t.ssp.nonce
same 'the packages are the same' t.ssp f.ssp
ok 'packed by the token, IV of 12 bytes' -- \
	pack "$KEY" t12.ssp --profile ssp:payload_iv_len=12
ok 'packed with the key file' -- \
	pack k f12.ssp --profile ssp:payload_iv_len=12 --nonce t12.ssp.nonce
same 'the packages are the same' t12.ssp f12.ssp
expect 0 'verified, tag valid' 'verified by the token' -- \
	provisor ssp verify f.ssp --key "$KEY" --nonce t.ssp.nonce
expect 4 'tag' 'a wrong nonce, by the token' -- \
	provisor ssp verify f.ssp --key "$KEY" --nonce t12.ssp.nonce
expect 5 'other content' 'the record knows the key in both' -- provisor ssp pack \
	--chip stm32mp15 --secrets boot.key --rma-unlock 1 --rma-relock 2 \
	--public-key "$G/key0.pem" --key "$KEY" --nonce t.ssp.nonce -o x.ssp
expect 6 . 'no such key' -- pack 'pkcs11:token=oem;object=none' x.ssp
echo 000000 >wrongpin
expect 6 . 'a wrong PIN' -- pack "$KEY" x.ssp --pin-file wrongpin
not_ok 'no package' -- test -e x.ssp -o -e x.ssp.nonce

# --- a description
cat >s.json <<'END'
{ "provisor_secrets": 1, "chip": "stm32mp15",
  "rma_unlock": "0x111", "rma_relock": 546,
  "fields": [
    { "name": "device-key", "hex": "000102030405060708090a0b0c0d0e0f" },
    { "name": "boot-key", "file": "boot.key", "word": 92, "order": "big" },
    { "name": "own", "word": 70, "size": 32, "random": "pkcs11:token=oem" } ] }
END
expect 0 '70..77 +own +burnt and locked unless zero, 32 bytes, random' \
	'explain a description' -- provisor ssp explain s.json
expect 0 '63..69 +- +not used' 'and its gaps' -- provisor ssp explain s.json
not_ok 'without the values' -- grep -q 000102030405 out
expect 0 '"word":59,"field":"device-key","source":"hex","burnt":true' 'as JSON' -- \
	provisor --json ssp explain s.json
not_ok 'without the values' -- grep -qi 000102030405 out
mkdir -p sub
expect 0 'boot-key' 'files are found beside it' -- sh -c \
	"cd sub && provisor ssp explain ../s.json"
# shellcheck disable=SC2086
{
expect 0 '70..77 +own +burnt and locked, 32 bytes' 'packed, random by the token' -- \
	provisor ssp pack --secrets s.json $ROOT --key "$KEY" -o d1.ssp
expect 0 '' 'once more' -- provisor ssp pack --secrets s.json $ROOT --key k -o d2.ssp
expect 0 '30 words as in s.json' 'verified but for the random' -- \
	provisor ssp verify d1.ssp --key k --nonce d1.ssp.nonce --secrets s.json
expect 2 'gives this password, too' 'an RMA password twice' -- provisor ssp pack \
	--secrets s.json --rma-unlock 1 $ROOT --key k -o x.ssp
expect 2 'describes secrets of a stm32mp15' 'another chip' -- provisor ssp pack \
	--secrets s.json --chip stm32mp13 --pkhth "$G/pkhth.bin" --key k -o x.ssp
sed 's/token=oem/token=none/' s.json >none.json
expect 6 none 'random of a token that is not there' -- provisor ssp pack \
	--secrets none.json $ROOT --key k -o x.ssp
for x in module-path=/tmp/x.so pin-source=file:/tmp/x; do
	sed "s,token=oem,token=oem?$x," s.json >uri.json
	expect 5 "a stored URI may not hold ${x%%=*}" 'random by a module or PIN of its own' -- \
		provisor ssp pack --secrets uri.json $ROOT --key k -o x.ssp
done
cp s.json s.txt
expect 3 'not named .json' 'a description by another name' -- provisor ssp pack \
	--chip stm32mp15 --secrets s.txt --rma-unlock 1 --rma-relock 2 $ROOT \
	--key k -o x.ssp
sed 's/"word": 70/"word": 61/' s.json >over.json
expect 3 "'device-key' and 'own' both claim OTP word 61" 'fields that overlap' -- \
	provisor ssp explain over.json
sed 's/"size": 32/"size": 149/' s.json >long.json
expect 3 "field 'own': 'size' is 1 to 148" 'a field too long' -- \
	provisor ssp explain long.json
sed 's/"order": "big"/"oder": "big"/' s.json >oder.json
expect 3 "member 'oder' is not known" 'a member that is misspelt' -- \
	provisor ssp explain oder.json
sed 's/"name": "own"/"name": "device-key"/' s.json >twice.json
expect 3 "two fields 'device-key'" 'a name twice' -- provisor ssp explain twice.json
}

# The bytes that are burnt, read with openssl: see t280.
plain() { # FILE
	mac=$(printf '' | openssl mac -cipher AES-128-GCM -macopt hexkey:"$(xxd -p k)" \
		-macopt hexiv:"$(xxd -p "$1.nonce")" -in - GMAC)
	j0=$(printf '%s' "$mac" | xxd -r -p | openssl enc -d -aes-128-ecb -nopad \
		-K "$(xxd -p k)" | xxd -p)
	low=$((0x$(printf '%s' "$j0" | cut -c 25-32) + 1))
	tail -c +93 "$1" | openssl enc -d -aes-128-ctr -K "$(xxd -p k)" \
		-iv "$(printf '%s' "$j0" | cut -c 1-24)$(printf %08x $low)"
}
plain d1.ssp >p1
plain d2.ssp >p2
ok 'RMA word 0x222 << 15 | 0x111' -- test "$(head -c 4 p1 | xxd -p)" = 11011101
head -c 16 boot.key | xxd -p -c 4 | sed 's/\(..\)\(..\)\(..\)\(..\)/\4\3\2\1/' |
	tr -d '\n' >want
tail -c 16 p1 | xxd -p | tr -d '\n' >got
same 'order big turns each word round' want got
dd if=p1 bs=4 skip=12 count=8 2>/dev/null >r1
dd if=p2 bs=4 skip=12 count=8 2>/dev/null >r2
not_ok 'two packages have different random' -- cmp -s r1 r2
not_ok 'and none of it is zero' -- sh -c 'xxd -p -c 4 r1 | grep -q 00000000'

# --- a batch
cat >b.json <<'END'
{ "provisor_secrets": 1, "chip": "stm32mp15",
  "rma_unlock": {"column": "unlock"}, "rma_relock": {"column": "relock"},
  "fields": [
    { "name": "key", "size": 16, "column": "key" },
    { "name": "serial", "size": 10, "column": "serial", "encoding": "text" },
    { "name": "own", "size": 16, "random": "pkcs11:token=oem" } ] }
END
printf 'name,key,serial,unlock,relock\r\n' >d.csv
for i in 1 2 3; do
	printf 'board-%d,%s,"SN,%d",%d,%d\r\n' $i "$(head -c 16 /dev/urandom | xxd -p)" \
		$i $((i + 16)) $((i + 32)) >>d.csv
done
# shellcheck disable=SC2086
batch() { # ARGS...
	provisor ssp pack --secrets b.json $ROOT --key "$KEY" "$@"
}
expect 0 '3 packages would go to none' 'a dry run' -- \
	batch --batch d.csv -d none --dry-run
not_ok 'makes no folder' -- test -e none
expect 2 "value is column 'unlock' of a batch" 'columns without a batch' -- \
	batch -o x.ssp
expect 0 '3 packages in pk' 'a batch' -- batch --batch d.csv -d pk
ok 'three packages and nonces' -- test "$(find pk -type f | wc -l)" -eq 6
ok 'all nonces differ' -- test "$(cat pk/*.nonce | xxd -p -c 16 | sort -u | wc -l)" -eq 3
for i in 1 2 3; do
	expect 0 '34 words as in b.json' "board-$i holds its row" -- provisor ssp verify \
		pk/board-$i.ssp --key k --nonce pk/board-$i.ssp.nonce \
		--secrets b.json --batch d.csv --row board-$i
done
expect 4 'other RMA passwords' 'board-1 does not hold row board-2' -- \
	provisor ssp verify pk/board-1.ssp --key k --nonce pk/board-1.ssp.nonce \
	--secrets b.json --batch d.csv --row board-2
expect 1 "no row 'board-9'" 'no such row' -- provisor ssp verify pk/board-1.ssp \
	--key k --nonce pk/board-1.ssp.nonce --secrets b.json --batch d.csv --row board-9
cp pk/board-3.ssp 3.ssp
cp pk/board-3.ssp.nonce 3.ssp.nonce
plain 3.ssp >p
ok 'RMA word of row 3' -- test "$(head -c 4 p | xxd -p)" = 13801100
ok 'key of row 3' -- test "$(dd if=p bs=4 skip=1 count=4 2>/dev/null | xxd -p)" = \
	"$(sed -n '4s/[^,]*,\([^,]*\),.*/\1/p' d.csv)"
ok 'serial of row 3' -- test "$(dd if=p bs=4 skip=5 count=3 2>/dev/null | xxd -p)" = \
	534e2c330000000000000000
expect 1 "line 2: 'pk/board-1.ssp' exists" 'a batch replaces nothing' -- \
	batch --batch d.csv -d pk
expect 2 'each package needs a nonce of its own' 'a nonce for a batch' -- \
	batch --batch d.csv -d pk2 --nonce t.ssp.nonce
expect 2 'a batch goes into a folder' 'an output for a batch' -- \
	batch --batch d.csv -d pk2 -o x.ssp
# The same from JSONL on standard input.
python3 -c '
import csv, json
for row in csv.DictReader(open("d.csv", newline="")):
    print(json.dumps(row))' >d.jsonl
expect 0 '"devices":3' 'a batch as JSONL on standard input' -- sh -c \
	"provisor --json ssp pack --secrets b.json $ROOT --key k --batch - -d pk3 <d.jsonl"
expect 0 '34 words as in b.json' 'holds the same' -- provisor ssp verify \
	pk3/board-2.ssp --key k --nonce pk3/board-2.ssp.nonce --secrets b.json \
	--batch d.csv --row board-2
# A fault in the last row stops before the first package.
{ cat d.csv && echo 'board-4,00,S,1,2'; } >bad.csv
expect 3 "'bad.csv', line 5: field 'key': column 'key' has 2 characters" \
	'a bad row' -- batch --batch bad.csv -d pk4
{ cat d.csv && sed -n '2s/board-1/board-4/p' d.csv | sed 's/,17,33/,5,5/'; } >eq.csv
expect 3 "line 5: the RMA passwords .* are the same" 'equal RMA passwords in a row' -- \
	batch --batch eq.csv -d pk4
{ cat d.csv && sed -n 2p d.csv; } >dup.csv
expect 3 'lines 2 and 5 have the same name' 'a name twice' -- batch --batch dup.csv -d pk4
{ cat d.csv && sed -n '2s/board-1/..\/x/p' d.csv; } >path.csv
expect 3 'line 5: the name of a device' 'a name that is a path' -- \
	batch --batch path.csv -d pk4
not_ok 'none of them made a folder' -- test -e pk4

# --- secrets stay in memory: every file that is opened for writing is looked at
KEYHEX=$(sed -n '2s/[^,]*,\([^,]*\),.*/\1/p' d.csv)
# as strace shows bytes, and as text
{
	printf '%s\n' "$KEYHEX" | sed 's/\(..\)/\\x\1/g'
	printf '%s' "$KEYHEX" | xxd -p -c 64 | sed 's/\(..\)/\\x\1/g'
	echo "$KEYHEX"
} >needle
ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" strace -f -e trace=write,pwrite64 -s 4096 -x -o trace -- \
	provisor ssp pack --secrets b.json --public-key "$G/key0.pem" --key k \
	--batch d.csv -d pk5 >out 2>&1
ok 'a batch under strace' -- test -e pk5/board-3.ssp
ok 'which saw the packages' -- grep -qF '\x53\x53\x50\x50' trace
not_ok 'no write holds a key of the batch' -- \
	grep -qiF -f needle trace
not_ok 'nor does anything printed' -- grep -qi "$KEYHEX" out

done_testing
