#!/bin/sh
# A ledger file is hostile input, and a campaign removed from it is noticed.
. "$(dirname "$0")/lib.sh"
need sqlite3
token
cd "$T" || exit 1
head -c 12 /dev/urandom >nonce

provisor key generate --token pkcs11:token=oem --type aes-128 --label fw >out 2>&1
provisor sim create c1 --chip stm32h563 >>out 2>&1
provisor sim create c2 --chip stm32h563 >>out 2>&1
campaign() { # NAME [TOKEN-URI]
	provisor campaign create "$1" --token "${2:-pkcs11:token=oem}" --flow sfi \
		--product-id 48400001 --firmware-id app --max-licenses 5 \
		--key 'pkcs11:token=oem;object=fw' --nonce nonce \
		--trust home/sim-ca/ca.pem
}
ok 'a campaign' -- campaign spring
ok 'a license' -- provisor license issue --campaign spring \
	--certificate c1/certificate.bin -o l1
sqlite3 home/ledger.db 'pragma wal_checkpoint(truncate)' >/dev/null
cp home/ledger.db older.db

# --- a campaign that an older copy does not have
ok 'a second campaign' -- campaign summer
ok 'with a license' -- provisor license issue --campaign summer \
	--certificate c1/certificate.bin -o l2
expect 0 'token anchors agree' 'both verify' -- provisor ledger verify
sqlite3 home/ledger.db 'pragma wal_checkpoint(truncate)' >/dev/null
cp home/ledger.db newer.db
cp older.db home/ledger.db
rm -f home/ledger.db-wal home/ledger.db-shm
expect 5 'has the note of campaign [0-9a-f]{32}, which this ledger lacks' \
	'the older copy is refused' -- provisor ledger verify
expect 5 'shared-token' 'with a way out for shared tokens' -- provisor ledger verify
expect 0 'which is in another ledger' 'which names the stranger' -- \
	provisor ledger verify --shared-token
expect 0 'token anchor agrees' 'one campaign can be verified alone' -- \
	provisor ledger verify --campaign spring

# --- an emptied ledger says nothing in its favor
sqlite3 home/ledger.db 'delete from entry' 2>/dev/null
expect 0 'no campaigns; no token was looked at' 'an empty ledger agrees with nothing' -- \
	provisor ledger verify
expect 5 'which this ledger lacks' 'and not with the token' -- \
	provisor ledger verify --token pkcs11:token=oem
cp newer.db home/ledger.db
rm -f home/ledger.db-wal home/ledger.db-shm
expect 0 'token anchors agree' 'the right file still verifies' -- provisor ledger verify

# --- a create that ended between note and first entry removed nothing
# Two campaigns are there, so no index of this kind can be: one is taken out.
sqlite3 home/ledger.db "delete from entry where rowid not in (select rowid from
	entry where campaign = (select campaign from entry limit 1));
	create unique index full on entry (seq) where seq = 1"
expect 1 '' 'a create that cannot write' -- campaign begun
cp newer.db home/ledger.db
rm -f home/ledger.db-wal home/ledger.db-shm
expect 0 'was begun and not written' 'does not accuse the ledger' -- \
	provisor ledger verify
expect 0 'token anchors agree' 'the others verify' -- provisor ledger verify

# --- an older copy is noticed before anything happens, a repeat included
ok 'one more license' -- provisor license issue --campaign spring \
	--certificate c2/certificate.bin -o l3
cp newer.db home/ledger.db
rm -f home/ledger.db-wal home/ledger.db-shm
expect 5 'older|rolled back' 'a repeat from an older copy is refused' -- \
	provisor license issue --campaign spring --certificate c1/certificate.bin -o l4
not_ok 'and writes no license' -- test -e l4

# --- URIs of a ledger choose no code and no files
cp "$TOP/tests/cli/lib.sh" evil.so
for attribute in module-path=/tmp/evil.so module%2dpath=/tmp/evil.so \
	pin-source=file:/etc/passwd; do
	expect 5 'a stored URI may not hold' "campaign create refuses ?$attribute" -- \
		campaign autumn "pkcs11:token=oem?$attribute"
done
expect 2 'pin-value is refused' 'a PIN in a URI is refused, also when escaped' -- \
	provisor key list --token 'pkcs11:token=oem?pin%2dvalue=73519462'
not_ok 'and not repeated' -- grep -q 73519462 "$T/out"
done_testing
