#!/bin/sh
# sfi pack: modules, key areas, external flash, parts; and their bad input.
. "$(dirname "$0")/lib.sh"
need jq xxd

FW="$TOP/fixtures/firmware"
C="$TOP/fixtures/corrupt"
SMI="$TOP/fixtures/golden/smi/module.smi"
cd "$T" || exit 1
printf AES_KEY_TEST_001 >k
head -c 5000 /dev/urandom >ext.bin
head -c 100000 /dev/urandom >big.bin
printf '# keys of the regions\n0x10, 0x08080000\r\n\n32,0x08080010\n' >keys.kcsv

pack() {
	provisor sfi pack --chip stm32u585 --key k --image-version 3 -o x.sfi \
		--firmware "$FW/blink.bin@0x08000000" "$@"
}
areas() { # FILE: type@address:size of every area
	provisor --json sfi inspect "$1" |
		jq -r '[.areas[] | .type + "@" + .address + ":" + (.size | tostring)] | join(" ")'
}
is() { # DESC GOT WANTED
	if [ "$2" = "$3" ]; then pass "$1"; else
		echo "# got    $2"
		echo "# wanted $3"
		fail "$1"
	fi
}

# --- everything in one package
expect 0 'x.sfi: 6 areas' 'modules, key areas and external flash' -- pack \
	--module "$SMI@0x08060000" --key-area keys.kcsv \
	--external "ext.bin@0x90000000,region=0,mode=2,key-address=0x08080000" \
	--token-address 0x080fe000
cp out said
ok 'the listing names the sources' -- grep -Eq '^  6 E  0x90000000 +5 012  ext.bin, region 0 mode 2$' said
size=$(wc -c <"$FW/blink.bin")
is 'F, M, K, then external flash in a part of its own' "$(areas x.sfi)" \
	"F@0x08000000:$size M@0x08060000:112 K@0x00000000:16 P@0x080fe000:0 R@0x080fe000:0 E@0x90000000:5012"
ok 'it verifies' -- provisor sfi verify x.sfi --key k --nonce x.sfi.nonce
ok 'it unpacks' -- provisor sfi unpack x.sfi --key k --nonce x.sfi.nonce -d plain
same 'the module is embedded as a whole' plain/area-002-M-0x08060000.bin "$SMI"
is 'the key areas are pairs of size and address' \
	"$(xxd -p plain/area-003-K-0x00000000.bin)" 10000000000008082000000010000808
is 'the prefix of external flash: region, mode, key address' \
	"$(head -c 12 plain/area-006-E-0x90000000.bin | xxd -p)" 000000000200000000000808
tail -c +13 plain/area-006-E-0x90000000.bin >e
same 'and then the firmware' e ext.bin

# --- profile v2
expect 0 'profile v2' 'the same with profile v2' -- pack --profile v2 \
	--key-area keys.kcsv --token-address 0x080fe000 \
	--external "ext.bin@0x70000000,mode=1,region=4,key-address=0x0c080010"
is 'E is padded with its prefix, P and R have 32 bytes' \
	"$(areas x.sfi | cut -d ' ' -f 3-)" \
	"P@0x080fe000:32 R@0x080fe000:32 E@0x70000000:5024"
rm -rf plain
ok 'it unpacks' -- provisor sfi unpack x.sfi --key k --nonce x.sfi.nonce -d plain
is 'P is zeros' "$(xxd -p -c 64 plain/area-003-P-0x080fe000.bin)" \
	0000000000000000000000000000000000000000000000000000000000000000
is 'E ends in 0xff' "$(tail -c 12 plain/area-005-E-0x70000000.bin | xxd -p)" \
	ffffffffffffffffffffffff

# --- what push would do with it (t251 does it)
printf x >license
expect 0 'external flash' 'push says what it would do with it' -- \
	provisor push x.sfi --license license --chip stm32u585 --dry-run

