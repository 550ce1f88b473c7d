#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Secret provisioning over a serial line: the three boots on a virtual
# STM32MP15 and MP13, OTP words as the rules have them, and what is refused.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpu-push.sh"
need jq mkimage
token oem
vmp 1 stm32mp15
vmp 2 stm32mp13
ssp_campaign mp15 5000200A
ssp_campaign mp13 50100001

push() { # N PACKAGE LOADER [OPTIONS...]
	_n=$1 _p=$2 _l=$3
	shift 3
	timeout 60 provisor push "$SSP/$_p" --loader "$_l" \
		--port "usart:$T/tty$_n" "$@"
}
L15="$LOADERS/tf-a-ssp-mp15.stm32"
L13="$LOADERS/tf-a-ssp-mp13.stm32"

# Every secret word of the golden package is 03020100, 07060504, ...
secrets_burnt() { # N
	i=59 bad=
	while [ $i -le 95 ]; do
		b=$(((i - 59) * 4))
		want=$(printf '0x%02x%02x%02x%02x locked' $((b + 3)) \
			$((b + 2)) $((b + 1)) $b)
		[ "$(word "$1" $i)" = "$want" ] || bad="$bad $i"
		i=$((i + 1))
	done
	if [ -z "$bad" ]; then
		pass "chip $1: OTP 59..95 hold the secrets, locked"
	else
		fail "chip $1: OTP$bad"
	fi
}

# --- before the port is touched
expect 2 '^provisor push: .*needs a license' "no license" -- \
	provisor push "$SSP/mp15.ssp" --loader "$L15" --port "usart:$T/tty1"
expect 2 '^provisor push: --loader' "no loader" -- \
	provisor push "$SSP/mp15.ssp" --campaign mp15 --port "usart:$T/tty1"
expect 2 'not for STM32MP chips' "--go is not for it" -- \
	push 1 mp15.ssp "$L15" --campaign mp15 --go
expect 4 'header is v2.0 \(STM32MP13\), the chip 0x500 takes v1.0' \
	"the loader of the other chip" -- push 1 mp15.ssp "$L13" --campaign mp15
expect 3 "does not begin with 'STM2'" "a loader that is none" -- \
	push 1 mp15.ssp "$SSP/secrets.bin" --campaign mp15
{ cat "$L15" && printf x; } >"$T/long.stm32"
expect 3 'bytes of payload' "a loader with bytes behind it" -- \
	push 1 mp15.ssp "$T/long.stm32" --campaign mp15
head -c 300 "$SSP/mp15.ssp" | head -c 100 >"$T/cut.ssp"
expect 3 'cut.ssp' "a package that is cut off" -- provisor push "$T/cut.ssp" \
	--loader "$L15" --port "usart:$T/tty1" --campaign mp15
expect 4 "campaign 'mp13' is for product 50100001, the package is for" \
	"a campaign of the other chip" -- push 1 mp15.ssp "$L15" --campaign mp13

# --- a license that could not do, before the loader burns SSP_REQ
refused_first() { # CODE PATTERN DESC -- COMMAND...
	expect "$@"
	said 'no license was spent; the chip was not changed' "and says so"
}
head -c 135 /dev/zero >"$T/short.lic"
head -c 136 /dev/zero >"$T/zero.lic"
expect 1 'none.lic' "a license that is not there" -- \
	push 1 mp15.ssp "$L15" --license "$T/none.lic"
refused_first 3 'short.lic' "a license that is cut off" -- \
	push 1 mp15.ssp "$L15" --license "$T/short.lic"
refused_first 4 'zero.lic.: license' "a license that is none" -- \
	push 1 mp15.ssp "$L15" --license "$T/zero.lic"
provisor --quiet campaign create draft --draft --token pkcs11:token=oem \
	--flow ssp --product-id 5000200A --firmware-id sec-1 \
	--max-licenses 9 --key "$SSP/aes.key" --nonce "$SSP/nonce.bin" \
	--trust "$PROVISOR_HOME/sim-ca/ca.pem" >/dev/null ||
	fail "campaign create draft"
refused_first 5 "'draft' is a draft" "a campaign that is a draft" -- \
	push 1 mp15.ssp "$L15" --campaign draft
provisor --quiet campaign create late --token pkcs11:token=oem \
	--flow ssp --product-id 5000200A --firmware-id sec-1 \
	--max-licenses 9 --key "$SSP/aes.key" --nonce "$SSP/nonce.bin" \
	--license-profile ssp:fsbl_min_version=9 \
	--trust "$PROVISOR_HOME/sim-ca/ca.pem" >/dev/null ||
	fail "campaign create late"
refused_first 4 'ask for a loader of image version 9 or later, this one is' \
	"a loader that is too old" -- push 1 mp15.ssp "$L15" --campaign late

