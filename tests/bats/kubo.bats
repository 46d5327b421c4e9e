#!/usr/bin/env bats
# One peer and a real Kubo: from a file's name to the pinned content, and back.
load lib/common

setup_file() {
	journey_begin
	have_peers || return 0
	kubo_start
	pinfs_init "$C"
	config_set "$C" '.ipfs_connector.ipfshttp.pin_timeout = "3s" | .cluster.pin_recover_interval = "1s"'
	pinfs_start "$M" "$C"
}

setup() {
	skip_without_go
	text="content of $BATS_TEST_NAME"
	cid=$(cid_of "$text")
	pin=$M/pins/$cid.json
	kubo_rpc id >/dev/null || kubo_start
}

pinned() {
	wait_for 10 kubo_pinned "$1"
	wait_for 10 status_is "$1" pinned
}

@test "touch pins the content in Kubo" {
	kubo_add "$text"
	touch "$pin"
	pinned "$cid"
	[ "$(jq -r '.peer_map[].status' "$M/status/$cid.json")" = pinned ]
}

@test "echo, cp, rsync and vim pin the content in Kubo" {
	for how in echo cp rsync vim; do
		c=$(kubo_add "$text $how")
		echo "{\"name\":\"$how\"}" >"$BATS_TEST_TMPDIR/$c.json"
		case $how in
		echo) echo '{"name":"echo"}' >"$M/pins/$c.json" ;;
		cp) cp "$BATS_TEST_TMPDIR/$c.json" "$M/pins/" ;;
		rsync) rsync -a "$BATS_TEST_TMPDIR/$c.json" "$M/pins/" ;;
		vim) vim_ex "0read $BATS_TEST_TMPDIR/$c.json" "$M/pins/$c.json" ;;
		esac
		pinned "$c"
	done
}

@test "rm unpins in Kubo" {
	kubo_add "$text"
	touch "$pin"
	pinned "$cid"
	rm "$pin"
	wait_for 15 fails kubo_pinned "$cid"
	kubo_has "$cid"
}

@test "a direct pin is direct in Kubo" {
	kubo_add "$text"
	echo '{"mode":"direct"}' >"$pin"
	wait_for 10 kubo_pinned "$cid" direct
	wait_for 10 status_is "$cid" pinned
}

@test "a script waits for a name in status/by/pinned until the content is pinned" {
	kubo_add "$text"
	touch "$pin"
	timeout $((20 * PINFS_SLOW)) bash -c 'until [ -e "$1" ]; do sleep 0.1; done' _ \
		"$M/status/by/pinned/$cid.json"
}

@test "a script waits for the content with tail -f events" {
	kubo_add "$text"
	timeout $((30 * PINFS_SLOW)) bash -c 'tail -n +1 -f "$1" | grep -m 1 "\"pinned\".*$2\|$2.*\"pinned\""' _ \
		"$M/events" "$cid" >"$BATS_TEST_TMPDIR/event" 2>&1 3>&- &
	touch "$pin"
	wait_for 20 grep -F "$cid" "$BATS_TEST_TMPDIR/event"
}

@test "replacing a pin by mv keeps the content pinned" {
	kubo_add "$text"
	touch "$pin"
	pinned "$cid"
	echo '{"name":"moved"}' >"$BATS_TEST_TMPDIR/new"
	mv "$BATS_TEST_TMPDIR/new" "$pin"
	stays 3 kubo_pinned "$cid" # longer than the tracker waits before it unpins
	[ "$(jq -r .name "$pin")" = moved ]
}

@test "what cannot be found is in error with its reason, and is pinned once it is there" {
	touch "$pin"
	wait_for 15 status_is "$cid" error
	run -0 jq -r '.peer_map[] | "\(.status) \(.attempt_count) \(.error)"' "$M/status/$cid.json"
	[[ $output == "pin_error "[1-9]*" "?* ]]
	wait_for 5 grep -F "$cid" "$M/status/errors"
	kubo_add "$text"
	touch "$M/status/$cid.json"
	pinned "$cid"
	run ! status_is "$cid" error
}

@test "all errors are listed with their reasons and recovered in a loop" {
	for i in 1 2 3; do
		touch "$M/pins/$(cid_of "$text $i").json"
	done
	for i in 1 2 3; do
		wait_for 15 status_is "$(cid_of "$text $i")" error
	done
	errors=("$M"/status/by/error/*)
	for f in "${errors[@]}"; do
		jq -ec '[.cid, .peer_map[].error]' "$M/status/${f##*/}"
	done
	for i in 1 2 3; do
		kubo_add "$text $i"
	done
	# What is tried again by itself in between leaves the folder.
	for f in "${errors[@]}"; do
		touch "$M/status/${f##*/}"
	done
	for i in 1 2 3; do
		pinned "$(cid_of "$text $i")"
	done
}

@test "content that was unpinned in Kubo by hand is pinned again" {
	kubo_add "$text"
	touch "$pin"
	pinned "$cid"
	kubo_rpc "pin/rm?arg=$cid"
	touch "$M/status/$cid.json"
	pinned "$cid"
}

@test "a document with pin_update pins the new content and keeps the old pin" {
	kubo_add "$text"
	kubo_add "$text newer"
	newer=$(cid_of "$text newer")
	touch "$pin"
	pinned "$cid"
	echo "{\"pin_update\":\"$cid\"}" >"$M/pins/$newer.json"
	pinned "$newer"
	[ -e "$pin" ]
}

