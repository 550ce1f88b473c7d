#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A token, key or module that is not there, or that is there twice.
. "$(dirname "$0")/lib.sh"

need softhsm2-util
token oem

expect 6 "no token matches 'pkcs11:token=absent'" "no such token" -- \
	provisor key list --token pkcs11:token=absent
mv "$T/out" "$T/said"
ok "those present are named" -- grep -q "present: 'oem' (serial" "$T/said"
expect 6 "no token matches" "another serial" -- \
	provisor key list --token 'pkcs11:token=oem;serial=0000'
expect 6 "/nonexistent/module.so" "no such module" -- \
	provisor key list --module /nonexistent/module.so
expect 6 "/nonexistent/env.so" "no such module, by environment" -- \
	env PROVISOR_MODULE=/nonexistent/env.so provisor key list
expect 6 "/nonexistent/uri.so" "module-path goes before --module" -- \
	provisor key list --module /nonexistent/module.so \
	--token 'pkcs11:token=oem?module-path=/nonexistent/uri.so'
expect 2 "module-name is not used" "module-name" -- \
	provisor key list --token 'pkcs11:token=oem?module-name=softhsm2'
expect 2 "attribute that is not known" "a mistyped attribute" -- \
	provisor key list --token 'pkcs11:tokn=oem'
expect 6 "SOFTHSM2_CONF|no initialized token" "SoftHSM without its configuration" -- \
	env SOFTHSM2_CONF="$T/absent.conf" provisor key list
expect 6 '"code":6' "as JSON" -- provisor key list --json --token pkcs11:token=absent

expect 6 "no key in token 'oem' matches" "no such key" -- \
	provisor key destroy 'pkcs11:token=oem;object=absent' --yes

token second
expect 6 "2 tokens match 'pkcs11:'" "several tokens and no --token" -- provisor key list
expect 0 "no keys" "one by label" -- provisor key list --token pkcs11:token=second
token second
expect 6 "2 tokens match" "two of one label" -- provisor key list --token pkcs11:token=second
mv "$T/out" "$T/said"
ok "the serial is offered" -- grep -q "add serial= to the URI" "$T/said"
serial=$(grep -o "'second' (serial [0-9a-f]*" "$T/said" | head -n 1 | sed 's/.*serial //')
expect 0 "object=k" "one by serial" -- \
	provisor key generate --token "pkcs11:serial=$serial" --type aes-128 --label k
expect 0 "serial=$serial" "whose keys then say the serial" -- \
	provisor key list --token "pkcs11:serial=$serial"

done_testing
