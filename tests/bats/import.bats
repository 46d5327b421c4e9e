#!/usr/bin/env bats
# Restores: all or nothing, and a clear word when nothing.
load lib/common

setup_file() {
	journey_begin
	daemon_fresh
}

setup() {
	new=$BATS_TEST_TMPDIR/new
	dump_lines 50 "$BATS_TEST_NAME" >"$new"
	dump_lines 40 before >"$BATS_FILE_TMPDIR/before"
	import_dump "$BATS_FILE_TMPDIR/before"
	pins_are 40
	cp "$M/state/export" "$BATS_FILE_TMPDIR/before.export"
}

restored() {
	pins_are 50
	cmp <(sort "$new") <(sort "$M/state/export")
}

unchanged() {
	pins_same "$BATS_FILE_TMPDIR/before.export"
}

result() {
	jq -c ".$1" "$M/state/import.result"
}

# bad_import FILE: the cp fails, and nothing has changed.
bad_import() {
	refused "Invalid argument" import_dump "$1"
	unchanged
}

@test "cp of a dump onto state/import replaces the pinset" {
	import_dump "$new"
	restored
	[ "$(result state)" = '"done"' ]
	[ "$(result method)" = '"replace"' ]
	[ "$(result lines)" = 50 ]
	[ "$(result added)" = 50 ]
	[ "$(result removed)" = 40 ]
}

@test "state/import reads as the dump that was accepted last" {
	import_dump "$new"
	cmp "$new" "$M/state/import"
}

@test "cat with a redirection restores, in bash and dash" {
	bash -c 'cat "$1" > "$2"' _ "$new" "$M/state/import"
	restored
	import_dump "$BATS_FILE_TMPDIR/before"
	dash -c 'cat "$1" > "$2"' _ "$new" "$M/state/import"
	restored
}

@test "a dump in two parts through one redirection is one import" {
	bash -c '{ head -n 20 "$1"; tail -n +21 "$1"; } > "$2"' _ "$new" "$M/state/import"
	restored
}

@test "tee, dd, python and install restore" {
	tee "$M/state/import" <"$new" >/dev/null
	restored
	import_dump "$BATS_FILE_TMPDIR/before"
	dd if="$new" of="$M/state/import" bs=300 conv=fsync status=none
	restored
	import_dump "$BATS_FILE_TMPDIR/before"
	python3 -c 'import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])' "$new" "$M/state/import"
	restored
	import_dump "$BATS_FILE_TMPDIR/before"
	install -m 640 "$new" "$M/state/import"
	restored
}

@test "rsync restores, and a second time does nothing" {
	rsync -a "$new" "$M/state/import"
	restored
	before=$(jq .revision "$M/state/info.json")
	started=$(jq .started "$M/state/import.result")
	rsync -a "$new" "$M/state/import"
	[ "$(jq .revision "$M/state/info.json")" = "$before" ]
	# Not even looked at: size and time are those of the dump.
	[ "$(jq .started "$M/state/import.result")" = "$started" ]
	[ "$(stat -c %Y "$M/state/import")" = "$(stat -c %Y "$new")" ]
}

@test "the time of a dump that cp -p, mv or rsync --inplace bring is kept" {
	for how in "cp -p" mv "rsync -a --inplace"; do
		cp "$new" "$BATS_TEST_TMPDIR/dump"
		touch -d 2026-01-02T03:04:05Z "$BATS_TEST_TMPDIR/dump"
		allow_all
		$how "$BATS_TEST_TMPDIR/dump" "$M/state/import"
		[ "$(stat -c %Y "$M/state/import")" = "$(date -d 2026-01-02T03:04:05Z +%s)" ]
		allow_all
		head -n 2 "$new" >"$BATS_TEST_TMPDIR/part"
		cp "$BATS_TEST_TMPDIR/part" "$M/state/import"
	done
}

@test "rsync --inplace restores" {
	rsync -a --inplace --ignore-times "$new" "$M/state/import"
	restored
}

@test "mv of a dump restores, and keeps the file when it is refused" {
	cp "$new" "$new.moved"
	mv "$new.moved" "$M/state/import"
	restored
	import_dump "$BATS_FILE_TMPDIR/before"
	echo garbage >"$new.bad"
	run ! mv "$new.bad" "$M/state/import"
	[ -e "$new.bad" ]
	unchanged
}

@test "a compressed backup restores through a pipe" {
	zstd -q "$new" -o "$new.zst"
	zstd -dcq "$new.zst" >"$M/state/import"
	restored
}

@test "indented JSON and objects on one line are dumps too" {
	jq . "$new" >"$new.indented"
	import_dump "$new.indented"
	restored
	import_dump "$BATS_FILE_TMPDIR/before"
	tr -d '\n' <"$new" >"$new.line"
	import_dump "$new.line"
	restored
}

@test "the last of two lines of one CID wins" {
	{
		cat "$new"
		head -n 1 "$new" | jq -c '.name = "last"'
	} >"$new.twice"
	import_dump "$new.twice"
	pins_are 50
	cid=$(cid_of "${BATS_TEST_NAME}1")
	[ "$(jq -r .name "$M/pins/$cid.json")" = last ]
}

@test "keys in other letter case and unknown keys are accepted" {
	jq -c '.CID = .cid | del(.cid) | .later = 1' "$new" >"$new.keys"
	import_dump "$new.keys"
	restored
}

@test "a line with nothing but a cid gets the defaults" {
	cid=$(cid_of "$BATS_TEST_NAME")
	echo "{\"cid\":\"$cid\"}" >"$new"
	import_dump "$new"
	pins_are 1
	[ "$(jq -r .mode "$M/pins/$cid.json")" = recursive ]
	[ "$(jq -r .type "$M/pins/$cid.json")" = pin ]
}

