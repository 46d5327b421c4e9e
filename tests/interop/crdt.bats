#!/usr/bin/env bats
# One cluster of a real ipfs-cluster-service (host 1) and two peers of ours (hosts 2 and 3).
load ../bats/lib/common
load lib/hosts

setup_file() {
	journey_begin
	have_peers || return 0
	for n in 1 2 3; do
		host_add "$n"
	done
	go_init 1
	ours_init 2
	ours_init 3
	peers_know 2 1
	peers_know 3 1 2
	host_kubo 1
	go_start 1
	ours_start 2
	ours_start 3
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

everybody_has() {
	go_has 1 "$1" && ours_has 2 "$1" && ours_has 3 "$1"
}

nobody_has() {
	! go_has 1 "$1" && ! ours_has 2 "$1" && ! ours_has 3 "$1"
}

# The dump of a Go peer that runs, in the form of an export.
go_live_dump() {
	rest 1 allocations | jq -c . | sort
}

same_everywhere() {
	local ours
	ours=$(jq -c . "$(mnt 2)/state/export" | sort)
	[ "$ours" = "$(jq -c . "$(mnt 3)/state/export" | sort)" ] &&
		[ "$ours" = "$(go_live_dump)" ]
}

@test "a pin made on a Go peer is a file in every mount" {
	cid=$(cid_of "from go")
	go_pin 1 "$cid" name=hello
	wait_for 20 everybody_has "$cid"
	[ "$(jq -r .name "$(mnt 2)/pins/$cid.json")" = hello ]
	cmp "$(mnt 2)/pins/$cid.json" "$(mnt 3)/pins/$cid.json"
}

@test "a pin made in a mount is a pin on every peer" {
	cid=$(cid_of "from ours")
	echo '{"name":"written","metadata":{"k":"v"}}' >"$(mnt 2)/pins/$cid.json"
	wait_for 20 everybody_has "$cid"
	[ "$(rest 1 "allocations/$cid" | jq -r .name,.metadata.k)" = "$(printf 'written\nv')" ]
}

@test "an unpin goes the same ways" {
	first=$(cid_of "goes on go") second=$(cid_of "goes on ours")
	go_pin 1 "$first"
	touch "$(mnt 3)/pins/$second.json"
	wait_for 20 everybody_has "$first"
	wait_for 20 everybody_has "$second"
	rm "$(mnt 2)/pins/$first.json"
	go_unpin 1 "$second"
	wait_for 20 nobody_has "$first"
	wait_for 20 nobody_has "$second"
}

@test "changes made everywhere at once come to the same pins everywhere" {
	local writers=()
	for i in $(seq 12); do
		go_pin 1 "$(cid_of "both$i")" "name=go$i" 3>&- &
		writers+=($!)
		echo "{\"name\":\"ours$i\"}" >"$(mnt 2)/pins/$(cid_of "both$i").json" 3>&- &
		writers+=($!)
		touch "$(mnt 3)/pins/$(cid_of "three$i").json"
	done
	wait "${writers[@]}"
	wait_for 30 same_everywhere
}

@test "a partition ends with what both sides changed" {
	host_unplug 2
	touch "$(mnt 2)/pins/$(cid_of alone).json"
	go_pin 1 "$(cid_of together)"
	wait_for 20 ours_has 3 "$(cid_of together)"
	fails ours_has 2 "$(cid_of together)"
	host_plug 2
	wait_for 60 everybody_has "$(cid_of alone)"
	wait_for 60 everybody_has "$(cid_of together)"
	wait_for 20 same_everywhere
}

@test "a peer that was killed has what was changed meanwhile when it is there again" {
	touch "$(mnt 3)/pins/$(cid_of "before the kill").json"
	pinfs_kill9 "$(mnt 3)"
	go_pin 1 "$(cid_of "during the kill")"
	ours_start 3
	wait_for 30 everybody_has "$(cid_of "before the kill")"
	wait_for 30 everybody_has "$(cid_of "during the kill")"
	wait_for 20 same_everywhere
}

@test "after a cleanup the peer has everything again by itself" {
	pins=$(pins_count "$(mnt 3)")
	[ "$pins" -gt 10 ]
	rm -r "$(mnt 3)/state"
	wait_for 60 pins_are "$pins" "$(mnt 3)"
	wait_for 20 same_everywhere
}

@test "a dump that is imported into one mount becomes the pinset of all" {
	go_pin 1 "$(cid_of "not in the dump")"
	wait_for 20 everybody_has "$(cid_of "not in the dump")"
	{
		dump_lines 60 imported
		grep -v "$(cid_of "not in the dump")" "$(mnt 2)/state/export"
	} >"$BATS_TEST_TMPDIR/dump"
	import_dump "$BATS_TEST_TMPDIR/dump" "$(mnt 2)"
	[ "$(jq -r .method "$(mnt 2)/state/import.result")" = update ]
	wait_for 30 everybody_has "$(cid_of imported60)"
	wait_for 30 nobody_has "$(cid_of "not in the dump")"
	wait_for 30 same_everywhere
}

# apart_are N M...: the result of the last import on host N names the peers of hosts M.
apart_are() {
	local n=$1 other
	shift
	for other in "$@"; do
		peer_id "$other"
	done | sort >"$BATS_TEST_TMPDIR/apart"
	jq -r '.peers_apart[]' "$(mnt "$n")/state/import.result" | sort |
		cmp -s - "$BATS_TEST_TMPDIR/apart"
}

@test "an import that replaces the history names the peers that still have the old one" {
	wait_for 20 apart_are 2
	host_unplug 2
	{
		echo '{"import":{"method":"replace"}}'
		cat "$(mnt 2)/state/export"
		dump_lines 3 replaced
	} >"$BATS_TEST_TMPDIR/dump"
	import_dump "$BATS_TEST_TMPDIR/dump" "$(mnt 2)"
	[ "$(jq -r .method "$(mnt 2)/state/import.result")" = replace ]
	apart_are 2 1 3
	host_plug 2
	wait_for 60 everybody_has "$(cid_of replaced3)"
	wait_for 60 apart_are 2
	wait_for 30 same_everywhere
}

@test "the Go peer, stopped, exports the dump of the mount byte for byte" {
	wait_for 20 same_everywhere
	go_stop 1
	go_dump "$(cfg 1)" "$BATS_TEST_TMPDIR/go"
	cmp "$BATS_TEST_TMPDIR/go" "$(mnt 2)/state/export"
	go_start 1
}

@test "the peers that were met are in the peerstore after a stop" {
	pinfs_stop "$(mnt 3)"
	grep -F "$(peer_address 1)" "$(cfg 3)/peerstore"
	grep -F "$(peer_address 2)" "$(cfg 3)/peerstore"
	ours_start 3
	touch "$(mnt 3)/pins/$(cid_of "after the stop").json"
	wait_for 30 everybody_has "$(cid_of "after the stop")"
}
