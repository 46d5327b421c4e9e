#!/usr/bin/env bats
# Resetting a peer, and undoing it.
load lib/common

setup() {
	daemon_fresh
	pins_fill 30
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
	cmp "$exported" "$M/backups/$(backups | tail -n 1)"
}

@test "the newest backup, copied onto state/import, undoes a reset" {
	rm -rf "${M:?}/state"
	cp "$M/backups/$(backups | tail -n 1)" "$M/state/import"
	pins_same "$exported"
}

@test "find -delete and python's rmtree reset the peer too" {
	find "$M/state" -delete
	blank
	import_dump "$dump"
	python3 -c 'import shutil, sys; shutil.rmtree(sys.argv[1])' "$M/state"
	blank
}

@test "a reset leaves service.json, identity.json and peerstore as they are" {
	before=$(cat "$C/service.json" "$C/identity.json" "$C/peerstore" | sha256sum)
	rm -rf "${M:?}/state"
	[ "$(cat "$C/service.json" "$C/identity.json" "$C/peerstore" | sha256sum)" = "$before" ]
}

@test "rmdir of state alone is: Directory not empty" {
	refused "Directory not empty" rmdir "$M/state"
	why_says "one program must remove the names in it"
	pins_same "$exported"
}

@test "rm of the files in state, without the folder, changes nothing, and they are there at once" {
	rm -f "${M:?}/state/export" "$M/state/import"
	pins_same "$exported"
	rm -f "${M:?}"/state/*
	refused "Directory not empty" rmdir "$M/state"
	pins_same "$exported"
}

@test "a name removed from state is missing for this program alone" {
	python3 - "$M/state" <<-'END'
		import os, subprocess, sys, threading

		state = sys.argv[1]
		export = state + "/export"

		def gone():
		    return "export" not in os.listdir(state) and not os.path.exists(export)

		def others_see_it():
		    names = subprocess.run(["ls", state], capture_output=True, text=True, check=True)
		    size = subprocess.run(["stat", "-c", "%s", export], capture_output=True, check=True)
		    return "export" in names.stdout.split() and int(size.stdout) > 0

		assert not gone()
		os.unlink(export)
		for _ in range(3):  # whoever asked last leaves nothing to the next
		    assert gone()
		    assert others_see_it()

		seen = []
		thread = threading.Thread(target=lambda: seen.append(gone()))
		thread.start()
		thread.join()
		assert seen == [True]

		try:
		    os.unlink(export)
		except FileNotFoundError:
		    pass
		else:
		    sys.exit("removed twice")
	END
	pins_same "$exported"
}

@test "of two programs that remove names, each removes the folder when it has removed all" {
	python3 - "$M/state" <<-'END'
		import errno, os, subprocess, sys

		state = sys.argv[1]
		for name in os.listdir(state):
		    os.unlink(state + "/" + name)
		assert os.listdir(state) == []
		other = subprocess.run(["rmdir", state], capture_output=True, text=True)
		assert "Directory not empty" in other.stderr, other.stderr
		subprocess.run(["rm", state + "/export"], check=True)
		os.rmdir(state)
	END
	blank
	import_dump "$dump"
	python3 - "$M/state" <<-'END'
		import os, subprocess, sys

		os.unlink(sys.argv[1] + "/export")
		subprocess.run(["rm", "-r", sys.argv[1]], check=True)
	END
	blank
}

@test "a name that is made anew is there for whoever removed it" {
	python3 - "$M/state" "$dump" <<-'END'
		import os, sys

		state, dump = sys.argv[1:]
		for name in os.listdir(state):
		    os.unlink(state + "/" + name)
		with open(state + "/import", "x") as new:
		    new.write("".join(open(dump).readlines()[:20]))
		assert os.listdir(state) == ["import"]
		try:
		    os.rmdir(state)
		except OSError:
		    pass
		else:
		    sys.exit("removed with a name in it")
	END
	pins_are 20
}

@test "state cannot be renamed" {
	refused "Operation not permitted" mv "$M/state" "$M/state.old"
	pins_same "$exported"
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

@test "fuse.backups_rotate says how many backups of imports and resets are kept" {
	pinfs_stop "$M"
	config_set "$C" '.fuse.backups_rotate = 3'
	pinfs_start "$M" "$C"
	for i in $(seq 6); do
		touch "$M/pins/$(cid_of "rotate $i").json"
		rm -rf "${M:?}/state"
		import_dump "$dump"
	done
	run -0 backups
	[ "${#lines[@]}" -le 4 ]
	[ "${#lines[@]}" -ge 3 ]
}

@test "touching a name in backups makes a dump of now" {
	touch "$M/backups/mine.json"
	run -0 backups
	[[ $output == *mine* ]]
	cmp "$exported" "$M/backups/$(grep mine <<<"$output")"
}

@test "a backup younger than 24 h cannot be removed" {
	rm -rf "${M:?}/state"
	refused "Operation not permitted" rm -f "${M:?}/backups/$(backups | tail -n 1)"
}

@test "the peer is reset though a program stands in its folder state" {
	(cd "$M/state" && exec sleep 60) 3>&- &
	wait_for 5 runs $! sleep
	rm -r "${M:?}/state"
	ls "$M/state/export" "$M/state/import"
	import_dump "$dump"
	kill $!
	pins_same "$exported"
}

@test "a reset while a dump is being written is: Device or resource busy" {
	exec 5>"$M/state/import"
	head -n 3 "$dump" >&5
	refused "Device or resource busy" rm -r "${M:?}/state"
	why_says "a dump is being written"
	exec 5>&-
	pins_are 3
}
