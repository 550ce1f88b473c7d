# shellcheck shell=sh
# What the bench scripts share: fields of a line, sums, and rows with a verdict.

# field N of a line
f() { echo "$2" | cut -d ' ' -f "$1"; }
# verdict NAME VALUE LIMIT UNIT: at most
at_most() {
	awk -v n="$1" -v v="$2" -v l="$3" -v u="$4" 'BEGIN {
		printf "%-52s %10.2f %-6s (at most %g)  %s\n", n, v, u, l, (v <= l) ? "ok" : "MISSED" }'
}
at_least() {
	awk -v n="$1" -v v="$2" -v l="$3" -v u="$4" 'BEGIN {
		printf "%-52s %10.2f %-6s (at least %g)  %s\n", n, v, u, l, (v >= l) ? "ok" : "MISSED" }'
}
calc() { awk "BEGIN { print $1 }"; }
