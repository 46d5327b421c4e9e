#!/usr/bin/env bats
# Who may do what, and who did.
load lib/common

# Groups need no name.
browsers=70001
writers=70002
keepers=70003

setup_file() {
	journey_begin
	pinfs_init "$C"
	# Others must get as far as the mount.
	chmod a+x "$BATS_RUN_TMPDIR" "${BATS_FILE_TMPDIR%/*}" "$BATS_FILE_TMPDIR"
}

setup() {
	config_set "$C" '.cluster.follower_mode = false'
	cid=$(cid_of "$BATS_TEST_NAME")
	pin=$M/pins/$cid.json
}

teardown() {
	journey_log
	[ ! -e "$M.pid" ] || pinfs_stop "$M"
}

# member GROUPS CMD...: as another user, in these groups (comma-separated) alone.
member() {
	setpriv --reuid 65534 --regid 65534 --groups "$1" -- "${@:2}"
}

# with OPTIONS: the mount, seen by others.
with() {
	setpriv --reuid 65534 true 2>/dev/null || skip "there is only one user here"
	pinfs_start "$M" "$C" -o "allow_other${1:+,$1}"
}

@test "without allow_other nobody else gets in" {
	setpriv --reuid 65534 true 2>/dev/null || skip "there is only one user here"
	pinfs_start "$M" "$C" -o "access=$browsers"
	refused "Permission denied" member "$browsers" ls "$M"
}

@test "with allow_other everybody browses, and the owner alone writes and makes dumps" {
	with ""
	touch "$pin"
	member 65534 cat "$pin" "$M/status/summary.json" >/dev/null
	refused "Permission denied" member 65534 touch "$M/pins/$(cid_of no).json"
	refused "Permission denied" member 65534 rm -f "$pin"
	refused "Permission denied" member 65534 dd of="$M/batch" if=/dev/null
	refused "Permission denied" member 65534 ls "$M/state"
	refused "Permission denied" member 65534 cat "$M/state/export"
	refused "Permission denied" member 65534 ls "$M/backups"
	refused "Permission denied" member 65534 cat "$M/audit"
}

@test "access= lets its group browse and keeps others out" {
	with "access=$browsers"
	touch "$pin"
	member "$browsers" cat "$pin" "$M/status/$cid.json" >/dev/null
	member "$browsers" find "$M/pins" "$M/status" "$M/health" -type f >/dev/null
	refused "Permission denied" member "$browsers" rm -f "$pin"
	refused "Permission denied" member "$browsers" ls "$M/state"
	refused "Permission denied" member 65534 ls "$M"
	refused "Permission denied" member 65534 cat "$pin"
}

@test "write= lets its group pin and unpin, and not see the state" {
	with "write=$writers"
	member "$writers" touch "$pin"
	echo '{"name":"theirs"}' | member "$writers" tee "$pin" >/dev/null
	member "$writers" touch "$M/status/$cid.json"
	echo "-$cid" | member "$writers" tee "$M/batch" >/dev/null
	[ ! -e "$pin" ]
	member "$writers" touch "$pin"
	member "$writers" rm "$pin"
	refused "Permission denied" member "$writers" ls "$M/state"
	refused "Permission denied" member 65534 touch "$pin"
}

@test "backup= lets its group dump, restore and reset, and not write single pins" {
	with "backup=$keepers"
	touch "$pin"
	member "$keepers" cat "$M/state/export" >"$BATS_TEST_TMPDIR/dump"
	[ -s "$BATS_TEST_TMPDIR/dump" ]
	member "$keepers" cat "$M/audit" >/dev/null
	member "$keepers" tee "$M/state/import" <"$BATS_TEST_TMPDIR/dump" >/dev/null
	member "$keepers" touch "$M/backups/theirs.json"
	echo 5 | member "$keepers" tee "$M/state/allow" >/dev/null
	refused "Permission denied" member "$keepers" rm -f "$pin"
	refused "Permission denied" member "$keepers" rmdir "$M/state"
	refused "Permission denied" member 65534 cat "$M/state/export"
}

@test "access=, write= and backup= go together" {
	with "access=$browsers,write=$writers,backup=$keepers"
	touch "$pin"
	member "$browsers" cat "$pin" >/dev/null
	refused "Permission denied" member "$browsers" rm -f "$pin"
	member "$browsers,$writers" rm "$pin"
	member "$browsers,$keepers" cat "$M/state/export"
	refused "Permission denied" member "$browsers,$keepers" touch "$pin"
	refused "Permission denied" member "$keepers,$writers" ls "$M"
}

@test "everyone reads in why what was refused to him" {
	with "write=$writers"
	member "$writers" rm "$M/pins/$cid.json" 2>/dev/null || true
	echo nonsense | member "$writers" tee "$M/batch" >/dev/null 2>&1 || true
	member "$writers" grep nothing "$M/why" || true
	member "$writers" cat "$M/why" | grep -F tee
	grep -F tee "$M/why"
	setpriv --reuid 65533 --regid 65533 --clear-groups -- cat "$M/why" >"$BATS_TEST_TMPDIR/why"
	[ ! -s "$BATS_TEST_TMPDIR/why" ]
}

