#!/usr/bin/env bats
# Kubos that know nothing of each other, and nobody to ask, are connected by the peers whose they
# are. Hosts 1 to 3 have peers of ours, host 4 a real ipfs-cluster-service that leaves its Kubo
# alone, and host 5 is the other member of its cluster.
load ../bats/lib/common
load lib/hosts

setup_file() {
	journey_begin
	have_peers || return 0
	local n
	for n in 1 2 3 4 5; do
		host_add "$n"
		kubo_in_reach "$n"
	done
	for n in 1 2 5; do
		ours_init "$n" '.ipfs_connector.ipfshttp.connect_swarms_delay = "2s"'
	done
	ours_init 3 "$alone"
	go_init 4 "$alone"
	peers_know 2 1
	peers_know 3 1 2
	peers_know 5 4
	for n in 1 2; do
		host_kubo "$n"
	done
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

# A peer that does nothing for its Kubo.
alone='.ipfs_connector.ipfshttp.connect_swarms_delay = "0s"'

# kubo_knows N M: the Kubo of host N is connected to that of host M.
kubo_knows() {
	local id
	id=$(kubo_on "$2" id | jq -r .ID)
	kubo_on "$1" swarm/peers | jq -e --arg id "$id" 'any(.Peers[]?; .Peer == $id)'
}

# kubo_is_alone N
kubo_is_alone() {
	[ "$(kubo_on "$1" swarm/peers | jq '.Peers | length')" = 0 ]
}

# add_at N TEXT: stored by the Kubo of host N, not pinned; prints the CID.
add_at() {
	printf %s "$2" | kubo_on "$1" 'add?cid-version=1&raw-leaves=true&pin=false' -F file=@- |
		jq -r .Hash
}

kubo_pins() {
	kubo_on "$1" "pin/ls?arg=$2&type=recursive"
}

# pinned_from N M TEXT: what the Kubo of host M has is pinned by a write on host N.
pinned_from() {
	local cid
	cid=$(add_at "$2" "$3")
	echo '{}' >"$(mnt "$1")/pins/$cid.json"
	wait_for 30 kubo_pins "$1" "$cid"
}

@test "what the Kubo of one member has is found by the Kubo of another" {
	kubo_is_alone 1
	kubo_is_alone 2
	ours_start 1
	ours_start 2
	wait_for 30 kubo_knows 2 1
	pinned_from 2 1 "of the first"
}

@test "a member that comes later has its Kubo connected to the others" {
	host_kubo 3
	kubo_is_alone 3
	ours_start 3
	wait_for 40 kubo_knows 1 3
	wait_for 40 kubo_knows 2 3
}

@test "a Kubo that was away is connected to the others when it is back" {
	stop_pid "$(cat "$BATS_FILE_TMPDIR/kubo2.pid")"
	wait_for 30 grep -F '"kubo_down"' "$(mnt 2)/events"
	host_kubo 2
	wait_for 40 kubo_knows 2 1
	wait_for 40 kubo_knows 2 3
}

@test "the Kubo of a Go peer is connected to ours" {
	host_kubo 4
	host_kubo 5
	kubo_is_alone 5
	go_start 4
	ours_start 5
	wait_for 40 kubo_knows 5 4
	pinned_from 5 4 "of the Go peer's"
}
