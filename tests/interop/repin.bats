#!/usr/bin/env bats
# What only one of the members does, in a cluster of a real ipfs-cluster-service (host 1) and three
# peers of ours: repinning, and the end of what expires.
load ../bats/lib/common
load lib/hosts

setup_file() {
	journey_begin
	have_peers || return 0
	local options='.cluster.disable_repinning = false
		| .allocator.balanced.allocate_by = ["tag:group"]'
	for n in 1 2 3 4; do
		host_add "$n"
	done
	go_init 1 "$options"
	for n in 2 3 4; do
		ours_init "$n" "$options"
	done
	peers_know 2 1
	peers_know 3 1 2
	peers_know 4 1 2 3
	host_kubo 1 # the reference says nothing of itself before its Kubo is there
	go_start 1
	for n in 2 3 4; do
		ours_start "$n"
	done
	for n in 1 2 3 4; do
		wait_for 30 knows_of "$n" 4
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

# knows_of N M: host N could give pins to M peers.
knows_of() {
	if [ "$1" -eq 1 ]; then
		[ "$(rest 1 monitor/metrics/tag:group | jq length)" = "$2" ]
	else
		[ "$(jq length "$(mnt "$1")/health/metrics/tag:group.json")" = "$2" ]
	fi
}

# dump N: of a peer of ours, ordered; dump_of_go: of the Go peer.
dump() {
	jq -c . "$(mnt "$1")/state/export" | sort
}

dump_of_go() {
	rest 1 allocations | jq -c . | sort
}

same_on() {
	local first
	first=$(dump_of_go)
	for n in "$@"; do
		[ "$first" = "$(dump "$n")" ] || return 1
	done
}

# allocations N PREFIX: of the pins whose names begin so, a line each.
allocations() {
	jq -c "select(.name | startswith(\"$2\")) | .allocations" "$(mnt "$1")/state/export"
}

moved_away() {
	[ "$(allocations 2 two | grep -c .)" -eq 12 ] && ! allocations 2 two | grep -F "$(peer_id 4)"
}

@test "what a peer that was killed had to pin goes to others, by each other's rules" {
	local factors
	factors="replication-min=2&replication-max=2&user-allocations=$(peer_id 4)"
	for i in $(seq 12); do
		go_pin 1 "$(cid_of "two$i")" "name=two$i&$factors"
	done
	go_pin 1 "$(cid_of enough)" \
		"name=enough&replication-min=1&replication-max=2&user-allocations=$(peer_id 4)"
	wait_for 20 same_on 2 3 4
	[ "$(allocations 2 two | grep -cF "$(peer_id 4)")" -eq 12 ]
	pinfs_kill9 "$(mnt 4)"
	wait_for 60 moved_away
	[ "$(allocations 2 two | jq -c length | sort -u)" = 2 ]
	[ "$(allocations 2 two | jq -c '.[0] == .[1]' | sort -u)" = false ]
	wait_for 20 same_on 2 3
	allocations 2 enough | grep -F "$(peer_id 4)"
}

@test "each pin is given to others by one peer alone, which its audit has" {
	for n in 2 3; do
		jq -r 'select(.op == "repin") | .cid' "$(mnt "$n")/audit"
	done | sort >"$BATS_TEST_TMPDIR/moved"
	[ -s "$BATS_TEST_TMPDIR/moved" ]
	[ -z "$(uniq -d "$BATS_TEST_TMPDIR/moved")" ]
	grep -F "that $(peer_id 4) was to have are with others now" "$(mnt 2).log" "$(mnt 3).log"
}

no_expired() {
	! dump 2 | grep -F '"short-lived' && ! dump 3 | grep -F '"short-lived'
}

@test "a pin whose time is over is removed, by the member closest to it" {
	ours_start 4
	wait_for 30 same_on 2 3 4
	wait_for 30 knows_of 1 4
	soon=$(date -u -d "+4 seconds" +%Y-%m-%dT%H:%M:%SZ)
	for i in $(seq 24); do
		echo "{\"name\":\"short-lived$i\",\"expire_at\":\"$soon\"}" \
			>"$(mnt 2)/pins/$(cid_of "short$i").json"
	done
	wait_for 60 no_expired
	wait_for 20 same_on 2 3 4
	for n in 2 3 4; do
		jq -r 'select(.op == "expire") | .cid' "$(mnt "$n")/audit"
	done | sort >"$BATS_TEST_TMPDIR/expired"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/expired")" -ge 8 ]
	[ -z "$(uniq -d "$BATS_TEST_TMPDIR/expired")" ]
}