@test "a group that does not exist is an error that says so" {
	run timeout 10 "$PINFS" -f -o "config=$C,access=no_such_group" "$M" 3>&-
	[ "$status" -ne 0 ]
	[[ $output == *no_such_group* ]]
}

@test "a follower changes no pins: Read-only file system" {
	pinfs_start "$M" "$C"
	touch "$pin"
	pins=$(wc -l <"$M/state/export")
	pinfs_stop "$M"
	config_set "$C" '.cluster.follower_mode = true'
	pinfs_start "$M" "$C"
	refused "Read-only file system" touch "$M/pins/$(cid_of other).json"
	why_says "follower"
	refused "Read-only file system" rm "$pin"
	run ! bash -c "echo '{\"name\":\"new\"}' >'$pin'"
	refused "Read-only file system" cp "$M/state/export" "$M/state/import"
	cp "$M/state/export" "$M/state/check"
	touch "$pin" # tries again what failed
	touch "$M/backups/kept.json"
	[ "$(wc -l <"$M/state/export")" = "$pins" ]
}

@test "-o offline,ro shows the state and changes nothing" {
	pinfs_start "$M" "$C"
	touch "$pin"
	pinfs_stop "$M"
	pinfs_start "$M" "$C" -o offline,ro
	cat "$pin" "$M/state/export" >/dev/null
	refused "Read-only file system" rm "$pin"
	refused "Read-only file system" cp "$M/state/export" "$M/state/import"
	refused "Read-only file system" rmdir "$M/state"
	pinfs_stop "$M"
	pinfs_start "$M" "$C"
	[ -e "$pin" ]
}

# audited FILTER: a line of audit for which FILTER holds.
audited() {
	jq -e "select($1)" "$M/audit" >/dev/null
}

@test "audit says who changed what" {
	local uid pid
	uid=$(id -u)
	pinfs_start "$M" "$C"
	touch "$pin" &
	pid=$!
	wait "$pid"
	audited ".op == \"change\" and .cid == \"$cid\" and .uid == $uid and .pid == $pid and
		.program == \"touch\" and .before == null and .after.cid == \"$cid\""
	rm "$pin"
	audited ".op == \"change\" and .program == \"rm\" and .before.cid == \"$cid\" and .after == null"
	cp "$vectors/dumps/small.json" "$BATS_TEST_TMPDIR/dump" 2>/dev/null ||
		dump_lines 3 >"$BATS_TEST_TMPDIR/dump"
	import_dump "$BATS_TEST_TMPDIR/dump"
	audited ".op == \"import\" and .program == \"cp\" and .uid == $uid and .added > 0"
	rm -r "${M:?}/state"
	audited ".op == \"cleanup\" and .program == \"rm\" and .uid == $uid"
	echo 7 >"$M/state/allow"
	audited ".op == \"allow\" and .removals == 7 and .uid == $uid"
}

@test "audit has every refusal, once, with its reason" {
	pinfs_start "$M" "$C"
	echo nonsense >"$BATS_TEST_TMPDIR/dump"
	run ! cp "$BATS_TEST_TMPDIR/dump" "$M/state/import"
	audited '.op == "refused" and .path == "state/import" and .program == "cp" and .error == "Invalid argument"'
	run ! rm "$M/pins/$(cid_of nothing).json"
	run ! touch "$M/pins/nonsense.json"
	audited '.op == "refused" and .path == "pins/nonsense.json" and .program == "touch"'
	[ "$(jq -c 'select(.path == "pins/nonsense.json")' "$M/audit" | wc -l)" = 1 ]
}

@test "audit says that the peer itself removed an expired pin" {
	local in2s
	pinfs_start "$M" "$C"
	in2s=$(date -u -d '+2 seconds' +%FT%TZ)
	echo "{\"expire_at\":\"$in2s\"}" >"$pin"
	wait_for 10 fails test -e "$pin"
	audited ".op == \"expire\" and .before.cid == \"$cid\" and .peer == \"$(jq -r .id "$C/identity.json")\" and
		(has(\"uid\") | not)"
}

@test "what was written through a descriptor that was handed on is audited as its opener's" {
	pinfs_start "$M" "$C"
	dump_lines 3 >"$BATS_TEST_TMPDIR/dump"
	# The opener is gone when the last byte comes: only the release can commit.
	bash -c 'exec 5>"$1"; (while [ -e /proc/$$ ]; do sleep 0.05; done; cat "$2" >&5) & ' \
		_ "$M/state/import" "$BATS_TEST_TMPDIR/dump" 3>&-
	wait_for 5 pins_are 3
	audited '.op == "import" and .program == "bash"'
}
