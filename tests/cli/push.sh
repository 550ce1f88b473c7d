# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced after lib.sh by the tests of secure installs: a token with a package
# key, a package, a campaign, and virtual chips.
#
#   station LIMIT        token, app.sfi (blink.elf, and 9000 bytes of data.bin
#                        at 0x08020000), app.sfi.nonce, campaign spring
#   vchip N [OPTIONS...] virtual chip $T/chipN on $T/ttyN
#   left                 licenses left in campaign spring
#   said PATTERN DESC    the output of the last `expect` has PATTERN, too
#   last PATTERN DESC    ... in its last line
#   flash_is N FILE      the flash of chip N begins with FILE
#   flash_blank N        no byte of the flash of chip N is programmed

FW="$TOP/fixtures/firmware"

key_in_token() {
	provisor --quiet key generate --token pkcs11:token=oem --type aes-128 \
		--label fw >/dev/null
}

station() {
	token oem
	key_in_token || fail 'a key in the token'
	KEY='pkcs11:token=oem;object=fw'
	head -c 9000 /dev/urandom >"$T/data.bin"
	provisor sfi pack --chip stm32h563 --firmware "$FW/blink.elf" \
		--firmware "$T/data.bin@0x08020000" --key "$KEY" \
		--image-version 7 -o "$T/app.sfi" >/dev/null ||
		fail 'sfi pack'
	# The demo CA is made with the first chip.
	provisor sim create "$T/chip0" --chip stm32h563 >/dev/null
	provisor --quiet campaign create spring --token pkcs11:token=oem --flow sfi \
		--product-id 48400001 --firmware-id app-7 --max-licenses "$1" \
		--key "$KEY" --nonce "$T/app.sfi.nonce" \
		--trust "$PROVISOR_HOME/sim-ca/ca.pem" >/dev/null ||
		fail 'campaign create'
}

vchip() {
	_n=$1
	shift
	[ -d "$T/chip$_n" ] ||
		provisor sim create "$T/chip$_n" --chip stm32h563 "$@" >/dev/null
	background provisor sim run "$T/chip$_n" --usart "$T/tty$_n"
	wait_for "$T/tty$_n"
}

left() {
	provisor --json campaign show spring | tr -d '"' |
		sed -n 's/.*[{,]left:\([0-9]*\).*/\1/p'
}

said() {
	if grep -Eq -- "$1" "$T/out"; then pass "$2"; else fail "$2"; fi
}

last() {
	if tail -n 1 "$T/out" | grep -Eq -- "$1"; then
		pass "$2"
	else
		fail "$2"
	fi
}

flash_is() {
	_size=$(wc -c <"$2")
	head -c "$_size" "$T/chip$1/flash.bin" >"$T/flash.head"
	same "chip $1 holds $(basename "$2")" "$2" "$T/flash.head"
}

flash_blank() {
	tr -d '\377' <"$T/chip$1/flash.bin" >"$T/flash.rest"
	if [ -s "$T/flash.rest" ]; then
		fail "flash of chip $1 is blank"
	else
		pass "flash of chip $1 is blank"
	fi
}
