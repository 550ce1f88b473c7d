#!/bin/sh
# Packages with every kind of area, in parts: a virtual STM32U585 with external
# flash installs them through push, restarts between parts, goes on after a
# loss of power between parts, is erased after one inside a part. Areas that
# a chip does not take cost no license.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/push.sh"
need jq openssl xxd

cd "$T" || exit 1
token oem
key_in_token || fail 'a key in the token'
KEY='pkcs11:token=oem;object=fw'
SMI="$TOP/fixtures/golden/smi/module.smi"
head -c 30000 /dev/urandom >fw.bin
head -c 20000 /dev/urandom >ext.bin
printf '0x10,0x08080000\n32,0x08080010\n' >keys.kcsv

# pack NAME OPTIONS...: NAME.sfi and a campaign of that name
pack() {
	_name=$1
	shift
	provisor sfi pack --chip stm32u585 --key "$KEY" --image-version 3 \
		-o "$_name.sfi" --firmware fw.bin@0x08000000 "$@" >/dev/null 2>&1 &&
		provisor --quiet campaign create "$_name" \
			--token pkcs11:token=oem --flow sfi --product-id 48200001 \
			--firmware-id "$_name" --max-licenses 5 --key "$KEY" \
			--nonce "$_name.sfi.nonce" \
			--trust "$PROVISOR_HOME/sim-ca/ca.pem" >/dev/null
}
power() { # CHIP [OPTIONS]: run it on $T/tty
	_chip=$1
	shift
	rm -f "$T/tty"
	background provisor sim run "$T/$_chip" --usart "$T/tty" "$@"
	sim=$!
	wait_for "$T/tty"
}
off() {
	kill "$sim" 2>/dev/null
	wait "$sim" 2>/dev/null
}
push() {
	provisor push "$1.sfi" --port "usart:$T/tty" --campaign "$1"
}
spent() {
	provisor --json campaign show "$1" | jq -r '5 - (.left | tonumber)'
}
bytes() { # FILE OFFSET COUNT
	tail -c +$(($2 + 1)) "$1" | head -c "$3"
}
state() { # CHIP: how its install ended
	provisor --json sim show "$T/$1" | jq -r .install
}

# ctr CHIP: decrypt what its external flash holds at 0x90000000, region 2, with
# the key that the chip made at 0x08080000, by openssl
ctr() {
	bytes "$1/external.bin" 0 20000 |
		openssl enc -d -aes-128-ctr -nopad \
			-K "$(bytes "$1/flash.bin" $((0x80000)) 16 | xxd -p)" \
			-iv 00000000000000000000000029000000
}
whole() { # CHIP: all of the package is in it
	bytes "$1/flash.bin" 0 30000 >got
	same "firmware of $1" got fw.bin
	tail -c +49 "$SMI" >body
	bytes "$1/flash.bin" $((0x60000)) "$(wc -c <body)" >got
	same "the body of the module" got body
	ctr "$1" >got
	same "external flash of $1, decrypted by openssl" got ext.bin
}
empty() { # CHIP: nothing of it is
	LC_ALL=C tr -d '\377' <"$1/flash.bin" >got
	ok "flash of $1 is erased" -- test ! -s got
	LC_ALL=C tr -d '\377' <"$1/external.bin" >got
	ok 'and so is external flash' -- test ! -s got
}

for c in one two three bare; do
	x='--external-flash 1M'
	[ $c = bare ] && x=
	# shellcheck disable=SC2086
	provisor sim create "$T/$c" --chip stm32u585 $x >/dev/null 2>&1 ||
		fail "sim create $c"
done
ok 'a package of every kind, in six parts' -- pack all \
	--module "$SMI@0x08060000" --key-area keys.kcsv --ram-size 10000 \
	--token-address 0x080fe000 \
	--external "ext.bin@0x90000000,region=2,mode=2,key-address=0x08080000"
areas=$(provisor --json sfi inspect all.sfi | jq -r '[.areas[].type] | join("")')
ok "areas $areas" -- test "$areas" = FPRFPRFPRFMKPREPREPRE

# --- the good way
expect 0 'external flash, *$|external flash$' 'the plan says what is erased' -- \
	provisor push all.sfi --campaign all --chip stm32u585 --dry-run
said 'sectors of external flash that E areas fill' 'outside as well'
said 'end of a part: the chip restarts' 'and where it restarts'
power one
expect 0 PASS 'push' -- push all
ok 'one license' -- test "$(spent all)" = 1
whole one
ok 'the keys are random' -- test "$(bytes one/flash.bin $((0x80000)) 48 |
	xxd -p -c 16 | sort -u | wc -l)" = 3
