#!/bin/sh
# The virtual STM32MP on USB, with nothing but an unmodified dfu-util: secret
# provisioning of both chips, a FlashLayout and its partitions, what is refused.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpu.sh"
. "$(dirname "$0")/usb.sh"
usb_need dfu-util jq xxd

# The alternate setting is found by its id, as a host must. One run of the
# front end for both: it costs more than what it runs.
cat >"$T/by-id" <<'END'
#!/bin/sh
alt=$(dfu-util -l 2>&1 |
	sed -n "s/.*alt=\([0-9]*\), name=\"@[^/]*\/$1\/.*/\1/p" | head -n 1)
exec dfu-util -a "$alt" "$2" "$3"
END
chmod +x "$T/by-id"
send() { # NAME ID FILE
	usb "$1" "$T/by-id" "$2" -D "$3"
}
fetch() { # NAME ID FILE
	rm -f "$3"
	usb "$1" "$T/by-id" "$2" -U "$3"
}
detach() {
	usb "$1" dfu-util -a 0 -e >/dev/null 2>&1
	sleep 0.15
}
phase() { # NAME ID-OF-COMMAND-ALTERNATE: in hex
	fetch "$1" "${2:-0xF1}" "$T/phase" >/dev/null 2>&1
	xxd -p -c 300 "$T/phase"
}
phase_is() { # DESCRIPTION HEX NAME [ID]
	phase "$3" "${4:-0xF1}" >"$T/got"
	echo "$2" >"$T/want"
	same "$1" "$T/got" "$T/want"
}

# --- SSP of an MP15: the ROM starts the image by itself
provisor sim create "$T/c15" --chip stm32mp15 >/dev/null
usb_run c15 --transcript "$T/c15.tr" || fail 'the server does not start'
expect 0 'alt=5, name="@virtual /0xF1/1\*512Ba"' 'alternates of the ROM' -- \
	usb c15 dfu-util -l
expect 0 'serial="[0-9a-f]{24}"' 'a serial of 24 hex digits' -- \
	usb c15 dfu-util -l
phase_is 'the ROM asks for phase 1' 010024fc2f00000000 c15
expect 0 'state\(2\) = dfuIDLE' 'the loader' -- \
	send c15 0x01 "$LOADERS/tf-a-ssp-mp15.stm32"
phase_is 'boot 1: 21 bytes, Provisioning' \
	ffffffffff0000000050726f766973696f6e696e67 c15
detach c15
phase_is 'after it, the ROM again' 010024fc2f00000000 c15
send c15 0x01 "$LOADERS/tf-a-ssp-mp15.stm32" >/dev/null 2>&1
phase_is 'boot 2: 9 bytes, phase 0 and the address' 0000f0ff2f00000000 c15
ok 'the certificate' -- fetch c15 0x00 "$T/upload"
ok 'has a header of 9 bytes' -- test "$(wc -c <"$T/upload")" = 145
tail -c 136 "$T/upload" >"$T/cert"
same 'and is that of the chip' "$T/cert" "$T/c15/certificate.bin"
"$MPU" blob "$T/cert" 15 "$T/blob"
expect 0 'DNLOAD|state\(2\)|Done' 'license and payload' -- \
	send c15 0x00 "$T/blob"
phase_is 'phase 0, asks for detach' 00ffffffff0000000001 c15
detach c15
send c15 0x01 "$LOADERS/tf-a-ssp-mp15.stm32" >/dev/null 2>&1
phase c15 >/dev/null
usb_stop c15
expect 0 'SSP          done' 'boot 3 has burnt the secrets' -- \
	provisor sim show "$T/c15"
ok 'key hash and last secret' -- sh -c \
	"[ '$(otp c15 24)' = '0xd875db7d locked' ] &&
	[ '$(otp c15 95)' = '0x93929190 locked' ]"

# --- SSP of an MP13: each image is started by a detach
provisor sim create "$T/c13" --chip stm32mp13 >/dev/null
usb_run c13 || fail 'the server does not start'
boot13() {
	send c13 0x01 "$LOADERS/tf-a-ssp-mp13.stm32" >"$T/out" 2>&1
	detach c13
}
boot13
phase_is 'MP13, boot 1' ffffffffff0000000050726f766973696f6e696e67 c13
expect 0 'alt=0, name="@SSP /0xF3/1\*512Ba"' 'alternates of its TF-A' -- \
	usb c13 dfu-util -l
