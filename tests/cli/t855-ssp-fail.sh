#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Secret provisioning that goes wrong: licenses, power, RAM, OTP words, NACK
# and ABORT at each step. What the message says must be what the chip holds.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpu-push.sh"
need jq
token oem
vmp 1 stm32mp15
ssp_campaign mp15 5000200A
L15="$LOADERS/tf-a-ssp-mp15.stm32"

push() { # N [OPTIONS...]
	_n=$1
	shift
	timeout 100 provisor push "$SSP/mp15.ssp" --loader "$L15" \
		--port "usart:$T/tty$_n" "$@"
}
secret_blank() { # N DESC
	otp_is "$1" 59 "0x00000000" "$2"
}

# --- the license of another chip
vmp 2 stm32mp15
provisor license issue --campaign mp15 --certificate "$T/chip2/certificate.bin" \
	-o "$T/other.lic" >/dev/null 2>&1 || fail "license issue"
mp_run 1
expect 4 'the ROM refused the license or the package, 2 times' \
	"the license of another chip" -- push 1 --license "$T/other.lic"
said 'no license was spent; the chip is open' "says what is left behind"
mp_stop 1
secret_blank 1 "no secret is burnt"
otp_is 1 0 "0x00000000" "the chip is open"
otp_is 1 8 "0x00000100" "SSP_REQ is"

# --- then with its own, in the same chip
mp_run 1
expect 0 '^PASS' "its own license afterwards" -- push 1 --campaign mp15
mp_stop 1

# --- a wrong package key: the ROM opens the license, not the package
provisor --quiet campaign create badkey --token pkcs11:token=oem --flow ssp \
	--product-id 5000200A --firmware-id sec-1 --max-licenses 9 \
	--key "$SSP/nonce.bin" --nonce "$SSP/nonce.bin" \
	--trust "$PROVISOR_HOME/sim-ca/ca.pem" >/dev/null 2>&1 ||
	fail "campaign create"
mp_run 2
expect 4 'was the package sealed with the key and nonce of this campaign' \
	"a package of another key" -- push 2 --campaign badkey
said 'license no. 1 was spent and is saved' "says that a license was spent"
mp_stop 2
secret_blank 2 "no secret is burnt"

# --- a chip of another CA
provisor --home "$T/home2" sim create "$T/chip3" --chip stm32mp15 >/dev/null
mp_run 3
expect 4 'not signed by a CA' "a certificate of another CA" -- \
	push 3 --campaign mp15
said 'no license was spent' "spends nothing"
mp_stop 3

# --- OTP words that are not blank
vmp 4 stm32mp15 --otp 60=0x1
mp_run 4
expect 4 'boot 3 ended, but the chip is still open' "a word that is not blank" -- \
	push 4 --campaign mp15
said 'still open: boot 3 ended before' "says so"
mp_stop 4
otp_is 4 0 "0x00000000" "the chip is open"
otp_is 4 24 "0x00000000" "its key hash blank"

# --- supplies that fall at each reset
vmp 5 stm32mp15
mp_run 5 --quirk mailbox-lost
expect 7 'its RAM is lost at each restart' "supplies that fall" -- \
	push 5 --campaign mp15
said 'VDD and VDDCORE must stay on' "says what to do"
said 'SSP_REQ burnt and no secret: safe to push again' "and that it is safe"
mp_stop 5

# --- a power cut in the midst, and a push afterwards
for at in 1000 2300 3900; do
	vmp c$at stm32mp15
	mp_run c$at --faults powercut@$at
	expect 7 '' "power cut at byte $at" -- push c$at --campaign mp15
	said 'safe to (push|try) again|push again' "says that it may be pushed"
	mp_stop c$at
	mp_run c$at
	expect 0 '^PASS' "and the next push passes" -- push c$at --campaign mp15
	mp_stop c$at
	otp_is c$at 95 "0x93929190 locked" "with the secrets"
done

# Cut in the last load, which is only the proof.
vmp 7 stm32mp15
mp_run 7 --faults powercut@5000
expect 7 '' "power cut in the check" -- push 7 --campaign mp15
said 'whether that closed it was not seen' "claims neither"
mp_stop 7
otp_is 7 0 "0x00000040" "the chip had closed itself"

# --- cut off in boot 3's loader, without a loss of RAM: the next push goes on,
# and knows which chip that is for the ledger
chips_passed() {
	provisor --json ledger report --campaign mp15 | jq -r '.campaigns[0].passed'
}
vmp 8 stm32mp15
mp_run 8 --faults reset@3700
expect 7 'boot 3 at .*: the device does not take packet' \
	"a reset in the loader of boot 3" -- push 8 --campaign mp15
said 'push again, which goes on with boot 3' "says what to do"
before=$(chips_passed)
expect 0 'PASS +serial [0-9a-f]{6} in' "the next push ends it" -- \
	push 8 --campaign mp15
said 'this one let the chip burn them' "says so"
expect 0 "^$((before + 1))\$" "and the ledger has its PASS" -- chips_passed
mp_stop 8
otp_is 8 95 "0x93929190 locked" "with the secrets"
vmp 9 stm32mp15
mp_run 9 --faults reset@3700
expect 7 'does not take packet' "the same with another chip" -- \
	push 9 --campaign mp15
rm "$PROVISOR_HOME"/licenses/boot3-*
expect 4 'no note that it was this package' \
	"what another station sent is no PASS" -- push 9 --campaign mp15
said 'the chip is closed, its secrets are burnt' "says what it is"
mp_stop 9
done_testing
