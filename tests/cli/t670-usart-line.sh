#!/bin/sh
# The USART driver on a line with the time of a real one, on parts that depart
# from AN3155, over a bad line, and beside stm32flash: same job, same flash.
. "$(dirname "$0")/lib.sh"
need jq

FW="$TOP/fixtures/firmware"
N=0

# chip [--chip NAME] -- RUN-OPTIONS...: a fresh chip; sets PORT, CHIP
chip() {
	N=$((N + 1))
	_part=stm32g071
	if [ "$1" != -- ]; then
		_part=$1
		shift
	fi
	shift
	CHIP="$T/chip$N"
	provisor sim create "$CHIP" --chip "$_part" >/dev/null
	background provisor sim run "$CHIP" --usart "$T/tty$N" "$@"
	wait_for "$T/tty$N"
	PORT="usart:$T/tty$N"
}
# holds DESC FILE: the chip's flash begins with this file
holds() {
	head -c "$(wc -c <"$2")" "$CHIP/flash.bin" >"$T/flash"
	same "$1" "$2" "$T/flash"
}
# counted DESC FILTER: the last result as JSON
counted() {
	if jq -e "$2" "$T/out" >/dev/null 2>&1; then pass "$1"; else fail "$1"; fi
}

head -c 6000 /dev/urandom >"$T/data.bin"
IMAGE="$T/data.bin@0x08000000"

# --- how frames go out -----------------------------------------------------
chip -- --baud 115200 --latency-ms 1
expect 0 '' 'write with the time of a line' -- \
	provisor --json device write "$IMAGE" --port "$PORT"
holds 'and it is there' "$T/data.bin"
counted 'command and address together, nothing tried again' \
	'.retries == 0 and .line.blocks_merged > 20 and .line.blocks_lockstep == 1
	 and .line.reads_merged > 20 and .verified_by == "read-back"'
# 245 bytes at a time: with three ACKs four packets of an adapter with latency.
counted 'the answers fill the packets of the adapter' \
	'.line.reads_merged + .line.reads_lockstep == 26'
expect 0 '' 'in lockstep' -- \
	provisor --json device write "$IMAGE" --port "$PORT" --lockstep
counted 'no frame was merged' \
	'.line.blocks_merged == 0 and .line.reads_merged == 0'
expect 0 '' 'whole frames' -- \
	provisor --json device write "$IMAGE" --port "$PORT" --coalesce
counted 'whole frames went out' \
	'.line.blocks_coalesced > 10 and .retries == 0'
holds 'the same flash' "$T/data.bin"
expect 2 'exclude each other' 'lockstep and whole frames' -- \
	provisor device info --port "$PORT" --coalesce --lockstep
expect 2 'needs a reset sequence' '--baud auto without a reset line' -- \
	provisor device info --port "$PORT" --baud auto
expect 2 'is no step and no preset' 'a reset sequence that is none' -- \
	provisor device info --port "$PORT" --reset-sequence dtr,x
expect 3 'no DTR line|no RTS line' 'a pty has no modem lines' -- \
	provisor device info --port "$PORT" --reset-sequence dtr

# --- a part too slow for frames behind each other ---------------------------
chip -- --baud 921600 --turn-us 150
expect 0 '' 'a part that loses bytes' -- \
	provisor --json device write "$IMAGE" --port "$PORT" --coalesce
counted 'goes back to one frame at a time, once' '.line.fallbacks <= 1'
holds 'and is right' "$T/data.bin"

# --- Get Checksum in its shapes ----------------------------------------------
for quirk in checksum-fixed checksum-one-ack; do
	chip -- --quirk checksum --quirk $quirk
	expect 0 "confirmed by the chip's checksum" "verify with $quirk" -- \
		provisor device write "$IMAGE" --port "$PORT"
	holds "$quirk: the flash" "$T/data.bin"
	expect 0 '' "$quirk: the same again" -- provisor --json \
		device write "$IMAGE" --port "$PORT" --only-changed
	counted "$quirk: nothing erased or written" \
		'.sectors_erased == 0 and .bytes_written == 0 and
		 .sectors_kept == 3 and .bytes_verified >= 6000'
done

# Reading has no checksum on the line, but the chip has one.
chip -- --quirk checksum
SIM=$!
head -c 65536 /dev/urandom >"$T/big.bin"
expect 0 '' 'program 64 KiB' -- \
	provisor device write "$T/big.bin@0x08000000" --port "$PORT"
kill "$SIM"
wait "$SIM" 2>/dev/null
rm -f "$T/tty$N"
background provisor sim run "$CHIP" --usart "$T/tty$N" --quirk checksum \
	--faults flip=1e-4 --seed 3
