#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The report as table, JSON and page: counts by station and hour, yield, why
# chips failed. The page is well-formed, loads nothing, runs nothing, and what
# stations call themselves stays text.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/push.sh"
cd "$T" || exit 1
need xmllint
station 2
for n in 0 1; do vchip $n; done
evil="<script>alert('1')</script>&\"x"

ok 'a chip at one station' -- provisor --station 'line 3' push app.sfi \
	--port usart:tty0 --campaign spring
ok 'a chip at another' -- provisor --station "$evil" push app.sfi \
	--port usart:tty1 --campaign spring
provisor sim create chip2 --chip stm32h563 >/dev/null
background provisor sim run chip2 --usart tty2
wait_for tty2
expect 5 'used all 2' 'a chip too many' -- provisor --station 'line 3' push \
	app.sfi --port usart:tty2 --campaign spring

expect 0 'spring +operational +2 +2 +0 +0' 'the table' -- \
	provisor ledger report --html page.html
said 'line 3 +1' 'by station'
said 'page written to page.html' 'says where the page is'
said 'not verified here' 'says what it is not'
expect 0 '"stations":\[\{"station":"line 3","issued":"1"' 'JSON by station' -- \
	provisor --json ledger report
said '"hours":\[\{"hour":"20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:00"' \
	'JSON by hour'

ok 'the page is well-formed' -- xmllint --noout page.html
expect 0 '^[1-9]' 'with charts' -- \
	xmllint --xpath 'count(//*[local-name()="svg"])' page.html
expect 0 '^0' 'without scripts' -- xmllint --xpath \
	'count(//*[local-name()="script"]|//@onload|//@onclick)' page.html
expect 0 '^0' 'that loads nothing' -- xmllint --xpath \
	'count(//@src|//@href|//*[local-name()="link"])' page.html
expect 0 "default-src 'none'" 'and may not' -- cat page.html
expect 0 '&lt;script&gt;alert\(&#39;1&#39;\)&lt;/script&gt;&amp;&#34;x' \
	'a name stays text' -- cat page.html
expect 0 '<title>issued: 2</title>' 'licenses used' -- cat page.html
expect 0 '[0-9]{2}:00: 2 issued, 2 passed' 'by hour' -- cat page.html
not_ok 'no word of it is from elsewhere' -- grep -E 'url\(|@import' page.html
# What is no UTF-8 must not make the page unreadable.
ok 'a station of odd bytes' -- provisor \
	--station "$(printf 'a\377\300\200z')" push app.sfi --port usart:tty0 \
	--campaign spring
ok 'a page with it' -- provisor ledger report --html page2.html
ok 'is well-formed' -- xmllint --noout page2.html
expect 0 'a\?\?\?z' 'and says so' -- cat page2.html
expect 0 'a1' 'a campaign alone' -- sh -c 'provisor ledger report --campaign spring --html only.html && echo a1'
expect 1 "no campaign 'autumn'" 'an unknown campaign' -- \
	provisor ledger report --campaign autumn --html no.html
expect 1 'none/page' 'a folder that is not there' -- \
	provisor ledger report --html none/page.html
not_ok 'no page came of these' -- test -e no.html

# In a browser, where there is one; in CI there is.
browser=
for b in google-chrome chromium-browser chromium; do
	command -v "$b" >/dev/null && browser=$b
done
if [ -n "$browser" ]; then
	# draw FILE: its picture
	draw() {
		timeout 100 "$browser" --headless --no-sandbox --disable-gpu \
			--enable-logging=stderr --user-data-dir="$T/chrome" \
			--window-size=1000,1400 --screenshot="$T/$1.png" \
			"file://$T/$1"
	}
	expect 0 'written to file' 'a browser draws it' -- draw page.html
	not_ok 'without a word on its console' -- \
		grep -E 'CONSOLE|Refused to' out
	# That word would be seen.
	echo '<!DOCTYPE html><script>console.error("heard")</script>' >loud.html
	expect 0 'CONSOLE.*heard' 'which is listened to' -- draw loud.html
	printf '<!DOCTYPE html><title>x</title>' >blank.html
	expect 0 'written to file' 'and an empty page' -- draw blank.html
	ok 'which is another picture' -- test "$(wc -c <page.html.png)" \
		-gt "$(($(wc -c <blank.html.png) * 2))"
elif [ -n "${CI:-}" ]; then
	fail 'needs chromium'
fi
done_testing
