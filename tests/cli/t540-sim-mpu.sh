#!/bin/sh
# The virtual STM32MP on a UART: the ROM's answers byte for byte, loaders made
# by mkimage, secret provisioning of both chips with all that can go wrong.
# The host is tests/mpu/stm32mp.py, which shares no code with provisor.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpu.sh"
need jq mkimage xxd openssl

create() { # NAME CHIP [OPTION...]
	_n=$1 _c=$2
	shift 2
	provisor sim create "$T/$_n" --chip "stm32$_c" "$@" >"$T/out" 2>&1 ||
		fail "create $_n"
}

# --- making one
expect 0 'product id 5000200A, serial boot of its ROM' 'create an MP15' -- \
	provisor sim create "$T/c15" --chip stm32mp15
expect 0 'product id 50100001' 'create an MP13' -- \
	provisor sim create "$T/c13" --chip stm32mp13
expect 2 "product id '5000300Z' is not one of an STM32MP15" \
	'a product id of no such chip' -- \
	provisor sim create "$T/no" --chip stm32mp15 --product-id 5000300Z
expect 2 'for a microcontroller' 'read protection is no matter of it' -- \
	provisor sim create "$T/no" --chip stm32mp15 --rdp 1
expect 2 'for an STM32MP' 'nor --closed one of a microcontroller' -- \
	provisor sim create "$T/no2" --chip stm32f407 --closed
expect 2 "no field 'iv=3'" 'a profile field that is none' -- \
	provisor sim create "$T/no3" --chip stm32mp15 --ssp-profile iv=3
expect 2 'in the same half' 'key and IV in one half' -- \
	provisor sim create "$T/no4" --chip stm32mp15 --ssp-profile key_half=high
expect 2 "'96=1'|'word'|--otp" 'no such OTP word' -- \
	provisor sim create "$T/no5" --chip stm32mp15 --otp 96=1
expect 2 'no generation' 'no such firmware' -- \
	provisor sim run "$T/c15" --usart "$T/tty" --firmware 2.6
expect 2 'no secret provisioning' '2.4 has no SSP for the MP13' -- \
	provisor sim run "$T/c13" --usart "$T/tty" --firmware 2.4
expect 2 'are for a microcontroller' 'no boot pin' -- \
	provisor sim run "$T/c15" --usart "$T/tty" --boot0 low
expect 2 'the first ACK is number 1' 'a fault before the first ACK' -- \
	provisor sim run "$T/c15" --usart "$T/tty" --faults nack@0
ok 'the certificate begins with the product id' -- \
	sh -c "[ \"\$(head -c 8 '$T/c15/certificate.bin')\" = 5000200A ]"

# --- the ROM, byte for byte
mpu_run c15
mpu_raw 7f 00ff 01fe 02fd 03fc 31ce >"$T/got"
printf '79\n79064000010203213179\n7910000079\n7901050079\n' >"$T/want"
printf '790601%s010079\n79\n' 0024fc2f >>"$T/want"
same 'answers of the ROM of an MP15' "$T/got" "$T/want"
mpu_stop

# --- mkimage of u-boot-tools makes a loader
printf 'provisor-stage=tf-a-ssp-2.8\n' >"$T/code"
head -c 1000 /dev/zero >>"$T/code"
ok 'mkimage' -- mkimage -T stm32image -a 0x2ffc2500 -e 0x2ffc2500 \
	-d "$T/code" "$T/loader.stm32"
mpu_run c15
ok 'the ROM takes it' -- timeout 10 "$MPU" load "$T/tty" "$T/loader.stm32"
sleep 0.1
# The take-over of TF-A is one NACK; then its own answers (ssp.md 8).
mpu_raw : 7f 00ff 01fe 02fd 03fc >"$T/got"
printf '1f\n79\n7907400001020312213179\n790079\n7902050079\n' >"$T/want"
printf '7912ff000000000d%s79\n' 50726f766973696f6e696e670a >>"$T/want"
same 'answers of TF-A SSP, boot 1' "$T/got" "$T/want"
ok 'SSP is requested in OTP 8' -- \
	sh -c "[ '$(otp c15 8)' = '0x00000100 open' ]"
ok 'boot 2' -- timeout 10 "$MPU" load "$T/tty" "$T/loader.stm32"
sleep 0.1
mpu_raw : 03fc 12ed f300000000f3 8877:137 : >"$T/got"
{
	printf '1f\n7905f3%s0079\n79\n79\n79' 00f0ff2f
	head -c 136 "$T/c15/certificate.bin" | xxd -p -c 200
	printf '79\n'
} >"$T/want"
same 'phase 0xF3, certificate with N = 0x88, one ACK more' \
	"$T/got" "$T/want"
