#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# valgrind finds nothing in packing and in issuing a license: no invalid access,
# no use of undefined bytes, no leak. Run by `make heavy`.
. "$(dirname "$0")/../cli/lib.sh"
. "$(dirname "$0")/../cli/campaign.sh"
need valgrind
token
ca ca

clean() {
	valgrind -q --leak-check=full --error-exitcode=99 \
		"$BUILD/provisor" "$@"
}

head -c 16 /dev/urandom >"$T/key"
expect 0 '2 areas' 'sfi pack with a key file' -- clean sfi pack \
	--chip stm32h563 --firmware "$TOP/fixtures/firmware/blink.elf" \
	--key "$T/key" --image-version 1 -o "$T/a.sfi"
expect 0 'operational' 'campaign create' -- campaign spring 2
expect 0 '1 area,' 'sfi pack with a key in a token' -- clean sfi pack \
	--chip stm32h563 --firmware "$TOP/fixtures/firmware/blink.hex" \
	--key 'pkcs11:token=oem;object=fw' --nonce "$T/nonce" \
	--image-version 1 -o "$T/b.sfi"
for i in 1 2 3; do chip "$T/c$i" ca; done
for i in 1 2 1; do
	expect 0 "no. $i of 2" "license issue, chip $i" -- clean license issue \
		--campaign spring --certificate "$T/c$i" -o "$T/l$i"
done
expect 5 'used all 2' 'the third chip is refused' -- clean license issue \
	--campaign spring --certificate "$T/c3" -o "$T/l3"
expect 0 'chain intact' 'ledger verify' -- clean ledger verify
done_testing
