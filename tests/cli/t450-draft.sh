#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From draft to operational to closed: what may change and when, the campaign
# that follows another, the deny list, and who did it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
token
ca ca
ca other
expect 0 '2 licenses, .*, draft' "a draft" -- campaign spring 2 --draft
chip "$T/c1" ca
chip "$T/c2" ca
chip "$T/c3" ca
chip "$T/o1" other
chip "$T/o2" other

issue() { # CAMPAIGN CHIP
	provisor license issue --campaign "$1" --certificate "$T/$2" -o "$T/l$2"
}

expect 5 "'spring' is a draft" "a draft issues nothing" -- issue spring c1
expect 5 'campaign open spring' "and says what opens it" -- issue spring c1
expect 0 'campaign spring, draft' "shown as one" -- provisor campaign show spring
expect 2 'nothing to change' "a revision of nothing" -- \
	provisor campaign revise spring
expect 0 'revised, 1 licenses, draft' "fewer licenses" -- \
	provisor campaign revise spring --max-licenses 1
expect 0 'revised' "another firmware and CA" -- \
	provisor campaign revise spring --firmware-id app-8 \
	--trust "$T/other.pem"
expect 6 '' "a key that is not there is found now" -- \
	provisor campaign revise spring --key 'pkcs11:token=oem;object=none'
expect 2 'at least 1 license' "a limit of none" -- \
	provisor campaign revise spring --max-licenses 0
expect 0 'firmware +app-8' "the revision is shown" -- \
	provisor campaign show spring
expect 0 'opened, 1 licenses, operational' "open" -- \
	provisor --operator 'Ada' campaign open spring
expect 5 'no draft' "open again" -- provisor campaign open spring
expect 5 'no draft' "no revision any more" -- \
	provisor campaign revise spring --max-licenses 5
expect 4 'not signed by a CA' "the CA of the first draft is gone" -- \
	issue spring c1
expect 0 'no. 1 of 1' "the revised CA serves" -- issue spring o1
expect 5 'all 1 licenses' "and the revised limit" -- issue spring o2
expect 0 'anchors? agrees?' "the ledger verifies" -- provisor ledger verify

# --- a further budget
expect 1 "no campaign 'winter'" "a budget after nothing" -- \
	campaign summer 2 --after winter
expect 0 '2 licenses' "a further budget names the old" -- \
	campaign summer 2 --after spring
expect 0 'after +spring' "and shows it" -- provisor campaign show summer
id=$(provisor --json campaign show spring | sed 's/.*"id":"\([0-9a-f]*\)".*/\1/')
expect 0 "\"after\":\"$id\"" "in JSON by its id" -- \
	provisor --json campaign show summer

# --- deny list
expect 0 'on the deny list' "deny a chip" -- provisor --operator Bob \
	campaign deny summer --certificate "$T/c1" --reason 'stolen reel'
expect 5 "deny list of campaign 'summer'" "it gets nothing" -- issue summer c1
expect 5 'no license was spent' "and nothing is spent" -- issue summer c1
expect 0 '0 of 2 spent' "indeed" -- provisor campaign show summer
expect 0 'already on' "deny again" -- \
	provisor campaign deny summer --certificate "$T/c1"
expect 0 'no. 1 of 2' "others are served" -- issue summer c2
expect 0 'has license no. 1' "denied later" -- \
	provisor campaign deny summer --certificate "$T/c2"
expect 5 'deny list' "the license is not given again" -- issue summer c2
expect 3 'bytes' "a file that is no certificate" -- \
	provisor campaign deny summer --certificate "$T/nonce"
expect 0 '"kind":"deny".*"operator":"Bob".*"message":"stolen reel"' \
	"who denied it, and why" -- provisor ledger export --campaign summer
expect 0 '"denied":"2"' "the audit counts them" -- \
	provisor --json ledger verify --campaign summer

# --- who did it
cat >"$PROVISOR_HOME/config.json" <<'END'
{"station": "line 3", "operator": "Grace"}
END
expect 0 'no. 2 of 2' "a license under a configuration" -- issue summer c3
provisor ledger export --campaign summer >"$T/e.jsonl"
expect 0 '"station":"line 3","operator":"Grace".*"number":"2"' \
	"station and operator of the configuration" -- \
	grep '"kind":"issued"' "$T/e.jsonl"
expect 0 '"clock":"(system|synchronized|unsynchronized)"' \
	"and what is known of the clock" -- cat "$T/e.jsonl"
expect 0 'closed with 2' "close from the bench" -- \
	env PROVISOR_STATION=bench provisor --operator Ada campaign close summer
expect 0 'close,.*"bench","Ada"' "environment and option come first" -- \
	provisor ledger export --format csv --campaign summer
expect 2 'control characters' "a station with a control byte" -- \
	provisor --station "$(printf 'a\033b')" campaign list
expect 2 'control characters' "a station too long" -- \
	provisor --station "$(printf '%064d' 1)" campaign list
echo '{"staton": "x"}' >"$PROVISOR_HOME/config.json"
expect 3 "config.json.*unknown member 'staton'" "a misspelt name" -- \
	provisor campaign list
echo '{"station": 7}' >"$PROVISOR_HOME/config.json"
expect 3 'station' "a station that is a number" -- provisor campaign list
rm "$PROVISOR_HOME/config.json"
expect 0 'anchors agree' "all of it verifies" -- provisor ledger verify
done_testing
