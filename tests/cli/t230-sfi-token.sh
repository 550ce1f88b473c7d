#!/bin/sh
# sfi with the key in a token: the same package as with the key in a file, and
# one record of used nonces for both.
. "$(dirname "$0")/lib.sh"
need softhsm2-util
token oem

G="$TOP/fixtures/golden/sfi-v1"
FW="$TOP/fixtures/firmware"
cd "$T" || exit 1
printf AES_KEY_TEST_001 >k
printf NONCE_TEST02 >wrong.bin
ok 'softhsm2-util puts an AES key into the token' -- softhsm2-util --import k \
	--aes --token oem --pin 271828 --label fw --id 01
KEY='pkcs11:token=oem;object=fw;type=secret-key'

pack() { # KEY VERSION OUT
	provisor sfi pack --chip stm32h563 --firmware "$FW/blink.elf" \
		--firmware big.bin@0x08020000 --option-bytes "$G/options.csv" \
		--key "$1" --nonce "$G/nonce.bin" --image-version "$2" -o "$3"
}
# more than one chunk
head -c 200000 /dev/urandom >big.bin

ok 'packed by the token' -- pack "$KEY" 1 token.sfi
ok 'packed with the key file' -- pack k 1 file.sfi
same 'the packages are the same' token.sfi file.sfi
expect 5 'other content' 'the record knows the key in both' -- pack k 2 x.sfi
expect 5 'other content' 'and refuses the token too' -- pack "$KEY" 2 x.sfi
ok 'a record for one key' -- \
	test "$(find "$PROVISOR_HOME/nonces" -type f | wc -l)" -eq 1
expect 0 'verified, header and 4 areas' 'verified by the token' -- \
	provisor sfi verify token.sfi --key "$KEY" --nonce "$G/nonce.bin"
ok 'unpacked by the token' -- provisor sfi unpack token.sfi --key "$KEY" \
	--nonce "$G/nonce.bin" -d plain
same 'to what went in' big.bin plain/area-003-F-0x08020000.bin
cp token.sfi bad.sfi
printf '\001' | dd of=bad.sfi bs=1 seek=100000 conv=notrunc 2>/dev/null
printf '\002' | dd of=bad.sfi bs=1 seek=100001 conv=notrunc 2>/dev/null
expect 4 'area 3 of 4 .*does not verify' 'a damaged package, by the token' -- \
	provisor sfi verify bad.sfi --key "$KEY" --nonce "$G/nonce.bin"
expect 4 'file header' 'a wrong nonce, by the token' -- \
	provisor sfi verify token.sfi --key "$KEY" --nonce wrong.bin
expect 0 'result: --iv-add be96, AAD exact' 'calibrate with the token' -- \
	provisor sfi calibrate token.sfi --key "$KEY" --nonce "$G/nonce.bin"
expect 6 . 'no such key' -- provisor sfi pack --chip h563 --firmware "$FW/blink.elf" \
	--key 'pkcs11:token=oem;object=none' --image-version 1 -o n.sfi
echo 000000 >wrongpin
expect 6 . 'a wrong PIN' -- provisor sfi pack --chip h563 \
	--firmware "$FW/blink.elf" --key "$KEY" --pin-file wrongpin \
	--image-version 1 -o n.sfi
not_ok 'no package' -- test -e n.sfi -o -e n.sfi.nonce

done_testing
