#!/bin/sh
# scripts/demo does the main job from end to end.
. "$(dirname "$0")/lib.sh"

case $BUILD in
*/release) ;;
*)
	echo "1..0 # SKIP the demo runs the release build"
	exit 0
	;;
esac
need softhsm2-util
expect 0 '^the main job works from end to end$' 'the demo ends well' -- \
	"$TOP/scripts/demo" --no-install
cp "$T/out" "$T/demo"
ok 'three chips pass, and the first once more' -- \
	sh -c "[ \$(grep -c '^PASS' '$T/demo') -eq 4 ]"
ok 'the fourth is refused by the counter' -- \
	grep -Eq 'has used all 3 licenses' "$T/demo"
done_testing
