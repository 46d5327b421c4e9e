#!/usr/bin/env bats
# Backups: one file, many programs, while the peer runs.
load lib/common

setup_file() {
	journey_begin
	pinfs_init "$C"
	pinfs_start "$M" "$C"
	allow_all
	import_dump "$vectors/dumps/medium/import.json"
}

setup() {
	dump=$vectors/dumps/medium/export.json
	out=$BATS_TEST_TMPDIR/out
}

@test "the small dump of the reference goes in and comes out byte for byte" {
	allow_all
	import_dump "$vectors/dumps/small/export.json"
	pins_same "$vectors/dumps/small/export.json"
}

@test "the medium dump of the reference goes in and comes out byte for byte" {
	allow_all
	import_dump "$vectors/dumps/medium/import.json"
	pins_same "$dump"
}

@test "cp, cat, dd, tar, rsync, zstd and gzip all read the whole dump" {
	cp "$M/state/export" "$out.cp"
	cat "$M/state/export" >"$out.cat"
	dd if="$M/state/export" of="$out.dd" status=none
	dd if="$M/state/export" of="$out.small" bs=777 status=none
	tar -C "$M/state" -cf - export | tar -xOf - >"$out.tar"
	rsync -a "$M/state/export" "$out.rsync"
	zstd -q <"$M/state/export" | zstd -dq >"$out.zstd"
	gzip -c "$M/state/export" | gzip -dc >"$out.gzip"
	tail -c +1 "$M/state/export" >"$out.tail"
	for file in "$out".*; do
		cmp "$dump" "$file"
	done
}

@test "any part of the dump can be read first" {
	for offset in 900000 5 400000 968130; do
		cmp <(tail -c +$((offset + 1)) "$dump" | head -c 1000) \
			<(tail -c +$((offset + 1)) "$M/state/export" | head -c 1000)
	done
	cmp <(tail -n 3 "$dump") <(tail -n 3 "$M/state/export")
}

@test "stat shows the exact size of the dump, and blocks of 1 MiB" {
	[ "$(stat -c %s "$M/state/export")" = "$(wc -c <"$dump")" ]
	[ "$(stat -c %o "$M/state/export")" = 1048576 ]
	[ "$(jq .bytes "$M/state/info.json")" = "$(wc -c <"$dump")" ]
}

# part FD FILE: the next large piece of an open dump, appended; fails at the end.
part() {
	local before
	before=$(stat -c %s "$2")
	dd bs=128k count=1 status=none <&"$1" >>"$2"
	[ "$(stat -c %s "$2")" -gt "$before" ]
}

@test "dumps that are read in turns are whole" {
	: >"$out.a"
	: >"$out.b"
	exec 5<"$M/state/export" 6<"$M/state/export"
	part 5 "$out.a" && part 5 "$out.a" && part 5 "$out.a"
	while part 6 "$out.b"; do
		part 5 "$out.a" || true
	done
	exec 5<&- 6<&-
	cmp "$dump" "$out.a"
	cmp "$dump" "$out.b"
}

@test "a dump that is read back and forth is whole" {
	exec 5<"$M/state/export"
	for at in 0 1 2 1 2 3 4 0 1 7 6 7; do
		python3 - "$at" >"$out" <<-'EOF'
			import os, sys
			sys.stdout.buffer.write(os.pread(5, 131072, int(sys.argv[1]) * 131072))
		EOF
		cmp <(tail -c +$((at * 131072 + 1)) "$dump" | head -c 131072) "$out"
	done
	exec 5<&-
}

@test "two backups of the same pinset are the same" {
	cp "$M/state/export" "$out.a"
	cp "$M/state/export" "$out.b"
	cmp "$out.a" "$out.b"
}

@test "the dump has as many lines as there are pins" {
	[ "$(wc -l <"$M/state/export")" = "$(pins_count)" ]
}

@test "an unchanged dump is not copied a second time, also after a restart" {
	rsync -a "$M/state/export" "$out"
	run -0 rsync -ai "$M/state/export" "$out"
	[ -z "$output" ]
	pinfs_stop "$M"
	pinfs_start "$M" "$C"
	run -0 rsync -ai "$M/state/export" "$out"
	[ -z "$output" ]
	cp -u "$M/state/export" "$out"
}

@test "a second backup of the tree copies only the changed pins" {
	rsync -a --delete "$M/pins/" "$out/"
	cid=$(cid_of "only this")
	touch "$M/pins/$cid.json"
	run -0 rsync -ai --delete "$M/pins/" "$out/"
	[ "$(grep -c '^>f' <<<"$output")" = 1 ]
	[[ $output == *"$cid.json"* ]]
	rm "${M:?}/pins/$cid.json"
	run -0 rsync -ai --delete "$M/pins/" "$out/"
	[[ $output == *"*deleting"*"$cid.json"* ]]
}

@test "an open dump is one point in time, whatever happens meanwhile" {
	before=$(pins_count)
	exec 5<"$M/state/export"
	head -c 100000 <&5 >"$out"
	for i in 1 2 3 4 5; do
		touch "$M/pins/$(cid_of "meanwhile $i").json"
	done
	cat <&5 >>"$out"
	exec 5<&-
	[ "$(wc -l <"$out")" = "$before" ]
	jq -es . "$out" >/dev/null
	pins_are $((before + 5))
	for i in 1 2 3 4 5; do
		rm "${M:?}/pins/$(cid_of "meanwhile $i").json"
	done
}

# in_a_file: the daemon has an unnamed file of as many bytes as an open dump.
in_a_file() {
	local fd
	for fd in /proc/"$(pid_of "$M")"/fd/*; do
		case $(readlink "$fd") in
		*"(deleted)") [ "$(stat -Lc %s "$fd")" != "$1" ] || return 0 ;;
		esac
	done
	return 1
}

@test "an open dump that is not read holds nothing up, and stays as it was" {
	cp "$M/state/export" "$out.before"
	exec 5<"$M/state/export"
	head -c 100000 <&5 >"$out"
	touch "$M/pins/$(cid_of "while it lies").json"
	wait_for 10 in_a_file "$(stat -c %s "$out.before")"
	cat <&5 >>"$out"
	exec 5<&-
	cmp "$out" "$out.before"
	rm "${M:?}/pins/$(cid_of "while it lies").json"
	wait_for 2 fails in_a_file "$(stat -c %s "$out.before")"
}

@test "rsync and tar of a dump that changes meanwhile are never cut" {
	(
		for i in $(seq 200); do
			touch "$M/pins/$(cid_of "growing $i").json"
		done
	) 3>&- &
	writer=$!
	for i in $(seq 5); do
		timeout 60 rsync -a "$M/state/export" "$out.rsync"
		jq -es . "$out.rsync" >/dev/null
		timeout 60 tar -C "$M/state" -cf "$out.tar" export
		tar -xOf "$out.tar" | jq -es . >/dev/null
	done
	wait "$writer"
}

@test "writing to state/export is: Permission denied" {
	refused "Permission denied" bash -c 'echo x > "$1"' _ "$M/state/export"
	refused "Permission denied" bash -c 'echo x >> "$1"' _ "$M/state/export"
}

@test "the dump copied onto import restores the same pinset" {
	cp "$M/state/export" "$out"
	timeout $((30 * PINFS_SLOW)) bash -c 'cat "$1/state/export" > "$1/state/import"' _ "$M"
	pins_same "$out"
}

@test "the modes of state let in its owner and a group alone" {
	[ "$(stat -c %a "$M/state")" = 750 ]
	[ "$(stat -c %a "$M/state/export")" = 440 ]
	[ "$(stat -c %a "$M/state/import")" = 640 ]
}
