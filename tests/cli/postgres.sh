# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced after lib.sh by the tests on PostgreSQL.
#
#   postgres          a private cluster with an empty ledger, which all commands
#                     use from now on (PROVISOR_LEDGER); skips without one
#   cluster ACTION    restart, down, up

PGDIR=/tmp/pvpg.$$

cluster() {
	"$TOP/tests/cluster" "$1" "$PGDIR"
}

postgres() {
	case $(provisor --version) in
	*postgresql*) ;;
	*) set -- missing ;;
	esac
	if [ $# -eq 0 ] && PROVISOR_LEDGER=$(cluster start); then
		export PROVISOR_LEDGER
		trap 'cluster remove >/dev/null 2>&1; cleanup' EXIT
	else
		if [ -n "${CI:-}" ]; then
			fail "needs libpq and PostgreSQL"
			done_testing
		fi
		echo "1..0 # SKIP needs libpq and PostgreSQL"
		exit 0
	fi
	provisor ledger init >/dev/null || fail "ledger init"
}
