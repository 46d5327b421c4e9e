#!/usr/bin/env bats
# How programs write a pin: each leaves the pin it meant, and shows it when that failed.
load lib/common

setup_file() {
	journey_begin
	daemon_fresh
}

setup() {
	cid=$(cid_of "$BATS_TEST_NAME")
	pin=$M/pins/$cid.json
	new=$BATS_TEST_TMPDIR/$cid.json
	bad=$BATS_TEST_TMPDIR/bad/$cid.json
	mkdir "$BATS_TEST_TMPDIR/bad"
	echo '{"name":"new"}' >"$new"
	echo '{"name":' >"$bad"
}

named() {
	[ "$(jq -r .name "$pin")" = "$1" ]
}

old() {
	echo '{"name":"old","metadata":{"k":"v"}}' >"$pin"
	named old
}

# clean: nothing but pins is left in the folder.
clean() {
	[ -z "$(find "$M/pins" -mindepth 1 ! -name 'baf*.json')" ]
}

@test "echo in bash writes a pin" {
	bash -c 'echo "{\"name\":\"new\"}" > "$1"' _ "$pin"
	named new
	run ! bash -c 'echo "{\"name\":}" > "$1"' _ "$pin"
	named new
}

@test "echo in dash writes a pin" {
	dash -c 'echo "{\"name\":\"new\"}" > "$1"' _ "$pin"
	named new
	run ! dash -c 'echo "{\"name\":}" > "$1"' _ "$pin"
	named new
}

@test "printf writes a pin in several pieces" {
	bash -c '{ printf "{\"name\""; printf ":\"new\""; printf "}\n"; } > "$1"' _ "$pin"
	named new
}

@test "several programs write one pin through one redirection" {
	dash -c '{ echo "{"; cat "$2"; echo "}"; } > "$1"' _ "$pin" <(echo '"name":"new"')
	named new
}

@test "cp writes a pin, and fails when it was refused" {
	cp "$new" "$pin"
	named new
	refused "Invalid argument" cp "$bad" "$pin"
	named new
}

@test "cp -a writes a pin" {
	touch -d 2020-01-01 "$new"
	cp -a "$new" "$pin"
	named new
}

@test "cat with a redirection writes a pin, in bash and dash" {
	old
	bash -c 'cat "$1" > "$2"' _ "$new" "$pin"
	named new
	old
	dash -c 'cat "$1" > "$2"' _ "$new" "$pin"
	named new
	refused "Invalid argument" dash -c 'cat "$1" > "$2"' _ "$bad" "$pin"
	named new
}

@test "dd writes a pin, with and without fsync, also byte by byte" {
	dd if="$new" of="$pin" status=none
	named new
	old
	dd if="$new" of="$pin" conv=fsync status=none
	named new
	old
	dd if="$new" of="$pin" bs=1 status=none
	named new
	run ! dd if="$bad" of="$pin" status=none
	named new
}

@test "tee writes a pin" {
	tee "$pin" <"$new" >/dev/null
	named new
	run ! tee "$pin" <"$bad"
	named new
}

@test "sed -i edits a pin" {
	old
	sed -i 's/"name": ".*"/"name": "new"/' "$pin"
	named new
	[ "$(jq -r .metadata.k "$pin")" = v ]
	run ! sed -i 's/"name": "new"/"name": new/' "$pin"
	named new
	clean
}

@test "perl -pi edits a pin" {
	old
	perl -pi -e 's/"old"/"new"/' "$pin"
	named new
	[ "$(jq -r .metadata.k "$pin")" = v ]
	clean
}

@test "vim edits a pin" {
	old
	vim_ex '%s/"old"/"new"/' "$pin"
	named new
	[ "$(jq -r .metadata.k "$pin")" = v ]
	clean
}

@test "vim edits a pin and keeps a backup by renaming" {
	old
	vim_ex 'set backupcopy=no | %s/"old"/"new"/' "$pin"
	named new
	clean
}

@test "vim makes a new pin" {
	vim_ex "0read $new" "$pin"
	named new
	clean
}

@test "an editor may rename a pin to a backup and write it anew" {
	old
	cp "$pin" "$BATS_TEST_TMPDIR/edited"
	mv "$pin" "$pin~"
	[ -e "$pin" ] # the pin stays until it is replaced
	sed 's/"old"/"new"/' "$BATS_TEST_TMPDIR/edited" >"$pin"
	named new
	rm -f "$pin~"
	clean
}

