#!/bin/sh
# The record of nonces: shared by processes, whole after kill -9, carried from
# one home folder to another.
. "$(dirname "$0")/lib.sh"
need jq

C="$TOP/fixtures/corrupt/nonces"
FW="$TOP/fixtures/firmware"
cd "$T" || exit 1
printf AES_KEY_TEST_001 >k
printf AES_KEY_TEST_002 >k2
printf NONCE_TEST01 >n

pack() { # KEY VERSION OUT [HOME]
	provisor --home "${4:-$PROVISOR_HOME}" sfi pack --chip stm32h563 \
		--firmware "$FW/blink.elf" --key "$1" --nonce n \
		--image-version "$2" -o "$3"
}
import() {
	provisor --home "$1" sfi nonces import "$2"
}

expect 0 'no key has been used' 'an empty record' -- provisor sfi nonces list
ok 'two keys are used' -- sh -c "
	provisor sfi pack --chip stm32h563 --firmware $FW/blink.elf --key k \
		--nonce n --image-version 1 -o a.sfi &&
	provisor sfi pack --chip stm32h563 --firmware $FW/blink.elf --key k2 \
		--nonce n --image-version 2 -o b.sfi"
expect 0 '^0f44fac7[0-9a-f]{56}  3 IVs$' 'the record lists them' -- \
	provisor sfi nonces list
expect 0 '"n_keys":2,"n_ivs":6' 'as JSON' -- provisor --json sfi nonces list
expect 0 'written to out.txt' 'export' -- provisor sfi nonces export -o out.txt
ok 'is for the owner' -- test "$(stat -c %a out.txt)" = 600
ok 'again' -- provisor sfi nonces export -o again.txt
same 'gives the same bytes' out.txt again.txt

# --- another home
expect 0 'out.txt: 2 keys, 6 new IVs' 'import elsewhere' -- import home2 out.txt
expect 5 'other content' 'refuses there what was used here' -- pack k 9 x.sfi home2
ok 'and allows the same package' -- pack k 1 x.sfi home2
same 'which is the same bytes' x.sfi a.sfi
expect 0 '2 keys, 0 new IVs' 'import twice is import once' -- import home2 out.txt
provisor --home home2 sfi nonces export -o back.txt >/dev/null 2>&1
same 'and exports the same again' out.txt back.txt
ok 'a third home uses the nonce for other content' -- pack k 7 y.sfi home3
expect 5 '3 IVs of key 0f44fac75289ea70... encrypted two different contents' \
	'the conflict shows at import' -- import home3 out.txt
expect 5 'other content' 'from then on neither content is packed: the one' -- \
	pack k 7 y.sfi home3
expect 5 'other content' 'nor the other' -- pack k 1 y.sfi home3
expect 5 '"error":"reuse"' 'as JSON' -- provisor --json --home home3 sfi nonces \
	import out.txt

# --- files that are no export: one for each rule
bad() { # FILE CODE PATTERN
	expect "$2" "$3" "import: $1" -- import home4 "$C/$1.txt"
}
ok 'the corrupt exports are made again' -- \
	sh "$TOP/fixtures/corrupt/make-nonces.sh" "$T/corrupt"
ok 'the same bytes' -- diff -r "$C" corrupt
bad empty 3 'does not begin with its title'
bad no-title 3 'does not begin with its title'
bad version-2 3 'not a nonce export of version 1'
bad cut-short 3 'cut short'
bad no-end 3 'cut short'
bad changed 4 'checksum differs'
bad end-not-hex 3 'checksum'
bad no-key 3 'byte 25: neither a key nor a line'
bad bad-line 3 'byte 94: neither a key nor a line'
bad key-upper-case 3 'byte 25: not the name of a key'
bad keys-out-of-order 3 'byte 94: keys are not in ascending order'
bad key-twice 3 'byte 94: keys are not in ascending order'
bad trailing 3 'byte 225: neither a key nor a line'
not_ok 'nothing of them was entered' -- test -e home4/nonces
bad conflict 5 '1 IV of key .* encrypted two different contents'
expect 0 '1 key, 1 new IVs' 'and the whole one is taken' -- \
	import home5 "$C/whole.txt"
expect 2 'none of list, export, import' 'an unknown word' -- provisor sfi nonces drop
expect 2 '\-o is needed' 'export without a file' -- provisor sfi nonces export
expect 2 "'import' takes the file" 'import without a file' -- provisor sfi nonces import

# --- eight processes, one nonce, eight contents
mkdir eight
pids=
for i in 1 2 3 4 5 6 7 8; do
	pack k2 $((100 + i)) eight/$i.sfi home6 >/dev/null 2>&1 &
	pids="$pids $!"
done
sum=0
for p in $pids; do
	wait "$p"
	sum=$((sum + $?))
done
ok 'of eight at once seven are refused' -- test $sum -eq 35
ok 'and one package is there' -- test "$(find eight -name '*.sfi' | wc -l)" -eq 1

# --- kill -9 in the middle, at many moments. Content A or B may win, but once a
# package is there, no other content gets its nonce, and the record stays sound.
i=0
bad=0
while [ $i -lt 24 ]; do
	i=$((i + 1))
	rm -rf home7 k-a.sfi k-b.sfi
	pack k 1 k-a.sfi home7 >/dev/null 2>&1 &
	p=$!
	sleep "$(printf '0.0%02d' $i)"
	kill -9 $p 2>/dev/null
	wait $p 2>/dev/null
	pack k 2 k-b.sfi home7 >/dev/null 2>&1
	r=$?
	[ -e k-a.sfi ] && [ $r -ne 5 ] && bad=$((bad + 1))
	[ $r -eq 0 ] || [ $r -eq 5 ] || bad=$((bad + 1))
	# refused though no package of it is there: A itself must still go
	[ $r -eq 5 ] && ! pack k 1 k-a.sfi home7 >/dev/null 2>&1 && bad=$((bad + 1))
	provisor --home home7 sfi nonces list >/dev/null 2>&1 || bad=$((bad + 1))
done
ok 'kill -9 leaves no hole in the record' -- test $bad -eq 0

done_testing
