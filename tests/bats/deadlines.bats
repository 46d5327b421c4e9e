#!/usr/bin/env bats
# Nothing hangs: what every request gets when the disk does not answer, and at the end.
load lib/common

setup() {
	daemon_fresh
	cid=$(cid_of "$BATS_TEST_NAME")
	pin=$M/pins/$cid.json
}

teardown() {
	release
	journey_log
}

# hold: no commit ends until release.
hold() {
	python3 "$BATS_TEST_DIRNAME/lib/hold-writer.py" "$C/lmdb" >"$BATS_TEST_TMPDIR/held" 3>&- &
	holder=$!
	wait_for 5 grep -q held "$BATS_TEST_TMPDIR/held"
}

release() {
	[ -n "${holder:-}" ] || return 0
	kill "$holder"
	wait "$holder" || true
	holder=
}

# within MILLISECONDS CMD...: the status of CMD, but 99 when it took longer.
within() {
	local limit=$(($1 * PINFS_SLOW)) before=${EPOCHREALTIME/./} status=0 took
	shift
	"$@" || status=$?
	took=$(((${EPOCHREALTIME/./} - before) / 1000))
	[ "$took" -le "$limit" ] || {
		echo "took $took ms: $*" >&2
		return 99
	}
	return "$status"
}

# touching N: so many programs named touch have not ended.
touching() {
	[ "$(pgrep -cx touch)" -eq "$1" ]
}

short_deadline() {
	pinfs_stop "$M"
	config_set "$C" '.fuse.commit_deadline = "1s"'
	pinfs_start "$M" "$C"
}

@test "a commit that passes fuse.commit_deadline is: Connection timed out" {
	short_deadline
	hold
	refused "Connection timed out" within 2000 bash -c "echo '{}' >'$pin'"
	why_says "it had not begun, and was given up"
	refused "Connection timed out" within 2000 touch "$pin"
	release
	# It had not begun, so it was given up.
	touch "$M/pins/$(cid_of later).json"
	[ ! -e "$pin" ]
	echo '{}' >"$pin"
}

@test "rm and mv are answered within 2 s whatever happens" {
	touch "$pin"
	echo '{"name":"new"}' >"$M/pins/.scratch"
	hold
	refused "Connection timed out" within 2000 rm "$pin"
	refused "Connection timed out" within 2000 mv "$M/pins/.scratch" "$pin"
	within 1000 ls -l "$M/pins"
	release
	rm "$pin"
}

@test "reading goes on while nothing can be committed" {
	touch "$pin"
	hold
	echo '{}' >"$M/pins/$(cid_of other).json" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
	within 1000 cat "$pin" "$M/state/export" "$M/state/info.json" "$M/why" "$M/health/problems"
	within 1000 ls -l "$M/pins"
	release
	wait $!
}

@test "a dump is checked while nothing can be committed" {
	dump_lines 30 >"$BATS_TEST_TMPDIR/dump"
	import_dump "$BATS_TEST_TMPDIR/dump"
	dump_lines 20 >"$BATS_TEST_TMPDIR/dump"
	hold
	within 2000 cp "$BATS_TEST_TMPDIR/dump" "$M/state/check"
	run -0 jq -c '[.state, .added, .removed]' "$M/state/check.result"
	[ "$output" = '["done",0,10]' ]
}

@test "a program that is stopped before its commit has begun pins nothing" {
	hold
	run within 2500 timeout 1 touch "$pin"
	[ "$status" -eq 124 ]
	release
	touch "$M/pins/$(cid_of later).json"
	[ ! -e "$pin" ]
}

@test "a program that handles its signals is not interrupted" {
	hold
	perl -MTime::HiRes=ualarm -e '
		$SIG{ALRM} = sub { };
		ualarm(20000, 20000);
		open(my $f, ">", $ARGV[0]) or die "$!";
		defined(syswrite($f, "{}")) or die "$!";' "$pin" 3>&- &
	stays 1 alive $!
	release
	wait $!
	[ -e "$pin" ]
}

@test "SIGTERM with many requests under way ends within 10 s" {
	local i writers=()
	hold
	for i in $(seq 100); do
		timeout 30 touch "$M/pins/$(cid_of "many $i").json" 2>/dev/null 3>&- &
		writers+=($!)
	done
	wait_for 10 touching 100
	pinfs_stop "$M" # a failure, when it takes longer or stays mounted
	release
	for i in "${writers[@]}"; do
		wait "$i" || true
	done
	pinfs_start "$M" "$C"
	touch "$pin"
}

@test "SIGTERM with many requests under way gives none an Input/output error" {
	local i writers=()
	for i in $(seq 200); do
		touch "$M/pins/$(cid_of "many $i").json" 3>&- 2>>"$BATS_TEST_TMPDIR/err" &
		writers+=($!)
	done
	kill "$(pid_of "$M")"
	kill "$(pid_of "$M")" 2>/dev/null || true
	for i in "${writers[@]}"; do
		wait "$i" || true
	done
	run cut -d : -f 3 "$BATS_TEST_TMPDIR/err"
	[ -z "${output//[[:space:]]/}" ] || [[ $output != *"Input/output error"* ]]
	pinfs_stop "$M"
	pinfs_start "$M" "$C"
}
