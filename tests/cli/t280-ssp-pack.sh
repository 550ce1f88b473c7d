#!/bin/sh
# ssp pack, inspect, verify and explain, against the golden files and against
# the openssl program.
. "$(dirname "$0")/lib.sh"
need openssl xxd jq
G="$TOP/fixtures/golden/ssp"
BAD="$TOP/fixtures/corrupt/ssp"
cd "$T" || exit 1
cp "$G/aes.key" k
for i in 0 1 2 3 4 5 6 7; do TABLE="${TABLE:-} --public-key $G/key$i.pem"; done

# HOME KEEPS THE RECORD OF NONCES: one for each golden file, which all use one.
pack() { # HOME ARGS...
	h=$1
	shift
	PROVISOR_HOME="$T/$h" provisor ssp pack --rma-unlock 0x312 \
		--rma-relock 0xeca --key k "$@"
}
pack15() {
	h=$1
	shift
	pack "$h" --chip stm32mp15 --public-key "$G/key0.pem" "$@"
}
FULL="--secrets $G/secrets.bin --nonce $G/nonce.bin"

# --- the golden files
# shellcheck disable=SC2086
{
expect 0 'a.ssp: stm32mp15, 244 bytes, profile ssp$' 'packed for MP15' -- \
	pack15 h1 $FULL -o a.ssp
same 'as the golden file' a.ssp "$G/mp15.ssp"
expect 0 'profile ssp:payload_iv_len=12' 'with an IV of 12 bytes' -- \
	pack15 h2 $FULL --profile ssp:payload_iv_len=12 -o i.ssp
same 'as the golden file' i.ssp "$G/mp15-iv12.ssp"
expect 0 'unlock in bits 29:15' 'with the RMA passwords the other way round' -- \
	pack15 h3 $FULL --profile ssp:rma_layout=high -o r.ssp
same 'as the golden file' r.ssp "$G/mp15-rma-high.ssp"
expect 0 'PKHTH +bcf72176' 'packed for MP13 with eight keys' -- \
	pack h4 --chip stm32mp135f $TABLE $FULL -o b.ssp
same 'as the golden file' b.ssp "$G/mp13.ssp"
expect 0 '' 'and with their hash' -- \
	pack h4 --chip stm32mp13 --pkhth "$G/pkhth.bin" $FULL -o b2.ssp
same 'the same' b.ssp b2.ssp
dd if="$G/secrets.bin" of=short.bin bs=1 skip=1 count=8 2>/dev/null
expect 0 '59..60 +secrets' 'eight bytes' -- \
	pack15 h5 --secrets short.bin --nonce "$G/nonce.bin" -o s.ssp
same 'as the golden file' s.ssp "$G/mp15-short.ssp"
expect 5 'used before, with this key, for other content' \
	'the nonce again for other content' -- \
	pack15 h1 --secrets short.bin --nonce "$G/nonce.bin" -o x.ssp
not_ok 'writes nothing' -- test -e x.ssp
expect 0 '' 'and again for the same' -- pack15 h1 $FULL -o a2.ssp
same 'gives the same' a.ssp a2.ssp
}

# --- openssl as witness: the counter block of any IV is what AES turns into the
# GMAC of nothing; from the next one on AES-CTR is the cipher.
opened() { # FILE NONCE-FILE IV-BYTES HEADER-AND-TAG
	mac=$(printf '' | openssl mac -cipher AES-128-GCM \
		-macopt hexkey:"$(xxd -p k)" \
		-macopt hexiv:"$(head -c "$3" "$2" | xxd -p)" -in - GMAC)
	j0=$(printf '%s' "$mac" | xxd -r -p | openssl enc -d -aes-128-ecb -nopad \
		-K "$(xxd -p k)" | xxd -p)
	low=$((0x$(printf '%s' "$j0" | cut -c 25-32) + 1))
	tail -c +$(($4 + 1)) "$1" | openssl enc -d -aes-128-ctr -K "$(xxd -p k)" \
		-iv "$(printf '%s' "$j0" | cut -c 1-24)$(printf %08x $low)"
}
{ printf '\022\003\145\007'; cat "$G/secrets.bin"; } >want
head -c 148 /dev/urandom >rnd
expect 0 'nonce: written to f.ssp.nonce' 'a fresh nonce' -- \
	pack15 h1 --secrets rnd -o f.ssp
opened a.ssp "$G/nonce.bin" 16 92 >got
same 'openssl decrypts a golden file' want got
{ printf '\022\003\145\007'; cat rnd; } >want
opened f.ssp f.ssp.nonce 16 92 >got
same 'openssl decrypts what we sealed' want got
# shellcheck disable=SC2086
expect 0 '' 'for MP13 with 12 bytes' -- pack h1 --chip stm32mp13 $TABLE \
	--secrets rnd --profile ssp:payload_iv_len=12 -o g.ssp
