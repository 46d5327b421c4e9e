#!/usr/bin/env bats
# A follower of ours (host 2) beside a real ipfs-cluster-service (host 1). Both trust host 1 alone.
# Host 3 is a peer of ours that nobody trusts and that trusts all; host 2 was like that once.
load ../bats/lib/common
load lib/hosts

setup_file() {
	journey_begin
	have_peers || return 0
	for n in 1 2 3; do
		host_add "$n"
	done
	local trust_go
	go_init 1 '.consensus.crdt.trusted_peers = []
		| .allocator.balanced.allocate_by = ["tag:group"]'
	trust_go=".consensus.crdt.trusted_peers = [\"$(peer_id 1)\"]"
	ours_init 2 "$trust_go"
	ours_init 3
	peers_know 2 1
	peers_know 3 1 2
	ours_start 2
	touch "$(mnt 2)/pins/$(own_pin).json"
	pinfs_stop "$(mnt 2)"
	config_set "$(cfg 2)" '.cluster.follower_mode = true'
	host_kubo 1
	go_start 1
	ours_start 2
	ours_start 3
	wait_for 30 follower_can_pin
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

# What host 2 pinned before it was a follower.
own_pin() {
	cid_of "before it was a follower"
}

follower_can_pin() {
	rest 1 monitor/metrics/tag:group | jq -e --arg id "$(peer_id 2)" 'any(.[]; .peer == $id)'
}

# follows: host 2 has what the Go peer has, besides its own pin.
follows() {
	[ "$(rest 1 allocations | jq -c . | sort)" = \
		"$(grep -v "$(own_pin)" "$(mnt 2)/state/export" | sort)" ]
}

# refusals N: messages of authors without trust that host N has met.
refusals() {
	sed -n 's/^pinfs_gossip_rejected_total //p' "$(mnt "$1")/health/pinfs.prom"
}

more_refusals() {
	[ "$(refusals "$1")" -ge "$2" ]
}

@test "a follower shows the pins of the peer that it trusts" {
	cid=$(cid_of "from go")
	go_pin 1 "$cid" "name=hello&meta-k=v"
	go_pin 1 "$(cid_of "goes again")"
	wait_for 20 ours_has 2 "$cid"
	wait_for 20 ours_has 2 "$(cid_of "goes again")"
	[ "$(jq -r .name,.metadata.k "$(mnt 2)/pins/$cid.json")" = "$(printf 'hello\nv')" ]
	go_unpin 1 "$(cid_of "goes again")"
	wait_for 20 fails ours_has 2 "$(cid_of "goes again")"
	wait_for 20 follows
}

@test "it is to pin what is allocated to it, and nothing else" {
	local one="replication-min=1&replication-max=1&user-allocations"
	go_pin 1 "$(cid_of everywhere)"
	go_pin 1 "$(cid_of "on the follower")" "$one=$(peer_id 2)"
	go_pin 1 "$(cid_of "on go")" "$one=$(peer_id 1)"
	wait_for 20 status_is "$(cid_of everywhere)" pin_queued "$(mnt 2)"
	wait_for 20 status_is "$(cid_of "on the follower")" pin_queued "$(mnt 2)"
	wait_for 20 status_is "$(cid_of "on go")" remote "$(mnt 2)"
}

@test "its pins are read-only, each refusal with the reason" {
	local at pin
	at=$(mnt 2)
	go_pin 1 "$(cid_of "to be kept")"
	wait_for 20 ours_has 2 "$(cid_of "to be kept")"
	pin=$at/pins/$(cid_of "to be kept").json
	cp "$at/state/export" "$BATS_TEST_TMPDIR/before"
	heads "$at" >"$BATS_TEST_TMPDIR/heads"
	refused "Read-only file system" touch "$at/pins/$(cid_of new).json"
	why_says "this peer is a follower: pins are changed on the trusted peers" "$at"
	refused "Read-only file system" rm "$pin"
	refused "Read-only file system" bash -c "echo '{\"name\":\"new\"}' >$pin"
	refused "Read-only file system" bash -c "echo '{}' >$at/pins/$(cid_of new).json"
	sed '/"name"/s/: ".*"/: "edited"/' "$pin" >"$BATS_TEST_TMPDIR/edited"
	refused "Read-only file system" cp "$BATS_TEST_TMPDIR/edited" "$pin"
	echo "+$(cid_of new)" >"$BATS_TEST_TMPDIR/batch"
	refused "Read-only file system" cp "$BATS_TEST_TMPDIR/batch" "$at/batch"
	why_says "this peer is a follower: pins are changed on the trusted peers" "$at"
	dump_lines 3 >"$BATS_TEST_TMPDIR/dump"
	refused "Read-only file system" cp "$BATS_TEST_TMPDIR/dump" "$at/state/import"
	why_says "this peer is a follower" "$at"
	[ "$(jq -r .state "$at/state/import.result")" = failed ]
	cmp "$at/state/export" "$BATS_TEST_TMPDIR/before"
	heads "$at" | diff "$BATS_TEST_TMPDIR/heads" -
	[ "$(jq -c 'select(.op == "refused")' "$at/audit" | wc -l)" -eq 7 ]
	[ "$(jq -r 'select(.op == "change") | .cid' "$at/audit")" = "$(own_pin)" ]
}

@test "what changes no pins is allowed: trying again, rehearsals, backups" {
	local at
	at=$(mnt 2)
	touch "$at/pins/$(cid_of "from go").json"
	cp "$at/state/export" "$at/state/check"
	[ "$(jq -c '[.state, .added, .changed, .removed]' "$at/state/check.result")" = \
		'["done",0,0,0]' ]
	touch "$at/backups/kept.json"
	cmp "$at/backups/kept.json" "$at/state/export"
}

@test "what nobody trusts shows up in neither of the two that trust each other" {
	local cid refused
	cid=$(cid_of "from the stranger")
	wait_for 20 ours_has 3 "$(cid_of "from go")"
	refused=$(refusals 2)
	touch "$(mnt 3)/pins/$cid.json"
	wait_for 30 more_refusals 2 $((refused + 2)) # at once, and when it says it again
	fails ours_has 2 "$cid"
	fails go_has 1 "$cid"
	follows
}

@test "its own heads are announced, taken by who trusts it, and not by the Go peer" {
	wait_for 30 ours_has 3 "$(own_pin)"
	ours_has 2 "$(own_pin)"
	fails go_has 1 "$(own_pin)"
	heads "$(mnt 2)" | sort >"$BATS_TEST_TMPDIR/ours"
	go_stop 1
	go_heads "$(cfg 1)" | sort >"$BATS_TEST_TMPDIR/go"
	go_dump "$(cfg 1)" "$BATS_TEST_TMPDIR/dump"
	go_start 1
	[ "$(wc -l <"$BATS_TEST_TMPDIR/go")" -eq 1 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ours")" -eq 2 ]
	[ "$(comm -13 "$BATS_TEST_TMPDIR/ours" "$BATS_TEST_TMPDIR/go")" = "" ]
	grep -v "$(own_pin)" "$(mnt 2)/state/export" | cmp "$BATS_TEST_TMPDIR/dump" -
}

none_short_lived() {
	! grep -F '"short-lived' "$(mnt 2)/state/export"
}

@test "pins whose time is over are left to the peer that it trusts" {
	local i soon
	soon=$(date -u -d "+3 seconds" +%Y-%m-%dT%H:%M:%SZ)
	for i in $(seq 8); do
		go_pin 1 "$(cid_of "short$i")" "name=short-lived$i&expire-at=$soon"
	done
	wait_for 10 ours_has 2 "$(cid_of short8)"
	wait_for 60 none_short_lived
	run ! jq -e -n 'any(inputs; .op == "expire")' "$(mnt 2)/audit"
	wait_for 20 follows
}

@test "emptied, it has again what it trusts, and nothing else" {
	local at
	at=$(mnt 2)
	cp "$at/state/export" "$BATS_TEST_TMPDIR/before"
	rm -r "$at/state"
	[ -n "$(backups "$at")" ]
	grep -v "$(own_pin)" "$BATS_TEST_TMPDIR/before" >"$BATS_TEST_TMPDIR/trusted"
	wait_for 30 pins_same "$BATS_TEST_TMPDIR/trusted" "$at"
	[ "$(heads "$at" | wc -l)" -eq 1 ]
}
