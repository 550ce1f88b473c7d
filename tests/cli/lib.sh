# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced by every tests/cli/tNNN-*.sh. POSIX sh. Each script runs in a private
# folder $T with its own HOME folder for provisor and, on demand, its own
# SoftHSM. Prints TAP; a script ends with `done_testing`.
#
#   expect CODE PATTERN DESC -- COMMAND...
#       runs COMMAND, checks its exit code and that its output (stdout and
#       stderr together, kept in $T/out) matches the grep -E PATTERN ('' = any)
#   ok DESC -- COMMAND...     passes when COMMAND exits 0
#   not_ok DESC -- COMMAND... passes when COMMAND exits nonzero
#   same DESC FILE FILE       passes when the files hold the same bytes
#   need TOOL...              skips the script locally when a tool is missing,
#                             fails it in CI
#   token [LABEL]             makes a SoftHSM token (default label oem, user PIN
#                             in $PIN), sets SOFTHSM2_CONF, PROVISOR_PIN_FILE
#   background COMMAND...     starts COMMAND, killed at the end; pid in $!
#   wait_for FILE             waits up to 10 s until FILE exists
set -u

: "${TOP:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${BUILD:=$TOP/build/release}"
PATH="$BUILD:$PATH"
export PATH
export PROVISOR_CHIPS="$TOP/share/chips"
unset PROVISOR_PIN_FILE PROVISOR_MODULE PROVISOR_HOME PROVISOR_LEDGER
unset PROVISOR_STATION PROVISOR_OPERATOR
T=$(mktemp -d "${TMPDIR:-/tmp}/pvtest.XXXXXX") || exit 1
export PROVISOR_HOME="$T/home"
PIN="$T/pin"
COUNT=0
FAILED=0
PIDS=""

cleanup() {
	for p in $PIDS; do
		kill "$p" 2>/dev/null
	done
	# They may still be writing into $T.
	for p in $PIDS; do
		wait "$p" 2>/dev/null
	done
	[ -n "${KEEP:-}" ] || rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

pass() {
	COUNT=$((COUNT + 1))
	echo "ok $COUNT - $1"
}

fail() {
	COUNT=$((COUNT + 1))
	FAILED=$((FAILED + 1))
	echo "not ok $COUNT - $1"
	[ -f "$T/out" ] && sed 's/^/# /' "$T/out" | head -n 30
}

expect() {
	_code=$1 _pattern=$2 _desc=$3
	shift 4
	"$@" >"$T/out" 2>&1 </dev/null
	_got=$?
	if [ "$_got" -ne "$_code" ]; then
		echo "# exit code $_got, wanted $_code: $*"
		fail "$_desc"
	elif [ -n "$_pattern" ] && ! grep -Eq -- "$_pattern" "$T/out"; then
		echo "# output lacks /$_pattern/: $*"
		fail "$_desc"
	else
		pass "$_desc"
	fi
}

ok() {
	_desc=$1
	shift 2
	if "$@" >"$T/out" 2>&1 </dev/null; then pass "$_desc"; else fail "$_desc"; fi
}

not_ok() {
	_desc=$1
	shift 2
	if "$@" >"$T/out" 2>&1 </dev/null; then fail "$_desc"; else pass "$_desc"; fi
}

same() {
	if cmp "$2" "$3" >"$T/out" 2>&1; then pass "$1"; else fail "$1"; fi
}

need() {
	for _t in "$@"; do
		command -v "$_t" >/dev/null 2>&1 && continue
		if [ -n "${CI:-}" ]; then
			fail "needs $_t, which is not installed"
			done_testing
		fi
		echo "1..0 # SKIP needs $_t"
		exit 0
	done
}

token() {
	_label=${1:-oem}
	need softhsm2-util
	if [ ! -d "$T/tokens" ]; then
		mkdir -p "$T/tokens"
		printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' \
			"$T/tokens" >"$T/softhsm2.conf"
		export SOFTHSM2_CONF="$T/softhsm2.conf"
		(umask 077 && echo 271828 >"$PIN")
		export PROVISOR_PIN_FILE="$PIN"
	fi
	softhsm2-util --init-token --free --label "$_label" --pin 271828 \
		--so-pin 314159 >/dev/null || fail "softhsm2-util --init-token"
}

background() {
	"$@" >"$T/background.$COUNT" 2>&1 </dev/null &
	PIDS="$PIDS $!"
}

wait_for() {
	_n=0
	while [ ! -e "$1" ]; do
		_n=$((_n + 1))
		[ $_n -gt 200 ] && return 1
		sleep 0.05
	done
}

done_testing() {
	echo "1..$COUNT"
	[ "$FAILED" -eq 0 ]
	exit
}