# --- lists
printf 'ext.bin,0x90000000,0,2,0x08080000\nbig.bin,0x90010000,1,2,0x08080010\n' >l.ecsv
mkdir lists
cp "$SMI" lists/
printf '# module, license, address\nmodule.smi,1,0x08060000\n' >lists/l.mcsv
expect 0 'x.sfi: 7 areas' 'lists instead of options' -- pack --external l.ecsv \
	--module lists/l.mcsv --key-area keys.kcsv --token-address 0x080fe000 \
	--manifest
is 'the same areas' "$(areas x.sfi | cut -d ' ' -f 2-)" \
	"M@0x08060000:112 K@0x00000000:16 P@0x080fe000:0 R@0x080fe000:0 E@0x90000000:5012 E@0x90010000:100012"
ok 'the manifest names every input' -- jq -e '.format == "provisor sfi manifest v1"
	and ([.inputs[].role] == ["firmware", "external", "external", "module", "key-area"])
	and ([.inputs[1,2].name] == ["ext.bin", "big.bin"])' x.sfi.json
is 'with their hashes' "$(jq -r '.inputs[2].sha256' x.sfi.json)" \
	"$(sha256sum big.bin | cut -d ' ' -f 1)"
is 'and that of the package' "$(jq -r '.package.sha256' x.sfi.json)" \
	"$(sha256sum x.sfi | cut -d ' ' -f 1)"
cp x.sfi.json first.json
cp x.sfi.nonce n
ok 'the same inputs' -- pack --external l.ecsv --module lists/l.mcsv \
	--key-area keys.kcsv --token-address 0x080fe000 --manifest --nonce n
same 'give the same manifest' x.sfi.json first.json

# --- parts
part_sizes() { # FILE: bytes of each part, its headers included
	provisor --json sfi inspect "$1" | jq -r '
		reduce .areas[] as $a ([28]; if $a.type == "R" then . + [28 + 30 + $a.size]
		else .[-1] += 30 + $a.size end) | map(tostring) | join(" ")'
}
split() {
	provisor sfi pack --chip stm32u585 --key k --image-version 3 -o s.sfi \
		--firmware big.bin@0x08000000 --firmware ext.bin@0x08040000 "$@"
}
expect 0 's.sfi: 2 areas' 'what fits is not split' -- split --token-address 0x080fe000
expect 0 's.sfi: 2 areas' 'nor without a RAM size' -- split
expect 0 'end of a part' 'a package larger than the RAM is split' -- split \
	--ram-size 32K --token-address 0x080fe000
is 'into pieces that end at a write unit' "$(areas s.sfi)" \
	"F@0x08000000:32672 P@0x080fe000:0 R@0x080fe000:0 F@0x08007fa0:32640 P@0x080fe000:0 R@0x080fe000:0 F@0x0800ff20:32640 P@0x080fe000:0 R@0x080fe000:0 F@0x08017ea0:2048 F@0x08040000:5000"
is 'parts fit' "$(part_sizes s.sfi)" "32760 32758 32758 7166"
rm -rf plain
ok 'it unpacks' -- provisor sfi unpack s.sfi --key k --nonce s.sfi.nonce -d plain
cat plain/area-001-F* plain/area-004-F* plain/area-007-F* plain/area-010-F* >whole
same 'the pieces are the firmware' whole big.bin
expect 0 'profile v2' 'with profile v2' -- split --ram-size 32K \
	--token-address 0x080fe000 --profile v2
ok 'every size is a multiple of 16' -- test "$(provisor --json sfi inspect s.sfi |
	jq '[.areas[].size % 16] | add')" = 0
expect 0 '' 'external flash in pieces' -- pack --ram-size 8K --key-area keys.kcsv \
	--token-address 0x080fe000 \
	--external "big.bin@0x90000000,region=0,mode=2,key-address=0x08080000"
