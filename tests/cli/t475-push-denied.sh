#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A chip that was denied after it got its license: no push any more, neither
# with the license of the ledger, nor the one saved before, nor as a file.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/push.sh"
cd "$T" || exit 1
station 3
vchip 0
vchip 1
ok 'a push' -- provisor push app.sfi --port usart:tty0 --campaign spring
lic=$(echo home/licenses/*.lic)
cp "$lic" saved.lic
ok 'deny the chip' -- provisor campaign deny spring \
	--certificate chip0/certificate.bin
expect 5 'deny list' 'with the license saved before' -- \
	provisor push app.sfi --port usart:tty0 --campaign spring
last '^FAIL$' 'FAIL is the last word'
flash_is 0 "$FW/blink.bin"
rm "$lic"
expect 5 'deny list' 'with that of the ledger' -- \
	provisor push app.sfi --port usart:tty0 --campaign spring
expect 5 'deny list' 'with a file' -- \
	provisor push app.sfi --port usart:tty0 --license saved.lic
ok 'nothing was spent' -- test "$(left)" = 2
expect 0 '^PASS' 'another chip' -- \
	provisor push app.sfi --port usart:tty1 --campaign spring
done_testing
