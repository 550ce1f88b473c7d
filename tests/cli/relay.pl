#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# A relay between two Unix sockets that drops the connection on demand.
#   relay.pl LISTEN UPSTREAM PLAN
# PLAN is a file read for each connection: "before N" drops request N on its
# way to the server, "after N" its answer on the way back; else nothing drops.
# The number of requests of a connection that ended by itself goes to
# PLAN.count. Connections come one after the other.
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;

my ($listen, $upstream, $plan) = @ARGV;
my $server = IO::Socket::UNIX->new(Local => $listen, Listen => 8)
    or die "$listen: $!";
while (my $client = $server->accept) {
	my $target = IO::Socket::UNIX->new(Peer => $upstream) or next;
	my ($mode, $at) = ("", 0);
	if (open my $f, "<", $plan) {
		($mode, $at) = split " ", (<$f> // "") . " 0";
	}
	my ($requests, $asking) = (0, 0);
	my $select = IO::Select->new($client, $target);
	CONNECTION: while (1) {
		for my $from ($select->can_read) {
			my $data;
			last CONNECTION unless sysread $from, $data, 65536;
			if ($from == $client) {
				$requests++ unless $asking;
				$asking = 1;
				last CONNECTION
				    if $mode eq "before" && $requests == $at;
			} else {
				last CONNECTION
				    if $mode eq "after" && $requests == $at;
				$asking = 0;
			}
			my $to = $from == $client ? $target : $client;
			syswrite $to, $data or last CONNECTION;
		}
	}
	close $client;
	close $target;
	if (open my $f, ">", "$plan.count") { print $f "$requests\n"; }
}
