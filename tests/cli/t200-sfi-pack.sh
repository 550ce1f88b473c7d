#!/bin/sh
# sfi pack, inspect, verify, unpack, calibrate: what a package holds, shown by
# the program and by openssl enc, which knows nothing of packages.
. "$(dirname "$0")/lib.sh"
need openssl xxd jq

G="$TOP/fixtures/golden/sfi-v1"
FW="$TOP/fixtures/firmware"
printf AES_KEY_TEST_001 >"$T/k"
cd "$T" || exit 1

# --- the main way: an ELF, a fresh nonce
expect 0 'app.sfi: 3 areas, 842 bytes, image version 7, profile v1' \
	'an ELF is packed with a fresh nonce' -- \
	provisor sfi pack --chip stm32h563 --firmware "$FW/blink.elf" \
	--option-bytes "$G/options.csv" --key k --image-version 7 -o app.sfi
cp out first
ok 'the areas and their sources are listed' -- \
	grep -Eq '^  3 C  - +48  .*options.csv: PRODUCT_STATE 0x17 \(provisioning\)$' first
ok 'the nonce is announced' -- grep -q '^nonce: written to app.sfi.nonce' first
ok 'the nonce has 12 bytes' -- test "$(wc -c <app.sfi.nonce)" -eq 12
expect 0 'verified, header and 3 areas' 'it verifies' -- \
	provisor sfi verify app.sfi --key k --nonce app.sfi.nonce
expect 0 'area-001-F-0x08000000.bin  672 bytes' 'it unpacks' -- \
	provisor sfi unpack app.sfi --key k --nonce app.sfi.nonce -d plain
head -c 672 "$FW/blink.bin" >start
same 'the first area is the start of what objcopy makes of the ELF' \
	plain/area-001-F-0x08000000.bin start
tail -c +673 "$FW/blink.bin" >rest
same 'the second area is the rest of it' plain/area-002-F-0x080002a0.bin rest
ok 'the plaintext is for the owner only' -- \
	test "$(stat -c %a plain plain/* | sort -u | tr '\n' ' ')" = '600 700 '
expect 1 "already holds" 'a second unpack into the folder is refused' -- \
	provisor sfi unpack app.sfi --key k --nonce app.sfi.nonce -d plain
cp app.sfi.nonce old.nonce
expect 0 'in place of an older one' 'packing again takes a new nonce' -- \
	provisor sfi pack --chip stm32h563 --firmware "$FW/blink.elf" \
	--key k --image-version 8 -o app.sfi
not_ok 'which differs from the old one' -- cmp old.nonce app.sfi.nonce
ok 'and nothing else is left beside them' -- \
	test "$(find . -name '.provisor-*' | wc -l)" -eq 0

# --- golden files
ok 'the golden packages are made again' -- sh "$TOP/fixtures/golden/make-sfi.sh" "$T/g"
same 'profile v1: the same bytes' g/sfi-v1/package.sfi "$G/package.sfi"
same 'profile v2: the same bytes' g/sfi-v2/package.sfi \
	"$TOP/fixtures/golden/sfi-v2/package.sfi"

# --- an independent look: GCM encrypts as CTR does from block 2, with the IV
# of an area nonce + index (be96)
key=$(xxd -p "$G/key.bin")
nonce=$(xxd -p "$G/nonce.bin")
ctr() { # OFFSET LENGTH IV-HEX
	tail -c +"$(($1 + 1))" "$G/package.sfi" | head -c "$2" |
		openssl enc -aes-128-ctr -d -K "$key" -iv "${3}00000002"
}
ctr 58 101 "${nonce%31}32" >area1
same 'openssl decrypts area 1' area1 "$G/low.bin"
ctr 189 38 "${nonce%31}33" >area2
same 'openssl decrypts area 2' area2 "$G/high.bin"
ctr 257 48 "${nonce%31}34" | xxd -p | tr -d '\n' >area3
echo 'f817302d7c0000b4c3000008c300000c00007f007f000000ffffffffffffffff00000000000000000100000001000000' |
	tr -d '\n' >want3
same 'openssl decrypts the option bytes' area3 want3
ok 'the nonce is not in the file' -- \
	test "$(grep -c NONCE_TEST "$G/package.sfi")" -eq 0

# --- inspect
expect 0 'SFI protocol version   1' 'inspect needs no key' -- \
	provisor sfi inspect "$G/package.sfi"
expect 0 '' 'inspect --json is one object' -- \
	provisor --json sfi inspect "$TOP/fixtures/golden/sfi-v2/package.sfi"
cp out inspected
jq -c '[.magic,.protocol_version,.n_areas,.image_version,.file_size,
	[.areas[]|[.index,.type,.version,.size,.address,.total,(.tag|length)]]]' \
	inspected >got 2>&1
echo '["SFIMAGIC",2,3,7,326,[[1,"F",7,112,"0x08000000",3,32],[2,"F",7,48,"0x08100020",3,32],[3,"C",7,48,"0x00000000",3,32]]]' >want
same 'with every field' got want

# --- other forms of input, other rules
expect 0 'profile v1' 'HEX, S-record and raw input in one package' -- \
	provisor sfi pack --chip H563 --firmware "$FW/blink.hex" \
	--firmware "$G/low.bin@0x08040000" --key k --image-version 0xff -o three.sfi
expect 3 'both have bytes for 0x08000000' 'the same addresses twice' -- \
	provisor sfi pack --chip H563 --firmware "$FW/blink.hex" \
	--firmware "$FW/blink.srec" --key k --image-version 1 -o o.sfi
expect 0 'profile v2' 'profile v2 with another iv-add' -- \
	provisor sfi pack --chip H563 --firmware "$G/low.bin@0x08040000" \
	--key k --image-version 1 --profile v2 --iv-add le32-lo -o v2.sfi
cp out said
ok 'profile v2 says what it is' -- grep -q 'deduced from tool logs only' said
expect 0 'result: --iv-add le32-lo, AAD exact' 'calibrate finds the rule' -- \
	provisor sfi calibrate v2.sfi --key k --nonce v2.sfi.nonce
expect 0 '"result":"found"' 'calibrate --json' -- \
	provisor --json sfi calibrate v2.sfi --key k --nonce v2.sfi.nonce
expect 4 'no combination verifies' 'calibrate with a wrong nonce' -- \
	provisor sfi calibrate v2.sfi --key k --nonce old.nonce
expect 4 '"result":"none"' 'calibrate --json with a wrong nonce' -- \
	provisor --json sfi calibrate v2.sfi --key k --nonce old.nonce
cp out said
ok 'is one object' -- test "$(grep -c '^{' said)" -eq 1

# --- dry run
expect 0 'dry.sfi: would hold 2 areas' 'a dry run needs no key' -- \
	provisor sfi pack --chip H563 --firmware "$FW/blink.elf" \
	--image-version 1 --dry-run -o dry.sfi
not_ok 'and writes nothing' -- test -e dry.sfi -o -e dry.sfi.nonce
expect 0 '' 'pack --json' -- provisor --json sfi pack --chip H563 \
	--firmware "$FW/blink.elf" --key k --image-version 3 -o j.sfi
cp out packed
ok 'names package, nonce and areas' -- jq -e \
	'.file == "j.sfi" and .nonce.file == "j.sfi.nonce" and .nonce.fresh and
	(.areas | length) == 2 and .areas[0].address == "0x08000000" and
	(.areas[0].tag | length) == 32' packed

done_testing