opened g.ssp g.ssp.nonce 12 60 >got
same 'openssl decrypts that, too' want got
ok 'the nonce ends in zeros' -- test "$(tail -c 4 g.ssp.nonce | xxd -p)" = 00000000
expect 0 '^[0-9a-f]' 'sha256sum and PKH' -- sh -c \
	"dd if=a.ssp bs=1 skip=8 count=64 2>/dev/null | sha256sum"
ok 'PKH is SHA-256 of the root key' -- test "$(cut -c 1-64 out)" = \
	"$(provisor --json ssp inspect a.ssp | jq -r .root.hash)"

# --- reading
expect 0 '0x48 +secret size +152' 'inspect MP15' -- provisor ssp inspect a.ssp
expect 0 '0x28 +secret size +152' 'inspect MP13, by content' -- provisor inspect b.ssp
expect 0 '"blob_size":380.*"verified_on_silicon":false' 'inspect as JSON' -- \
	provisor --json inspect a.ssp
V="--key k --nonce $G/nonce.bin"
# shellcheck disable=SC2086
{
expect 0 'verified, tag valid, 37 words of secrets' 'verify' -- \
	provisor ssp verify a.ssp $V
expect 0 'root of .*key0.pem, 38 words as in' 'verify all of it' -- \
	provisor ssp verify a.ssp $V --public-key "$G/key0.pem" \
	--secrets "$G/secrets.bin" --rma-unlock 0x312 --rma-relock 0xeca
expect 0 'root of table of 8 keys' 'verify a table' -- \
	provisor ssp verify b.ssp $V $TABLE
expect 4 'another root than' 'another root key' -- \
	provisor ssp verify a.ssp $V --public-key "$G/key1.pem"
expect 4 'other RMA passwords' 'other RMA passwords' -- provisor ssp verify a.ssp $V \
	--secrets "$G/secrets.bin" --rma-unlock 0x312 --rma-relock 1
expect 4 'something else in OTP word 59' 'other secrets' -- \
	provisor ssp verify a.ssp $V --secrets rnd
expect 4 'something else in OTP word 61' 'shorter secrets' -- \
	provisor ssp verify a.ssp $V --secrets "$TOP/fixtures/secrets/two-words.bin"
expect 4 'tag' 'another profile' -- provisor ssp verify a.ssp $V \
	--profile ssp:payload_iv_len=12
expect 4 "a.ssp'.*tag" 'another nonce' -- provisor ssp verify a.ssp --key k \
	--nonce f.ssp.nonce
expect 4 'tag' 'a changed tag' -- provisor ssp verify "$BAD/tag.ssp" $V
expect 4 'not a point' 'a root key that is none' -- \
	provisor ssp verify "$BAD/point.ssp" $V
expect 3 'not a multiple of 4' 'a damaged file' -- \
	provisor ssp verify "$BAD/size-odd.ssp" $V
expect 0 '59..95 +secrets +burnt and locked unless zero' 'explain without key' -- \
	provisor ssp explain a.ssp
expect 0 '59..95 +secrets +burnt and locked$' 'explain with key' -- \
	provisor ssp explain a.ssp $V
}
expect 0 'NOT a point on P-256' 'inspect shows a root that is none' -- \
	provisor inspect "$BAD/point.ssp"
for f in magic cut between trailing version size-large size-small size-zero \
	size-mp13 unused; do
	expect 3 'SSP package|does not start with|none of the formats' "refused: $f" -- \
		provisor ssp inspect "$BAD/$f.ssp"
done

# --- bad input of pack
no() { # CODE PATTERN DESC ARGS...
	_c=$1 _p=$2 _d=$3
	shift 3
	expect "$_c" "$_p" "$_d" -- provisor ssp pack --key k -o no.ssp "$@"
}
S="--secrets $G/secrets.bin"
R="--rma-unlock 1 --rma-relock 2"
K="--public-key $G/key0.pem"
head -c 149 /dev/zero >long.bin
head -c 6 "$G/key0.pem" >bad.pem
openssl ecparam -name secp384r1 -genkey -noout | openssl ec -pubout \
	-out p384.pem 2>/dev/null