@test "emacs may lock a pin by a link beside it" {
	old
	ln -s user@host.1 "$M/pins/.#$cid.json" || skip "symlinks are refused, which emacs accepts"
	sed 's/"old"/"new"/' "$pin" >"$BATS_TEST_TMPDIR/edited"
	cat "$BATS_TEST_TMPDIR/edited" >"$pin"
	rm "${M:?}/pins/.#$cid.json"
	named new
	clean
}

@test "python writes a pin, and fails when it was refused" {
	python3 -c 'import sys; open(sys.argv[1], "w").write("{\"name\":\"new\"}\n")' "$pin"
	named new
	refused "Invalid argument" python3 -c 'import sys
with open(sys.argv[1], "w") as f: f.write("{\"name\":\n")' "$pin"
	named new
}

@test "jq edits a copy of a pin, which is copied back" {
	old
	jq '.name = "new"' "$pin" >"$BATS_TEST_TMPDIR/t"
	cp "$BATS_TEST_TMPDIR/t" "$pin"
	named new
	[ "$(jq -r .metadata.k "$pin")" = v ]
}

@test "jq in place reads the committed pin, though the shell truncated it" {
	old
	bash -c 'jq ".name = \"new\"" "$1" > "$1"' _ "$pin"
	named new
	[ "$(jq -r .metadata.k "$pin")" = v ]
}

@test "rsync writes a pin, and fails when it was refused" {
	rsync -a "$new" "$M/pins/"
	named new
	clean
	run ! rsync -a "$bad" "$M/pins/"
	named new
	clean
}

@test "rsync --inplace writes a pin" {
	old
	rsync -a --inplace --ignore-times "$new" "$M/pins/"
	named new
	clean
}

@test "a tree of pins goes out with rsync and comes back unchanged" {
	old
	rsync -a "$M/pins/" "$BATS_TEST_TMPDIR/tree/"
	before=$(jq .revision "$M/state/info.json")
	run -0 rsync -ai "$M/pins/" "$BATS_TEST_TMPDIR/tree/"
	[[ $'\n'$output != *$'\n>f'* ]] # no file is copied again
	rsync -a --ignore-times "$BATS_TEST_TMPDIR/tree/" "$M/pins/"
	[ "$(jq .revision "$M/state/info.json")" = "$before" ]
}

@test "rsync restores a removed pin with its time" {
	old
	cp -a "$pin" "$BATS_TEST_TMPDIR/saved.json"
	rm "$pin"
	rsync -a "$BATS_TEST_TMPDIR/saved.json" "$pin"
	cmp "$pin" "$BATS_TEST_TMPDIR/saved.json"
	[ "$(stat -c %Y "$pin")" = "$(stat -c %Y "$BATS_TEST_TMPDIR/saved.json")" ]
}

@test "tar unpacks a pin" {
	old
	tar -C "$BATS_TEST_TMPDIR" -cf "$BATS_TEST_TMPDIR/t.tar" "$cid.json"
	tar -C "$M/pins" -xf "$BATS_TEST_TMPDIR/t.tar"
	named new
	clean
}

@test "mv writes a pin, and keeps the file when it was refused" {
	old
	mv "$new" "$pin"
	named new
	[ ! -e "$new" ]
	run ! mv "$bad" "$pin"
	[ -e "$bad" ] # what could not be stored is not lost
}

@test "install writes a pin" {
	old
	install -m 644 "$new" "$pin"
	named new
}

@test "mv of a scratch name onto a pin writes it" {
	cp "$new" "$M/pins/.draft"
	mv "$M/pins/.draft" "$pin"
	named new
	cp "$bad" "$M/pins/.draft"
	refused "cannot move" mv "$M/pins/.draft" "$pin"
	named new
	rm "${M:?}/pins/.draft"
	clean
}

@test "scratch names are no pins" {
	for name in .hidden "$cid.json~" 4913 sedAbCdEf "#$cid.json#" "$cid.json.tmp" ".$cid.json.Ab12Cd"; do
		echo anything >"$M/pins/$name"
		[ "$(cat "$M/pins/$name")" = anything ]
		rm "${M:?}/pins/$name"
	done
	[ ! -e "$pin" ]
	run ! grep -F "$cid" "$M/state/export"
}

@test "a killed writer pins nothing" {
	for signal in TERM KILL; do
		bash -c '{ printf "{\"name\":\"half\""; exec sleep 60; } > "$1"' _ "$pin" 3>&- &
		writer=$!
		wait_for 5 runs "$writer" sleep
		kill "-$signal" "$writer"
		wait "$writer" || true
		wait_for 5 fails test -e "$pin"
	done
	touch "$pin"
	named ""
}
