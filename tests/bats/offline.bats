#!/usr/bin/env bats
# A peer's state without its network: read, restored and reset while the peer is down.
load lib/common

setup_file() {
	journey_begin
	dump_lines 25 >"$BATS_FILE_TMPDIR/dump"
	pinfs_init "$C"
	pinfs_start "$M" "$C"
	import_dump "$BATS_FILE_TMPDIR/dump"
	cp "$M/state/export" "$BATS_FILE_TMPDIR/export"
	pinfs_stop "$M"
}

offline() {
	[ ! -e "$M.pid" ] || pinfs_stop "$M"
	pinfs_start "$M" "$C" -o offline
}

@test "a stopped peer's dump is read offline" {
	offline
	pins_same "$BATS_FILE_TMPDIR/export"
	[ "$(find "$M/pins" -name '*.json' | wc -l)" = 25 ]
}

@test "offline the peer has no sockets and is not ready" {
	offline
	run -0 ss -Htuanp
	[[ $output != *pinfs* ]]
	[ "$(cat "$M/health/ready")" != 1 ]
}

@test "a peer is reset offline" {
	offline
	rm -rf "${M:?}/state"
	pins_are 0
	cmp "$BATS_FILE_TMPDIR/export" "$M/backups/$(backups | tail -n 1)"
}

@test "a dump is restored offline, and the peer starts with it" {
	offline
	import_dump "$BATS_FILE_TMPDIR/dump"
	pins_same "$BATS_FILE_TMPDIR/export"
	pinfs_stop "$M"
	pinfs_start "$M" "$C"
	pins_same "$BATS_FILE_TMPDIR/export"
}

@test "the salvage drill is cp, rm -r, cp, start" {
	offline
	cp "$M/state/export" "$BATS_TEST_TMPDIR/salvaged"
	rm -rf "${M:?}/state"
	cp "$BATS_TEST_TMPDIR/salvaged" "$M/state/import"
	pinfs_stop "$M"
	pinfs_start "$M" "$C"
	pins_same "$BATS_FILE_TMPDIR/export"
}

@test "-o offline,ro shows everything and changes nothing" {
	pinfs_stop "$M"
	pinfs_start "$M" "$C" -o offline,ro
	pins_same "$BATS_FILE_TMPDIR/export"
	refused "Read-only file system" touch "$M/pins/$(cid_of ro).json"
	refused "Read-only file system" import_dump "$BATS_FILE_TMPDIR/dump"
	refused "Read-only file system" rm -rf "${M:?}/state"
}
