#!/bin/sh
# The main job: chips of a three-license campaign get the package, a repeat
# costs none, the fourth chip is refused, the ledger agrees.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/push.sh"

cd "$T" || exit 1
station 3
for n in 0 1 2 3; do vchip $n; done

expect 0 '3 of 3 left' 'dry run, before' -- \
	provisor push app.sfi --campaign spring --dry-run
expect 0 'sectors 16..17' 'dry run names sectors' -- \
	provisor push app.sfi --campaign spring --chip h563 --dry-run
said 'all of flash would be erased' 'and says that all is erased'
flash_blank 0

expect 0 '^license   no. 1 of 3 \(2 left\), saved as licenses/48400001-' \
	'the first chip' -- provisor push app.sfi --port usart:tty0 --campaign spring
said '^verified  3 areas confirmed by the chip, again after its restart$' 'verified by the chip'
last "^PASS +serial" 'PASS is the last word'
flash_is 0 "$FW/blink.bin"
dd if=chip0/flash.bin bs=1 skip=131072 count=9000 of=data.flash 2>/dev/null
same 'the second file, too' data.bin data.flash

expect 0 'no. 1 .*saved earlier .*nothing spent' 'the same chip again' -- \
	provisor push app.sfi --port usart:tty0 --campaign spring
rm home/licenses/*.lic
expect 0 "no. 1 .*this chip's own again.*nothing spent" \
	'the same chip, its file gone' -- \
	provisor push app.sfi --port usart:tty0 --campaign spring
# A file in its place that is no license of this campaign is not used.
lic=$(echo home/licenses/*.lic)
head -c 212 /dev/urandom >"$lic"
expect 0 'no. 1 .*own again' 'the same chip, its file spoilt' -- \
	provisor push app.sfi --port usart:tty0 --campaign spring
flash_is 0 "$FW/blink.bin"

expect 0 'no. 2 of 3' 'the second chip' -- \
	provisor push app.sfi --port usart:tty1 --campaign spring
# Another chip's license under this chip's name: six digits may collide.
provisor device info --port usart:tty2 >out
serial=$(sed -n 's/.*serial \([0-9a-f]*\).*/\1/p' out)
cp "$lic" "home/licenses/48400001-$serial.lic"
expect 0 'no. 3 of 3' 'the third chip, whose file is another chip'\''s' -- \
	provisor push app.sfi --port usart:tty2 --campaign spring
flash_is 1 "$FW/blink.bin"
flash_is 2 "$FW/blink.bin"

expect 5 'used all 3 licenses' 'the fourth chip' -- \
	provisor push app.sfi --port usart:tty3 --campaign spring
said 'no license was spent; the chip is unchanged, safe to retry' 'says what was spent and changed'
last "^FAIL\$" 'FAIL is the last word'
flash_blank 3
expect 0 'no. 1 ' 'a chip that has its license still passes' -- \
	provisor push app.sfi --port usart:tty0 --campaign spring
expect 0 'chain intact' 'the ledger agrees' -- provisor ledger verify

# With the license as a file: no token is needed.
mv "$PIN" "$PIN.away"
expect 0 '^PASS' 'push with the saved license' -- \
	provisor push app.sfi --port usart:tty0 --license "$lic"
expect 4 'made for another chip' 'not for another chip' -- \
	provisor push app.sfi --port usart:tty3 --license "$lic"
said 'no license was spent' 'says that none was spent'
flash_blank 3
# Where the ledger is not: the key is not known.
mkdir other
expect 0 'campaign key is not known here' 'without the key' -- \
	provisor --home other push app.sfi --port usart:tty0 --license "$lic"
expect 4 'license' 'with the wrong key' -- \
	provisor --home other push app.sfi --port usart:tty0 \
	--license "$lic" --campaign-key home/sim-ca/ca.pem
expect 3 '.' 'a license that is none' -- \
	provisor push app.sfi --port usart:tty0 --license app.sfi.nonce
mv "$PIN.away" "$PIN"

expect 0 '"result":"pass"' 'JSON' -- \
	provisor --json --quiet push app.sfi --port usart:tty1 --campaign spring
said '"license":{"number":"2","spent":false' 'one object with the license number'
if command -v jq >/dev/null; then
	cp out json
	ok 'that jq can read' -- jq -e '.areas_done == 3' json
fi
done_testing
