#!/usr/bin/env bats
# The daemon is killed at any moment, PINFS_CRASH_ROUNDS times for each kind of work: what was
# acknowledged is there, what was not is there or not, and nothing is half done.
load lib/common

setup_file() {
	journey_begin
	export rounds=${PINFS_CRASH_ROUNDS:-5}
}

setup() {
	daemon_fresh
	ledger=$BATS_TEST_TMPDIR/ledger
	: >"$ledger"
}

# crash MILLISECONDS PID...: kills the daemon at some moment within that time, waits for those
# that were writing, and starts it again; the dead mount is the new daemon's to clear. The last
# writer's status is left in wrote.
crash() {
	sleep "0.$(printf %03d $((RANDOM % $1)))"
	pinfs_kill9 "$M"
	wrote=0
	wait "${@:2}" || wrote=$?
	pinfs_start "$M" "$C"
}

# writer NAME: pins and unpins until the daemon is gone; "+CID" and "-CID" go to the ledger
# when they were acknowledged, "?CID" before they are tried.
writer() {
	local i cid
	for i in $(seq 100000); do
		cid=$(cid_of "$1 $i")
		echo "?$cid"
		touch "$M/pins/$cid.json" 2>/dev/null || return 0
		echo "+$cid"
		[ $((i % 3)) -eq 0 ] || continue
		echo "?$cid"
		rm "${M:?}/pins/$cid.json" 2>/dev/null || return 0
		echo "-$cid"
	done
}

# ledger_holds: the last word of the ledger about each CID is true of the pinset; a CID whose
# last word is "?" may be either.
ledger_holds() {
	cids <"$M/state/export" | sort >"$BATS_TEST_TMPDIR/there"
	awk '{ last[substr($0, 2)] = substr($0, 1, 1) }
		END { for (cid in last) if (last[cid] != "?") print last[cid] cid }' "$ledger" |
		sort >"$BATS_TEST_TMPDIR/last"
	grep '^+' "$BATS_TEST_TMPDIR/last" | cut -c 2- | sort | comm -23 - "$BATS_TEST_TMPDIR/there" \
		>"$BATS_TEST_TMPDIR/lost"
	grep '^-' "$BATS_TEST_TMPDIR/last" | cut -c 2- | sort | comm -12 - "$BATS_TEST_TMPDIR/there" \
		>"$BATS_TEST_TMPDIR/back"
	[ ! -s "$BATS_TEST_TMPDIR/lost" ] || {
		echo "acknowledged and lost:"
		cat "$BATS_TEST_TMPDIR/lost"
		return 1
	}
	[ ! -s "$BATS_TEST_TMPDIR/back" ] || {
		echo "removed and back:"
		cat "$BATS_TEST_TMPDIR/back"
		return 1
	}
	[ "$(pins_count)" = "$(wc -l <"$M/state/export")" ]
	[ "$(stat -c %s "$M/state/export")" = "$(wc -c <"$M/state/export")" ]
}

# on_small_disk SIZE: stops the daemon; its folder is on a file system of that size at $small.
on_small_disk() {
	pinfs_stop "$M"
	small=$BATS_FILE_TMPDIR/small
	mkdir -p "$small"
	mount -t tmpfs -o "size=$1" none "$small" || skip "a small file system cannot be mounted here"
	cp -a "$C" "$small/c"
}

@test "every acknowledged pin and unpin survives SIGKILL" {
	for round in $(seq "$rounds"); do
		writer "a$round" >>"$ledger" 3>&- &
		a=$!
		writer "b$round" >>"$BATS_TEST_TMPDIR/ledger.b" 3>&- &
		crash 300 "$a" $!
		cat "$BATS_TEST_TMPDIR/ledger.b" >>"$ledger"
		: >"$BATS_TEST_TMPDIR/ledger.b"
		ledger_holds
	done
	[ "$(grep -c '^+' "$ledger")" -gt 0 ]
}

