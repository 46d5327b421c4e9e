#!/usr/bin/env bats
# Resetting a peer, and undoing it.
load lib/common

setup_file() {
	journey_begin
}

setup() {
	daemon_fresh
	dump_lines 30 >"$BATS_TEST_TMPDIR/dump"
	import_dump "$BATS_TEST_TMPDIR/dump"
	cp "$M/state/export" "$BATS_TEST_TMPDIR/export"
}

teardown() {
	journey_log
}

teardown_file() {
	journey_end
}

blank() {
	pins_are 0
	[ -z "$(ls "$M/pins")" ]
	[ "$(jq -c .heads "$M/state/info.json")" = "[]" ]
}

@test "rm -r of state resets the peer and leaves a dump in backups" {
	rm -r "${M:?}/state"
	blank
	[ -e "$M/state/export" ]
	cmp "$BATS_TEST_TMPDIR/export" "$M/backups/$(backups | tail -n 1)"
}

@test "the newest backup undoes it" {
	rm -rf "${M:?}/state"
	cp "$M/backups/$(backups | tail -n 1)" "$M/state/import"
	pins_same "$BATS_TEST_TMPDIR/export"
}

@test "find -delete and rm followed by rmdir do the same" {
	find "$M/state" -delete
	blank
	import_dump "$BATS_TEST_TMPDIR/dump"
	rm -f "${M:?}"/state/*
	rmdir "$M/state"
	blank
}

@test "config, identity and peerstore are not touched" {
	before=$(cat "$C/service.json" "$C/identity.json" "$C/peerstore" | sha256sum)
	rm -rf "${M:?}/state"
	[ "$(cat "$C/service.json" "$C/identity.json" "$C/peerstore" | sha256sum)" = "$before" ]
}

@test "rmdir alone is: Directory not empty" {
	refused "Directory not empty" rmdir "$M/state"
	pins_same "$BATS_TEST_TMPDIR/export"
}

@test "removing names in state without the folder changes nothing" {
	rm -f "${M:?}/state/export" "$M/state/import"
	pins_are 30 || wait_for 15 pins_are 30
}

@test "state cannot be renamed" {
	refused "Operation not permitted" mv "$M/state" "$M/state.old"
	pins_same "$BATS_TEST_TMPDIR/export"
}

@test "removing the data folder of a stopped peer is the same as a reset" {
	pinfs_stop "$M"
	rm -r "${C:?}/lmdb"
	pinfs_start "$M" "$C"
	blank
	[ -s "$C/identity.json" ]
}

@test "a reset peer pins again, and is still reset after a restart" {
	rm -rf "${M:?}/state"
	pinfs_stop "$M"
	pinfs_start "$M" "$C"
	blank
	touch "$M/pins/$(cid_of again).json"
	pins_are 1
}

@test "backups_rotate is honoured, for imports and resets alike" {
	pinfs_stop "$M"
	config_set "$C" '.fuse.backups_rotate = 3'
	pinfs_start "$M" "$C"
	for i in $(seq 6); do
		touch "$M/pins/$(cid_of "rotate $i").json"
		rm -rf "${M:?}/state"
		import_dump "$BATS_TEST_TMPDIR/dump"
	done
	run -0 backups
	[ "${#lines[@]}" -le 4 ]
	[ "${#lines[@]}" -ge 3 ]
}

@test "touching a name in backups makes a dump of now" {
	touch "$M/backups/mine.json"
	run -0 backups
	[[ $output == *mine* ]]
	cmp "$BATS_TEST_TMPDIR/export" "$M/backups/$(grep mine <<<"$output")"
}

@test "a young backup cannot be removed" {
	rm -rf "${M:?}/state"
	refused "Operation not permitted" rm -f "${M:?}/backups/$(backups | tail -n 1)"
}

@test "the peer is reset while somebody is in the folder" {
	(cd "$M/state" && exec sleep 60) 3>&- &
	sleep 0.3
	rm -r "${M:?}/state"
	ls "$M/state/export" "$M/state/import"
	import_dump "$BATS_TEST_TMPDIR/dump"
	kill $!
	pins_same "$BATS_TEST_TMPDIR/export"
}

@test "a reset while a dump is being written is: Device or resource busy" {
	exec 5>"$M/state/import"
	head -n 3 "$BATS_TEST_TMPDIR/dump" >&5
	rm -f "${M:?}/state"/*
	refused "Device or resource busy" rmdir "$M/state"
	why_says "a dump is being written"
	exec 5>&-
	pins_are 3
}
