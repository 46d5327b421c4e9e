#!/usr/bin/env bats
# docs/joining.md: a real ipfs-cluster-service in a living cluster is replaced by pinfs, and back.
# Host 1 is replaced, host 2 stays as it is.
load ../bats/lib/common
load lib/hosts

setup_file() {
	journey_begin
	have_peers || return 0
	for n in 1 2; do
		host_add "$n"
		go_init "$n"
	done
	peers_know 1 2
	peers_know 2 1
	for n in 1 2; do
		host_kubo "$n"
		go_start "$n"
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

both_have() {
	"$1" 1 "$2" && go_has 2 "$2"
}

same_pins() {
	[ "$(jq -c . "$(mnt 1)/state/export" | sort)" = "$(rest 2 allocations | jq -c . | sort)" ]
}

@test "the folder of a Go peer is refused until it is said what becomes of its pins" {
	for i in $(seq 8); do
		go_pin 1 "$(cid_of "before$i")" "name=before$i"
	done
	wait_for 20 go_has 2 "$(cid_of before8)"
	go_stop 1
	mkdir -p "$(mnt 1)"
	run on 1 timeout 20 "$PINFS" -f -o "config=$(cfg 1)" "$(mnt 1)"
	[ "$status" -ne 0 ]
	echo "$output"
	[[ $output == *"-o fresh"* ]]
}

@test "started fresh on its folder, pinfs is the same peer and has every pin again" {
	ours_start 1 -o fresh
	[ -e "$(mnt 1)/peers/$(peer_id 1).json" ]
	wait_for 60 ours_has 1 "$(cid_of before1)"
	wait_for 60 same_pins
}

@test "pins go both ways then" {
	touch "$(mnt 1)/pins/$(cid_of "from the replacement").json"
	go_pin 2 "$(cid_of "to the replacement")"
	wait_for 20 both_have ours_has "$(cid_of "from the replacement")"
	wait_for 20 both_have ours_has "$(cid_of "to the replacement")"
	wait_for 20 same_pins
}

@test "the way back: the Go program on the same folder catches up by itself" {
	pinfs_stop "$(mnt 1)"
	go_pin 2 "$(cid_of "while nobody was there")"
	go_start 1
	wait_for 90 both_have go_has "$(cid_of "from the replacement")"
	wait_for 90 both_have go_has "$(cid_of "while nobody was there")"
}

@test "and pinfs again: it refuses a store that the Go program has changed since, and starts fresh" {
	go_stop 1
	mkdir -p "$(mnt 1)"
	run on 1 timeout 20 "$PINFS" -f -o "config=$(cfg 1)" "$(mnt 1)"
	[ "$status" -ne 0 ]
	ours_start 1 -o fresh
	wait_for 60 same_pins
}
