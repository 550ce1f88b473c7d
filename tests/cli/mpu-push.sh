# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced after lib.sh by the tests of STM32MP chips.
#
#   vmp N CHIP [CREATE-OPTIONS...]   virtual chip $T/chipN
#   mp_run N [RUN-OPTIONS...]        serve it on $T/ttyN
#   mp_stop N                        end that
#   loader 15|13 STAGE OUT [...]     an image, as fixtures/golden/make-mpu.py has it
#   ssp_campaign NAME PRODUCT        package key and nonce of the golden packages
#   word N WORD                      value of an OTP word, and its lock
#   otp_is N WORD VALUE DESC         ... is this: "0x12345678 locked"

# shellcheck disable=SC2034 # for who sources this
GOLDEN="$TOP/fixtures/golden"
SSP="$GOLDEN/ssp"
# shellcheck disable=SC2034 # for who sources this
LOADERS="$GOLDEN/mpu"

vmp() {
	_n=$1 _chip=$2
	shift 2
	provisor sim create "$T/chip$_n" --chip "$_chip" "$@" >/dev/null ||
		fail "sim create $_chip"
}

mp_run() {
	_n=$1
	shift
	rm -f "$T/tty$_n"
	provisor sim run "$T/chip$_n" --usart "$T/tty$_n" "$@" \
		>"$T/run$_n" 2>&1 </dev/null &
	echo $! >"$T/pid$_n"
	PIDS="$PIDS $!"
	wait_for "$T/tty$_n" || fail "the virtual chip does not start"
}

mp_stop() {
	kill "$(cat "$T/pid$1")" 2>/dev/null
	wait "$(cat "$T/pid$1")" 2>/dev/null
}

ssp_campaign() {
	provisor --quiet campaign create "$1" --token pkcs11:token=oem --flow ssp \
		--product-id "$2" --firmware-id sec-1 --max-licenses 9 \
		--key "$SSP/aes.key" --nonce "$SSP/nonce.bin" \
		--trust "$PROVISOR_HOME/sim-ca/ca.pem" >/dev/null ||
		fail "campaign create $1"
}

left() {
	provisor --json campaign show "$1" | jq -r .left
}

word() {
	provisor --json sim show "$T/chip$1" | jq -r \
		".otp[\"$2\"] // {value:\"0x00000000\"} |
		.value + (if .locked then \" locked\" else \"\" end)"
}

otp_is() {
	_got=$(word "$1" "$2")
	if [ "$_got" = "$3" ]; then
		pass "$4"
	else
		echo "# OTP $2 is $_got, not $3"
		fail "$4"
	fi
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
