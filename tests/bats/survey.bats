#!/usr/bin/env bats
# Thousands of pins that Kubo holds already: they are found by listing, not by a call for each.
load lib/common

many=5000

setup_file() {
	journey_begin
	have_peers || return 0
	kubo_start
	local i dir=$BATS_FILE_TMPDIR/blocks
	mkdir "$dir"
	for i in $(seq "$many"); do
		echo "block $i" >"$dir/$i"
	done
	(cd "$dir" && "$peers_bin/ipfs" add -q --cid-version=1 --raw-leaves --pin=false -- *) \
		>"$BATS_FILE_TMPDIR/cids"
	xargs -n 1000 "$peers_bin/ipfs" pin add <"$BATS_FILE_TMPDIR/cids" >/dev/null
	sed 's/.*/{"cid":"&"}/' "$BATS_FILE_TMPDIR/cids" >"$BATS_FILE_TMPDIR/dump"
}

setup() {
	skip_without_go
	M=$(mnt "$BATS_TEST_NUMBER")
	C=$(cfg "$BATS_TEST_NUMBER")
	pinfs_init "$C"
	config_set "$C" '.cluster.pin_recover_interval = "1s"'
	kubo_rpc id >/dev/null || kubo_start
}

teardown() {
	journey_log
	pinfs_stop "$M" || true
}

# calls: how many Kubo has answered.
calls() {
	curl -sf "http://127.0.0.1:$kubo_port/debug/metrics/prometheus" |
		awk '/^ipfs_http_request_duration_seconds_count/ { n += $2 } END { print n + 0 }'
}

all_pinned() {
	[ "$(jq .status.pinned "$M/status/summary.json")" = "$many" ]
}

some_pinned() {
	[ "$(jq .status.pinned "$M/status/summary.json")" -gt 0 ]
}

@test "an import of what Kubo holds makes no call for each pin" {
	pinfs_start "$M" "$C"
	before=$(calls)
	[ "$before" -gt 0 ]
	import_dump "$BATS_FILE_TMPDIR/dump"
	wait_for 30 all_pinned
	after=$(calls)
	echo "$((after - before)) calls"
	[ "$((after - before))" -lt 500 ]
}

@test "Kubo that dies after an import has every pin when it is back" {
	pinfs_start "$M" "$C"
	sed 100q "$BATS_FILE_TMPDIR/cids" | xargs "$peers_bin/ipfs" pin rm >/dev/null
	import_dump "$BATS_FILE_TMPDIR/dump"
	wait_for 10 some_pinned
	kubo_kill9
	pins_are "$many"
	kubo_start
	wait_for 60 all_pinned
	"$peers_bin/ipfs" pin ls -q --type=recursive | sort >"$BATS_TEST_TMPDIR/there"
	sort "$BATS_FILE_TMPDIR/cids" | comm -23 - "$BATS_TEST_TMPDIR/there" >"$BATS_TEST_TMPDIR/lost"
	[ ! -s "$BATS_TEST_TMPDIR/lost" ]
}
