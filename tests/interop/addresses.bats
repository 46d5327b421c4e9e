#!/usr/bin/env bats
# Where peers are: a real ipfs-cluster-service (host 1) and peers of ours find each other by IPv6 and
# by names, and announce what they are told to.
load ../bats/lib/common
load lib/hosts

setup_file() {
	journey_begin
	have_peers || return 0
	local n
	for n in 1 2 3; do
		host_add "$n"
		host_add_ip6 "$n"
	done
	hosts_named
	go_init 1 '.cluster.listen_multiaddress = ["/ip4/10.77.0.1/tcp/9096", "/ip6/fd77::1/tcp/9096"]'
	ours_init 2 '.cluster.listen_multiaddress = ["/ip6/::/tcp/9096"]
		| .cluster.announce_multiaddress = ["/dns6/host2.test/tcp/9096", "/ip6/fd77::2/tcp/9096"]'
	ours_init 3 '.cluster.listen_multiaddress = ["/ip4/0.0.0.0/tcp/9096", "/ip6/fd77::3/tcp/9096"]
		| .cluster.no_announce_multiaddress = ["/ip4/10.77.0.3/tcp/9096"]'
	host_kubo 1
	go_start 1
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

# host_add_ip6 N: fd77::N, of use at once.
host_add_ip6() {
	on "$1" ip addr add "fd77::$1/64" dev eth0 nodad
}

# hosts_named: names for the hosts, by this file's own /etc/hosts.
hosts_named() {
	{
		echo "127.0.0.1 localhost"
		for n in 1 2 3; do
			echo "10.77.0.$n host$n.test"
			echo "fd77::$n host$n.test"
		done
	} >"$BATS_FILE_TMPDIR/hosts"
	mount --bind "$BATS_FILE_TMPDIR/hosts" /etc/hosts
}

# knows N ADDRESS...: exactly these, where ours on host N keeps the peers that it found.
knows() {
	local n=$1
	shift
	printf '%s\n' "$@" >"$(cfg "$n")/peerstore"
}

everybody_has() {
	go_has 1 "$1" && ours_has 2 "$1" && ours_has 3 "$1"
}

# connected_by N M PATTERN: host N has a TCP connection with host M's address of that pattern.
connected_by() {
	on "$1" ss -Htn state established | grep -qE "$2"
}

@test "a peer that is named by an IPv6 address is dialled there" {
	knows 2 "/ip6/fd77::1/tcp/9096/p2p/$(peer_id 1)"
	ours_start 2
	wait_for 20 jq -e .connected "$(mnt 2)/peers/$(peer_id 1).json"
	connected_by 2 'fd77::1\]:9096'
}

@test "a peer that is named by a DNS name is found by it" {
	for kind in dns4 dns6 dns; do
		knows 3 "/$kind/host1.test/tcp/9096/p2p/$(peer_id 1)"
		ours_start 3
		wait_for 20 jq -e .connected "$(mnt 3)/peers/$(peer_id 1).json"
		case $kind in
		dns4) connected_by 3 '10.77.0.1:9096' ;;
		dns6) connected_by 3 'fd77::1\]:9096' ;;
		esac
		pinfs_stop "$(mnt 3)"
	done
	knows 3 "/dns4/host1.test/tcp/9096/p2p/$(peer_id 1)"
	ours_start 3
	wait_for 20 jq -e .connected "$(mnt 3)/peers/$(peer_id 1).json"
	cid=$(cid_of "by name")
	touch "$(mnt 3)/pins/$cid.json"
	wait_for 20 everybody_has "$cid"
}

# go_sees N ADDRESS...: exactly these addresses of ours on host N, as the Go peer has them.
go_sees() {
	local n=$1 id
	shift
	id=$(peer_id "$n")
	printf '%s\n' "$@" | sed "s|\$|/p2p/$id|" | sort >"$BATS_TEST_TMPDIR/expected"
	ctl 1 peers ls | jq -r --arg id "$id" 'select(.id == $id) | .addresses[]' | sort |
		diff "$BATS_TEST_TMPDIR/expected" -
}

@test "what is announced is what the configuration says, without what it forbids" {
	wait_for 30 go_sees 2 /dns6/host2.test/tcp/9096 /ip6/fd77::2/tcp/9096
	wait_for 30 go_sees 3 /ip4/127.0.0.1/tcp/9096 /ip6/fd77::3/tcp/9096
}

went() {
	! jq -e .connected "$(mnt "$1")/peers/$(peer_id "$2").json"
}

@test "a peer that comes back is dialled again by itself" {
	go_stop 1
	wait_for 30 went 2 1
	go_start 1
	wait_for 60 jq -e .connected "$(mnt 2)/peers/$(peer_id 1).json"
	wait_for 60 jq -e .connected "$(mnt 3)/peers/$(peer_id 1).json"
	cid=$(cid_of "again")
	go_pin 1 "$cid"
	wait_for 20 everybody_has "$cid"
}

@test "peers that know one peer alone learn of each other by it" {
	wait_for 60 jq -e .connected "$(mnt 2)/peers/$(peer_id 3).json"
	wait_for 20 jq -e .connected "$(mnt 3)/peers/$(peer_id 2).json"
}

@test "a listen address that is not this machine's stops the start with the reason" {
	ours_init 4 '.cluster.listen_multiaddress = ["/ip4/192.0.2.1/tcp/9096"]'
	cp "$BATS_FILE_TMPDIR/host3.ns" "$BATS_FILE_TMPDIR/host4.ns"
	run ours_start 4
	[ "$status" -ne 0 ]
	[[ $output == *192.0.2.1* ]]
	rm "$BATS_FILE_TMPDIR/host4.ns"
}
