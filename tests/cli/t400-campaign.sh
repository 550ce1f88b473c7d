#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Opening, showing and closing campaigns: what is refused and why, that a
# wrong PIN or a bad option leaves nothing behind, and that closing is final.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
token
ca ca
nonce
campaign_key

create() {
	provisor campaign create "$@"
}
# All options but the last ones given.
base() {
	create "$@" --token pkcs11:token=oem --flow sfi \
		--product-id 48400001 --firmware-id app-7 --max-licenses 3 \
		--key 'pkcs11:token=oem;object=fw' --nonce "$T/nonce"
}

expect 2 '--token is needed' \
	"create needs its options" -- create spring --flow sfi
expect 2 "'sfl': sfi or ssp" "an unknown flow" -- \
	create x --token pkcs11:token=oem --flow sfl --product-id 48400001 \
	--firmware-id a --max-licenses 3 --key pkcs11:object=fw \
	--nonce "$T/nonce" --trust "$T/ca.pem"
expect 3 '12 bytes, 16 are needed' "flow ssp has a nonce of 16 bytes" -- \
	create x --token pkcs11:token=oem --flow ssp --product-id 48400001 \
	--firmware-id a --max-licenses 3 --key pkcs11:object=fw \
	--nonce "$T/nonce" --trust "$T/ca.pem"
expect 2 "not resident, ssp or ecies" "an unknown profile" -- \
	base x --license-profile smart --trust "$T/ca.pem"
expect 2 "file: with license profile 'resident' the key must be" \
	"a key file is refused" -- \
	create x --token pkcs11:token=oem --flow sfi --product-id 48400001 \
	--firmware-id a --max-licenses 3 --key "$T/nonce" \
	--nonce "$T/nonce" --trust "$T/ca.pem"
expect 2 'provisor key import' "and says how to bring it in" -- \
	create x --token pkcs11:token=oem --flow sfi --product-id 48400001 \
	--firmware-id a --max-licenses 3 --key "$T/nonce" \
	--nonce "$T/nonce" --trust "$T/ca.pem"
expect 2 'without a CA no chip certificate' "no CA at all" -- base x
expect 2 '8 characters' "a short product id" -- \
	create x --token pkcs11:token=oem --flow sfi --product-id 484 \
	--firmware-id a --max-licenses 3 --key pkcs11:object=fw \
	--nonce "$T/nonce" --trust "$T/ca.pem"
printf 'too short' >"$T/bad"
expect 3 '9 bytes' "a nonce of another size" -- \
	create x --token pkcs11:token=oem --flow sfi --product-id 48400001 \
	--firmware-id a --max-licenses 3 --key pkcs11:object=fw \
	--nonce "$T/bad" --trust "$T/ca.pem"
expect 2 'campaign name' "a name that is a path" -- base ../x --trust "$T/ca.pem"
echo 999999 >"$T/wrong"
chmod 600 "$T/wrong"
expect 6 'PIN' "a wrong PIN" -- \
	base spring --trust "$T/ca.pem" --pin-file "$T/wrong"
expect 6 'no token|no-such' "a token that is not there" -- \
	create x --token pkcs11:token=no-such --flow sfi \
	--product-id 48400001 --firmware-id a --max-licenses 3 \
	--key pkcs11:object=fw --nonce "$T/nonce" --trust "$T/ca.pem"
expect 6 '' "a key that is not there" -- \
	create spring --token pkcs11:token=oem --flow sfi \
	--product-id 48400001 --firmware-id a --max-licenses 3 \
	--key 'pkcs11:token=oem;object=none' --nonce "$T/nonce" \
	--trust "$T/ca.pem"
expect 1 'campaign' "nothing of all that was written" -- \
	provisor campaign show spring

expect 0 '3 licenses, profile resident .*, operational' \
	"a campaign opens; its key was not left behind by the failure" -- \
	base spring --trust "$T/ca.pem"
expect 0 'cannot be raised' "says that the limit is final" -- \
	base summer --trust "$T/ca.pem"
expect 1 "already has a campaign 'spring'" "a name in use" -- \
	base spring --trust "$T/ca.pem"
expect 0 '0 of 3 spent, 3 left' "show" -- provisor campaign show spring
expect 0 '"state":"operational"' "show as JSON" -- \
	provisor --json campaign show spring
expect 0 '"accepted_by_st_silicon":false' "JSON says what it is" -- \
	provisor --json campaign show spring
expect 0 'spring .*operational' "list" -- provisor campaign list
expect 0 'BEGIN PUBLIC KEY' "export of the public key" -- sh -c \
	"provisor campaign show spring --export-key '$T/k.pem' && cat '$T/k.pem'"
expect 1 "no campaign 'autumn'" "an unknown name" -- \
	provisor campaign show autumn

# Without --trust the simulator's CA of this home serves, and is named.
mkdir -p "$PROVISOR_HOME/sim-ca"
cp "$T/ca.pem" "$PROVISOR_HOME/sim-ca/ca.pem"
expect 0 "trusting the simulator's CA of this home" \
	"the simulator's CA is trusted aloud" -- base winter

expect 0 'closed with 0 of 3 licenses spent; this is final' "close" -- \
	provisor campaign close spring
expect 5 'already closed' "close again" -- provisor campaign close spring
chip "$T/c1" ca
expect 5 "'spring' is closed" "no license from a closed campaign" -- \
	provisor license issue --campaign spring --certificate "$T/c1" \
	-o "$T/l1"
not_ok "and no file" -- test -e "$T/l1"
expect 0 '"state":"closed"' "the state is kept" -- \
	provisor --json campaign show spring
expect 0 'anchors agree' "all of it verifies" -- provisor ledger verify
done_testing
