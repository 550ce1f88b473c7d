#!/bin/sh
# A package on a virtual chip: unplugged half-way, power lost half-way, option
# bytes that protect the chip or would lock it, and a pinned campaign key.
# Flash holds the whole firmware or nothing of it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
token

key='pkcs11:token=oem;object=fw'
head -c 200000 /dev/urandom >"$T/fw.bin"
head -c 200000 /dev/zero | tr '\000' '\377' >"$T/erased"

# run_chip NAME [OPTIONS]: power NAME up on $T/tty; $sim is the process.
run_chip() {
	_chip=$1
	shift
	rm -f "$T/tty"
	background provisor sim run "$T/$_chip" --usart "$T/tty" "$@"
	sim=$!
	wait_for "$T/tty"
}

# off: stop the chip.
off() {
	kill "$sim" 2>/dev/null
	wait "$sim" 2>/dev/null
}

# pack NAME [OPTIONS]: $T/NAME.sfi under a nonce and campaign of its own.
pack() {
	_name=$1
	shift
	provisor sfi pack --chip stm32h563 \
		--firmware "$T/fw.bin@0x08000000" --key "$key" \
		--image-version 7 -o "$T/$_name.sfi" "$@" &&
		provisor campaign create "$_name" --token pkcs11:token=oem \
			--flow sfi --product-id 48400001 --firmware-id "$_name" \
			--max-licenses 9 --key "$key" \
			--nonce "$T/$_name.sfi.nonce" \
			--trust "$PROVISOR_HOME/sim-ca/ca.pem"
}

push() {
	provisor push "$T/$1.sfi" --port "usart:$T/tty" --campaign "$1"
}

# holds NAME FILE: the chip's flash begins with FILE.
holds() {
	cmp -n 200000 "$T/$1/flash.bin" "$2"
}

campaign_key
for n in one two three four; do
	ok "chip $n" -- provisor sim create "$T/$n" --chip stm32h563
done
ok 'a package and its campaign' -- pack plain

run_chip one
expect 0 PASS 'push' -- push plain
ok 'flash holds the firmware' -- holds one "$T/fw.bin"
expect 0 'install +finished' 'show says so' -- provisor sim show "$T/one"
# No plain read, write or erase is refused afterwards: no option bytes.
expect 0 'protection +RDP 0' 'the chip is open' -- provisor sim show "$T/one"
off

run_chip two --faults unplug@100000
expect 7 FAIL 'unplugged half-way' -- push plain
ok 'the chip ended' -- wait "$sim"
not_ok 'flash does not hold the firmware' -- holds two "$T/fw.bin"
head -c 16 "$T/two/flash.bin" >"$T/first"
ok 'its first bytes are erased' -- cmp -n 16 "$T/first" "$T/erased"
expect 0 'cut off' 'show says what comes' -- provisor sim show "$T/two"
run_chip two
ok 'the next start erases what was written' -- holds two "$T/erased"
expect 0 'failed, erased' 'and says so' -- provisor sim show "$T/two"
expect 0 'nothing spent' 'push again: the same license' -- push plain
ok 'now it is there' -- holds two "$T/fw.bin"
off

# Over an older firmware, and cut at several places.
for at in 900 2500 60000 203000; do
	run_chip two --faults powercut@$at
	not_ok "power lost after $at bytes" -- push plain
	wait "$sim"
	run_chip two
	if holds two "$T/erased" >/dev/null 2>&1 ||
		holds two "$T/fw.bin" >/dev/null 2>&1; then
		pass "flash is whole or erased after a cut at $at"
	else
		fail "flash is whole or erased after a cut at $at"
	fi
	off
done

# Option bytes. Word 0, bits 15:8, is the product state of an H5.
options() {
	for r in OPTSR_PRG OPTSR2_PRG NSBOOTR_PRG SECBOOTR_PRG SECWM1R_PRG \
		SECWM2R_PRG WRP1R_PRG WRP2R_PRG EDATA1R_PRG EDATA2R_PRG \
		HDP1R_PRG HDP2R_PRG; do
		case $r in
		OPTSR_PRG) echo "$r,$1" ;;
		*) echo "$r,0x00000000" ;;
		esac
	done >"$T/options.csv"
}
options 0x2d3072f8
ok 'a package that closes the chip' -- \
	pack closed --option-bytes "$T/options.csv"
run_chip three
expect 0 PASS 'push it' -- push closed
expect 0 'read protected' 'the chip is closed' -- provisor sim show "$T/three"
expect 0 'option word  0  0x2d3072f8' 'its words are kept' -- \
	provisor sim show "$T/three"
ok 'flash holds the firmware' -- holds three "$T/fw.bin"
# That is how a finished install leaves it. Another one costs nothing.
spent=$(provisor --json campaign show plain)
expect 7 'the chip is read-protected.*no license was spent' \
	'another package' -- push plain
expect 7 'the chip is unchanged' 'the same package' -- push closed
ok 'no license was spent' -- \
	test "$(provisor --json campaign show plain)" = "$spent"
ok 'flash still holds the firmware' -- holds three "$T/fw.bin"
expect 7 '' 'nobody reads it' -- provisor device read 0x08000000+16 \
	-o "$T/no" --port "usart:$T/tty"
off
options 0x2d305cf8
ok 'a package that locks the chip for good' -- \
	pack locked --option-bytes "$T/options.csv" --yes-irreversible
run_chip four
not_ok 'the agent refuses it' -- push locked
expect 0 'failed, erased' 'and erased what it had written' -- \
	provisor sim show "$T/four"
ok 'no firmware is left' -- holds four "$T/erased"
off
ok 'a chip that may be locked' -- provisor sim create "$T/five" \
	--chip stm32h563 --allow-irreversible
run_chip five
ok 'takes it' -- push locked
expect 0 'locked for good' 'and is locked' -- provisor sim show "$T/five"
off

# A pinned campaign key.
ok 'the key of a campaign' -- \
	provisor campaign show plain --export-key "$T/plain.pem"
ok 'a chip that knows only that key' -- provisor sim create "$T/six" \
	--chip stm32h563 --campaign-key "$T/plain.pem"
run_chip six
not_ok "another campaign's license is refused" -- push closed
expect 0 'install +never' 'and nothing was touched' -- \
	provisor sim show "$T/six"
expect 0 PASS 'its own is taken' -- push plain
off
done_testing