wait_for "$T/tty$N"
expect 0 'retries' 'read it over a line that flips bits' -- \
	provisor --json device read 0x08000000+64K --port "$PORT" -o "$T/back.bin"
counted 'some of it twice' '.retries > 0'
same 'and right' "$T/big.bin" "$T/back.bin"

# --- parts that depart from the document --------------------------------------
chip -- --quirk stray-zero
expect 0 '' 'stray-zero: 0x00 before the ACK' -- \
	provisor device info --port "$PORT"
chip -- --quirk no-mass-erase
expect 0 'sectors .* erased and blank' 'no-mass-erase: page by page' -- \
	provisor device erase --all --port "$PORT"
for quirk in restart-after-protect restart-before-ack; do
	chip -- --quirk $quirk
	expect 0 'acknowledged the set' "$quirk: protect" -- \
		provisor device protect --sectors 0,1 --port "$PORT"
	expect 0 'no sector' "$quirk: unprotect" -- \
		provisor device unprotect --sectors all --port "$PORT"
	expect 0 'written and read back' "$quirk: option bytes" -- \
		provisor device options --set 8=0x11111111 --port "$PORT"
done
for quirk in double-nack unprotect-erases-first; do
	chip -- --quirk $quirk
	expect 0 'read protection is on' "$quirk: protect" -- \
		provisor device protect --read-protect --port "$PORT"
	expect 7 'read protected' "$quirk: a read is refused" -- \
		provisor device read 0x08000000+4 --port "$PORT" -o "$T/x"
	expect 0 'all of flash was erased' "$quirk: unprotect" -- \
		provisor device unprotect --read-protect --port "$PORT"
done
chip -- --quirk unprotect-erases-first --quirk unprotect-fails
expect 0 '' 'unprotect-fails: protect' -- \
	provisor device protect --read-protect --port "$PORT"
expect 7 'protection is still on' 'unprotect-fails: said so' -- \
	provisor device unprotect --read-protect --port "$PORT"
chip -- --quirk silent-bad-address
expect 3 'not inside flash' 'silent-bad-address: refused here' -- \
	provisor device read 0x09000000+16 --port "$PORT" -o "$T/x"
jq '.usart.quirks = ["empty-check"] | .name = "empty" | del(.default_for_id)' \
	"$TOP/share/chips/stm32g071.json" >"$T/empty.json"
chip "$T/empty.json" --
expect 0 'stays in the bootloader until a power cycle' \
	'empty-check: a power cycle is needed' -- \
	provisor device write "$FW/blink.elf" --port "$PORT" \
	--chip "$T/empty.json"

# --- a bad line: good, or exit 7, never a false success --------------------------
seed=1
while [ $seed -le 6 ]; do
	chip -- --faults drop=2e-4,flip=2e-4 --seed $seed
	provisor device write "$IMAGE" --port "$PORT" >"$T/out" 2>&1 </dev/null
	code=$?
	head -c 6000 "$CHIP/flash.bin" >"$T/flash"
	if [ $code -eq 7 ] || { [ $code -eq 0 ] &&
		cmp -s "$T/data.bin" "$T/flash"; }; then
		pass "seed $seed: exit $code"
	else
		fail "seed $seed: exit $code"
	fi
	seed=$((seed + 1))
done

# --- reset in the midst of a write -------------------------------------------------
chip -- --faults reset@3000
expect 0 'retries on the line' 'the chip restarts while it is written' -- \
	provisor device write "$IMAGE" --port "$PORT"
holds 'all of it is there' "$T/data.bin"

# --- an independent client ---------------------------------------------------------
if command -v stm32flash >/dev/null; then
	chip --
	ok 'stm32flash writes and verifies' -- \
		stm32flash -m 8n1 -w "$T/data.bin" -v "$T/tty$N"
	cp "$CHIP/flash.bin" "$T/theirs.bin"
	chip --
	expect 0 '' 'we write the same' -- \
		provisor device write "$IMAGE" --port "$PORT"
	same 'identical flash, all of it' "$T/theirs.bin" "$CHIP/flash.bin"
	shim="$BUILD/tests/preload/ptyshim.so"
	if [ -e "$shim" ]; then
		# A program with the address sanitizer wants its runtime
		# to be the first library, which a preload cannot grant.
		PTYSHIM_LOG="$T/lines" LD_PRELOAD="$shim" \
			ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
			provisor device info --port "$PORT" \
			--reset-sequence dtr-only >"$T/out" 2>&1
		ok 'DTR was pulled, then released' -- \
			grep -Eiq 'modem|dtr|line' "$T/lines"
	fi
fi
done_testing
