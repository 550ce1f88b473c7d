# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced after lib.sh by tests of USB devices. Programs run under umockdev
# with virtual chips as their only USB devices (tests/usb/umock_usbip.py).
#
#   usb_run NAME [OPTION...]   serve the virtual chip $T/NAME; its port is
#                              kept in $T/NAME.port, its pid in $T/NAME.pid
#   usb_stop NAME              stop it and wait for its end
#   usb NAME[,NAME] COMMAND... run COMMAND with these chips attached
#   count NAME FIELD           a counter of the client that left last

UMOCK="$TOP/tests/usb/umock_usbip.py"
# umockdev is preloaded before the runtime of the address sanitizer.
ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
export ASAN_OPTIONS

# The front end itself says (exit code 77) when a package is missing.
usb_need() {
	need umockdev-wrapper "$@"
	"$UMOCK" 1 true >"$T/umock" 2>&1
	if [ $? -eq 77 ]; then
		if [ -n "${CI:-}" ]; then
			fail "needs python3-gi and gir1.2-umockdev-1.0"
			done_testing
		fi
		echo "1..0 # SKIP needs python3-gi and gir1.2-umockdev-1.0"
		exit 0
	fi
}

usb_run() {
	_name=$1
	shift
	rm -f "$T/$_name.port"
	: >"$T/$_name.log"
	provisor sim run "$T/$_name" --usbip 0 "$@" >"$T/$_name.log" 2>&1 \
		</dev/null &
	echo $! >"$T/$_name.pid"
	PIDS="$PIDS $!"
	_n=0
	until grep -q 'USB/IP' "$T/$_name.log"; do
		_n=$((_n + 1))
		[ $_n -gt 200 ] && return 1
		sleep 0.05
	done
	sed -n 's/.*USB\/IP [^ ]*:\([0-9]*\),.*/\1/p' "$T/$_name.log" \
		>"$T/$_name.port"
}

usb_stop() {
	kill "$(cat "$T/$1.pid")" 2>/dev/null
	wait "$(cat "$T/$1.pid")" 2>/dev/null
}

usb() {
	_ports=""
	for _c in $(echo "$1" | tr , ' '); do
		_ports="$_ports,$(cat "$T/$_c.port")"
	done
	shift
	timeout 60 "$UMOCK" "${_ports#,}" "$@"
}

# Written when the client has gone, which the server may notice a bit later.
count() {
	sleep 0.1
	jq -r ".last.$2" "$T/$1/usb.json"
}