@test "an expired pin leaves the pinset and Kubo" {
	kubo_add "$text"
	echo "{\"expire_at\":\"$(date -u -d '+3 seconds' +%FT%TZ)\"}" >"$pin"
	wait_for 10 kubo_pinned "$cid"
	wait_for 15 fails test -e "$pin"
	wait_for 15 fails kubo_pinned "$cid"
}

@test "ipfs/ shows who Kubo is and how full" {
	[ "$(jq -r '.id // .ID' "$M/ipfs/id.json")" = "$(kubo_rpc id | jq -r .ID)" ]
	wait_for 10 jq -e . "$M/ipfs/repo.json"
	wait_for 10 jq -e . "$M/health/metrics/freespace.json"
}

# counted NAME: its number in the Prometheus text.
counted() {
	sed -n "s/^$1 //p" "$M/health/pinfs.prom"
}

counts_failures() {
	[ "$(counted ipfscluster_pins_pin_add_errors)" -gt "$1" ]
}

@test "what Kubo was asked is counted under the reference's names" {
	kubo_add "$text"
	asked=$(counted ipfscluster_pins_pin_add) failed=$(counted ipfscluster_pins_pin_add_errors)
	touch "$pin"
	pinned "$cid"
	[ "$(counted ipfscluster_pins_pin_add)" -gt "$asked" ]
	touch "$M/pins/$(cid_of "$text, which nobody has").json"
	wait_for 20 counts_failures "$failed"
	[ "$(counted ipfscluster_blocks_put)" = 0 ]
	rm "$M/pins/$(cid_of "$text, which nobody has").json"
}

@test "a write to ipfs/gc collects garbage" {
	unwanted=$(kubo_add "$text unwanted")
	kubo_has "$unwanted"
	echo 1 >"$M/ipfs/gc"
	wait_for 15 fails kubo_has "$unwanted"
	wait_for 10 jq -e . "$M/ipfs/gc.result"
}

@test "a restore pins in Kubo what the dump says and unpins what it does not" {
	kubo_add "$text"
	touch "$pin"
	pinned "$cid"
	cp "$M/state/export" "$BATS_TEST_TMPDIR/dump"
	added=$(kubo_add "$text later")
	touch "$M/pins/$added.json"
	pinned "$added"
	import_dump "$BATS_TEST_TMPDIR/dump"
	wait_for 15 fails kubo_pinned "$added"
	kubo_pinned "$cid"
}

@test "a reset leaves Kubo's pins" {
	kubo_add "$text"
	touch "$pin"
	pinned "$cid"
	cp "$M/state/export" "$BATS_TEST_TMPDIR/dump"
	rm -rf "${M:?}/state"
	stays 3 kubo_pinned "$cid" # longer than the tracker waits before it unpins
	import_dump "$BATS_TEST_TMPDIR/dump"
	pinned "$cid"
}

@test "while Kubo is dead pins are accepted, queued, and say why" {
	kubo_add "$text"
	kubo_kill9
	timeout 5 touch "$pin"
	wait_for 10 grep -i kubo "$M/health/problems"
	timeout 10 ls -lR "$M/status" "$M/ipfs" >/dev/null || [ "$?" -ne 124 ]
	run -0 timeout 10 jq -r '.peer_map[].status' "$M/status/$cid.json"
	[[ $output == pin_queued || $output == pin_error ]]
	kubo_start
	pinned "$cid"
	wait_for 15 fails grep -i "kubo" "$M/health/problems"
}

@test "what was removed while Kubo was dead is unpinned when it is back" {
	kubo_add "$text"
	touch "$pin"
	pinned "$cid"
	kubo_kill9
	rm "$pin"
	stays 3 fails test -e "$pin" # longer than the tracker waits before it unpins
	kubo_start
	wait_for 20 fails kubo_pinned "$cid"
}

@test "unpin_disable leaves Kubo's pin until a start without it, and says so" {
	kubo_add "$text"
	touch "$pin"
	pinned "$cid"
	pinfs_stop "$M"
	config_set "$C" '.ipfs_connector.ipfshttp.unpin_disable = true'
	pinfs_start "$M" "$C"
	rm "$pin"
	wait_for 5 status_is "$cid" unpin_error
	grep -F "$cid" "$M/status/errors" | grep -F "disallowed by configuration"
	stays 3 kubo_pinned "$cid" # longer than the tracker waits before it unpins
	pinfs_stop "$M"
	config_set "$C" '.ipfs_connector.ipfshttp.unpin_disable = false'
	pinfs_start "$M" "$C"
	wait_for 20 fails kubo_pinned "$cid"
}

@test "what was removed right before the daemon was killed is unpinned when it is back" {
	kubo_add "$text"
	touch "$pin"
	pinned "$cid"
	rm "$pin"
	pinfs_kill9 "$M"
	pinfs_start "$M" "$C"
	wait_for 20 fails kubo_pinned "$cid"
}

@test "pins of Kubo that are not of the pinset are left alone" {
	foreign=$(kubo_add "$text foreign")
	kubo_rpc "pin/add?arg=$foreign"
	pinfs_stop "$M"
	pinfs_start "$M" "$C"
	touch "$M/status/$cid.json" || true
	stays 3 kubo_pinned "$foreign" # longer than the tracker waits before it unpins
}
