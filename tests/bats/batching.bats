#!/usr/bin/env bats
# crdt.batching: what was acknowledged is durable and visible before its delta is cut.
load lib/common

setup() {
	M=$(mnt "$BATS_TEST_NUMBER")
	C=$(cfg "$BATS_TEST_NUMBER")
	pinfs_init "$C"
}

teardown() {
	journey_log
	pinfs_stop "$M" || true
}

# batching SIZE AGE: starts the daemon with these limits.
batching() {
	config_set "$C" '.consensus.crdt.batching = { max_batch_size: $size, max_batch_age: $age }' \
		--argjson size "$1" --arg age "$2"
	pinfs_start "$M" "$C"
}

info() {
	jq -r ".$1" "$M/state/info.json"
}

# info_is KEY VALUE
info_is() {
	[ "$(info "$1")" = "$2" ]
}

# touch_pins FROM TO
touch_pins() {
	local i
	for i in $(seq "$1" "$2"); do
		touch "$M/pins/$(cid_of "pin $i").json"
	done
}

@test "a pin is visible at once and waits for its delta" {
	batching 100 1h
	touch_pins 1 3
	pins_are 3
	info_is pending 3
	info_is height 0
}

@test "the delta is made at max_batch_size operations" {
	batching 5 1h
	touch_pins 1 4
	info_is height 0
	touch_pins 5 5
	info_is pending 0
	info_is height 1
	pins_are 5
}

@test "the delta is made at max_batch_age" {
	batching 100 1s
	touch_pins 1 3
	wait_for 5 info_is pending 0
	info_is height 1
	pins_are 3
}

@test "of several operations on a pin the last counts" {
	batching 100 1h
	cid=$(cid_of a)
	touch "$M/pins/$cid.json"
	echo '{"name":"second"}' >"$M/pins/$cid.json"
	rm "$M/pins/$cid.json"
	echo '{"name":"last"}' >"$M/pins/$cid.json"
	touch "$M/pins/$(cid_of b).json"
	rm "$M/pins/$(cid_of b).json"
	pins_are 1
	cp "$M/state/export" "$BATS_TEST_TMPDIR/before"
	pinfs_stop "$M"
	pinfs_start "$M" "$C"
	info_is pending 0
	info_is height 1
	cmp "$M/state/export" "$BATS_TEST_TMPDIR/before"
	[ "$(jq -r .name "$M/pins/$cid.json")" = last ]
}

@test "SIGTERM makes the delta of what waits" {
	batching 100 1h
	touch_pins 1 3
	pinfs_stop "$M"
	pinfs_start "$M" "$C"
	info_is height 1
	pins_are 3
}

@test "what waits is there after SIGKILL, and its delta is made" {
	batching 100 1h
	touch_pins 1 10
	rm "$M/pins/$(cid_of 'pin 3').json"
	cp "$M/state/export" "$BATS_TEST_TMPDIR/before"
	pinfs_kill9 "$M"
	pinfs_start "$M" "$C"
	cmp "$M/state/export" "$BATS_TEST_TMPDIR/before"
	wait_for 5 info_is pending 0
	info_is height 1
	pins_are 9
}

@test "SIGKILL again and again while pins come loses none" {
	batching 7 1s
	for round in 1 2 3 4 5; do
		touch_pins $((round * 20)) $((round * 20 + 19))
		pinfs_kill9 "$M"
		pinfs_start "$M" "$C"
		pins_are $((round * 20))
	done
	wait_for 5 info_is pending 0
}

@test "after batching is switched off what waited gets its delta" {
	batching 100 1h
	touch_pins 1 3
	pinfs_kill9 "$M"
	batching 0 0s
	touch_pins 4 4
	info_is pending 0
	pins_are 4
}

@test "an import replaces what waits too" {
	batching 100 1h
	touch_pins 1 3
	dump_lines 5 >"$BATS_TEST_TMPDIR/dump"
	import_dump "$BATS_TEST_TMPDIR/dump"
	info_is pending 0
	cp "$M/state/export" "$BATS_TEST_TMPDIR/after"
	cmp <(sort "$BATS_TEST_TMPDIR/dump") <(sort "$BATS_TEST_TMPDIR/after")
	pinfs_kill9 "$M"
	pinfs_start "$M" "$C"
	cmp "$BATS_TEST_TMPDIR/after" "$M/state/export"
}

@test "the sizes of the reference's queues refuse nothing, since ours are on disk" {
	config_set "$C" '.pin_tracker.stateless.max_pin_queue_size = 1'
	config_set "$C" '.consensus.crdt.batching =
		{ max_batch_size: 100, max_batch_age: "1h", max_queue_size: 1 }'
	pinfs_start "$M" "$C"
	touch_pins 1 20
	info_is pending 20
	[ "$(find "$M/status/by/queued" -name '*.json' | wc -l)" = 20 ]
	[ "$(find "$M/status/by/error" -name '*.json' | wc -l)" = 0 ]
}

@test "a reset removes what waits too" {
	batching 100 1h
	touch_pins 1 3
	rm -r "$M/state"
	pins_are 0
	info_is pending 0
	pinfs_stop "$M"
	pinfs_start "$M" "$C"
	pins_are 0
}