rm -rf plain
ok 'each piece' -- provisor sfi unpack x.sfi --key k --nonce x.sfi.nonce -d plain
: >whole
for f in plain/*-E-*.bin; do
	[ "$(head -c 12 "$f" | xxd -p)" = 000000000200000000000808 ] || fail "prefix of $f"
	tail -c +13 "$f" >>whole
done
same 'has the prefix, and together they are the firmware' whole big.bin
ok 'no part is larger than the RAM' -- test "$(part_sizes x.sfi | tr ' ' '\n' |
	sort -n | tail -n 1)" -le 8192

# --- bad input
X="ext.bin@0x90000000,region=0,mode=2,key-address=0x08080000"
bad() { # CODE PATTERN DESC OPTIONS...
	_c=$1 _p=$2 _d=$3
	shift 3
	expect "$_c" "$_p" "$_d" -- pack --dry-run "$@"
}
T0='--token-address 0x080fe000'
# shellcheck disable=SC2086
{
bad 3 "key of region 0 at 0x08080000 is neither in a key area nor in the firmware" \
	'external flash without a key' --external "$X" $T0
bad 0 '' 'a key in the firmware' --external "$X" $T0 --firmware ext.bin@0x08080000
bad 3 'key of region 0 at 0x20000000 is not in the flash' 'a key in RAM' $T0 \
	--external "ext.bin@0x90000000,region=0,mode=2,key-address=0x20000000"
bad 2 'external flash needs --token-address' 'external flash without a token' \
	--external "$X" --key-area keys.kcsv
bad 3 'region 8: regions are 0 to 7' 'region 8' $T0 --key-area keys.kcsv \
	--external "ext.bin@0x90000000,region=8,mode=2,key-address=0x08080000"
bad 3 'region mode 4' 'mode 4' $T0 --key-area keys.kcsv \
	--external "ext.bin@0x90000000,region=0,mode=4,key-address=0x08080000"
bad 3 'is not in external flash, at 0x70000000 or 0x90000000' \
	'external firmware in internal flash' $T0 --key-area keys.kcsv \
	--external "ext.bin@0x08040000,region=0,mode=2,key-address=0x08080000"
bad 3 'is not in external flash' 'external firmware past the window' $T0 \
	--key-area keys.kcsv \
	--external "ext.bin@0x9ffff000,region=0,mode=2,key-address=0x08080000"
bad 3 'areas? at 0x90000000 \(5000 bytes\) and area at 0x90001000 \(5000 bytes\) overlap' \
	'external areas over each other' $T0 --key-area keys.kcsv --external "$X" \
	--external "ext.bin@0x90001000,region=0,mode=2,key-address=0x08080000"
printf '8,0x08041388\n' >inside.kcsv
bad 3 'area at 0x08040000 \(5000 bytes\) and key area at 0x08041388 \(8 bytes\) share the write unit at 0x08041380' \
	'a key in the last write unit of the firmware' --key-area inside.kcsv \
	--firmware ext.bin@0x08040000
printf '24,0x08080000\n8,0x08080018\n' >beside.kcsv
bad 3 'key area at 0x08080000 .* key area at 0x08080018 .* share the write unit at 0x08080010' \
	'two keys in one write unit' --key-area beside.kcsv
bad 3 'share the block at 0x90001380' 'two regions in one block' $T0 \
	--key-area keys.kcsv --external "$X" \
	--external "ext.bin@0x90001388,region=0,mode=2,key-address=0x08080000"
bad 2 "',region=' is missing" 'no region' $T0 --external ext.bin@0x90000000,mode=1,key-address=0
bad 2 'mode twice' 'mode twice' $T0 --external "$X,mode=1"
bad 2 'region' 'a region that is no number' $T0 \
	--external "ext.bin@0x90000000,region=x,mode=2,key-address=0x08080000"
bad 3 'token at 0x08000000 .* and area at 0x08000000|area at 0x08000000 .* and token at 0x08000000' \
	'a token over the firmware' --token-address 0x08000000
bad 3 'token at 0x20000000 .*does not fit the flash' 'a token in RAM' --token-address 0x20000000
bad 2 'do not fit 1024 bytes of RAM in one part' 'too large without a token' \
	--ram-size 1K --firmware big.bin@0x08040000
bad 3 'does not fit parts of 64 bytes' 'parts too small for anything' --ram-size 64 $T0
bad 3 'area M of 112 bytes .*does not fit parts of 160 bytes' 'a module is not cut' \
	--ram-size 160 $T0 --module "$SMI@0x08060000"
bad 2 'ram-size cannot be 0' 'no RAM' --ram-size 0
bad 3 "made for 0x08060000, not for 0x08070000" 'a module elsewhere' \
	--module "$SMI@0x08070000"
bad 2 'needs an address' 'a module without address' --module "$SMI"
bad 3 'module at 0x08060000 .*overlap|area at 0x08060000 .*overlap' \
	'a module over the firmware' --module "$SMI@0x08060000" --firmware ext.bin@0x08060000
bad 3 'key area at 0x08080000 .*overlap|area at 0x08080000 .*overlap' \
	'a key area over the firmware' --key-area keys.kcsv --firmware ext.bin@0x08080000
printf '16,0x20000000\n' >ram.kcsv
bad 3 'key area at 0x20000000 .*does not fit the flash' 'a key area in RAM' --key-area ram.kcsv
}
expect 3 'stm32g071 has no external flash' 'a chip without external flash' -- \
	provisor sfi pack --chip stm32g071 --image-version 1 --dry-run -o x.sfi \
	--firmware "$FW/blink.bin@0x08000000" --firmware "big.bin@0x08001000" \
	--token-address 0x0801f000 \
	--external "ext.bin@0x90000000,region=0,mode=2,key-address=0x08001000"

ok 'the corrupt lists are made again' -- sh "$C/make-lists.sh" "$T/c"
ok 'the same bytes' -- diff -r "$C/lists" c
list() { # FILE PATTERN
	case $1 in
	*.kcsv) _o=--key-area ;;
	*.mcsv) _o=--module ;;
	*) _o=--external ;;
	esac
	bad 3 "$1': $2" "list: $1" $_o "$C/lists/$1"
}
list empty.kcsv 'no rows'
list comment-only.kcsv 'no rows'
list one-column.kcsv 'line 1: 1 columns, a row has 2'
list three-columns.kcsv 'line 1: more than 2 columns'
list empty-column.kcsv 'line 1: column 2 is empty'
list size-text.kcsv "line 1: '16 bytes' is no size"
list address-33-bits.kcsv "line 1: '0x108080000' is no address of 32 bits"
list size-0.kcsv 'line 1: the size is 0'
list control.kcsv 'line 1: byte 0x01'
list long-line.kcsv 'line 1: longer than 4096'
list too-many.kcsv 'line 65: more than 64 rows'
list two-columns.mcsv 'line 1: 2 columns, a row has 3'
list address-text.mcsv "line 1: 'here' is no address"
list four-columns.ecsv 'line 1: 4 columns, a row has 5'
list region-text.ecsv "line 1: 'zero' is no region"
list address-text.ecsv "line 1: 'nowhere' is no address"

mkdir -p c2
ok 'the corrupt modules are made again' -- sh "$C/make-smi.sh" "$T/c2"
ok 'the same bytes' -- diff -r "$C/smi" c2/corrupt/smi
smi() { # FILE PATTERN
	bad 3 "$2" "module: $1" --module "$C/smi/$1.smi@0x08060000"
}
smi empty 'too short'
smi header-cut 'too short'
smi cut 'says 64 bytes follow it, the file has 63'
smi trailing 'says 64 bytes follow it, the file has 65'
smi magic 'does not start with SMIMAGIC'
smi size-0 'the module is empty'
smi wraps 'do not fit 32-bit addresses'

done_testing
