#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A token that lost its last notes, as SoftHSM2 can in a power cut: refused by
# every command until 'ledger repair --yes', which refuses what is not plainly
# behind the ledger, and leaves a signed entry.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
need strace
token
ca ca
campaign spring 20 >/dev/null 2>&1 || fail "campaign create"
H=$PROVISOR_HOME
for i in 1 2 3 4 5 6; do chip "$T/c$i" ca; done

issue() {
	provisor license issue --campaign spring --certificate "$T/c$1" \
		-o "$T/l$1"
}
repair() {
	provisor ledger repair --campaign spring "$@"
}
save() {
	rm -rf "${T:?}/$1"
	mkdir "$T/$1"
	cp "$H"/ledger.db* "$T/$1/"
	cp -R "$T/tokens" "$T/$1/tokens"
}
ledger_of() {
	rm -f "$H"/ledger.db*
	cp "$T/$1"/ledger.db* "$H/"
}
token_of() {
	rm -rf "$T/tokens"
	cp -R "$T/$1/tokens" "$T/tokens"
}

ok "license 1" -- issue 1
expect 0 'nothing to repair' "nothing to repair" -- repair
save one
ok "license 2" -- issue 2
ok "license 3" -- issue 3
save three

# --- the notes of two licenses are gone
token_of one
expect 5 "noted entry 3 .*entry 7" "refused" -- issue 4
expect 5 'ledger repair --campaign spring' "and told of the repair" -- issue 4
expect 5 'noted entry 3, the ledger goes on from it to entry 7' \
	"without --yes nothing is done" -- repair
expect 5 'older copy' "so it is still refused" -- issue 4
expect 0 'had noted entry 3, now it has the ledger.s 7' "repaired" -- \
	repair --yes
expect 0 'license no. 4 of 20' "it goes on with the next number" -- issue 4
expect 0 'repaired 1 times' "verify tells" -- provisor ledger verify
expect 0 'token anchor agrees' "and all is well" -- provisor ledger verify
expect 0 '"kind":"repair".*"noted":"3"' "so does the export" -- \
	provisor ledger export
expect 0 '"repairs":"1"' "verify as JSON" -- provisor --json ledger verify
save four

# --- cut short at any write: repaired by another one
token_of one
bad=0
kills=0
for call in pwrite64 write fdatasync; do
	for when in 1 2 3 5 8; do
		# The login writes token.object: not there (BUGS in
		# provisor-campaign(1)).
		rm -rf "$T/tokens"
		cp -R "$T/one/tokens" "$T/tokens"
		ledger_of four
		skip=$(strace -f -y -o /dev/stdout -e trace="$call" \
			provisor ledger repair --campaign spring 2>/dev/null |
			grep -c "^[0-9]* *$call(")
		strace -f -o /dev/null -e trace="$call" \
			-e inject="$call:signal=KILL:when=$((skip + when))" \
			provisor ledger repair --campaign spring --yes \
			>/dev/null 2>&1 </dev/null || kills=$((kills + 1))
		repair --yes >"$T/out" 2>&1 </dev/null || {
			bad=$((bad + 1))
			echo "# $call $when: $(head -n 1 "$T/out")"
		}
		provisor ledger verify >"$T/out" 2>&1 || {
			bad=$((bad + 1))
			echo "# $call $when: $(head -n 1 "$T/out")"
		}
	done
done
echo "# $kills kills"
if [ $kills -ge 6 ]; then pass "kills happened"; else fail "$kills kills"; fi
if [ $bad -eq 0 ]; then pass "killed and repeated"; else fail "$bad bad"; fi
expect 0 'license no. 5 of 20' "and issuing goes on" -- issue 5

# --- what is no repair
ledger_of one
expect 5 'the ledger of campaign .* is an older copy' \
	"a ledger behind its token" -- repair --yes
token_of one
ok "another history begins" -- issue 6
ledger_of three
expect 5 'was replaced' "a ledger that does not hold the noted entry" -- \
	repair --yes
token_of one
ledger_of four
# Changed where nothing else looks: the audit sees it.
need sqlite3
sqlite3 "$H/ledger.db" "UPDATE entry SET chip = randomblob(32) WHERE seq = 2"
expect 4 'index of the ledger' "a ledger that fails its audit" -- repair --yes
ledger_of four
for _n in 1 2 3; do
	pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --token-label oem \
		--login --pin 271828 --delete-object --type data \
		--application-label provisor >/dev/null 2>&1
done
expect 5 'token has no note' "a token without a note" -- repair --yes
expect 2 'campaign' "which campaign?" -- provisor ledger repair
done_testing
