#!/bin/sh
# A chip that holds an older image: a damaged package leaves all of it or none
# of it, and so do a write-protected sector and a package of too many areas.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/push.sh"

cd "$T" || exit 1
station 9
vchip 0
push() {
	provisor push "$@" --campaign spring
}

expect 0 '^PASS' 'the older image' -- push app.sfi --port usart:tty0

# Every byte of the first area's header (type, version, number, size, address,
# count, tag), and the address of the second.
size() { # N: payload of area N is at 28 + 30 * N + those before
	od -An -tu4 -j $((28 + 4)) -N4 app.sfi | tr -d ' '
}
second=$((28 + 30 + $(size)))
# flip OFFSET BIT
flip() {
	cp app.sfi flipped.sfi
	_b=$(od -An -tu1 -j "$1" -N1 app.sfi)
	# shellcheck disable=SC2059
	printf "$(printf '\\%03o' $((_b ^ $2)))" |
		dd of=flipped.sfi bs=1 seek="$1" conv=notrunc 2>/dev/null
}
cp chip0/flash.bin whole.bin
try() {
	flip "$1" "$2"
	provisor push flipped.sfi --port usart:tty0 --campaign spring \
		>try.out 2>&1
	_r=$?
	tr -d '\377' <chip0/flash.bin >rest
	if [ $_r -eq 0 ]; then
		fail "bit $2 of byte $1: taken"
	elif [ ! -s rest ]; then
		pass "bit $2 of byte $1: erased"
		if ! grep -q 'the chip is erased' try.out; then
			fail "bit $2 of byte $1: and says so"
		fi
	elif cmp -s chip0/flash.bin whole.bin; then
		pass "bit $2 of byte $1: unchanged"
		if ! grep -q 'the chip is unchanged' try.out; then
			fail "bit $2 of byte $1: and says so"
		fi
	else
		fail "bit $2 of byte $1: partly there"
	fi
	cmp -s chip0/flash.bin whole.bin ||
		push app.sfi --port usart:tty0 >/dev/null 2>&1
}
for at in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 29; do
	try $((28 + at)) 1
done
try $((28 + 10)) 2
try $((28 + 9)) 32
for at in 8 9 10 11; do
	try $((second + at)) 4
done
ok 'one license in all of that' -- test "$(left)" = 8

# Erased means started by nobody.
flip $((28 + 10)) 1
expect 4 'does not verify' 'the address of the first area' -- \
	push flipped.sfi --port usart:tty0
flash_blank 0
expect 0 'failed, erased' 'show says so' -- provisor sim show chip0

# What lies outside the package goes, too.
printf 'left by an older image' >old.bin
ok 'bytes far from the package' -- provisor push old.bin@0x081f0000 \
	--port usart:tty0
expect 0 '^PASS' 'the package' -- push app.sfi --port usart:tty0
ok 'only the package is there' -- cmp chip0/flash.bin whole.bin

# Write protection: nothing is changed, and it is said how to go on.
ok 'protect the sector of the second area' -- provisor device protect \
	--sectors 16 --port usart:tty0
expect 7 'write-protected.*device unprotect' 'a protected sector' -- \
	push app.sfi --port usart:tty0
said 'the chip is unchanged' 'says that nothing changed'
ok 'and nothing did' -- cmp chip0/flash.bin whole.bin
ok 'unprotect' -- provisor device unprotect --sectors all --port usart:tty0
expect 0 '^PASS' 'then it is taken' -- push app.sfi --port usart:tty0

# 65 places: the packer warns, push refuses before it spends.
set --
n=0
while [ $n -lt 65 ]; do
	printf 'area' >"part$n.bin"
	set -- "$@" --firmware "part$n.bin@$(printf '0x%08x' \
		$((0x08000000 + n * 4096)))"
	n=$((n + 1))
done
expect 0 'note: 65 stretches of memory, but .* takes 64' 'the packer warns' -- \
	provisor sfi pack --chip stm32h563 --key "$KEY" --image-version 7 \
	-o many.sfi "$@"
provisor sim create chip2 --chip stm32h563 >/dev/null
vchip 2
expect 3 'the package fills 65 stretches of memory, the chip takes 64' 'push refuses it' -- \
	push many.sfi --port usart:tty2
said 'no license was spent; the chip is unchanged' 'nothing spent'
ok 'still eight left' -- test "$(left)" = 8
done_testing
