#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# push programs the signed images that image sign made.
. "$(dirname "$0")/lib.sh"
need openssl
cd "$T" || exit 1

openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out k.pem 2>/dev/null
openssl pkey -in k.pem -pubout -out k-pub.pem
head -c 3000 /dev/urandom >fw.bin
S="--flavor st-oemirot -k k.pem -v 1.0.0 -H 0x400 --pad-header --pad -S 0x4000 --overwrite-only"
# shellcheck disable=SC2086 # a list of options
ok 'sign' -- sh -c "
	provisor image sign $S -x 0x08000000 fw.bin app.hex && provisor image sign $S fw.bin app.bin"
provisor sim create chip --chip stm32h563 >/dev/null
background provisor sim run chip --usart "$T/tty"
wait_for "$T/tty"
# HEX leaves out what is erased, which flash reads as 0xff all the same.
for f in app.hex app.bin@0x08000000; do
	provisor device erase --all --no-check --port "usart:$T/tty" >/dev/null
	expect 0 '^PASS ' "push $f" -- provisor push $f --port "usart:$T/tty"
	head -c 16384 chip/flash.bin >got
	same "the slot after $f" app.bin got
	expect 0 '1 signature verified' "which verifies, read from the chip" -- \
		provisor image verify --flavor st-oemirot -k k-pub.pem --overwrite-only -S 0x4000 got
done
done_testing