expect 0 'module +64 bytes at 0x08060000, stored as delivered' \
	'show names the module' -- provisor sim show one
ok 'with its header' -- test "$(provisor --json sim show one |
	jq -r '.modules[0].header')" = "$(head -c 48 "$SMI" | xxd -p -c 48)"
expect 0 '' 'six restarts between parts' -- provisor --json sim show one
ok 'and one at the end' -- test "$(jq -r .counters.starts out)" = 8
# Another package takes all of it away, but not what is outside.
ok 'a plain package' -- pack plain
expect 0 PASS 'push it' -- push plain
ok 'the module is gone' -- test "$(provisor --json sim show one | jq '.modules | length')" = 0
bytes one/flash.bin $((0x80000)) 48 | LC_ALL=C tr -d '\377' >got
ok 'and the keys' -- test ! -s got
off

# --- power lost between two parts, and inside one
total=$(wc -c <all.sfi)
for at in 9000 26000 44000 52000; do
	power two --faults powercut@$at
	not_ok "power lost after $at of $total bytes" -- push all
	wait "$sim"
	ok 'nothing starts' -- test "$(head -c 16 two/flash.bin | LC_ALL=C tr -d '\377' | wc -c)" = 0
	power two
	case $(state two) in
	*erased*) empty two ;;
	*parts*) pass 'it waits between two parts' ;;
	*) fail "state of the chip: $(state two)" ;;
	esac
	off
done
# pause_two: a fresh chip whose supply goes between two parts: after so many
# bytes of the host, a few more or fewer where that was inside a part
cut=11500
pause_two() {
	n=0
	while :; do
		rm -rf two
		provisor sim create "$T/two" --chip stm32u585 \
			--external-flash 1M >/dev/null 2>&1
		power two --faults "powercut@$cut"
		provisor --json push all.sfi --port "usart:$T/tty" \
			--campaign all >paused.json 2>/dev/null && break
		wait "$sim"
		case $(state two) in
		*parts*) break ;;
		esac
		n=$((n + 1))
		[ $n -lt 80 ] || break
		if [ "$(jq .areas_done paused.json)" -lt 2 ]; then
			cut=$((cut + 150))
		else
			cut=$((cut - 150))
		fi
	done
	ok "power lost between two parts, after $cut bytes" -- \
		test "$(jq -r .result paused.json)" = fail
}
pause_two
expect 0 'between two parts, waits for the rest' 'show says so' -- \
	provisor sim show two
ok 'nothing starts' -- test "$(head -c 16 two/flash.bin | LC_ALL=C tr -d '\377' | wc -c)" = 0
power two
expect 7 '' 'nobody reads it meanwhile' -- provisor device read 0x08000100+16 \
	-o read.bin --port "usart:$T/tty" --chip stm32u585
expect 0 'it waits for the rest of a package: push that again' \
	'device info says what to do' -- provisor device info --port "usart:$T/tty"
expect 0 PASS 'push again goes on' -- push all
said 'resumed +at area 3: the parts before it were there' 'it says where'
said 'nothing spent' 'with the license it had'
whole two
off
# Another package instead: what it holds is erased first.
pause_two
power two
expect 0 PASS 'another package' -- push plain
bytes two/flash.bin 0 30000 >got
same 'is there' got fw.bin
ok 'and only it' -- test "$(bytes two/flash.bin 30000 2000000 | LC_ALL=C tr -d '\377' | wc -c)" -le 16
off

# Or none: Readout Unprotect erases it, and its next start gives up the rest.
pause_two
power two
expect 0 '' 'device unprotect frees it' -- provisor device unprotect \
	--read-protect --port "usart:$T/tty"
case $(state two) in
*erased*) empty two ;;
*) fail "state of the chip: $(state two)" ;;
esac
expect 0 PASS 'a plain image' -- provisor push fw.bin@0x08000000 \
	--port "usart:$T/tty"
off

# --- what a chip does not take
license=$(spent all)
power bare
expect 4 'area 15 is for external flash at 0x90000000, and the chip has none' \
	'no external flash on this board' -- push all
said 'no license was spent; the chip is unchanged' 'for no license'
ok 'none' -- test "$(spent all)" = "$license"
off
printf x >license.bin
cp plain.sfi x.sfi
printf X | dd of=x.sfi bs=1 seek=28 conv=notrunc 2>/dev/null
expect 4 "area 1 has type 'X', which no chip is known to take" \
	'push refuses a letter that nobody knows' -- \
	provisor push x.sfi --license license.bin --port "usart:$T/no-port"
expect 0 '1 +X +30 000 +0x08000000' 'inspect lists it' -- provisor sfi inspect x.sfi

done_testing
