# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced by the tests of `image`: keys, a firmware, and the second opinion.
#
#   keys             makes NAME.pem and NAME-pub.pem of each kind, fw.bin, fw.hex
#   cell NAME SIGN-OPTIONS WITNESS-OPTIONS [VERIFY-OPTIONS] [OUTPUT]
#       signs fw.bin, has `image verify` and tests/cli/mcuboot.py agree
need openssl python3 jq

# shellcheck disable=SC2034 # for the tests that source this file
{
WITNESS="$TOP/tests/cli/mcuboot.py"
B="--pad-header --version 1.2.3+4 --security-counter auto --header-size 0x200"
W="version=1.2.3+4 counter=0x01020003 hdr=0x200"
}

genkey() {
	openssl genpkey "$@" 2>/dev/null
}

keys() {
	genkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.pem
	genkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem
	genkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem
	genkey -algorithm ED25519 -out ed.pem
	genkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa2048.pem
	genkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out rsa3072.pem
	genkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out enc-ec.pem
	genkey -algorithm X25519 -out enc-x.pem
	genkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out enc-rsa.pem
	for k in p256 other p384 ed rsa2048 rsa3072 enc-ec enc-x enc-rsa; do
		openssl pkey -in $k.pem -pubout -out $k-pub.pem
	done
	head -c 16 /dev/urandom >kek16
	head -c 32 /dev/urandom >kek32
	head -c 5003 /dev/urandom >fw.bin
}

# shellcheck disable=SC2086
cell() {
	_out=${5:-signed.bin}
	rm -f "$_out"
	if provisor image sign $2 fw.bin -o "$_out" >"$T/out" 2>&1 &&
		provisor image verify $4 "$_out" >"$T/out" 2>&1 &&
		"$WITNESS" "$_out" fw.bin $3 >"$T/out" 2>&1; then
		pass "$1"
	else
		fail "$1"
	fi
}
