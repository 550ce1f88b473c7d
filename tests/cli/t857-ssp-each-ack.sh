#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Secret provisioning over a serial line with NACK, then ABORT, in place of
# one ACK of the session after the other: a NACK is got over where nothing was
# taken yet, an ABORT ends it, and what the push says of the chip is what the
# chip is. STEP=1 tries every ACK (107 s on two busy cores); 4 meets those of
# commands, packet numbers and data in turn.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpu-push.sh"
need jq
token oem
vmp 0 stm32mp15
ssp_campaign mp15 5000200A
ACKS=140 # of a session with loaders of five packets
STEP=${STEP:-4}
AT_ONCE=16
TRIED=$(((ACKS + STEP - 1) / STEP))

# The first spends the license; all others are the same chip again.
mp_run 0
provisor --json push "$SSP/mp15.ssp" --loader "$LOADERS/tf-a-ssp-mp15.stm32" \
	--port "usart:$T/tty0" --campaign mp15 >"$T/whole" 2>/dev/null
is=$(jq -r .result "$T/whole")
if [ "$is" = pass ]; then pass 'without'; else fail 'without'; fi
mp_stop 0
rm -r "$T/chip0"
vmp 0 stm32mp15

one() { # nack|abort N: result, state, secret word, closed word to $T/said
	_k=$1$2
	cp -r "$T/chip0" "$T/chip$_k"
	mp_run "$_k" --faults "$1@$2"
	timeout 100 provisor --json push "$SSP/mp15.ssp" \
		--loader "$LOADERS/tf-a-ssp-mp15.stm32" \
		--port "usart:$T/tty$_k" --campaign mp15 \
		>"$T/json$_k" 2>"$T/err$_k"
	_c=$?
	mp_stop "$_k"
	# A chip that took a packet or started, and then says NACK, is at odds.
	_odd=-
	grep -Eq 'does not take packet [0-9]|device refused start' \
		"$T/err$_k" && _odd=odd
	echo "$2 $_c $_odd $(jq -r '.result + " " + .state' "$T/json$_k")" \
		"$(word "$_k" 0) $(word "$_k" 95)" >"$T/said-$_k"
	rm -r "$T/chip$_k"
}

all() { # nack|abort
	n=1
	while [ $n -le "$ACKS" ]; do
		i=0 waits=
		while [ $i -lt $AT_ONCE ] && [ $n -le "$ACKS" ]; do
			(
				trap - EXIT
				one "$1" $n
			) &
			waits="$waits $!"
			i=$((i + 1)) n=$((n + STEP))
		done
		for w in $waits; do wait "$w"; done
	done
	cat "$T"/said-"$1"* | sort -n >"$T/$1"
}

judge() { # FILE AWK-CONDITION-OF-A-BAD-LINE DESC
	if [ "$(wc -l <"$1")" -eq "$TRIED" ] && ! awk "$2" "$1" | grep .; then
		pass "$3"
	else
		awk "$2" "$1" | sed 's/^/# /'
		fail "$3"
	fi
}

# N CODE ODD RESULT STATE OTP0 OTP95 [locked]
# shellcheck disable=SC2016 # fields of awk
truth() { # nack|abort
	judge "$T/$1" '$6 == "0x00000040" && $5 !~ /^(ended|unsure|closed)$/' \
		"$1: a closed chip is not called open"
	judge "$T/$1" '$6 != "0x00000040" && $5 ~ /^(closed|ended)$/' \
		"$1: nor an open one closed"
	judge "$T/$1" '($6 == "0x00000040") != ($7 == "0x93929190")' \
		"$1: secrets are burnt in closed chips, and in all of them"
	judge "$T/$1" '($2 == 0) != ($4 == "pass")' "$1: result and exit code"
}
all nack
# shellcheck disable=SC2016 # fields of awk
judge "$T/nack" '!($2 == 0 && $5 == "closed") && !($2 == 7 && $3 == "odd")' \
	"NACK in place of an ACK: the command is given again"
truth nack
all abort
# shellcheck disable=SC2016 # fields of awk
judge "$T/abort" '$2 != 7 && !($2 == 0 && $5 == "closed")' \
	"ABORT in place of an ACK ends it"
truth abort
done_testing