expect 0 'OTP 8 \(SSP bits\), 24..31 .*59..95' "--dry-run lists the words" -- \
	provisor push "$SSP/mp15.ssp" --loader "$L15" --campaign mp15 --dry-run
said 'for ever' "and says that it closes the chip"
last 'nothing was changed or spent' "and does nothing"
expect 0 '"secret_words":37' "--dry-run as JSON" -- provisor --json push \
	"$SSP/mp15.ssp" --loader "$L15" --campaign mp15 --dry-run

# --- another chip, another firmware: nothing spent, nothing burnt
mp_run 2
expect 4 'package is for chips 0x500, this one is 0x501' \
	"a package of MP15 on MP13" -- push 2 mp15.ssp "$L15" --campaign mp15
said 'no license was spent; the chip is as it was' "says what is left behind"
last '^FAIL' "FAIL"
mp_stop 2
mp_run 1
expect 0 'stage +ROM' "device info knows the ROM" -- \
	provisor device info --port "usart:$T/tty1"
said 'phase +0x01, waits for the FSBL at 0x2ffc2400' "and its phase"
expect 7 'TF-A is in phase 0x03: it is not the loader' \
	"TF-A without SSP as loader" -- \
	push 1 mp15.ssp "$LOADERS/tf-a-mp15.stm32" --campaign mp15
expect 0 'stage +TF-A$' "device info knows TF-A" -- \
	provisor device info --port "usart:$T/tty1"
mp_stop 1
otp_is 1 8 "0x00000000" "SSP_REQ is not burnt"
expect 0 '^9$' "no license was spent" -- left mp15

# --- the whole on MP15
mp_run 1
expect 0 'verified .*closed itself' "MP15: the three boots" -- \
	push 1 mp15.ssp "$L15" --campaign mp15
said 'license +no. 1 of 9 \(8 left\)' "one license"
said 'loader sent 4 times, license and package 1 time' "three boots and proof"
last '^PASS +serial [0-9a-f]{6} in' "PASS"
mp_stop 1
secrets_burnt 1
otp_is 1 24 "0xd875db7d locked" "PKH, first word"
otp_is 1 31 "0xcbb50d9f locked" "PKH, last word"
otp_is 1 0 "0x00000040" "closed"
otp_is 1 8 "0x00000300" "SSP_REQ and SSP_SUCCESS"
otp_is 1 56 "0x07650312 locked" "RMA word"
expect 0 'no. 1.*pass|pass.*no. 1|chain intact' "the ledger has the outcome" -- \
	provisor ledger verify --campaign mp15
mp_run 1
expect 7 'it is closed already' "a closed chip is refused" -- \
	push 1 mp15.ssp "$L15" --campaign mp15
said 'no license was spent' "before anything is spent"
mp_stop 1

# --- the whole on MP13, as JSON
mp_run 2
expect 0 '"result":"pass"' "MP13: the three boots" -- \
	timeout 60 provisor --json --quiet push "$SSP/mp13.ssp" --loader "$L13" \
	--port "usart:$T/tty2" --campaign mp13
if jq -e '.boots.loader_sent == 4 and .boots.packages_sent == 1 and
	.license.spent and .state == "closed" and .retries >= 0' \
	"$T/out" >/dev/null; then
	pass "with its account"
else
	fail "with its account"
fi
mp_stop 2
secrets_burnt 2
otp_is 2 9 "0x00000060" "MP13: SSP_REQ and SSP_SUCCESS"
otp_is 2 56 "0x07650312 locked" "MP13: RMA word"
otp_is 2 24 "$(printf '0x%s locked' "$(od -An -tx1 -N4 "$SSP/pkhth.bin" |
	tr -d ' \n')")" "MP13: PKHTH"

# --- generations of the firmware, with their mistakes
for g in 2.2 2.4 2.8; do
	vmp "g$g" stm32mp15
	mp_run "g$g" --firmware $g
	expect 0 '^PASS' "TF-A $g" -- push "g$g" mp15.ssp "$L15" --campaign mp15
	mp_stop "g$g"
	otp_is "g$g" 95 "0x93929190 locked" "TF-A $g: last word"
done

# --- mkimage's images are taken
vmp 3 stm32mp15
{ echo 'provisor-stage=tf-a-ssp' && head -c 20000 /dev/zero; } >"$T/payload"
mkimage -T stm32image -a 0x2ffc2500 -e 0x2ffc2500 -d "$T/payload" \
	"$T/mkimage.stm32" >/dev/null || fail mkimage
mp_run 3
expect 0 '^PASS' "a loader made by mkimage" -- \
	push 3 mp15.ssp "$T/mkimage.stm32" --campaign mp15
mp_stop 3
done_testing