@test "a dump of before 1.0 is accepted" {
	cid=$(cid_of "$BATS_TEST_NAME")
	echo "{\"cid\":{\"/\":\"$cid\"},\"type\":2,\"name\":\"x\",\"allocations\":[]}" >"$new"
	import_dump "$new"
	pins_are 1
	[ "$(jq -r .type "$M/pins/$cid.json")" = pin ]
}

@test "a first line may override the replication factors" {
	{
		echo '{"import":{"replication_factor_min":1,"replication_factor_max":1}}'
		cat "$new"
	} >"$new.factors"
	import_dump "$new.factors"
	pins_are 50
	[ "$(jq .replication_factor_max "$M/state/export" | sort -u)" = 1 ]
}

@test "an import with the method merge adds and overwrites, and removes nothing" {
	{
		echo '{"import":{"method":"merge"}}'
		cat "$new"
	} >"$new.merge"
	import_dump "$new.merge"
	pins_are 90
	[ "$(result method)" = '"merge"' ]
}

@test "a dump cut inside a line changes nothing" {
	head -c -20 "$new" >"$new.bad"
	bad_import "$new.bad"
}

@test "garbage in line 3 is named with line and column" {
	sed '3s/.*/garbage/' "$new" >"$new.bad"
	bad_import "$new.bad"
	[ "$(result state)" = '"failed"' ]
	[[ $(result error) == *"line 3"*"column 1"* ]]
	why_says "line 3"
}

@test "a wrong type, a bad CID, a bad peer, no cid, an array: each is refused" {
	sed '7s/"replication_factor_min":-1/"replication_factor_min":"2"/' "$new" >"$new.type"
	sed '7s/"cid":"[^"]*"/"cid":"foo"/' "$new" >"$new.cid"
	sed '7s/"allocations":\[\]/"allocations":["foo"]/' "$new" >"$new.peer"
	sed '7s/"cid":"[^"]*",//' "$new" >"$new.nocid"
	jq -sc . "$new" >"$new.array"
	for bad in type cid peer nocid array; do
		bad_import "$new.$bad"
	done
}

@test "a line longer than any pin is refused and does not grow the daemon" {
	{
		head -n 5 "$new"
		printf '{"name":"'
		head -c 50000000 /dev/zero | tr '\0' x
		printf '"}\n'
	} >"$new.long"
	run ! import_dump "$new.long"
	unchanged
}

@test "an empty dump is refused" {
	refused "Invalid argument" import_dump /dev/null
	unchanged
	run bash -c ': > "$1"' _ "$M/state/import"
	unchanged
}

@test "touch of state/import does nothing" {
	touch "$M/state/import"
	unchanged
}

@test "a killed writer imports nothing" {
	for signal in TERM INT KILL; do
		# bash ignores SIGINT for what it starts in the background.
		env --default-signal=INT bash -c 'exec cat "$1" - > "$2"' _ "$new" "$M/state/import" \
			< <(exec sleep 60 3>&-) 3>&- &
		writer=$!
		wait_for 5 grep '^wchar: [1-9]' "/proc/$writer/io"
		kill "-$signal" "$writer"
		wait "$writer" || true
		unchanged
	done
}

@test "a second import at the same time is: Device or resource busy" {
	exec 5>"$M/state/import"
	head -n 1 "$new" >&5
	refused "Device or resource busy" import_dump "$new"
	tail -n +2 "$new" >&5
	exec 5>&-
	restored
}

@test "every import leaves the pinset of before it in backups" {
	import_dump "$new"
	newest=$(backups | tail -n 1)
	cmp "$BATS_FILE_TMPDIR/before.export" "$M/backups/$newest"
	cp "$M/backups/$newest" "$M/state/import"
	unchanged
}

@test "state/check rehearses an import: the same status, nothing changed" {
	cp "$new" "$M/state/check"
	unchanged
	run -0 jq -c '[.added, .removed]' "$M/state/check.result"
	[ "$output" = "[50,40]" ]
	sed '3s/.*/garbage/' "$new" >"$new.bad"
	refused "Invalid argument" cp "$new.bad" "$M/state/check"
	[[ $(jq -r .error "$M/state/check.result") == *"line 3"* ]]
	unchanged
}

@test "a part of a backup is added through batch" {
	import_dump "$new"
	cp "$M/state/export" "$BATS_TEST_TMPDIR/backup.json"
	import_dump "$BATS_FILE_TMPDIR/before"
	jq -c 'select(.name | endswith("7"))' "$BATS_TEST_TMPDIR/backup.json" |
		jq -r '"+" + .cid + " " + tojson' >"$M/batch"
	pins_are 45
}

@test "a whole pinset goes to another cluster, and one pin with cp -a" {
	pinfs_init "$(cfg 2)"
	pinfs_start "$(mnt 2)" "$(cfg 2)"
	cp "$M/state/export" "$(mnt 2)/state/import"
	pins_same "$BATS_FILE_TMPDIR/before.export" "$(mnt 2)"
	cid=$(cid_of "$BATS_TEST_NAME")
	echo '{"name":"moved","replication_factor_min":1,"replication_factor_max":1}' >"$M/pins/$cid.json"
	cp -a "$M/pins/$cid.json" "$(mnt 2)/pins/"
	there=$(mnt 2)/pins/$cid.json
	[ "$(jq -r .name "$there")" = moved ]
	[ "$(jq -r .timestamp "$there")" = "$(jq -r .timestamp "$M/pins/$cid.json")" ]
	# A peer of the other cluster is chosen.
	[ "$(jq -r '.allocations[0]' "$there")" = "$(jq -r .id "$(cfg 2)/identity.json")" ]
	pinfs_stop "$(mnt 2)"
}
