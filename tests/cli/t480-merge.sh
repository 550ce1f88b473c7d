#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Ledgers of several sites joined: the sums when all is well; and gaps,
# duplicate chips, two histories of one campaign, over-production when not.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
token
ca ca
for i in 1 2 3 4 5 6; do chip "$T/c$i" ca; done

# at SITE COMMAND...: provisor as that site
at() {
	_site=$1
	shift
	provisor --home "$T/$_site" --station "$_site" "$@"
}
issue() { # SITE CAMPAIGN CHIP
	at "$1" license issue --campaign "$2" --certificate "$T/c$3" \
		-o "$T/l$3"
}
PROVISOR_HOME=$T/lyon campaign spring-lyon 5 >/dev/null 2>&1 || fail "lyon"
PROVISOR_HOME=$T/pune campaign spring-pune 5 >/dev/null 2>&1 || fail "pune"
ok "chip 1 at lyon" -- issue lyon spring-lyon 1
ok "chip 2 at lyon" -- issue lyon spring-lyon 2
ok "chip 3 at pune" -- issue pune spring-pune 3
for s in lyon pune; do
	at $s ledger export -o "$T/$s.jsonl" 2>/dev/null
	at $s campaign show spring-$s --export-key "$T/$s.pem" >/dev/null 2>&1
done

expect 0 '2 campaigns, 8 entries, 3 licenses for 3 chips, .*: 0 findings' \
	"two sites, all well" -- \
	provisor ledger merge "$T/lyon.jsonl" "$T/pune.jsonl"
expect 0 '"result":"pass","campaigns":"2"' "as JSON" -- \
	provisor --json ledger merge "$T/lyon.jsonl" "$T/pune.jsonl"
expect 0 '8 entries, 3 licenses' "an export twice is one" -- \
	provisor ledger merge "$T/lyon.jsonl" "$T/pune.jsonl" "$T/lyon.jsonl"
expect 0 '8 entries, 3 licenses' "a ledger itself and an export" -- \
	provisor ledger merge "$T/lyon/ledger.db" "$T/pune.jsonl"
ok "joined into one" -- provisor ledger merge "$T/lyon.jsonl" \
	"$T/pune.jsonl" -o "$T/all.jsonl"
expect 0 '8 entries, 3 licenses' "which can be joined again" -- \
	provisor ledger merge "$T/all.jsonl"
expect 0 '0 findings' "with the keys of both" -- provisor ledger merge \
	"$T/all.jsonl" --campaign-key "$T/lyon.pem" --campaign-key "$T/pune.pem"
expect 4 'broken +spring-pune: its key is none of those given' \
	"a campaign of a key nobody gave" -- provisor ledger merge \
	"$T/all.jsonl" --campaign-key "$T/lyon.pem"
expect 4 'over_production +3 licenses were issued by all sites, 2 are' \
	"more than all may issue" -- \
	provisor ledger merge "$T/all.jsonl" --max-licenses 2
expect 0 '0 findings' "as many as they may" -- \
	provisor ledger merge "$T/all.jsonl" --max-licenses 3

# --- one chip at two sites
ok "chip 1 at pune too" -- issue pune spring-pune 1
at pune ledger export -o "$T/pune2.jsonl" 2>/dev/null
expect 4 "duplicate_chip +one chip has 2 licenses: no. [12] of 'spring-" \
	"a chip with two licenses" -- \
	provisor ledger merge "$T/lyon.jsonl" "$T/pune2.jsonl"
expect 4 '"kind":"duplicate_chip".*"chip":"[0-9a-f]{64}"' "as JSON" -- \
	provisor --json ledger merge "$T/lyon.jsonl" "$T/pune2.jsonl"
expect 0 '2 campaigns, 10 entries' "a later export replaces the earlier" -- \
	sh -c "provisor ledger merge '$T/lyon.jsonl' '$T/pune.jsonl' \
		'$T/pune2.jsonl'; [ \$? -eq 4 ]"

# --- gaps and changed lines
sed 3d "$T/lyon.jsonl" >"$T/gap.jsonl"
expect 4 'gap +spring-lyon: no site has the entries 3 to 3' "a gap" -- \
	provisor ledger merge "$T/gap.jsonl"
expect 0 '0 findings' "that another site fills" -- \
	provisor ledger merge "$T/gap.jsonl" "$T/lyon.jsonl"
sed 1d "$T/lyon.jsonl" >"$T/gap1.jsonl"
expect 4 'gap .*entries 1 to 1: its limit and key are not known' \
	"the first entry missing" -- provisor ledger merge "$T/gap1.jsonl"
perl -pe 's/("entry":"[0-9a-f]{160})(.)/$1 . ($2 eq "0" ? "1" : "0")/e if $. == 3' \
	"$T/lyon.jsonl" >"$T/changed.jsonl"
expect 4 'broken|malformed|unknown' "a changed entry" -- sh -c \
	"provisor ledger merge '$T/changed.jsonl'; c=\$?; [ \$c = 3 ] && exit 4; exit \$c"
perl -pe 's/("signature":"[0-9a-f]{20})(.)/$1 . ($2 eq "0" ? "1" : "0")/e if $. == 3' \
	"$T/lyon.jsonl" >"$T/signed.jsonl"
expect 4 'broken +spring-lyon: signature of entry 3' "a changed signature" -- \
	provisor ledger merge "$T/signed.jsonl"
echo '{"entry":"00"}' >"$T/odd.jsonl"
expect 3 "line 1.*signature" "a line without a signature" -- \
	provisor ledger merge "$T/odd.jsonl"
echo 'no JSON' >"$T/odd.jsonl"
expect 3 'line 1' "a line that is none" -- provisor ledger merge "$T/odd.jsonl"
expect 1 'No such file' "a missing file" -- provisor ledger merge "$T/none"
expect 2 'argument is missing' "nothing to join" -- provisor ledger merge

# --- ledger and token copied: one campaign, two histories, past its budget
mkdir "$T/copy"
cp -R "$T/tokens" "$T/copy/tokens"
cp -R "$T/lyon" "$T/copy/lyon"
ok "chip 4 at lyon" -- issue lyon spring-lyon 4
ok "chip 5 at lyon" -- issue lyon spring-lyon 5
at lyon ledger export -o "$T/lyon-a.jsonl" 2>/dev/null
rm -rf "$T/tokens" "$T/lyon"
cp -R "$T/copy/tokens" "$T/tokens"
cp -R "$T/copy/lyon" "$T/lyon"
ok "chip 6 at the copy" -- issue lyon spring-lyon 6
at lyon ledger export -o "$T/lyon-b.jsonl" 2>/dev/null
expect 4 'fork +spring-lyon: entry 6 of site 2 is another one than that of site 1' \
	"two histories" -- \
	provisor ledger merge "$T/lyon-a.jsonl" "$T/lyon-b.jsonl"
expect 4 'over_production +spring-lyon: license no. 3 was issued twice' \
	"one number for two chips" -- \
	provisor ledger merge "$T/lyon-a.jsonl" "$T/lyon-b.jsonl"
chip "$T/c7" ca
ok "chip 7 at the copy" -- issue lyon spring-lyon 7
at lyon ledger export -o "$T/lyon-b.jsonl" 2>/dev/null
expect 4 '6 licenses were issued, the limit is 5' "past the limit" -- \
	provisor ledger merge "$T/lyon-a.jsonl" "$T/lyon-b.jsonl"
done_testing
