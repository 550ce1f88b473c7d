#!/bin/sh
# sfi pack and inspect: firmware in every form, pieces joined, sizes beyond
# memory.
. "$(dirname "$0")/lib.sh"
need jq

FW="$TOP/fixtures/firmware"
UF2="$TOP/fixtures/golden/uf2"
cd "$T" || exit 1
printf AES_KEY_TEST_001 >k
printf AES_NONCE_01 >n

pack() { # FIRMWARE OPTIONS...
	_f=$1
	shift
	provisor sfi pack --chip h563 --key k --nonce n --image-version 1 \
		-o x.sfi --firmware "$_f" "$@"
}
areas() { # address:size of every area
	provisor --json sfi inspect x.sfi |
		jq -r '[.areas[] | .address + ":" + (.size | tostring)] | join(" ")'
}
is() { # DESC GOT WANTED
	if [ "$2" = "$3" ]; then pass "$1"; else
		echo "# got    $2"
		echo "# wanted $3"
		fail "$1"
	fi
}
content() { # what area 1 holds, into the file area
	rm -rf plain
	provisor sfi unpack x.sfi --key k --nonce n -d plain >/dev/null
	cat plain/area-001-F-* >area
}

# --- the golden UF2 files are made again without our code
ok 'UF2 files are made by printf and dd' -- \
	sh "$TOP/fixtures/golden/make-uf2.sh" "$T/uf2"
same 'blink.uf2' uf2/blink.uf2 "$UF2/blink.uf2"
same 'any-order.uf2' uf2/any-order.uf2 "$UF2/any-order.uf2"

# --- one program in eight forms, one content (so one nonce will do)
tr -d '\r' <"$FW/blink.hex" | tr 'ABCDEF' 'abcdef' >lower.hex
{
	head -n 1 "$FW/blink.srec"
	grep '^S3' "$FW/blink.srec" | sort -r
	tail -n 1 "$FW/blink.srec"
} >back.srec
for f in "$FW/blink.elf" "$FW/blink.hex" lower.hex "$FW/blink.srec" back.srec \
	"$UF2/blink.uf2" "$UF2/any-order.uf2" "$FW/blink.bin@0x08000000"; do
	expect 0 'x.sfi: 1 area' "$(basename "$f")" -- pack "$f" --merge-gap 0
	content
	same "and its bytes" "$FW/blink.bin" area
done
expect 0 'family 0x4e8f1c5d, which is not compared' 'the family of a UF2 file' -- \
	pack "$UF2/blink.uf2" --dry-run
is 'and in JSON' "$(provisor --json sfi pack --chip h563 --key k --nonce n \
	--image-version 1 -o x.sfi --firmware "$UF2/blink.uf2" 2>/dev/null |
	jq -r .uf2_family)" 0x4e8f1c5d
expect 0 '"uf2_family":"0x4e8f1c5d"' 'and shown by inspect' -- \
	provisor --json inspect "$UF2/blink.uf2"
expect 3 'block 1: it ends with' 'a damaged UF2 file' -- \
	pack "$TOP/fixtures/corrupt/uf2/magic-end.uf2"

# --- gaps
rm -rf home
printf aaaa >a
printf bbbb >b
pieces() { # OPTIONS...
	rm -rf home
	pack a@0x08000000 --firmware b@0x08000040 "$@"
}
expect 0 '2 areas' 'two pieces are two areas' -- pieces
expect 0 '2 areas' 'a gap that is too large' -- pieces --merge-gap 59
expect 0 '1 area, ' 'a gap that is not' -- pieces --merge-gap 60
cp out said
ok 'and both sources' -- grep -q 'a and 1 more' said
is 'one area from the first to the last byte' "$(areas)" 0x08000000:68
content
is 'filled with erased flash' "$(tr -d 'ab' <area | tr '\377' 'E')" \
	EEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEE
expect 0 '1 area, ' 'another fill' -- pieces --merge-gap 1K --fill 0x2e
content
is 'fills' "$(tr -d 'ab' <area)" \
	............................................................
expect 2 'fill is for the gaps' 'fill alone' -- \
	pieces --fill 0
expect 2 'fill' 'a fill that is no byte' -- pieces --merge-gap 1 --fill 256
expect 2 'merge-gap' 'a gap that is no size' -- pieces --merge-gap x
expect 3 'outside flash' 'a gap may not leave the flash' -- \
	pack a@0x08000000 --firmware b@0x0c100000 --merge-gap 256M

# --- 2 GiB: sparse, streamed
cat >huge.json <<J
{
	"name": "huge", "title": "Huge", "family": "TEST", "sources": ["test"],
	"flash": { "write_unit": 16, "banks": [ { "base": "0x08000000",
		"size": "0x80000000",
		"sectors": [ { "count": 32768, "size": 65536 } ] } ] },
	"sfi": {}
}
J
truncate -s 2G huge.bin
# The sanitizer reserves more than that for itself.
limited=yes
case $BUILD in */asan) limited=no ;; esac
if [ $limited = yes ] && command -v prlimit >/dev/null; then
	# Resident memory is not limited by Linux; the address space is.
	expect 0 '1 area' 'a dry run of 2 GiB in 64 MiB of data' -- \
		prlimit --data=67108864 provisor sfi pack --chip ./huge.json \
		--image-version 1 -o h.sfi --firmware huge.bin@0x08000000 --dry-run
fi
printf ':020000040800F2\n:0400000001020304F2\n:0200000487FF74\n' >far.hex
printf ':04FFFC0001020304F7\n:00000001FF\n' >>far.hex
expect 0 '1 area, 2 147 483 7' '2 GiB of gap' -- provisor sfi pack \
	--chip ./huge.json --image-version 1 -o h.sfi --firmware far.hex \
	--merge-gap 4095M --dry-run
done_testing
