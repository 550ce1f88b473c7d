#!/bin/sh
# Virtual chips of four families: each installs a package made for it, option
# bytes included, and refuses one that was made for another. The STM32L562 has
# TrustZone addresses, external flash and keys of its own, the STM32U585 external
# flash at its second window, the STM32H573 a package in parts.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/push.sh"
need jq openssl xxd

cd "$T" || exit 1
token oem
key_in_token || fail 'a key in the token'
KEY='pkcs11:token=oem;object=fw'
head -c 3000 /dev/urandom >fw.bin

# chip NAME ADDRESS CSV: a virtual chip, a package and a campaign for it
chip() {
	_c=$1
	shift
	# shellcheck disable=SC2086
	provisor sim create "$T/$_c" --chip "stm32$_c" $flash >/dev/null 2>&1 ||
		fail "sim create $_c"
	provisor sfi pack --chip "stm32$_c" --key "$KEY" --image-version 1 \
		-o "$_c.sfi" "$@" >/dev/null 2>&1 || fail "sfi pack $_c"
	_id=$(head -c 8 "$T/$_c/certificate.bin")
	provisor --quiet campaign create "$_c" --token pkcs11:token=oem \
		--flow sfi --product-id "$_id" --firmware-id app --max-licenses 5 \
		--key "$KEY" --nonce "$_c.sfi.nonce" \
		--trust "$PROVISOR_HOME/sim-ca/ca.pem" >/dev/null 2>&1 ||
		fail "campaign create $_c"
	background provisor sim run "$T/$_c" --usart "$T/tty-$_c"
	wait_for "$T/tty-$_c"
}
push() { # CHIP PACKAGE CAMPAIGN
	provisor push "$2.sfi" --port "usart:$T/tty-$1" --campaign "$3"
}
spent() {
	provisor --json campaign show "$1" | jq -r '5 - (.left | tonumber)'
}

cat >h753.csv <<'END'
FOPTSR_PRG,0x1026AAD0
FPRAR_PRG_A,0x81000200
FPRAR_PRG_B,0x81000200
FSCAR_PRG_A,0x81000200
FSCAR_PRG_B,0x81000200
FWPSN_PRG_A,0xFFFFFFFF
FWPSN_PRG_B,0xFFFFFFFF
FBOOT7_PRG,0x24000800
RESERVED,0x10000810
END
i=0
while [ $i -lt 12 ]; do
	printf 'WORD_%d,0x%08x\n' $i $((i * 0x01010101))
	i=$((i + 1))
done >l562.csv
printf '0x10,0x0c020000\n' >l562.kcsv
printf '0x10,0x0800a000\n' >u585.kcsv
head -c 5001 /dev/urandom >ext.bin
head -c 150000 /dev/urandom >large.bin
flash=
chip h753 --firmware fw.bin@0x08020000 --option-bytes h753.csv
# The parameters of AN5054 section 12.3.2.
flash='--external-flash 64K'
chip l562 --firmware fw.bin@0x0c001000 --option-bytes l562.csv \
	--key-area l562.kcsv --token-address 0x0c030000 \
	--external ext.bin@0x90000000,region=0,mode=2,key-address=0x0c020000
# And of section 2.5.1.
flash='--external-flash 64K@0x70000000'
chip u585 --firmware fw.bin@0x0c100000 --key-area u585.kcsv \
	--token-address 0x080fe000 \
	--external ext.bin@0x70000000,region=4,mode=1,key-address=0x0800a000
flash=
chip h573 --firmware fw.bin@0x08110000 --firmware large.bin@0x08000000 \
	--token-address 0x081fe000 \
	--option-bytes "$TOP/fixtures/golden/sfi-v1/options.csv"
parts=$(provisor --json sfi inspect h573.sfi | jq '[.areas[] | select(.type == "P")] | length')
ok "the package of the STM32H573 is in $((parts + 1)) parts" -- test "$parts" = 1

# --- none takes the package of another, and that costs no license
for c in h753 l562 u585 h573; do
	for p in h753 l562 u585 h573; do
		[ $c = $p ] && continue
		push $c $p $p >out 2>&1 </dev/null
		r=$?
		if [ $r -ge 3 ] && [ $r -le 5 ] && grep -q '^FAIL' out; then
			pass "$c refuses the package of $p ($r)"
		else
			echo "# exit code $r"
			fail "$c refuses the package of $p"
		fi
	done
done
ok 'no license was spent' -- test "$(spent h753)$(spent l562)$(spent u585)$(spent h573)" = 0000
for c in h753 l562 u585 h573; do
	LC_ALL=C tr -d '\377' <"$c/flash.bin" >programmed
	ok "the flash of $c is untouched" -- test ! -s programmed
done

# --- each takes its own
for c in h753 l562 u585 h573; do
	expect 0 'PASS' "$c installs its package" -- push $c $c $c
	ok "for one license" -- test "$(spent $c)" = 1
done
at() { # CHIP OFFSET
	tail -c +$(($2 + 1)) "$1/flash.bin" | head -c 3000 >"$1.got"
	same "the flash of $1 holds the firmware" "$1.got" fw.bin
}
at h753 0x20000
at l562 0x1000
at u585 0x100000
at h573 0x110000
head -c 150000 h573/flash.bin >h573.got
same 'and the large one' h573.got large.bin
# outside CHIP OFFSET-OF-KEY COUNTER: its external flash, decrypted by openssl
outside() {
	head -c 5001 "$1/external.bin" | openssl enc -d -aes-128-ctr -nopad \
		-K "$(tail -c +$(($2 + 1)) "$1/flash.bin" | head -c 16 | xxd -p)" \
		-iv "$3" >"$1.got"
	same "external flash of $1, under a key it made itself" "$1.got" ext.bin
}
outside l562 0x20000 00000000000000000000000009000000
outside u585 0xa000 00000000000000000000000007000000

done_testing
