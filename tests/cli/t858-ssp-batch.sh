#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a list of devices to burnt OTP words: a batch sealed by a token, one
# campaign for all its packages, each pushed to a virtual chip; packages and
# chips that do not belong together; chips whose CA nobody knows.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpu-push.sh"
need jq xxd
token oem
L15="$LOADERS/tf-a-ssp-mp15.stm32"
cd "$T" || exit 1
for i in 1 2 3; do vmp $i stm32mp15; done
provisor key generate --token pkcs11:token=oem --type aes-128 --label ssp \
	>/dev/null 2>&1 || fail 'key generate'
KEY='pkcs11:token=oem;object=ssp'

cat >s.json <<'END'
{ "provisor_secrets": 1, "chip": "stm32mp15",
  "rma_unlock": {"column": "unlock"}, "rma_relock": 2,
  "fields": [
    { "name": "key", "size": 8, "column": "key" },
    { "name": "top", "size": 4, "column": "key2", "order": "big" },
    { "name": "own", "word": 70, "size": 8, "random": "pkcs11:token=oem" } ] }
END
cat >d.csv <<'END'
name,key,key2,unlock
b1,0102030405060708,a0a1a2a3,0x101
b2,1112131400000000,b0b1b2b3,0x202
END
expect 0 'pk/b2.ssp: 1 words of its fields are zero' 'a batch' -- provisor ssp pack \
	--secrets s.json --public-key "$SSP/key0.pem" --key "$KEY" --batch d.csv -d pk

create() { # NAME OPTIONS...
	_n=$1
	shift
	provisor --quiet campaign create "$_n" --token pkcs11:token=oem --flow ssp \
		--product-id 5000200A --firmware-id sec-1 --max-licenses 5 \
		--key "$KEY" "$@" >/dev/null || fail "campaign create $_n"
}
CA="$PROVISOR_HOME/sim-ca/ca.pem"
create each --nonce-per-package --trust "$CA"
create one --nonce pk/b1.ssp.nonce --trust "$CA"
create open --nonce-per-package --accept-unverified-certificate

push() { # N PACKAGE CAMPAIGN [OPTIONS...]
	_n=$1 _p=$2 _c=$3
	shift 3
	timeout 60 provisor push "$_p" --loader "$L15" --port "usart:$T/tty$_n" \
		--campaign "$_c" "$@"
}

# --- before the port is touched
expect 4 "b2.ssp.nonce' is not the nonce of campaign 'one'" \
	'a package of another campaign' -- push 1 pk/b2.ssp one
said 'no license was spent; the chip' 'spends nothing'
cp pk/b1.ssp alone.ssp
expect 1 'alone.ssp.nonce' 'a package without its nonce' -- push 1 alone.ssp each
said 'packages that have a nonce each: --nonce FILE names' 'says what to do'
expect 2 'goes with a .ssp package and --campaign' '--nonce with a license file' -- \
	provisor push pk/b1.ssp --loader "$L15" --port "usart:$T/tty1" \
	--license x --nonce pk/b1.ssp.nonce
expect 0 '^5$' 'nothing was spent' -- left each

# --- two packages of the batch to two chips
mp_run 1
expect 0 '^PASS' 'package b1 to chip 1' -- push 1 alone.ssp each \
	--nonce pk/b1.ssp.nonce
mp_stop 1
otp_is 1 56 '0x00010101 locked' 'chip 1: RMA word of row b1'
otp_is 1 59 '0x04030201 locked' 'chip 1: key, first word'
otp_is 1 60 '0x08070605 locked' 'chip 1: key, second word'
otp_is 1 61 '0xa0a1a2a3 locked' 'chip 1: order big, first byte on top'
otp_is 1 62 '0x00000000' 'chip 1: a word of no field is blank'
own=$(word 1 70)
ok 'chip 1: a random word is burnt and locked' -- \
	sh -c "case '$own' in '0x00000000'*) false;; *locked) ;; *) false;; esac"
otp_is 1 24 '0xd875db7d locked' 'chip 1: PKH'
otp_is 1 0 '0x00000040' 'chip 1: closed'
mp_run 2
expect 0 '^PASS' 'package b2 to chip 2' -- push 2 pk/b2.ssp each
mp_stop 2
otp_is 2 56 '0x00010202 locked' 'chip 2: RMA word of row b2'
otp_is 2 59 '0x14131211 locked' 'chip 2: key, first word'
otp_is 2 60 '0x00000000' 'chip 2: a zero word is neither burnt nor locked'
not_ok 'the random words differ' -- test "$own" = "$(word 2 70)"
expect 0 '^3$' 'two licenses' -- left each

# --- one chip, two packages: its license is for the first
provisor license issue --campaign each --certificate chip3/certificate.bin \
	--nonce pk/b1.ssp.nonce -o 3.lic >/dev/null 2>&1 || fail 'license issue'
mp_run 3
expect 5 'license no. 3 of campaign .each. already, for a package with another' \
	'another package to a chip that has a license' -- push 3 pk/b2.ssp each
said 'the chip is open' 'the chip is open'
mp_stop 3
otp_is 3 59 '0x00000000' 'chip 3: no secret is burnt'
expect 0 '^2$' 'no further license' -- left each

# --- nobody knows the CA
mp_run 3
expect 4 "cannot be verified: campaign 'open' knows no CA" 'an unverified chip' -- \
	push 3 pk/b2.ssp open
expect 0 '^5$' 'nothing was spent' -- left open
expect 0 '^PASS' 'on its word' -- \
	push 3 pk/b2.ssp open --accept-unverified-certificate
said 'NOT verified: no CA of these chips is known' 'which is said'
mp_stop 3
otp_is 3 59 '0x14131211 locked' 'chip 3: the secrets of b2'
ok 'and is in the ledger' -- test "$(provisor ledger export --campaign open |
	jq -r 'select(.kind == "issued") | .certificate_verified')" = false

done_testing