detach c13
boot13
phase_is 'MP13, boot 2: phase 0xF3' f300f0ff2f00000000 c13
fetch c13 0xF3 "$T/upload" >/dev/null 2>&1
tail -c 136 "$T/upload" >"$T/cert"
same 'certificate of the MP13' "$T/cert" "$T/c13/certificate.bin"
"$MPU" blob "$T/cert" 13 "$T/blob"
ok 'license and payload of 348 bytes' -- send c13 0xF3 "$T/blob"
detach c13
boot13
usb_stop c13
expect 0 'SSP          done' 'boot 3 of the MP13' -- \
	provisor sim show "$T/c13"

# --- a partition, and a whole FlashLayout
head -c 5000 /dev/urandom >"$T/fsbl.bin"
head -c 70000 /dev/urandom >"$T/boot.bin"
cat >"$T/layout.tsv" <<'END'
#Opt	Id	Name	Type	IP	Offset	Binary
-	0x01	fsbl-boot	Binary	none	0x0	x
-	0x03	fip-boot	FIP	none	0x0	x
P	0x04	fsbl1	Binary	mmc0	boot1	fsbl.bin
PE	0x07	empty	Binary	mmc0	0x84400	none
P	0x10	boot	System	mmc0	0x504400	boot.bin
END
provisor sim create "$T/u15" --chip stm32mp15 >/dev/null
usb_run u15 --usb reserial=OTHER || fail 'the server does not start'
send u15 0x01 "$LOADERS/tf-a-mp15.stm32" >/dev/null 2>&1
phase_is 'TF-A asks for the FIP' 03000000c400000000 u15
ok 'the FIP' -- send u15 0x03 "$LOADERS/u-boot.fip"
phase_is 'and then for a detach' 00ffffffff0000000001 u15
detach u15
expect 0 'name="@FlashLayout/0x00/1\*256Ke", serial="OTHER"' \
	'U-Boot, by another serial' -- usb u15 dfu-util -l
expect 0 '@OTP/0xf2/1\*1024Be' 'with the OTP' -- usb u15 dfu-util -l
phase_is 'U-Boot asks for the layout' 00000000c20000000000 u15 0xf1
ok 'the layout' -- send u15 0x00 "$T/layout.tsv"
phase_is 'read: detach me' 00000000c20000000001 u15 0xf1
detach u15
expect 0 'alt=0, name="@fsbl1/0x04/1\*4Me "' 'the partitions' -- \
	usb u15 dfu-util -l
expect 0 '@empty/0x07/1\*4Ma' 'an empty one is for reading' -- \
	usb u15 dfu-util -l
phase_is 'the first partition' 04ffffffff00000000 u15 0xf1
ok 'dfu-util downloads a partition' -- send u15 0x04 "$T/fsbl.bin"
phase_is 'the next one that is not empty' 10ffffffff00000000 u15 0xf1
ok 'the second' -- send u15 0x10 "$T/boot.bin"
phase_is 'the end' feffffffff00000000 u15 0xf1
same 'the first is stored' "$T/fsbl.bin" "$T/u15/partition-0x04.bin"
same 'the second is stored' "$T/boot.bin" "$T/u15/partition-0x10.bin"
ok 'OTP structure 1' -- fetch u15 0xf2 "$T/otp1"
ok 'has 1024 bytes' -- test "$(wc -c <"$T/otp1")" = 1024
ok 'and the product word' -- \
	sh -c "[ \"\$(xxd -s 184 -l 4 -p '$T/otp1')\" = 000020a0 ]"
detach u15
phase_is 'after the end a reset' 010024fc2f00000000 u15
usb_stop u15

# --- what is refused
provisor sim create "$T/r15" --chip stm32mp15 >/dev/null
usb_run r15 --quirk rom-abort || fail 'the server does not start'
head -c 600 /dev/zero >"$T/zeros"
expect 0 'state\(10\) = dfuERROR, status\(10\)' 'no STM32 image' -- \
	send r15 0x01 "$T/zeros"
expect 74 'errTARGET|status\(1\)|error' 'an alternate that is not asked for' -- \
	send r15 0x03 "$T/zeros"
usb_stop r15
usb_run r15 || fail 'the server does not start'
send r15 0x01 "$LOADERS/tf-a-mp15.stm32" >/dev/null 2>&1
expect 0 'state\(10\) = dfuERROR' 'a FIP that is none' -- \
	send r15 0x03 "$T/zeros"
phase r15 >"$T/got"
ok 'TF-A says so in phase 0xFF' -- grep -q \
	"^ffffffffff00000000$(printf 'FIP Header' | xxd -p)" "$T/got"
usb_stop r15
usb_run r15 --firmware 2.2 || fail 'the server does not start'
send r15 0x01 "$LOADERS/tf-a-ssp-mp15.stm32" >/dev/null 2>&1
phase_is 'boot 1 of 2.2' ffffffffff0000000050726f766973696f6e696e67 r15
usb_stop r15
done_testing