mpu_stop

# --- SSP of both chips, all generations
check_otp() { # NAME SSP-WORD
	ok "$1 is closed and done" -- sh -c "provisor sim show '$T/$1' \
		>'$T/show'; grep -q 'security     closed' '$T/show' &&
		grep -q 'SSP          done' '$T/show'"
	ok "$1: first and last secret are burnt and locked" -- \
		sh -c "[ '$(otp "$1" 59)' = '0x03020100 locked' ] &&
			[ '$(otp "$1" 95)' = '0x93929190 locked' ]"
}
for fw in 2.2 2.4 2.8; do
	create "a$fw" mp15
	mpu_run "a$fw" --firmware "$fw"
	expect 0 'boot 3: silence' "SSP of an MP15, TF-A $fw" -- mpu_ssp 15
	mpu_stop
	check_otp "a$fw"
done
ok 'PKH as the vectors have it, big-endian words' -- \
	sh -c "[ '$(otp a2.8 24)' = '0xd875db7d locked' ] &&
		[ '$(otp a2.8 31)' = '0xcbb50d9f locked' ]"
ok 'RMA word: locked by 2.8' -- \
	sh -c "[ '$(otp a2.8 56)' = '0x07650312 locked' ]"
ok 'RMA word: not locked by 2.4' -- \
	sh -c "[ '$(otp a2.4 56)' = '0x07650312 open' ]"
mpu_run c13
expect 0 'boot 3: silence' 'SSP of an MP13' -- mpu_ssp 13
mpu_stop
check_otp c13
ok 'hash of the key table as the vectors have it' -- \
	sh -c "[ '$(otp c13 24)' = '0x84ac9af8 locked' ] &&
		[ '$(otp c13 0)' = '0x0000003f open' ]"

sed '/^download$/d' "$T/c13.log" | tr '\n' ' ' >"$T/got"
printf '%s ' power-on ROM get-phase start 'TF-A SSP' nack get-phase reset \
	ROM get-phase start 'TF-A SSP' nack get-phase read-partition start \
	get-phase reset ROM get-phase start 'TF-A SSP' 'SSP: done' reset ROM \
	>"$T/want"
same 'the transcript' "$T/got" "$T/want"

# --- a closed chip: TF-A is never reached, the ROM wants a signature
mpu_run c13
timeout 10 "$MPU" load "$T/tty" "$LOADERS/tf-a-ssp-mp13.stm32"
expect 0 '^-$' 'unsigned, a closed chip stays silent' -- mpu_raw 03fc
ok 'and says why in the transcript' -- grep -q 'not signed' "$T/c13.log"
mpu_stop

# --- a wrong license or payload: boot 3 begins again, nothing is burnt
wrong() { # DESCRIPTION CREATE-OPTIONS BLOB-OPTIONS
	# shellcheck disable=SC2086 # none or two words
	create w mp15 $2
	mpu_run w
	expect 1 'boot 3: phase ff Provisioning' "$1" -- mpu_ssp 15 "$3"
	mpu_stop
	ok "$1: no secret is burnt, the chip is open" -- sh -c \
		"[ '$(otp w 59)' = '0x00000000 open' ] &&
		[ '$(otp w 24)' = '0x00000000 open' ] &&
		[ '$(otp w 0)' = '0x00000000 open' ]"
	rm -rf "$T/w"
}
wrong 'license changed in its tag' '' '--flip 130'
wrong 'license changed in its ephemeral key' '' '--flip 40'
wrong 'license for a newer loader' '' '--minimum 1'
wrong 'payload changed' '' '--flip 300'
wrong 'payload changed in its key' '' '--flip 150'
wrong 'license of another profile' '--ssp-profile gcm_iv_len=12' ''
wrong 'payload of another profile' '--ssp-profile payload_iv_len=12' ''

# --- profiles other than the default
create p mp15 --ssp-profile \
	shared_info=ephemeral,key_half=high,iv_half=low,gcm_iv_len=12
mpu_run p
expect 0 'boot 3: silence' 'another profile, and a license that fits' -- \
	mpu_ssp 15 --fields \
	shared_info=ephemeral,key_half=high,iv_half=low,gcm_iv_len=12
mpu_stop

# --- the firmware's traps
head -c 8 /dev/zero | tr '\000' '\377' >"$T/ones8"
head -c 6 "$T/ones8" >"$T/ones6"
create m mp15
mpu_run m
expect 0 'boot 3: silence' 'size not a multiple of 4' -- \
	mpu_ssp 15 --secrets "$T/ones6"
