#!/usr/bin/env bats
# The first minutes: mount, look, pin, unmount, start again.
load lib/common

setup_file() {
	journey_begin
	pinfs_init "$C"
}

@test "pinfs returns 0 when the mount is ready" {
	mkdir -p "$M"
	run -0 timeout $((20 * PINFS_SLOW)) "$PINFS" -o "config=$C" "$M" 3>&-
	mounted "$M"
	[ -s "$M/README" ]
}

@test "fusermount3 -u ends the mount and the daemon" {
	pid=$(pgrep -xf "$PINFS -o config=$C $M")
	fusermount3 -u "$M"
	wait_for 10 gone "$pid"
	run ! mounted "$M"
}

@test "ls of the mount shows what there is to see" {
	pinfs_start "$M" "$C"
	run -0 ls "$M"
	for name in README audit backups batch by-name config events health ipfs peers pins state status why; do
		[[ $'\n'"$output"$'\n' == *$'\n'"$name"$'\n'* ]] || {
			echo "there is no $name"
			false
		}
	done
}

@test "touching a CID's name pins it, cat shows the pin, rm unpins it" {
	cid=$(cid_of smoke)
	touch "$M/pins/$cid.json"
	run -0 cat "$M/pins/$cid.json"
	[ "$(jq -r .cid <<<"$output")" = "$cid" ]
	[ "$(jq -r .mode <<<"$output")" = recursive ]
	[ "$(ls "$M/pins")" = "$cid.json" ]
	rm "${M:?}/pins/$cid.json"
	[ -z "$(ls "$M/pins")" ]
	run ! test -e "$M/pins/$cid.json"
}

@test "SIGTERM unmounts" {
	pinfs_stop "$M"
	run ! mounted "$M"
	[ -z "$(ls "$M")" ]
}

@test "a pin is there again after a restart" {
	pinfs_start "$M" "$C"
	touch "$M/pins/$(cid_of kept).json"
	pinfs_stop "$M"
	pinfs_start "$M" "$C"
	[ -s "$M/pins/$(cid_of kept).json" ]
}
