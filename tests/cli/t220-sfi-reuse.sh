#!/bin/sh
# sfi pack: a nonce meets other content never again under the same key.
. "$(dirname "$0")/lib.sh"

FW="$TOP/fixtures/firmware"
cd "$T" || exit 1
printf AES_KEY_TEST_001 >k
printf AES_KEY_TEST_002 >k2
printf NONCE_TEST01 >n
printf NONCE_TEST02 >near
printf NONCE_TEST09 >far

pack() { # KEY NONCE VERSION OUT
	provisor sfi pack --chip stm32h563 --firmware "$FW/blink.elf" \
		--key "$1" --nonce "$2" --image-version "$3" -o "$4"
}

ok 'the first use of a nonce' -- pack k n 1 a.sfi
ok 'the same package again' -- pack k n 1 b.sfi
same 'is the same bytes' a.sfi b.sfi
cp a.sfi keep.sfi
expect 5 'used before, with this key, for other content' 'other content is refused' -- \
	pack k n 2 a.sfi
cp out said
ok 'with what to do' -- grep -q 'leave out --nonce' said
same 'and the package that was there stays' a.sfi keep.sfi
expect 5 'other content' 'into a new file too' -- pack k n 2 c.sfi
not_ok 'which does not appear' -- test -e c.sfi
ok 'nor does a temporary one' -- test "$(find . -name '.provisor-*' | wc -l)" -eq 0
expect 5 'IV of index 0' 'a nonce that is too close' -- pack k near 2 c.sfi
ok 'a nonce far enough' -- pack k far 2 c.sfi
ok 'another key' -- pack k2 n 2 d.sfi
expect 5 '"error":"reuse"' 'as JSON' -- provisor --json sfi pack \
	--chip stm32h563 --firmware "$FW/blink.elf" --key k --nonce n \
	--image-version 9 -o e.sfi
ok 'a fresh nonce is free' -- provisor sfi pack --chip stm32h563 \
	--firmware "$FW/blink.elf" --key k --image-version 9 -o e.sfi

# --- a crash in the middle of a record
rec=$(find "$PROVISOR_HOME/nonces" -name '0f44*.txt')
printf '0123456789abcdef' >>"$rec"
expect 5 'other content' 'a torn record still refuses' -- pack k n 2 f.sfi
ok 'and allows the same package' -- pack k n 1 b.sfi
ok 'and is repaired' -- test "$(tail -c 1 "$rec" | tr '\n' E)" = E
sed -i '3s/^./x/' "$rec"
expect 3 'damaged at byte' 'a damaged record is not repaired' -- pack k n 1 b.sfi
ok 'the record says which program and version' -- \
	test "$(head -n 1 "$rec")" = 'provisor nonce record v1'

# --- two at once: one record, one winner
mkdir two
rm -f "$rec"
pack k n 21 two/a.sfi >/dev/null 2>&1 &
p1=$!
pack k n 22 two/b.sfi >/dev/null 2>&1 &
p2=$!
wait $p1
r1=$?
wait $p2
r2=$?
ok 'of two at once one is refused' -- test $((r1 + r2)) -eq 5
ok 'and one package is there' -- test "$(find two -name '*.sfi' | wc -l)" -eq 1

done_testing
