# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced after lib.sh by tests of virtual STM32MP on a UART.
#
#   mpu_run NAME [OPTION...]  serve $T/NAME on $T/tty, its transcript in
#                             $T/NAME.log, its pid in $mpu
#   mpu_stop                  stop it and wait for its end
#   mpu_ssp CHIP [OPTION...]  the three boots; OPTIONs are of stm32mp.py blob
#   mpu_raw WORD...           send bytes, print the answers (stm32mp.py raw)
#   otp NAME WORD             "0xVALUE locked|open" of an OTP word

MPU="$TOP/tests/mpu/stm32mp.py"
LOADERS="$TOP/fixtures/golden/mpu"

mpu_run() {
	_name=$1
	shift
	rm -f "$T/tty"
	provisor sim run "$T/$_name" --usart "$T/tty" \
		--transcript "$T/$_name.log" "$@" >"$T/$_name.out" 2>&1 \
		</dev/null &
	mpu=$!
	PIDS="$PIDS $!"
	wait_for "$T/tty"
}

mpu_stop() {
	kill "$mpu" 2>/dev/null
	wait "$mpu" 2>/dev/null
}

mpu_ssp() {
	_chip=$1
	shift
	# shellcheck disable=SC2016 # for the script that is written
	printf '#!/bin/sh\nexec "%s" blob "$1" %s "$2" %s\n' "$MPU" "$_chip" \
		"$*" >"$T/maker"
	chmod +x "$T/maker"
	timeout 20 "$MPU" ssp "$T/tty" "$LOADERS/tf-a-ssp-mp$_chip.stm32" \
		"$T/maker"
}

mpu_raw() {
	timeout 20 "$MPU" raw "$T/tty" "$@"
}

otp() {
	provisor --json --quiet sim show "$T/$1" |
		jq -r ".otp[\"$2\"] // {value: \"0x00000000\", locked: false} |
			\"\\(.value) \\(if .locked then \"locked\" else \"open\" end)\""
}
