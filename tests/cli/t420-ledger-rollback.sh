#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An old copy of the ledger, or of the token, put back: noticed and refused
# with exit 5, with a word on which is older; and what the audit says of a
# ledger that was changed. Export and report on the way.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
need sqlite3
token
ca ca
campaign spring 20 >/dev/null 2>&1 || fail "campaign create"
for i in 1 2 3 4 5 6; do chip "$T/c$i" ca; done
H=$PROVISOR_HOME

issue() {
	provisor license issue --campaign spring --certificate "$T/c$1" \
		-o "$T/l$1"
}
# The ledger as it is on the disk, write-ahead log and index too.
save() {
	rm -rf "${T:?}/$1"
	mkdir "$T/$1"
	cp "$H"/ledger.db* "$T/$1/"
}
restore() {
	rm -f "$H"/ledger.db*
	cp "$T/$1"/ledger.db* "$H/"
}

ok "license 1" -- issue 1
save old
ok "license 2" -- issue 2
ok "license 3" -- issue 3
save new
restore old
expect 5 'older copy: it ends at entry 3 .*noted entry 7' \
	"an old ledger is refused for a new chip" -- issue 4
not_ok "no license came of it" -- test -e "$T/l4"
expect 5 'put the newest ledger back' "and says what to do" -- issue 4
expect 5 'older copy' "the audit says the same" -- provisor ledger verify
expect 5 'older copy' "and closing" -- provisor campaign close spring
expect 0 'NOT checked' "alone it is a valid ledger" -- \
	provisor ledger verify --no-token
expect 5 'older copy' "nothing is handed out from it, a repeat neither" -- issue 1
restore new
ok "the newest ledger serves again" -- issue 4

# The same while the write-ahead log is alive: a reader keeps it open.
(sleep 60) | sqlite3 "$H/ledger.db" -cmd 'SELECT count(*) FROM entry;' \
	>"$T/reader" 2>&1 &
PIDS="$PIDS $!"
wait_for "$H/ledger.db-wal" || fail "no write-ahead log"
save wal-old
ok "license 5" -- issue 5
for p in $PIDS; do kill "$p"; done
PIDS=""
restore wal-old
expect 5 'older copy|replaced' "a copy with its write-ahead log" -- issue 6
restore new
expect 5 'older copy' "the copy of before it" -- issue 6

# --- the token put back
rm -rf "$H"
rm -rf "$T/tokens"/*
softhsm2-util --init-token --free --label oem --pin 271828 --so-pin 314159 \
	>/dev/null
rm -f "$T/nonce"
campaign spring 20 >/dev/null 2>&1 || fail "campaign create again"
ok "license 1 of a new campaign" -- issue 1
cp -R "$T/tokens" "$T/tokens.old"
ok "license 2" -- issue 2
rm -rf "$T/tokens"
cp -R "$T/tokens.old" "$T/tokens"
expect 5 'token is an older copy: it has noted entry 3 .*entry 5' \
	"an old token is refused" -- issue 3
expect 5 'token is an older copy' "by the audit too" -- \
	provisor ledger verify

# --- a token that was emptied of its note
# It may be in more than one object; each call deletes one.
for _n in 1 2 3; do
	pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --token-label oem \
		--login --pin 271828 --delete-object --type data \
		--application-label provisor >/dev/null 2>&1
done
expect 5 'token has no note' "a token without its note" -- issue 3

# --- a changed ledger
expect 0 'chain intact' "untouched it verifies" -- \
	provisor ledger verify --no-token
save good
sqlite3 "$H/ledger.db" "DELETE FROM entry WHERE seq = 3"
expect 4 'entry 3 is missing' "an entry taken out" -- \
	provisor ledger verify --no-token
restore good
sqlite3 "$H/ledger.db" "UPDATE entry SET chip = randomblob(32) WHERE seq = 3"
expect 4 'index of the ledger' "an index changed" -- \
	provisor ledger verify --no-token
restore good
sqlite3 "$H/ledger.db" \
	"UPDATE entry SET signature = zeroblob(64) WHERE seq = 3"
expect 4 'signature of entry 3' "a signature changed" -- \
	provisor ledger verify --no-token
restore good
sqlite3 "$H/ledger.db" "UPDATE entry SET entry = x'00' WHERE seq = 3"
expect 3 'entry 3' "an entry that is none" -- \
	provisor ledger verify --no-token
restore good
sqlite3 "$H/ledger.db" "UPDATE entry SET signature = x'00' WHERE seq = 3"
expect 3 'a row is not a ledger entry' "a row that is none" -- \
	provisor ledger verify --no-token
restore good
sqlite3 "$H/ledger.db" "DROP TABLE entry; CREATE VIEW entry AS SELECT 1"
expect 3 'ledger' "a schema of somebody else" -- \
	provisor ledger verify --no-token
printf 'nothing' >"$H/ledger.db"
expect 3 'ledger' "a file that is no database" -- \
	provisor ledger verify --no-token
rm -f "$H"/ledger.db*
expect 1 'ledger.db' "no ledger at all" -- provisor ledger verify --no-token
restore good

# --- export and report
expect 0 '^"spring",3,.*,issued,1,[0-9a-f]{64},' "export as CSV" -- \
	provisor ledger export --format csv
expect 0 '"kind":"reserve".*"number":"2"' "export as JSON lines" -- \
	provisor ledger export
ok "every line is JSON" -- sh -c \
	"provisor ledger export -o '$T/e.jsonl' && jq -e .entry '$T/e.jsonl'"
expect 0 '"entries":"5"' "the result of an export as JSON" -- \
	provisor --json ledger export -o "$T/e.jsonl"
expect 2 'give -o' "--json alone would mix two outputs" -- \
	provisor --json ledger export
expect 2 'jsonl or csv' "an unknown format" -- \
	provisor ledger export --format xml
expect 0 'spring +operational +20 +2 +18' "report" -- provisor ledger report
expect 0 '"issued":"2"' "report as JSON" -- provisor --json ledger report

# --- ten licenses later: the token's store, the ledger, and the right ones again
rm -rf "$H" "$T/tokens"/* "$T/nonce"
softhsm2-util --init-token --free --label oem --pin 271828 --so-pin 314159 \
	>/dev/null
campaign spring 20 >/dev/null 2>&1 || fail "campaign create, the third"
cp -R "$T/tokens" "$T/tokens.ten"
save before
for i in 11 12 13 14 15 16 17 18 19 20; do
	chip "$T/c$i" ca
	issue $i >"$T/out" 2>&1 || fail "license for chip $i"
done
save after
mv "$T/tokens" "$T/tokens.now"
cp -R "$T/tokens.ten" "$T/tokens"
expect 5 'token is an older copy: it has noted entry 1 .*entry 21' \
	"the token of ten licenses ago" -- issue 1
mkdir "$T/tokens.gone" && mv "$T/tokens"/* "$T/tokens.gone/"
cp -R "$T/tokens.now"/* "$T/tokens/"
restore before
expect 5 'older copy: it ends at entry 1 .*noted entry 21' \
	"the ledger of ten licenses ago" -- issue 1
restore after
expect 0 'license no. 11 of 20' "the newest of both go on" -- issue 1
expect 0 '11 of 20 licenses issued, 0 burnt' "and nothing was lost" -- \
	provisor ledger verify
done_testing
