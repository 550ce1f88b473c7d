#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The PIN: where it comes from, one attempt with a wrong one, and that it is
# nowhere to be seen.
. "$(dirname "$0")/lib.sh"

SOFTHSM=/usr/lib/softhsm/libsofthsm2.so
need softhsm2-util
token oem
(umask 077 && echo 999999 >"$T/wrong")
(umask 077 && : >"$T/empty")
unset PROVISOR_PIN_FILE

# The output of the last expect, out of the way of ok, which has its own.
keep() { mv "$T/out" "$T/said"; }
# shellcheck disable=SC2317 # called by expect
list() { provisor key list --token pkcs11:token=oem "$@"; }

# --- the right one, every way
expect 0 'no keys' "--pin-file" -- list --pin-file "$PIN"
# shellcheck disable=SC2317
pin_fd() { list --pin-fd 7 7<"$PIN"; }
expect 0 'no keys' "--pin-fd" -- pin_fd
expect 0 'no keys' "PROVISOR_PIN_FILE" -- env PROVISOR_PIN_FILE="$PIN" provisor key list
expect 0 'no keys' "--pin-file goes before PROVISOR_PIN_FILE" -- \
	env PROVISOR_PIN_FILE="$T/wrong" provisor key list --pin-file "$PIN"
expect 0 'no keys' "pin-source in the URI" -- \
	provisor key list --token "pkcs11:token=oem?pin-source=file:$PIN"

# --- none, or none to be had
expect 6 "needs a PIN.*no terminal" "no PIN and no terminal" -- list
expect 6 "pin-file FILE, --pin-fd N or PROVISOR_PIN_FILE" "and what to do" -- list
expect 6 "nosuchpin" "a PIN file that is not there" -- list --pin-file "$T/nosuchpin"
expect 6 "empty" "an empty PIN file" -- list --pin-file "$T/empty"
expect 6 "PIN" "a descriptor that is not open" -- list --pin-fd 9
expect 6 "pin-source" "a pin-source that is not there" -- \
	provisor key list --token "pkcs11:token=oem?pin-source=file:$T/nosuchpin"

# --- refused forms
for uri in 'pkcs11:token=oem?pin-value=271828' 'pkcs11:token=oem;pin-value=271828'; do
	expect 2 "pin-value is refused" "$uri" -- provisor key list --token "$uri"
	keep
	not_ok "and the PIN is not repeated" -- grep -q 271828 "$T/said"
done
expect 2 "program" "a pin-source that runs a program" -- \
	provisor key list --token 'pkcs11:token=oem?pin-source=%7Cecho%20271828'
expect 2 "unknown option|--pin" "a PIN as an option" -- list --pin 271828

# --- the wrong one: once
expect 6 "CKR_PIN_INCORRECT" "a wrong PIN" -- list --pin-file "$T/wrong"
keep
ok "says that one attempt was made" -- grep -q 'one attempt was made' "$T/said"
not_ok "and not which PIN it was" -- grep -q 999999 "$T/said"
SPY=$(find /usr/lib -name pkcs11-spy.so 2>/dev/null | head -n 1)
if [ -n "$SPY" ]; then
	export PKCS11SPY="$SOFTHSM" PKCS11SPY_OUTPUT="$T/spy"
	# pkcs11-spy itself leaks a little: not for the leak checker.
	expect 6 "CKR_PIN_INCORRECT" "a wrong PIN, watched" -- \
		env ASAN_OPTIONS=detect_leaks=0 provisor key list --module "$SPY" --pin-file "$T/wrong"
	if [ "$(grep -c ': C_Login$' "$T/spy")" = 1 ]; then
		pass "the module saw one C_Login"
	else
		grep -n 'C_Login' "$T/spy" | sed 's/^/# /'
		fail "the module saw one C_Login"
	fi
else
	echo "# pkcs11-spy is not installed: attempts not counted"
