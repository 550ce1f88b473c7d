#!/bin/sh
# push refuses a package with an area the install agent does not take, by its
# letter, before it looks for a chip or spends a license.
. "$(dirname "$0")/lib.sh"

cd "$T" || exit 1
printf AES_KEY_TEST_001 >k
printf x >license
head -c 3000 /dev/urandom >fw.bin
printf '0x10,0x08080000\n' >keys.kcsv

pack() {
	provisor sfi pack --chip stm32u585 --key k --image-version 1 -o x.sfi \
		--firmware fw.bin@0x08000000 "$@"
}
push() {
	provisor push x.sfi --license license --port "usart:$T/no-such-port"
}

expect 0 'x.sfi: 2 areas' 'a package with a module' -- pack \
	--module "$TOP/fixtures/golden/smi/module.smi@0x08060000"
expect 3 "area 2 has type 'M', an SMI module: .*no secure library" \
	'push refuses the module' -- push
expect 0 'x.sfi: 2 areas' 'a package with key areas' -- pack \
	--key-area keys.kcsv
expect 3 "area 2 has type 'K': .*takes F and C areas only" \
	'push refuses the key areas' -- push
expect 0 'x.sfi: 1 area' 'a package of firmware only' -- pack
expect 7 'no-such-port' 'goes as far as the port' -- push

done_testing