openssl genrsa 2048 2>/dev/null | openssl rsa -pubout -out rsa.pem 2>/dev/null
# shellcheck disable=SC2086
{
no 3 'holds 149 bytes, OTP words 59 to 95 hold 148' 'secrets too long' \
	--chip stm32mp15 --secrets long.bin $R $K
no 3 'empty' 'no secrets' --chip stm32mp15 --secrets /dev/null $R $K
no 3 'unlock password has more than 15 bits' 'RMA unlock above 15 bits' \
	--chip stm32mp15 $S $K --rma-unlock 0x8000 --rma-relock 2
no 3 'relock password has more than 15 bits' 'RMA relock above 15 bits' \
	--chip stm32mp15 $S $K --rma-unlock 1 --rma-relock 32768
no 3 'unlock and relock are the same' 'equal RMA passwords' \
	--chip stm32mp15 $S $K --rma-unlock 7 --rma-relock 0x7
no 2 'RMA relock password is missing' 'one RMA password' \
	--chip stm32mp15 $S $K --rma-unlock 7
no 2 'rma-unlock' 'an RMA password that is no number' \
	--chip stm32mp15 $S $K --rma-unlock x --rma-relock 1
no 3 'brainpoolP256t1, the root key of a' 'a brainpool key for MP15' \
	--chip stm32mp15 $S $R --public-key "$G/key3.pem"
no 3 'a key of secp384r1' 'a P-384 key' --chip stm32mp15 $S $R --public-key p384.pem
no 3 'a key of RSA' 'an RSA key' --chip stm32mp15 $S $R --public-key rsa.pem
no 3 'bad.pem' 'a file without a key' --chip stm32mp15 $S $R --public-key bad.pem
no 2 'one root key, --public-key was given 8 times' 'eight keys for MP15' \
	--chip stm32mp15 $S $R $TABLE
no 2 'table of 8 keys, --public-key was given 7 times' 'seven keys for MP13' \
	--chip stm32mp13 $S $R ${TABLE% --public-key *}
no 3 'key 2 of the table.*secp384r1' 'a wrong key in the table' --chip stm32mp13 \
	$S $R $K $K --public-key p384.pem $K $K $K $K $K
no 2 'give one of them' 'keys and their hash' --chip stm32mp13 $S $R $K \
	--pkhth "$G/pkhth.bin"
no 2 'pkhth is for stm32mp13' 'a hash for MP15' --chip stm32mp15 $S $R \
	--pkhth "$G/pkhth.bin"
no 3 'aes.key' 'a hash of another size' --chip stm32mp13 $S $R --pkhth "$G/aes.key"
no 2 "'stm32h563'" 'another chip' --chip stm32h563 $S $R $K
no 2 'chip is missing|--chip' 'no chip' $S $R $K
no 2 "not profile 'ssp'" 'another profile' --chip stm32mp15 $S $R $K --profile ecies
no 2 '--secret-size is 8 to 152, by 4' 'a size not a multiple of 4' \
	--chip stm32mp15 $S $R $K --secret-size 150
no 3 '100 bytes are to be sealed' 'a size too small' \
	--chip stm32mp15 $S $R $K --secret-size 100
no 3 'holds 8 bytes, 16 are needed' 'a nonce of another size' --chip stm32mp15 $S $R $K --nonce short.bin
expect 2 'one of the inputs' 'an output that is an input' -- provisor ssp pack \
	--chip stm32mp15 --secrets rnd $R $K --key k -o rnd
}
not_ok 'nothing was written' -- test -e no.ssp -o -e no.ssp.nonce

# --- what is said
printf 'abcdef' >6.bin
expect 0 "6 bytes: 2 zero bytes added to fill its last word" 'padding is said' -- \
	pack15 h1 --secrets 6.bin -o p.ssp
ok 'and done' -- test "$(provisor --json ssp inspect p.ssp | jq .secret_size)" = 12
printf 'abcd\0\0\0\0\0\0\0\0efgh' >z.bin
expect 0 'warning: OTP words 60..61 \(secrets\) are zero: they will not burn' \
	'zero words are said' -- pack15 h1 --secrets z.bin -o z.ssp
expect 0 '60..61 +secrets +zero: not burnt' 'and explained' -- \
	provisor ssp explain z.ssp --key k --nonce z.ssp.nonce
expect 0 '2 of them zero' 'and counted' -- \
	provisor ssp verify z.ssp --key k --nonce z.ssp.nonce
expect 0 '' 'the size that the tool of ST writes' -- \
	pack15 h1 --secrets 6.bin --secret-size 152 -o w.ssp
ok 'is written' -- test "$(provisor --json ssp inspect w.ssp | jq .secret_size)" = 152
expect 0 'would be for stm32mp15' 'a dry run needs no key' -- provisor ssp pack \
	--chip stm32mp15 --secrets rnd --rma-unlock 1 --rma-relock 2 \
	--public-key "$G/key0.pem" -o dry.ssp --dry-run
expect 3 'are the same' 'and checks' -- provisor ssp pack \
	--chip stm32mp15 --secrets rnd --rma-unlock 1 --rma-relock 1 \
	--public-key "$G/key0.pem" -o dry.ssp --dry-run
not_ok 'and writes nothing' -- test -e dry.ssp
expect 0 '"zero_words":2.*"verified_on_silicon":false' 'pack as JSON' -- sh -c \
	"provisor --json ssp pack --chip stm32mp15 --secrets z.bin --rma-unlock 1 \
	--rma-relock 2 --public-key $G/key0.pem --key k -o j.ssp"

done_testing
