#!/bin/sh
# provisor inspect: every format this program knows, found by content or name.
. "$(dirname "$0")/lib.sh"
need jq xxd

G="$TOP/fixtures/golden"
C="$TOP/fixtures/corrupt"
FW="$TOP/fixtures/firmware"
cd "$T" || exit 1

said() {
	if grep -Eq -- "$1" out; then pass "$1"; else fail "$1"; fi
}
format() { # FILE FORMAT
	expect 0 "\"format\":\"$2\"" "$2 by name in JSON" -- \
		provisor --json inspect "$1"
	ok "$2: one object" -- jq -e '.file and .format' out
}

# --- packages, with the memory they fill
expect 0 'SFI protocol version   1' 'a package' -- provisor inspect "$G/sfi-v1/package.sfi"
cp out out1
said '^0x08000000..0x08000064 +101 bytes  F  area 1$'
said '^0x08100020..0x08100045 +38 bytes  F  area 2$'
provisor sfi inspect "$G/sfi-v1/package.sfi" >out2 2>&1
same 'the same as sfi inspect' out1 out2
format "$G/sfi-v2/package.sfi" sfi
ok 'the map in JSON' -- jq -e '.memory_map | length == 2 and
	.[0].start == "0x08000000" and .[0].size == 112 and .[0].type == "F"' out
printf AES_KEY_TEST_001 >k
head -c 9000 /dev/urandom >big
provisor sfi pack --chip stm32u585 --key k --image-version 3 -o parts.sfi \
	--firmware big@0x08000000 --ram-size 4K --token-address 0x080fe000 >/dev/null 2>&1
expect 0 '^0x08000000..0x08002327 +9 000 bytes  F  areas 1 to 7$' \
	'pieces are one stretch' -- provisor inspect parts.sfi
expect 3 'area 1: carries index 0' 'a damaged package' -- \
	provisor inspect "$C/sfi/index-from-0.sfi"

# --- modules
expect 0 'SMI module' 'a module' -- provisor inspect "$G/smi/module.smi"
said '^destination +0x08060000$'
said '^payload +64 bytes$'
expect 0 'SMI module' 'sfi inspect takes it too' -- provisor sfi inspect "$G/smi/module.smi"
format "$G/smi/module.smi" smi
for f in cut trailing size-0 wraps; do
	expect 3 "$f.smi" "module: $f" -- provisor inspect "$C/smi/$f.smi"
done

# --- OB keys
sh "$G/make-obk.sh" "$T/obk" || fail 'make-obk.sh'
same 'the golden OB keys are made again' obk/golden/obk/stirot-data.obk "$G/obk/stirot-data.obk"
ok 'the corrupt ones too' -- diff -r obk/corrupt/obk "$C/obk"
expect 0 'is that of the data' 'OB keys' -- provisor inspect "$G/obk/stirot-data.obk"
said '^destination +0x0ffd0400$'
said '^known as +STiRoT data$'
said '^stored +encrypted$'
format "$G/obk/stirot-data.obk" obk
expect 0 'is NOT that of the data' 'a hash that differs is reported' -- \
	provisor inspect "$C/obk/hash.obk"
obk() { # FILE PATTERN
	expect 3 "$2" "OB keys: $1" -- provisor inspect "$C/obk/$1.obk"
}
obk empty '0 bytes, too short for an OB-key file'
obk header-cut 'says 96 bytes follow it, the file has 31'
obk cut 'says 96 bytes follow it, the file has 95'
obk trailing 'says 96 bytes follow it, the file has 97'
obk length-31 'says 31 bytes follow it'
obk flag-2 'the encryption flag is 2'
obk body-short 'too short for the hash it begins with'

