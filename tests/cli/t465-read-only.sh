#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An auditor reads a SQLite ledger without being allowed to write it: closed,
# while a station has it open, on its own with its log left over, and with a
# name that a URI cannot hold. Nothing is made beside it, and writing is refused.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
need sqlite3
token
campaign spring 5 >/dev/null 2>&1 || fail "campaign create"
chip "$T/c1" ca
provisor license issue --campaign spring --certificate "$T/c1" -o "$T/l1" \
	>/dev/null 2>&1 || fail "license issue"
provisor campaign show spring --export-key "$T/spring.pem" >/dev/null 2>&1

# Whoever runs this as root asks another account to be the auditor.
if [ "$(id -u)" -eq 0 ]; then
	need setpriv
	auditor() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
	# The build may be in a folder of root's.
	mkdir "$T/bin"
	cp "$BUILD/provisor" "$T/bin/"
	PATH="$T/bin:$PATH"
else
	auditor() { "$@"; }
fi
see() { # FOLDER: readable for all, writable for nobody
	chmod a+rx "$T"
	find "$1" -type f -exec chmod 0444 {} +
	chmod 0555 "$1"
}
list() { # what is in a folder, to compare
	(cd "$1" && find . -exec stat -c '%n %s %Y' {} + | sort)
}

mkdir "$T/a"
cp "$T/home/ledger.db" "$T/a/ledger.db"
see "$T/a"
list "$T/a" >"$T/before"
LEDGER="$T/a/ledger.db"
audit() { auditor provisor --home "$T/none" --ledger "$LEDGER" "$@"; }
expect 0 'spring: 1 of 5 licenses issued' "verify" -- \
	audit ledger verify --no-token
expect 0 '"license"|issued' "export" -- audit ledger export --format jsonl
expect 0 'spring' "report" -- audit ledger report
mkdir -m 1777 "$T/out.d"
expect 0 '' "report --html" -- audit ledger report --html "$T/out.d/r.html"
expect 0 '1 of 5 spent' "campaign show" -- audit campaign show spring
expect 0 '' "a receipt" -- audit license receipt --campaign spring \
	--number 1 -o "$T/out.d/1.receipt"
expect 0 '' "which verifies" -- provisor license verify \
	"$T/out.d/1.receipt" --campaign-key "$T/spring.pem"
list "$T/a" >"$T/after"
same "nothing was made or touched beside it" "$T/before" "$T/after"
chmod a+rwx "$T/home"
chmod -R a+rwX "$T/tokens"
chmod a+r "$PIN" "$SOFTHSM2_CONF"
expect 0 'token anchor agrees' "verify with the token" -- audit ledger verify
chip "$T/c2" ca
expect 1 'can only be read by this account' "issuing is refused" -- \
	audit license issue --campaign spring --certificate "$T/c2" \
	-o "$T/out.d/l2"
expect 1 'nothing was changed' "and so is closing" -- \
	audit campaign close spring

mkdir "$T/50%?#"
cp "$T/home/ledger.db" "$T/50%?#/led#ger?.db"
see "$T/50%?#"
LEDGER="$T/50%?#/led#ger?.db"
expect 0 '1 of 5 licenses issued' "a name with % ? and #" -- \
	audit ledger verify --no-token

# --- in use: what the station wrote last is in the log alone
mkdir "$T/b"
cp "$T/home/ledger.db" "$T/b/ledger.db"
LEDGER="$T/b/ledger.db"
mkfifo "$T/hold"
sqlite3 "$LEDGER" <"$T/hold" >"$T/held" 2>&1 &
PIDS="$PIDS $!"
exec 9>"$T/hold"
# A reader keeps the log from being folded in when the writer closes.
echo 'PRAGMA wal_autocheckpoint=0; BEGIN; SELECT count(*) FROM entry;' >&9
_n=0
until [ -s "$T/held" ] || [ $_n -gt 100 ]; do
	_n=$((_n + 1))
	sleep 0.05
done
provisor --ledger "$LEDGER" license issue --campaign spring \
	--certificate "$T/c2" -o "$T/l2" >"$T/out" 2>&1 || fail "issue"
ok "the log holds entries" -- test -s "$LEDGER-wal"
see "$T/b"
expect 0 'spring: 2 of 5 licenses issued' "with a station at work" -- \
	audit ledger verify --no-token
# Without the shared memory of the station nobody can tell what of it counts.
mkdir "$T/c"
cp "$T/b/ledger.db" "$T/b/ledger.db-wal" "$T/c/"
see "$T/c"
LEDGER="$T/c/ledger.db"
expect 1 "has its last entries in '.*ledger.db-wal'" \
	"a log left over is not passed over" -- audit ledger verify --no-token
expect 1 'copy both files into a folder of yours' "with what to do" -- \
	audit ledger report
mkdir -m 0777 "$T/d"
cp "$T/c/ledger.db" "$T/c/ledger.db-wal" "$T/d/"
chmod 0666 "$T/d"/*
LEDGER="$T/d/ledger.db"
expect 0 'spring: 2 of 5 licenses issued' "which then works" -- \
	audit ledger verify --no-token
exec 9>&-
chmod -R u+w "$T"/[a-d] "$T/50%?#"
done_testing