@test "after SIGKILL during an import the pinset is the old or the new one" {
	dump_lines 3000 old >"$BATS_TEST_TMPDIR/old"
	dump_lines 3000 new >"$BATS_TEST_TMPDIR/new"
	allow_all
	import_dump "$BATS_TEST_TMPDIR/new"
	cp "$M/state/export" "$BATS_TEST_TMPDIR/new.export"
	import_dump "$BATS_TEST_TMPDIR/old"
	cp "$M/state/export" "$BATS_TEST_TMPDIR/old.export"
	next=new now=old
	for round in $(seq "$rounds"); do
		rm -f "$BATS_TEST_TMPDIR/acknowledged"
		allow_all
		{
			! cp "$BATS_TEST_TMPDIR/$next" "$M/state/import" 2>/dev/null ||
				: >"$BATS_TEST_TMPDIR/acknowledged"
		} 3>&- &
		crash 300 $!
		if [ -e "$BATS_TEST_TMPDIR/acknowledged" ]; then
			pins_same "$BATS_TEST_TMPDIR/$next.export"
		fi
		if cmp -s "$BATS_TEST_TMPDIR/$next.export" "$M/state/export"; then
			read -r next now <<<"$now $next"
		else
			pins_same "$BATS_TEST_TMPDIR/$now.export"
		fi
	done
}

@test "after SIGKILL during a reset the pinset is the old one or empty, and is in backups" {
	pins_fill 500
	for round in $(seq "$rounds"); do
		rm -rf "${M:?}/state" 2>/dev/null 3>&- &
		crash 60 $!
		if [ "$(pins_count)" = 0 ]; then
			cmp "$exported" "$M/backups/$(backups | tail -n 1)"
			import_dump "$dump"
		fi
		pins_same "$exported"
	done
}

@test "after SIGKILL during a batch all of it is there or nothing" {
	for round in $(seq "$rounds"); do
		before=$(pins_count)
		batch_lines 300 "batch $round " >"$BATS_TEST_TMPDIR/batch"
		cp "$BATS_TEST_TMPDIR/batch" "$M/batch" 2>/dev/null 3>&- &
		crash 60 $!
		pins_are "$before" || pins_are $((before + 300))
	done
}

@test "after SIGKILL during a large batch all of it is there or nothing" {
	for round in $(seq 3); do
		before=$(pins_count)
		batch_lines 6000 "large $round " >"$BATS_TEST_TMPDIR/batch"
		cp "$BATS_TEST_TMPDIR/batch" "$M/batch" 2>/dev/null 3>&- &
		crash 600 $!
		[ "$wrote" -eq 0 ] && after=$((before + 6000)) || after=$before
		# What had begun is finished after the start.
		wait_for 10 eval 'pins_are $after || pins_are $((before + 6000))'
	done
}

@test "after SIGKILL the document that was written last is whole" {
	cid=$(cid_of whole)
	for round in $(seq "$rounds"); do
		(
			for i in $(seq 100000); do
				bash -c 'echo "{\"name\":\"$1\"}" > "$2"' _ "$i" "$M/pins/$cid.json" 2>/dev/null || exit 0
				echo "$i" >"$BATS_TEST_TMPDIR/last"
			done
		) 3>&- &
		crash 300 $!
		[ -e "$BATS_TEST_TMPDIR/last" ] || continue
		last=$(cat "$BATS_TEST_TMPDIR/last")
		name=$(jq -r .name "$M/pins/$cid.json")
		[ "$name" = "$last" ] || [ "$name" = $((last + 1)) ]
		rm "$BATS_TEST_TMPDIR/last"
	done
}

@test "a full disk is: No space left on device, loses nothing, and is survived" {
	on_small_disk 12m
	pinfs_start "$(mnt 3)" "$small/c"
	third=$(mnt 3)
	touch "$third/pins/$(cid_of kept).json"
	head -c 100m /dev/zero >"$small/filler" 2>/dev/null || true
	dump_lines 20000 >"$BATS_TEST_TMPDIR/dump"
	refused "No space left on device" import_dump "$BATS_TEST_TMPDIR/dump" "$third"
	[ -e "$third/pins/$(cid_of kept).json" ]
	rm "$small/filler"
	touch "$third/pins/$(cid_of after).json"
	pins_are 2 "$third"
	pinfs_stop "$third"
	pinfs_start "$third" "$small/c"
	pins_are 2 "$third"
	pinfs_stop "$third"
	umount "$small"
}