# --- a certificate: AN5054, figure 36
xxd -r -p >chip.cert <<'END'
3439373031303035
07d76065982afe3629ca59f3d5299b99f7a34ec0bb155fd11d82f48a9a132dd3
c92a9a02c09bdb10fc2d28d9c977bc4cba385b15e5b08dbdd04dc34ae9d1246b
a8fc3f51af4241ddbeb3e4bb774814fa4bd63bbb6744e5a163ca766bdba380cf
e061f3010705dd6c74f62923178fbde7c5cb3a5c0e5b58a38cdc8d13971eab52
END
expect 0 '^product id +49701005$' 'a chip certificate' -- provisor inspect chip.cert
format chip.cert certificate
head -c 135 chip.cert >short.cert
expect 3 'none of the formats' 'one that is cut short is none' -- provisor inspect short.cert

# --- license, signature
for f in "$C"/license/*; do
	expect 3 "$(basename "$f")" "license: $(basename "$f")" -- provisor inspect "$f"
done
expect 0 'ecdsa-p256-sha256' 'a signature' -- provisor inspect "$G/signature/package.sfi.sig"
format "$G/signature/package.sfi.sig" signature

# --- known by their names only: these stand-ins hold nothing of ST's
rsse() { # NAME: version 2.0.1
	{ head -c 24 /dev/zero && printf '\001\000\002' && head -c 100 /dev/zero; } >"$1"
}
rsse enc_signed_RSSe_SFI_STM32H5_v2.0.1.0.bin
expect 0 'warning: security advisory SA0022' 'an RSSe that ST lists as affected' -- \
	provisor inspect enc_signed_RSSe_SFI_STM32H5_v2.0.1.0.bin
said '^version +2.0.1$'
rsse enc_signed_RSSe_sfi_WBA5_1M.bin
expect 0 '^version +2.0.1$' 'another RSSe' -- provisor inspect enc_signed_RSSe_sfi_WBA5_1M.bin
not_ok 'without a warning' -- grep -q SA0022 out
rsse enc_signed_RSSe_sfi_U5.bin
expect 0 'note: compare the version with security advisory SA0022' \
	'one of a series that is listed' -- provisor inspect enc_signed_RSSe_sfi_U5.bin
head -c 26 enc_signed_RSSe_sfi_U5.bin >enc_signed_RSSe_short.bin
expect 3 'too short for an RSSe' 'an RSSe cut short' -- provisor inspect enc_signed_RSSe_short.bin
echo x >STM32WL_49701005_SFI._01000000_00000000.enc.bin
expect 0 '^license version +1$' 'a personalization package' -- \
	provisor inspect STM32WL_49701005_SFI._01000000_00000000.enc.bin
said '^family +STM32WL$'
said '^product id +49701005$'
said '^flow +SFI\.$'
format STM32WL_49701005_SFI._01000000_00000000.enc.bin personalization

# --- firmware and option bytes
expect 0 'firmware' 'an ELF' -- provisor inspect "$FW/blink.elf"
said '^0x08000000\.\.0x[0-9a-f]{8} '
expect 0 'firmware' 'Intel HEX' -- provisor inspect "$FW/blink.hex"
expect 0 'firmware' 'S-records' -- provisor inspect "$FW/blink.srec"
format "$FW/blink.elf" firmware
expect 0 '^OPTSR_PRG +0x2d3017f8$' 'option bytes' -- provisor inspect "$G/sfi-v1/options.csv"
format "$G/sfi-v1/options.csv" options
expect 3 'line 1' 'damaged option bytes' -- provisor inspect "$C/options/comment.csv"

# --- nothing of these
expect 3 'none of the formats' 'random bytes' -- provisor inspect big
: >nothing
expect 3 'none of the formats' 'an empty file' -- provisor inspect nothing
expect 3 'not a regular file' 'a folder' -- provisor inspect .
expect 1 'nosuch' 'a file that is not there' -- provisor inspect nosuch
expect 2 '' 'no file' -- provisor inspect
mkfifo pipe
expect 3 'not a regular file' 'a pipe, without hanging' -- timeout 10 provisor inspect pipe

done_testing