fi
# --- what the token says about the attempts left
FLAGS="$BUILD/tests/preload/p11flags.so"
if [ -f "$FLAGS" ]; then
	export P11FLAGS_LOG="$T/logins"
	# CKF_USER_PIN_LOCKED, FINAL_TRY, COUNT_LOW, PROTECTED_AUTHENTICATION_PATH
	expect 6 "PIN of token 'oem' is locked" "a locked PIN" -- \
		env P11FLAGS_SET=40000 provisor key list --module "$FLAGS" --pin-file "$PIN"
	not_ok "is not tried" -- test -e "$T/logins"
	expect 0 "a wrong PIN now locks the token" "the last attempt is told before it is made" -- \
		env P11FLAGS_SET=20000 provisor key list --module "$FLAGS" --pin-file "$PIN"
	expect 6 "one attempt is left" "and after" -- \
		env P11FLAGS_SET=20000 provisor key list --module "$FLAGS" --pin-file "$T/wrong"
	expect 0 "a wrong PIN was given before" "a low count is told" -- \
		env P11FLAGS_SET=10000 provisor key list --module "$FLAGS" --pin-file "$PIN"
	printf 'login pin\nlogin pin\nlogin pin\n' >"$T/want"
	same "each of the three runs logged in once" "$T/logins" "$T/want"
	rm -f "$T/logins"
	expect 6 "logging in" "a token with a keypad" -- \
		env P11FLAGS_SET=100 provisor key list --module "$FLAGS"
	printf 'login keypad\n' >"$T/want"
	same "is asked without a PIN of ours" "$T/logins" "$T/want"
else
	echo "# $FLAGS is not built: flags not tested"
fi

expect 0 'no keys' "the right PIN still works" -- list --pin-file "$PIN"

# --- a file that others can read
chmod 644 "$PIN"
expect 0 "open to other accounts \(mode 0644\)" "a readable PIN file is told" -- list --pin-file "$PIN"
chmod 600 "$PIN"
expect 0 "no keys" "a private one" -- list --pin-file "$PIN"
keep
not_ok "is not" -- grep -q "other accounts" "$T/said"

# --- not to be seen: the program waits for the PIN on a pipe
if [ -r /proc/self/cmdline ]; then
	mkfifo "$T/fifo"
	# shellcheck disable=SC2016 # for the inner shell
	background sh -c 'exec provisor key list --token pkcs11:token=oem --pin-fd 7 7<"$0" >"$1"' \
		"$T/fifo" "$T/late"
	pid=$!
	exec 8>"$T/fifo"
	printf 271 >&8
	sleep 0.3
	tr '\0' '\n' <"/proc/$pid/cmdline" >"$T/seen"
	tr '\0' '\n' <"/proc/$pid/environ" >>"$T/seen"
	printf '828\n' >&8
	exec 8>&-
	wait "$pid"
	ok "the program was the one looked at" -- grep -q -- --pin-fd "$T/seen"
	not_ok "the PIN is in neither arguments nor environment" -- grep -q 271828 "$T/seen"
fi

# --- a prompt, without echo
if command -v script >/dev/null; then
	mkfifo "$T/keys"
	# shellcheck disable=SC2016 # for the inner shell
	background sh -c 'exec script -qefc "provisor key list; echo code \$?" "$1" <"$0"' \
		"$T/keys" "$T/typescript"
	exec 8>"$T/keys"
	n=0
	until grep -q "PIN of token 'oem'" "$T/typescript" 2>/dev/null || [ $n -gt 100 ]; do
		n=$((n + 1))
		sleep 0.1
	done
	printf '271828\n' >&8
	until grep -q '^code ' "$T/typescript" 2>/dev/null || [ $n -gt 200 ]; do
		n=$((n + 1))
		sleep 0.1
	done
	exec 8>&-
	ok "a terminal is asked" -- grep -q "PIN of token 'oem'" "$T/typescript"
	ok "and the answer works" -- grep -q '^code 0' "$T/typescript"
	not_ok "the PIN was not echoed" -- grep -q 271828 "$T/typescript"
fi

done_testing
