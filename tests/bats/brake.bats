#!/usr/bin/env bats
# A wrong command is survived: what removes many pins at once meets the brake, with the reason
# in why and the pinset of before in backups.
load lib/common

setup() {
	daemon_fresh
	pins_fill 150
}

# braked: at most 100 of the 150 pins are gone, and all of them are in a backup.
braked() {
	[ "$(pins_count)" -ge 50 ]
	cmp "$exported" "$M/backups/$(backups | tail -n 1)"
	grep -F "state/allow" "$M/why" >/dev/null
	cp "$M/backups/$(backups | tail -n 1)" "$M/state/import"
	pins_same "$exported"
}

@test "rm -rf of the whole mount stops at 100 pins, and all of them are in backups" {
	run ! rm -rf "${M:?}"/*
	[[ $output == *"not permitted"* ]]
	[ "$(pins_count)" = 50 ]
	braked
}

@test "rm -r of pins stops at 100 pins, and all of them are in backups" {
	run ! rm -r "${M:?}/pins"
	[ "$(pins_count)" = 50 ]
	braked
}

@test "git clean around the mount removes at most 100 pins" {
	git init -q "$BATS_FILE_TMPDIR"
	run git -C "$BATS_FILE_TMPDIR" clean -ffdxq -- "${M##*/}"
	rm -rf "$BATS_FILE_TMPDIR/.git"
	braked
}

@test "rsync --delete from an empty folder removes at most 100 pins" {
	mkdir "$BATS_TEST_TMPDIR/empty"
	run ! rsync -a --delete "$BATS_TEST_TMPDIR/empty/" "$M/pins/"
	braked
}

@test "a dump of other pins is refused: Operation not permitted" {
	dump_lines 40 wrong >"$BATS_TEST_TMPDIR/wrong"
	refused "Operation not permitted" import_dump "$BATS_TEST_TMPDIR/wrong"
	pins_same "$exported"
	grep -F "state/allow" "$M/why" >/dev/null
}

@test "a dump that was cut at the end of a line is refused: Operation not permitted" {
	head -n 60 "$exported" >"$BATS_TEST_TMPDIR/cut"
	refused "Operation not permitted" import_dump "$BATS_TEST_TMPDIR/cut"
	pins_same "$exported"
}

@test "a batch that removes nearly all pins is refused whole: Operation not permitted" {
	cids <"$exported" | sed 's/^/-/' >"$BATS_TEST_TMPDIR/batch"
	refused "Operation not permitted" cp "$BATS_TEST_TMPDIR/batch" "$M/batch"
	pins_same "$exported"
}

@test "a reset is refused while a mass removal is" {
	run ! rm -r "${M:?}/pins"
	refused "Operation not permitted" rm -rf "${M:?}/state"
	braked
}

@test "100 of 150 pins are removed without a question" {
	head -n 100 "$exported" | cids | while read -r cid; do
		rm "${M:?}/pins/$cid.json"
	done
	pins_are 50
}

@test "echo 30 > state/allow lets 30 more removals pass" {
	run ! rm -r "${M:?}/pins"
	pins_are 50
	echo 30 >"$M/state/allow"
	run ! rm -r "${M:?}/pins"
	pins_are 20
	[ "$(cat "$M/state/allow")" = 0 ]
}

@test "a number in state/allow also lets a dump pass that removes more than half" {
	dump_lines 40 wrong >"$BATS_TEST_TMPDIR/wrong"
	echo 150 >"$M/state/allow"
	import_dump "$BATS_TEST_TMPDIR/wrong"
	pins_are 40
	[ "$(cat "$M/state/allow")" = 0 ]
}

@test "what an import removed is not allowed once more" {
	dump_lines 150 other >"$BATS_TEST_TMPDIR/other"
	echo 200 >"$M/state/allow"
	import_dump "$BATS_TEST_TMPDIR/other"
	[ "$(cat "$M/state/allow")" = 50 ]
	refused "Operation not permitted" import_dump "$exported"
	pins_are 150
	[ "$(cat "$M/state/allow")" = 50 ]
}

@test "state/allow takes nothing but a number" {
	refused "Invalid argument" bash -c 'echo many > "$1"' _ "$M/state/allow"
	refused "Invalid argument" bash -c 'echo -5 > "$1"' _ "$M/state/allow"
}

@test "fuse.max_unpins says how many pins may go at once" {
	pinfs_stop "$M"
	config_set "$C" '.fuse.max_unpins = 10'
	pinfs_start "$M" "$C"
	run ! rm -r "${M:?}/pins"
	pins_are 140
}