@test "a peer starts on a full disk, shows its pins, and takes changes once there is space" {
	on_small_disk 12m
	mkdir "$small/c/pebble" # a store of the Go program, which is looked at too
	echo data >"$small/c/pebble/000002.sst"
	fourth=$(mnt 4)
	pinfs_start "$fourth" "$small/c" -o fresh
	touch "$fourth/pins/$(cid_of kept).json"
	pinfs_stop "$fourth"
	python3 "$BATS_TEST_DIRNAME/lib/compact.py" "$small/c/lmdb"
	head -c 100m /dev/zero >"$small/filler" 2>/dev/null || true

	pinfs_start "$fourth" "$small/c"
	pins_are 1 "$fourth"
	refused "No space left on device" touch "$fourth/pins/$(cid_of refused).json"
	why_says "No space left on device" "$fourth"
	for _ in $(seq 64); do # each of them a reader, with a place in a file on that disk
		exec {fd}<"$fourth/state/export"
		readers+=("$fd")
	done
	[ "$(wc -l <&"${readers[63]}")" = 1 ]
	for fd in "${readers[@]}"; do
		exec {fd}<&-
	done

	rm "$small/filler"
	touch "$fourth/pins/$(cid_of after).json"
	pins_are 2 "$fourth"
	pinfs_kill9 "$fourth"
	pinfs_start "$fourth" "$small/c"
	pins_are 2 "$fourth"
	[ "$(jq .last_stop_orderly "$fourth/state/info.json")" = false ]
	pinfs_stop "$fourth"
	umount "$small"
}

@test "a disk that fails ends the daemon with the reason; a new start has what was acknowledged" {
	cc -shared -fPIC -o "$BATS_TEST_TMPDIR/meta-fails.so" "$BATS_TEST_DIRNAME/lib/meta-fails.c" ||
		skip "nothing here compiles C"
	pinfs_stop "$M"
	LD_PRELOAD=$BATS_TEST_TMPDIR/meta-fails.so META_FAILS=$BATS_TEST_TMPDIR/fails \
		ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0 pinfs_start "$M" "$C"
	touch "$M/pins/$(cid_of kept).json"
	echo '{"name":"refused"}' >"$BATS_TEST_TMPDIR/document"
	: >"$BATS_TEST_TMPDIR/fails"
	# cp tells of its first error: the close may find the mount gone.
	pid=$(pid_of "$M")
	refused "Input/output error" cp "$BATS_TEST_TMPDIR/document" "$M/pins/$(cid_of refused).json"
	wait_for 12 gone "$pid"
	wait "$pid" || code=$?
	[ "$code" = 1 ]
	wait_for 2 fails mounted "$M"
	grep -F "$C/lmdb/data.mdb could not be written (Input/output error)" "$M.log"
	pinfs_start "$M" "$C"
	pins_are 1
	[ -e "$M/pins/$(cid_of kept).json" ]
	touch "$M/pins/$(cid_of refused).json"
	pins_are 2
}

@test "a merge that meets a full disk is finished when there is room again" {
	local left pins
	on_small_disk 96m
	pinfs_start "$(mnt 3)" "$small/c"
	third=$(mnt 3)
	for left in 12 14 10 16 8; do # MiB, until it is full in the midst of applying
		pins=$(pins_count "$third")
		{
			echo '{"import":{"method":"merge"}}'
			dump_lines 20000 "left$left-" | sed 's/.*\("name":[^,]*\).*\("cid":[^,]*\).*/{\1,\2}/'
		} >"$BATS_TEST_TMPDIR/dump"
		head -c "$(($(df -m --output=avail "$small" | tail -n 1) - left))m" /dev/zero >"$small/filler"
		run import_dump "$BATS_TEST_TMPDIR/dump" "$third"
		[[ $output != *"timed out"* ]] || break
		rm "$small/filler"
	done
	[[ $output == *"timed out"* ]]
	why_says "is finished as soon as that works" "$third"
	refused "Device or resource busy" touch "$third/pins/$(cid_of later).json"
	rm "$small/filler"
	wait_for 20 pins_are $((pins + 20000)) "$third"
	cmp "$BATS_TEST_TMPDIR/dump" "$third/state/import"
	touch "$third/pins/$(cid_of later).json"
	pinfs_stop "$third"
	umount "$small"
}
