#!/usr/bin/env bats
# shellcheck disable=SC2154 # what ../bats/lib/common sets
# Peers of one local network that know nothing of each other, in clusters of their own secrets, so
# that each pair meets by mDNS or not at all. No host has a route.
load ../bats/lib/common
load lib/hosts

# met_by_mdns SECRET-DIGIT [FILTER]: the configuration of one of them.
met_by_mdns() {
	echo ".cluster.mdns_interval = \"10s\"
		| .cluster.listen_multiaddress = [\"/ip4/0.0.0.0/tcp/9096\", \"/ip6/::/tcp/9096\"]
		| .cluster.secret = (\"$1\" * 64)
		| ${2:-.}"
}

setup_file() {
	journey_begin
	have_peers || return 0
	for n in 1 2 3 4 5 6 8 9; do
		host_add "$n"
	done
	# It hears, and says nothing that a peer could dial.
	go_init 1 "$(met_by_mdns a)"
	ours_init 2 "$(met_by_mdns a '.cluster.announce_multiaddress = ["/dns4/peer.example/tcp/1"]')"
	# What it says is of use to nobody.
	go_init 3 "$(met_by_mdns b '.cluster.listen_multiaddress = ["/ip4/127.0.0.1/tcp/9096"]')"
	ours_init 4 "$(met_by_mdns b)"
	ours_init 5 "$(met_by_mdns c)"
	ours_init 6 "$(met_by_mdns c)"
	# On the machine of the first.
	cp "$BATS_FILE_TMPDIR/host1.ns" "$BATS_FILE_TMPDIR/host7.ns"
	ours_init 7 "$(met_by_mdns a '.cluster.listen_multiaddress = ["/ip4/127.0.0.1/tcp/9099"]')"
	ours_init 8 "$(met_by_mdns d)"
	ours_init 9 "$(met_by_mdns d)"
}

setup() {
	skip_without_go
}

teardown() {
	journey_log
}

teardown_file() {
	journey_end
}

# knows N M: the peer of ours on host N has met that of host M.
knows() {
	[ -e "$(mnt "$1")/peers/$(peer_id "$2").json" ]
}

# go_knows N M: so has the Go peer on host N.
go_knows() {
	rest "$1" peers | jq -es --arg id "$(peer_id "$2")" 'any(.[]; .id == $id)'
}

# listens N: something of ours has the port of mDNS there.
listens() {
	on "$1" ss -Huanp 'sport = :5353' | grep pinfs
}

# shout N < HEX: sends each line to the group, from host N and the port of mDNS.
shout() {
	on "$1" python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(0, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
s.bind(("0.0.0.0", 5353))
for line in sys.stdin:
    s.sendto(bytes.fromhex(line), ("224.0.0.251", 5353))
' "$(host_ip "$1")"
}

# garbage: random bytes, and what is nearly a message: real ones that are cut or changed, names
# that point at themselves, counts of what is not there.
garbage() {
	python3 -c '
import json, random, sys
random.seed(5353)
some = lambda n: bytes(random.randrange(256) for _ in range(n))
real = [bytes.fromhex(m["bytes"]) for m in json.load(open(sys.argv[1]))["messages"]]
for n in (0, 1, 11, 12, 500, 9000):
    print(some(n).hex())
for m in real:
    for _ in range(20):
        print(m[:random.randrange(len(m))].hex())
        at = random.randrange(len(m))
        print((m[:at] + some(1) + m[at + 1:]).hex())
print("000084000001000000000000c00c000c0001")
print("00008400ffffffffffffffff")
print("000084000000000100000000c00c0010000100000078ffff")
' "$vectors/mdns.json"
}

@test "ours finds a Go peer that was there before" {
	go_start 1
	ours_start 2
	wait_for 20 knows 2 1
}

@test "a Go peer finds ours, whichever comes first" {
	ours_start 4
	go_start 3
	wait_for 20 go_knows 3 4
	pinfs_stop "$(mnt 4)"
	ours_start 4
	wait_for 30 knows 4 3
}

@test "peers on one machine share the port and find each other on loopback" {
	ours_start 7
	wait_for 20 knows 7 1
}

@test "garbage does no harm, and an interface may come and go" {
	ours_start 5
	wait_for 5 listens 5
	garbage | shout 2
	wait_for 10 grep 'secrets differ' "$(mnt 5)/health/problems" # all others are of other clusters
	on 6 ip link set eth0 down
	ours_start 6
	fails listens 6
	on 6 ip link set eth0 up
	wait_for 30 knows 5 6
	wait_for 30 knows 6 5
	alive "$(cat "$(mnt 5).pid")"
	on 6 ip link set eth0 down
	wait_for 20 fails listens 6
	on 6 ip link set eth0 up
	wait_for 20 listens 6
}

@test "where there is no IPv4, IPv6 will do" {
	for n in 8 9; do
		on "$n" ip addr flush dev eth0 scope global
		on "$n" ip addr add "fd00::$n/64" dev eth0 nodad
		ours_start "$n"
	done
	wait_for 30 knows 8 9
	wait_for 30 knows 9 8
}

@test "peers of other clusters on the same network stay strangers" {
	fails knows 5 1
	fails knows 4 5
	fails go_knows 1 4
	wait_for 10 fails grep 'secrets differ' "$(mnt 5)/health/problems"
}

@test "a port that somebody has for himself is a warning" {
	pinfs_stop "$(mnt 5)"
	become 5 python3 -c '
import signal, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 5353))
open(sys.argv[1], "w").close()
signal.pause()
' "$BATS_FILE_TMPDIR/bound" 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/bound.pid"
	wait_for 5 test -e "$BATS_FILE_TMPDIR/bound"
	ours_start 5
	grep 'mDNS on eth0 (IPv4): Address already in use; peers are not found there' "$(mnt 5).log"
}

@test "an interval of 0 is no mDNS" {
	pinfs_stop "$(mnt 6)"
	wait_for 5 fails listens 6
	config_set "$(cfg 6)" '.cluster.mdns_interval = "0s"'
	ours_start 6
	stays 2 fails listens 6
}
