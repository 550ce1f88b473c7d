#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Secret provisioning over USB DFU: the three boots, a device that comes back
# with another serial, and OTP words read before and after through U-Boot.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpu-push.sh"
. "$(dirname "$0")/usb.sh"
usb_need jq python3
token oem
vmp 1 stm32mp15
vmp 2 stm32mp13
ssp_campaign mp15 5000200A
ssp_campaign mp13 50100001
push() { # N PACKAGE LOADER [OPTIONS...]
	_n=$1 _p=$2 _l=$3
	shift 3
	usb "chip$_n" provisor push "$SSP/$_p" --loader "$_l" --port dfu "$@"
}
L15="$LOADERS/tf-a-ssp-mp15.stm32"
L13="$LOADERS/tf-a-ssp-mp13.stm32"

usb_run chip1
expect 0 'stage +ROM' "device info knows the ROM" -- \
	usb chip1 provisor device info --port dfu
said 'alternate 1 +0x01 +@FSBL /0x01/' "its alternate settings"
said 'product .*Device ID /0x500' "its product string"
expect 0 '"id":241' "as JSON" -- \
	usb chip1 provisor --json device info --port dfu
expect 0 'dfu:1-1 .*STM32MP15, bootloader' "device list knows the chip" -- \
	usb chip1 provisor device list
expect 4 'is for chips 0x501, this one is 0x500' "another chip's package" -- \
	push 1 mp13.ssp "$L13" --campaign mp13
expect 0 'closed itself' "MP15 over USB" -- \
	push 1 mp15.ssp "$L15" --campaign mp15
last '^PASS' "PASS"
usb_stop chip1
otp_is 1 95 "0x93929190 locked" "with the secrets"
otp_is 1 0 "0x00000040" "closed"
usb_run chip2
expect 0 '^PASS' "MP13 over USB" -- push 2 mp13.ssp "$L13" --campaign mp13
usb_stop chip2
otp_is 2 95 "0x93929190 locked" "with the secrets"
otp_is 2 9 "0x00000060" "SSP done"

# --- generations
for g in 2.2 2.4; do
	vmp g$g stm32mp15
	usb_run chipg$g --firmware $g
	expect 0 '^PASS' "TF-A $g over USB" -- \
		push g$g mp15.ssp "$L15" --campaign mp15
	usb_stop chipg$g
done

# --- another board in its place
vmp 3 stm32mp15
usb_run chip3 --usb reserial=ANOTHER
expect 7 'another device came back on dfu:1-1: serial ANOTHER was' \
	"another serial after a restart" -- push 3 mp15.ssp "$L15" --campaign mp15
said 'no license was spent' "nothing is spent"
usb_stop chip3
otp_is 3 59 "0x00000000" "nothing secret is burnt"

# --- OTP words read before and after; a closed chip wants signed images
if ! python3 -c 'import cryptography' 2>/dev/null; then
	[ -z "${CI:-}" ] || fail "needs python3-cryptography"
	done_testing
fi
mk() { # STAGE OUT KEY
	python3 "$GOLDEN/make-mpu.py" 15 "$1" "$T/$2" --size 2000 \
		--key "$T/$3" >/dev/null || fail "make-mpu.py $1"
}
for k in root other; do
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
		-out "$T/$k.key" 2>/dev/null
done
openssl pkey -in "$T/root.key" -pubout -out "$T/root.pem"
head -c 16 /dev/urandom >"$T/aes"
provisor ssp pack --chip stm32mp15 --secrets "$SSP/secrets.bin" \
	--rma-unlock 0x312 --rma-relock 0xeca --public-key "$T/root.pem" \
	--key "$T/aes" -o "$T/own.ssp" >/dev/null 2>&1 || fail "ssp pack"
provisor --quiet campaign create own --token pkcs11:token=oem --flow ssp \
	--product-id 5000200A --firmware-id sec-1 --max-licenses 9 \
	--key "$T/aes" --nonce "$T/own.ssp.nonce" \
	--trust "$PROVISOR_HOME/sim-ca/ca.pem" >/dev/null 2>&1 ||
	fail "campaign create own"
mk tf-a-ssp ssp.stm32 root.key
mk tf-a-ssp other.stm32 other.key
mk tf-a tf-a.stm32 root.key
own() { # N LOADER
	usb "chip$1" provisor push "$T/own.ssp" --loader "$T/$2" --port dfu \
		--campaign own --fsbl "$T/tf-a.stm32" \
		--fip "$LOADERS/u-boot.fip"
}
vmp 4 stm32mp15
usb_run chip4
expect 4 'signed with another key than the package closes' \
	"a loader of another key" -- own 4 other.stm32
expect 0 'OTP read back: closed, key hash as in the package, 37 of 37' \
	"proof by reading back" -- own 4 ssp.stm32
last '^PASS' "PASS"
usb_stop chip4
usb_run chip4
expect 0 'an earlier push had sent' "pushed again: it is done already" -- \
	own 4 ssp.stm32
rm "$PROVISOR_HOME"/licenses/boot3-*
expect 5 'key hash of this package; which secrets it holds cannot be told' \
	"closed by who knows which package: no PASS" -- own 4 ssp.stm32
{ head -c 600 "$T/ssp.stm32" && printf x && tail -c +602 "$T/ssp.stm32"; } \
	>"$T/damaged.stm32"
expect 3 'checksum is not that of the payload' "a damaged loader" -- \
	own 4 damaged.stm32
usb_stop chip4
vmp 5 stm32mp15 --otp 60=0x1
usb_run chip5
expect 5 'OTP 60, which the package would burn, is not blank' \
	"a word that is not blank is seen before" -- own 5 ssp.stm32
said 'no license was spent' "before a license is spent"
usb_stop chip5
otp_is 5 8 "0x00000000" "and before anything is burnt"

# Closed with this key hash and told to be done, but without a secret.
hash=$(provisor sim show "$T/chip4" | awk \
	'$1 == "OTP" && $2 >= 24 && $2 <= 31 { printf " --otp %d=%s", $2, $3 }')
# shellcheck disable=SC2086
vmp 6 stm32mp15 --closed --otp 8=0x300 $hash
usb_run chip6
expect 5 'closed, but none of its secret words is burnt and locked' \
	"a closed chip without secrets is no PASS" -- own 6 ssp.stm32
said 'no license was spent' "and costs no license"
usb_stop chip6
done_testing
