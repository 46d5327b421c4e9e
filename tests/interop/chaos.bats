#!/usr/bin/env bats
# shellcheck disable=SC2154 # what lib/chaos sets
# Random journeys of a mixed cluster: two real ipfs-cluster-service (hosts 1 and 2) and one to three
# peers of ours (hosts 3 to 5) change pins, are cut off, killed, stopped, emptied, and started again.
# In the end all have the same pins, and what was acknowledged by ours is among them.
#
#   PINFS_SEED=N           the first seed; each round has the next one (default: by chance)
#   PINFS_CHAOS_ROUNDS=N   rounds, one after the other on the same cluster (default: 2)
load ../bats/lib/common
load lib/hosts
load lib/chaos

STEPS=30 # of a round

setup_file() {
	journey_begin
	have_peers || return 0
	local n options='.allocator.balanced.allocate_by = ["tag:group"]
		| .consensus.crdt.repair_interval = "10s"'
	for n in "${hosts[@]}"; do
		host_add "$n"
	done
	for n in "${go_hosts[@]}"; do
		go_init "$n" "$options"
	done
	for n in "${our_hosts[@]}"; do
		ours_init "$n" "$options | .fuse.max_unpins = -1"
	done
	config_set "$(cfg 5)" '.consensus.crdt.batching = {max_batch_size: 4, max_batch_age: "1s"}'
	for n in "${hosts[@]}"; do
		everyone_else "$n"
		# shellcheck disable=SC2086 # a word each
		peers_know "$n" $others
	done
	for n in "${go_hosts[@]}"; do
		host_kubo "$n" # without it, that peer is given no pins
		go_start "$n"
	done
	for n in "${our_hosts[@]}"; do
		ours_start "$n"
	done
}

everyone_else() {
	others=${hosts[*]}
	others=${others/$1/}
}

setup() {
	skip_without_go
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || {
		cat "${trace:-/dev/null}"
		echo "repeat with PINFS_SEED=${seed:-} PINFS_CHAOS_ROUNDS=1"
	}
	journey_log
}

teardown_file() {
	journey_end
}

# a_round SEED
a_round() {
	local from=$SECONDS troubled
	round=$BATS_TEST_TMPDIR/round.$1
	trace=$round/trace
	mkdir "$round"
	trouble "$1" "$STEPS"
	troubled=$SECONDS
	peace
	ledger_check "$round/pins3"
	echo "# ... $((troubled - from)) s of trouble, the same pins $((SECONDS - troubled)) s later," \
		"${#ledger[@]} acknowledged changes among them" >&3
	exports_are_the_same
}

@test "whatever happens, all come to the same pins, and what ours acknowledged is among them" {
	local first=${PINFS_SEED:-$((RANDOM * 32768 + RANDOM))} s
	local last=$((first + ${PINFS_CHAOS_ROUNDS:-2} - 1))
	cids_choose
	for ((s = first; s <= last; s++)); do
		echo "# seed $s" >&3
		a_round "$s"
	done
}