mpu_stop
ok 'the last word is masked with 4 bits a byte' -- sh -c \
	"[ '$(otp m 59)' = '0xffffffff locked' ] &&
	[ '$(otp m 60)' = '0x000000ff locked' ]"
printf '\001\002\003\004\000\000\000\000\005\006\007\010' >"$T/gap"
create z mp15
mpu_run z
expect 0 'boot 3: silence' 'a zero word among the secrets' -- \
	mpu_ssp 15 --secrets "$T/gap"
mpu_stop
ok 'is neither burnt nor locked' -- sh -c \
	"[ '$(otp z 60)' = '0x00000000 open' ] &&
	[ '$(otp z 61)' = '0x08070605 locked' ]"

# --- a target word in use: refused before anything is burnt
create u mp15 --otp 70=1
mpu_run u
expect 0 'boot 3: silence' 'a secret word that is in use' -- mpu_ssp 15
mpu_stop
ok 'is noticed before the key hash is burnt' -- sh -c \
	"[ '$(otp u 24)' = '0x00000000 open' ] &&
	grep -q 'OTP is in use: 70' '$T/u.log'"
head -c 8 "$T/gap" >"$T/two"
for fw in 2.4 2.8; do
	create "v$fw" mp15 --otp 60=1
	mpu_run "v$fw" --firmware "$fw"
	mpu_ssp 15 --secrets "$T/two" >"$T/out" 2>&1
	mpu_stop
done
ok '2.4 looks at words it would not burn' -- \
	grep -q 'OTP is in use: 60' "$T/v2.4.log"
ok '2.8 does not' -- grep -q 'SSP: done' "$T/v2.8.log"

# --- power
create q mp15
mpu_run q --quirk mailbox-lost
expect 1 'boot 2: phase ff Provisioning' 'supplies that fall at a reset' -- \
	mpu_ssp 15
mpu_stop
mpu_run q
expect 0 'boot 3: silence' 'begins again and ends well' -- mpu_ssp 15
mpu_stop
create k mp15 --closed
expect 0 'security     closed' 'a chip closed from the start' -- \
	provisor sim show "$T/k"

# --- power lost in boot 3: what is burnt is burnt, one word in part
create cut mp15
mpu_run cut
expect 0 'boot 3: silence' 'a session, to count its bytes' -- mpu_ssp 15
mpu_stop
bytes=$(provisor --json --quiet sim show "$T/cut" | jq -r .counters.received)
# The first command after each of two take-overs was on the line, and lost.
bytes=$((bytes + 4))
rm -rf "$T/cut"
create cut mp15
mpu_run cut --faults "powercut@$bytes" --seed 3
mpu_ssp 15 >"$T/out" 2>&1
mpu_stop
ok 'the power went with the last byte of boot 3' -- \
	grep -q "power cut after $bytes bytes" "$T/cut.out"
expect 0 'security     open' 'the chip is still open' -- \
	provisor sim show "$T/cut"
ok 'no secret was burnt, SSP is not done' -- sh -c \
	"[ '$(otp cut 59)' = '0x00000000 open' ] &&
	[ '$(otp cut 8)' = '0x00000100 open' ]"
rm -f "$T/tty"
mpu_run cut
mpu_ssp 15 >"$T/out" 2>&1
mpu_stop
ok 'the next session finds OTP 24 in use' -- \
	grep -q 'OTP is in use: 24' "$T/cut.log"

# --- signed images: the loader with the key of the payload
key() { # FILE
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
		-out "$1" 2>/dev/null
}
key "$T/key.pem"
openssl ec -in "$T/key.pem" -pubout -outform DER 2>/dev/null |
	tail -c 64 >"$T/point"
MAKE="$TOP/fixtures/golden/make-mpu.py"
ok 'a signed loader' -- "$MAKE" 15 tf-a-ssp "$T/signed.stm32" --key "$T/key.pem"
create s mp15
mpu_run s --quirk signed-loader
expect 1 'boot 3: phase ff Provisioning' \
	'a ROM that wants the loader signed, and an unsigned one' -- \
	mpu_ssp 15 --table "$T/point"
mpu_stop
mpu_run s --quirk signed-loader
expect 0 'boot 3: silence' 'and a signed one' -- \
	timeout 20 "$MPU" ssp "$T/tty" "$T/signed.stm32" "$T/maker"
