#!/bin/sh
# sfi pack: overlaps, places outside of flash, too many areas, sizes that leave
# 32 bits. Both sides of a conflict are named, and nothing is written.
. "$(dirname "$0")/lib.sh"

cd "$T" || exit 1
printf AES_KEY_TEST_001 >k
head -c 5000 /dev/urandom >a.bin
head -c 3000 /dev/urandom >b.bin

bad() { # CODE PATTERN DESC OPTIONS...
	_c=$1 _p=$2 _d=$3
	shift 3
	expect "$_c" "$_p" "$_d" -- provisor sfi pack --chip stm32h563 --key k \
		--image-version 1 -o x.sfi "$@"
}

# --- overlaps
bad 3 'a.bin and b.bin both have bytes for 0x08001000' \
	'two files over each other' --firmware a.bin@0x08000000 \
	--firmware b.bin@0x08001000
bad 3 'a.bin at 0x08000000 and b.bin at 0x0c001000 are the same flash of stm32h563' \
	'the same flash through two addresses' --firmware a.bin@0x08000000 \
	--firmware b.bin@0x0c001000
cat >twice.hex <<'END'
:020000040800F2
:10000000000102030405060708090A0B0C0D0E0F78
:10000800101112131415161718191A1B1C1D1E1F70
:00000001FF
END
bad 3 "twice.hex.*0x08000008|0x08000008.*twice.hex" 'two records of one file' \
	--firmware twice.hex

# --- outside of flash
bad 3 'a.bin.*0x081ff000.*stm32h563|0x081ff000' 'past the end' \
	--firmware a.bin@0x081ff000
bad 3 '0x07fffff0' 'before the start' --firmware a.bin@0x07fffff0
bad 3 '0x20000000' 'in RAM' --firmware a.bin@0x20000000

# --- sizes that leave 32 bits
bad 3 'a.bin: 0x1388 bytes at 0xfffff000 run past the end of the 32-bit' \
	'past the last address' --firmware a.bin@0xfffff000
bad 3 'a.bin: 0x1388 bytes at 0x1000000000 run past the end of the 32-bit' \
	'an address of 37 bits' --firmware a.bin@0x1000000000
truncate -s 5G huge.bin
bad 3 'huge.bin: 0x140000000 bytes at 0x08000000 run past the end' \
	'a file of 5 GiB' --firmware huge.bin@0x08000000
truncate -s 4294967312 wraps.bin
bad 3 'wraps.bin: 0x100000010 bytes at 0x08000000 run past the end' \
	'16 bytes, but for bit 32' --firmware wraps.bin@0x08000000

# --- more areas than the format holds: a byte in every second write unit
awk 'BEGIN {
	for (i = 0; i < 65536; i++) {
		a = i * 32
		if (a % 65536 == 0) {
			h = int(a / 65536) + 2048
			s = (2 + 4 + int(h / 256) + h % 256) % 256
			printf ":02000004%04X%02X\n", h, (256 - s) % 256
		}
		l = a % 65536
		s = (1 + int(l / 256) + l % 256 + 170) % 256
		printf ":01%04X00AA%02X\n", l, (256 - s) % 256
	}
	print ":00000001FF"
}' >many.hex
bad 3 'more than 65535|at most 65535' 'an area too many' --firmware many.hex
sed '$d' many.hex | sed '$d' >fewer.hex
echo ':00000001FF' >>fewer.hex
expect 0 'would hold 65535 areas' 'one fewer is taken' -- provisor --quiet sfi \
	pack --chip stm32h563 --key k --image-version 1 -o x.sfi --dry-run \
	--firmware fewer.hex
expect 0 '' 'and packed' -- provisor --quiet sfi pack --chip stm32h563 --key k \
	--image-version 1 -o many.sfi --firmware fewer.hex
ok 'verified' -- provisor --quiet sfi verify many.sfi --key k --nonce many.sfi.nonce

not_ok 'nothing was written for the others' -- test -e x.sfi -o -e x.sfi.nonce

# --- .sfix is a name like any other
expect 0 'x.sfix: 1 area' 'a package called .sfix' -- provisor sfi pack \
	--chip stm32h563 --key k --image-version 1 -o x.sfix \
	--firmware a.bin@0x08000000
ok 'inspect' -- provisor inspect x.sfix

done_testing