mpu_stop
ok 'now it is closed' -- sh -c "[ '$(otp s 0)' = '0x00000040 open' ]"
"$MAKE" 15 tf-a "$T/tfa.stm32" --key "$T/key.pem"
mpu_run s
ok 'a closed chip starts what this key has signed' -- \
	timeout 10 "$MPU" load "$T/tty" "$T/tfa.stm32"
sleep 0.1
expect 0 '^1f$' 'TF-A takes the line' -- mpu_raw :
mpu_stop
cp "$T/tfa.stm32" "$T/bad.stm32"
printf '\377' | dd of="$T/bad.stm32" bs=1 seek=100 conv=notrunc 2>/dev/null
for image in "$T/bad.stm32" "$LOADERS/tf-a-mp15.stm32"; do
	mpu_run s
	timeout 10 "$MPU" load "$T/tty" "$image"
	sleep 0.1
	expect 0 '^-$' 'but nothing that was changed, or is not signed' -- \
		mpu_raw 03fc
	mpu_stop
done

# --- the same of an MP13, with the third of eight keys
keys=""
for i in 1 2 3 4 5 6 7 8; do
	key "$T/k$i.pem"
	keys="$keys --key $T/k$i.pem"
done
# shellcheck disable=SC2086 # eight options
"$MAKE" 13 tf-a-ssp "$T/ssp13.stm32" $keys --index 2
# The table stands at 84 bytes of the first extension.
dd if="$T/ssp13.stm32" bs=1 skip=$((128 + 84)) count=256 2>/dev/null |
	openssl dgst -sha256 -binary >"$T/hash"
create s13 mp13
mpu_run s13 --quirk signed-loader
mpu_ssp 13 --table "$T/hash" >"$T/out" 2>&1
mpu_stop
mpu_run s13 --quirk signed-loader
expect 0 'boot 3: silence' 'an MP13 and its table of keys' -- \
	timeout 20 "$MPU" ssp "$T/tty" "$T/ssp13.stm32" "$T/maker"
mpu_stop
# shellcheck disable=SC2086 # eight options
"$MAKE" 13 tf-a "$T/tfa13.stm32" $keys --index 7
mpu_run s13
timeout 10 "$MPU" load "$T/tty" "$T/tfa13.stm32"
sleep 0.1
expect 0 '^1f$' 'any of the eight keys signs for it' -- mpu_raw :
mpu_stop

# --- N of the certificate
create n mp15
mpu_run n --firmware 2.2
timeout 10 "$MPU" load "$T/tty" "$LOADERS/tf-a-ssp-mp15.stm32" &&
	mpu_raw 03fc >"$T/out" && sleep 0.1 && mpu_raw 03fc >"$T/out"
timeout 10 "$MPU" load "$T/tty" "$LOADERS/tf-a-ssp-mp15.stm32"
sleep 0.1
mpu_raw : 12ed f300000000f3 8778:1 12ed f300000000f3 8877:137 : >"$T/got"
{
	printf '1f\n79\n79\n1f\n79\n79\n79'
	head -c 136 "$T/n/certificate.bin" | xxd -p -c 200
	printf -- '-\n'
} >"$T/want"
same 'TF-A 2.2: 0x87 is refused, 0x88 gives 136 bytes and no ACK' \
	"$T/got" "$T/want"
mpu_stop

# --- a line that takes its time: what was sent ahead, and what stays away
create b mp15
mpu_run b --baud 115200
mpu_raw 7f 00ff00ff >"$T/got"
printf '79\n7906400001020321317979064000010203213179\n' >"$T/want"
same 'the ROM has room for two bytes while it answers' "$T/got" "$T/want"
mpu_stop
mpu_run b --baud 115200
timeout 10 "$MPU" load "$T/tty" "$LOADERS/tf-a-mp15.stm32"
sleep 0.2
mpu_raw : 00ff00ff 00 7f >"$T/got"
printf '1f\n790640000102032131%s\n1f\n79\n' 79 >"$T/want"
same 'TF-A throws away what came while it answered, and waits 20 ms' \
	"$T/got" "$T/want"
mpu_stop

# --- NACK and ABORT instead of an ACK
for n in 2 5 9; do
	create "f$n" mp15
	mpu_run "f$n" --faults "abort@$n"
	expect 1 '5f' "ABORT instead of ACK $n" -- mpu_ssp 15
	mpu_stop
	ok "nothing was burnt by it" -- sh -c "[ '$(otp "f$n" 59)' = \
		'0x00000000 open' ]"
done
create f mp15
mpu_run f --faults nack@3
expect 1 '1f|silence' 'NACK instead of an ACK' -- mpu_ssp 15
mpu_stop
done_testing
