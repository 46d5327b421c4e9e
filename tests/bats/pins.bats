#!/usr/bin/env bats
# One peer, no Kubo: what pin files are and what they refuse.
load lib/common

setup_file() {
	journey_begin
	daemon_fresh
}

setup() {
	cid=$(cid_of "$BATS_TEST_NAME")
	other=$(cid_of "other $BATS_TEST_NAME")
	pin=$M/pins/$cid.json
}

# write DOCUMENT [FILE]: as a shell does it.
write() {
	bash -c 'printf "%s\n" "$1" > "$2"' _ "$1" "${2:-$pin}"
}

key() {
	jq -c ".$1" "$pin"
}

@test "touch pins with the defaults" {
	touch "$pin"
	[ "$(key replication_factor_min)" = -1 ]
	[ "$(key replication_factor_max)" = -1 ]
	[ "$(key type)" = '"pin"' ]
	[ "$(key max_depth)" = -1 ]
	wait_for 5 test -L "$M/status/by/queued/$cid.json"
}

@test "the keys of a pin are those of the dump, in its order" {
	touch "$pin"
	run -0 jq -r 'keys_unsorted | join(" ")' "$pin"
	[ "$output" = "replication_factor_min replication_factor_max name mode shard_size user_allocations expire_at metadata pin_update origins cid type allocations max_depth reference timestamp" ]
	[ "$(jq -c . "$pin")" = "$(grep -F "$cid" "$M/state/export")" ]
	[ "$(head -n 2 "$pin" | tail -n 1)" = '    "replication_factor_min": -1,' ]
	[ "$(tail -c 2 "$pin")" = "}" ]
}

@test "a document pins with its options" {
	write '{"name":"site","metadata":{"owner":"alice"},"mode":"direct","expire_at":"2090-01-01T00:00:00Z"}'
	[ "$(key name)" = '"site"' ]
	[ "$(key metadata)" = '{"owner":"alice"}' ]
	[ "$(key mode)" = '"direct"' ]
	[ "$(key max_depth)" = 0 ]
	[ "$(key expire_at)" = '"2090-01-01T00:00:00Z"' ]
}

@test "an empty document pins with the defaults" {
	write '{}'
	[ "$(key name)" = '""' ]
	[ "$(key mode)" = '"recursive"' ]
}

@test "too few peers for the factors is: No space left on device" {
	refused "No space left on device" write '{"name":"x","replication_factor_min":2,"replication_factor_max":3}'
	[ ! -e "$pin" ]
	why_says "$cid"
}

@test "rm unpins, and of what is not pinned says: No such file or directory" {
	touch "$pin"
	rm "$pin"
	[ ! -e "$pin" ]
	refused "No such file or directory" rm "$pin"
}

@test "the number of pins is in state/info.json and is that of the names" {
	touch "$pin"
	# shellcheck disable=SC2012 # this is the line people type; the names are CIDs
	[ "$(jq .pins "$M/state/info.json")" = "$(ls -U "$M/pins" | wc -l)" ]
}

@test "jq reads one key of one pin" {
	write '{"name":"by jq"}'
	[ "$(jq -r .name "$pin")" = "by jq" ]
}

@test "a pin written again takes exactly what is written: nothing is merged" {
	write '{"name":"first","metadata":{"k":"v"}}'
	write '{"name":"second"}'
	[ "$(key name)" = '"second"' ]
	[ "$(key metadata)" = null ]
}

@test "a changed pin always changes its mtime" {
	write '{"name":"first"}'
	before=$(stat -c %Y "$pin")
	write '{"name":"second"}'
	[ "$(stat -c %Y "$pin")" -gt "$before" ]
}

@test "mtime is the timestamp of the pin" {
	write '{"name":"old","timestamp":"2020-02-03T04:05:06Z"}'
	[ "$(key timestamp)" = '"2020-02-03T04:05:06Z"' ]
	[ "$(stat -c %Y "$pin")" = "$(date -d 2020-02-03T04:05:06Z +%s)" ]
}

@test "writing a pin back as it is changes nothing" {
	write '{"name":"same"}'
	before=$(jq .revision "$M/state/info.json")
	cp "$pin" "$BATS_TEST_TMPDIR/copy"
	cp "$BATS_TEST_TMPDIR/copy" "$pin"
	cmp "$BATS_TEST_TMPDIR/copy" "$pin"
	[ "$(jq .revision "$M/state/info.json")" = "$before" ]
}

@test "touching what is pinned recovers it and changes nothing" {
	touch "$pin"
	before=$(cat "$pin")
	touch "$pin"
	[ "$(cat "$pin")" = "$before" ]
}

@test "an unknown key is refused and the nearest known one is named" {
	refused "Invalid argument" write '{"nmae":"x"}'
	why_says 'did you mean "name"?'
	[ ! -e "$pin" ]
}

@test "a document of another CID is refused" {
	refused "Invalid argument" write "{\"cid\":\"$other\"}"
	[ ! -e "$pin" ]
	[ ! -e "$M/pins/$other.json" ]
}

@test "a document that is no JSON is refused and the pin stays" {
	write '{"name":"stays"}'
	refused "Invalid argument" write '{"name":}'
	[ "$(key name)" = '"stays"' ]
}

@test "a value of a wrong type is refused" {
	refused "Invalid argument" write '{"replication_factor_min":"two"}'
	[ ! -e "$pin" ]
}

@test "mode and depth that disagree are refused for a new pin" {
	refused "Invalid argument" write '{"mode":"direct","max_depth":-1}'
}

@test "text after the document is refused" {
	refused "Invalid argument" write '{"name":"x"} {"name":"y"}'
}

@test "a document over 1 MiB is: File too large" {
	head -c 1200000 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/big"
	refused "File too large" cp "$BATS_TEST_TMPDIR/big" "$pin"
	[ ! -e "$pin" ]
}

@test "a name whose escapes pass 1 MiB is: File too large, since no dump could bring it back" {
	printf '{"name":"%s"}' "$(head -c 200000 /dev/zero | tr '\0' '<')" >"$BATS_TEST_TMPDIR/escapes"
	refused "File too large" cp "$BATS_TEST_TMPDIR/escapes" "$pin"
	[ ! -e "$pin" ]
}

@test "a recursive pin does not become a direct one: Device or resource busy" {
	touch "$pin"
	refused "Device or resource busy" write '{"mode":"direct"}'
	[ "$(key mode)" = '"recursive"' ]
}

@test "names that are no pins are refused at once" {
	for name in "$cid" "${cid%?}.json" "x$cid.json" list.json notes; do
		refused "Invalid argument" bash -c ': > "$1"' _ "$M/pins/$name"
		[ ! -e "$M/pins/$name" ]
	done
}

@test "an expiry in the past is refused" {
	refused "Invalid argument" write '{"expire_at":"2001-01-01T00:00:00Z"}'
}

@test "a download that failed pins nothing" {
	run ! bash -c 'curl -sf http://127.0.0.1:1/ > "$1"' _ "$pin"
	wait_for 5 fails test -e "$pin"
}

@test "truncating a pin never unpins it" {
	write '{"name":"whole"}'
	: >"$pin"
	[ "$(key name)" = '"whole"' ]
	refused "Invalid argument" truncate -s 0 "$pin"
	[ "$(key name)" = '"whole"' ]
}

@test "while a pin is being written it reads as it was committed" {
	write '{"name":"committed"}'
	exec 5>"$pin"
	printf '{"name":' >&5
	[ "$(key name)" = '"committed"' ]
	printf '"next"}\n' >&5
	exec 5>&-
	[ "$(key name)" = '"next"' ]
}

@test "a second writer of a pin is: Device or resource busy" {
	exec 5>"$pin"
	printf '{"name":' >&5
	refused "Device or resource busy" write '{"name":"second"}'
	printf '"first"}\n' >&5
	exec 5>&-
	[ "$(key name)" = '"first"' ]
}

@test "mv between two CIDs is refused" {
	touch "$pin"
	refused "cannot move" mv "$pin" "$M/pins/$other.json"
	[[ $(cat "$M/why") == *"Invalid argument: a pin's name is its CID"* ]]
	[ -e "$pin" ]
}

@test "any text form of a CID finds its pin, ls shows the canonical one" {
	touch "$pin"
	hex=f01551220$(printf %s "$BATS_TEST_NAME" | sha256sum | cut -c 1-64)
	[ "$(jq -r .cid "$M/pins/$hex.json")" = "$cid" ]
	run ls "$M/pins"
	[[ $output == *"$cid.json"* ]]
	[[ $output != *"$hex"* ]]
}

@test "no folder can be made in pins, and pins itself cannot be removed" {
	refused "Operation not permitted" mkdir "$M/pins/sub"
	refused "Device or resource busy" rmdir "$M/pins"
	refused "Operation not permitted" mkdir "$M/sub"
}

@test "chmod, chown and a time are accepted and change nothing" {
	touch "$pin"
	before=$(stat --cached=never -c '%a %u %Y' "$pin")
	chmod 600 "$pin"
	chown 1:1 "$pin"
	touch -d 2001-01-01 "$pin"
	[ "$(stat --cached=never -c '%a %u %Y' "$pin")" = "$before" ]
}

@test "ls of status/by/error is empty when nothing is wrong" {
	[ -z "$(ls "$M/status/by/error")" ]
}

@test "the status of a pin names this peer and its state" {
	touch "$pin"
	run -0 jq -r '.peer_map[].status' "$M/status/$cid.json"
	[[ $output == pin_queued || $output == pinning || $output == pin_error ]]
	[ "$(jq -r .cid "$M/status/$cid.json")" = "$cid" ]
}

@test "touching a status recovers the pin" {
	touch "$pin"
	touch "$M/status/$cid.json"
	refused "No such file or directory" touch "$M/status/$other.json"
}

@test "the views of status link to the pins and nothing can be removed through them" {
	touch "$pin"
	wait_for 5 test -L "$M/status/by/queued/$cid.json"
	[ "$(readlink "$M/status/by/queued/$cid.json")" = "../../../pins/$cid.json" ]
	[ "$(jq -r .cid "$M/status/by/queued/$cid.json")" = "$cid" ]
	refused "Operation not permitted" rm "${M:?}/status/by/queued/$cid.json"
	[ -e "$pin" ]
}

# a_second_after FILE: times of pins are whole seconds.
a_second_after() {
	[ "$(date +%s)" -gt "$(stat -c %Y "$1")" ]
}

@test "find -newer lists what was pinned since" {
	touch "$M/pins/$other.json"
	wait_for 5 a_second_after "$M/pins/$other.json"
	touch "$BATS_TEST_TMPDIR/last"
	wait_for 5 a_second_after "$BATS_TEST_TMPDIR/last"
	touch "$pin"
	run -0 find "$M/pins" -newer "$BATS_TEST_TMPDIR/last" -name '*.json'
	[ "$output" = "$pin" ]
}

@test "a pin is found by its name" {
	write '{"name":"my site/1"}'
	run -0 ls "$M/by-name/my site%2F1"
	[ "$output" = "$cid.json" ]
	[ "$(jq -r .cid "$M/by-name/my site%2F1/$cid.json")" = "$cid" ]
	run -0 grep -l '"name": "my site/1"' -r "$M/pins"
	[ "$output" = "$pin" ]
}

@test "a pin without a name is found as _unnamed" {
	touch "$pin"
	[ -L "$M/by-name/_unnamed/$cid.json" ]
}

@test "a pin is found by its metadata" {
	write '{"metadata":{"owner":"bob of this test"}}'
	run -0 grep -l '"owner": "bob of this test"' -r "$M/pins"
	[ "$output" = "$pin" ]
	run -0 jq -r 'select(.metadata.owner == "bob of this test") | .cid' "$M/state/export"
	[ "$output" = "$cid" ]
}

@test "rm through by-name is refused; it lists the pins to remove" {
	write '{"name":"old of this test"}'
	refused "Operation not permitted" rm "${M:?}/by-name/old of this test/$cid.json"
	for f in "$M/by-name/old of this test"/*; do
		rm "${M:?}/pins/${f##*/}"
	done
	[ ! -e "$pin" ]
}

@test "jq lists the pins that expire in a month" {
	write '{"expire_at":"2091-12-24T00:00:00Z"}'
	run -0 jq -r 'select(.expire_at | startswith("2091-12")) | .cid' "$M/state/export"
	[ "$output" = "$cid" ]
}

@test "a list of CIDs is pinned by one write to batch" {
	for i in 1 2 3; do
		cid_of "$BATS_TEST_NAME $i"
	done >"$BATS_TEST_TMPDIR/cids"
	sed 's/^/+/' "$BATS_TEST_TMPDIR/cids" >"$M/batch"
	while read -r c; do
		[ -e "$M/pins/$c.json" ]
	done <"$BATS_TEST_TMPDIR/cids"
	sed 's/^/-/' "$BATS_TEST_TMPDIR/cids" >"$M/batch"
	while read -r c; do
		[ ! -e "$M/pins/$c.json" ]
	done <"$BATS_TEST_TMPDIR/cids"
}

@test "a batch with options pins with them" {
	printf '+%s {"name":"batched"}\n' "$cid" >"$BATS_TEST_TMPDIR/batch"
	cp "$BATS_TEST_TMPDIR/batch" "$M/batch"
	[ "$(key name)" = '"batched"' ]
}

@test "a list of 20000 CIDs is pinned and unpinned as one" {
	local before
	before=$(pins_count)
	batch_lines 20000 mass >"$BATS_TEST_TMPDIR/batch"
	# One bad line, the last: nothing.
	(cat "$BATS_TEST_TMPDIR/batch"; echo "-$(cid_of nowhere)") >"$BATS_TEST_TMPDIR/bad"
	refused "No such file" cp "$BATS_TEST_TMPDIR/bad" "$M/batch"
	pins_are "$before"
	cat "$BATS_TEST_TMPDIR/batch" >"$M/batch"
	pins_are $((before + 20000))
	jq -e 'select(.op == "batch") | .pinned == 20000' "$M/audit"
	sed 's/^+/-/' "$BATS_TEST_TMPDIR/batch" >"$BATS_TEST_TMPDIR/unpin"
	refused "Operation not permitted" cp "$BATS_TEST_TMPDIR/unpin" "$M/batch"
	pins_are $((before + 20000))
	allow_all
	cp "$BATS_TEST_TMPDIR/unpin" "$M/batch"
	pins_are "$before"
	pinfs_stop "$M"
	pinfs_start "$M" "$C"
	pins_are "$before"
}

@test "a batch with a bad line changes nothing" {
	printf '+%s\n+foo\n' "$cid" >"$BATS_TEST_TMPDIR/batch"
	refused "Invalid argument" cp "$BATS_TEST_TMPDIR/batch" "$M/batch"
	[ ! -e "$pin" ]
	printf -- '+%s\n-%s\n' "$cid" "$other" >"$BATS_TEST_TMPDIR/batch"
	refused "No such file" cp "$BATS_TEST_TMPDIR/batch" "$M/batch"
	[ ! -e "$pin" ]
}

@test "a loop of touch pins a list" {
	for i in $(seq 20); do
		cid_of "$BATS_TEST_NAME $i"
	done >"$BATS_TEST_TMPDIR/cids"
	before=$(pins_count)
	while read -r c; do
		touch "$M/pins/$c.json"
	done <"$BATS_TEST_TMPDIR/cids"
	pins_are $((before + 20))
}

@test "rm of a peer is refused" {
	id=$(jq -r .id "$M/peers/self")
	refused "Operation not permitted" rm "${M:?}/peers/$id.json"
}

@test "peers/self is this peer" {
	[ "$(jq -r .id "$M/peers/self")" = "$(jq -r .id "$C/identity.json")" ]
	[ "$(jq -r .peername "$M/peers/self")" = alpha ]
}

@test "status/summary.json has the rates" {
	run -0 jq -e 'has("rates")' "$M/status/summary.json"
}

@test "every pin and unpin is an event and is audited" {
	touch "$pin"
	rm "$pin"
	wait_for 5 grep -F "$cid" "$M/events"
	[ "$(grep -cF "$cid" "$M/audit")" -ge 2 ]
	run -0 jq -es 'all(type == "object")' "$M/events"
	run -0 jq -es 'all(type == "object")' "$M/audit"
}

# told: an event of $cid has come; makes another one, in case tail began to follow only now.
told() {
	echo "{\"name\":\"$EPOCHREALTIME\"}" >"$pin"
	grep -F "$cid" "$BATS_TEST_TMPDIR/event"
}

@test "tail -f follows events" {
	timeout 20 bash -c 'tail -n 0 -f "$1" | grep -m 1 -F "$2"' _ "$M/events" "$cid" \
		>"$BATS_TEST_TMPDIR/event" 2>&1 3>&- &
	wait_for 15 told
}

@test "df shows the mount with numbers" {
	run -0 df --output=fstype,size "$M"
	[[ ${lines[1]} == fuse.pinfs* ]]
	[ "$(awk '{ print $2 }' <<<"${lines[1]}")" -gt 0 ]
}

@test "health/ready is 1 and health/problems says that Kubo is not there" {
	[ "$(cat "$M/health/ready")" = 1 ]
	# Kubo is not there, and it says so.
	wait_for 10 grep -i kubo "$M/health/problems"
	run -0 jq -e . "$M/health/metrics/ping.json"
}

@test "a refusal is in why: program, path, error and reason" {
	refused "Invalid argument" cp /etc/hostname "$pin"
	run -0 head -n 1 "$M/why"
	[[ $output == *" cp pins/$cid.json: Invalid argument: "?* ]]
}

@test "find, ls -lR, rsync and tar walk the whole mount" {
	touch "$pin"
	timeout $((60 * PINFS_SLOW)) find "$M" >"$BATS_TEST_TMPDIR/all"
	timeout $((60 * PINFS_SLOW)) ls -lR "$M" >/dev/null
	timeout $((60 * PINFS_SLOW)) rsync -a "$M/" "$BATS_TEST_TMPDIR/copy/"
	timeout $((60 * PINFS_SLOW)) tar -C "$M" -cf /dev/null .
	cmp "$pin" "$BATS_TEST_TMPDIR/copy/pins/$cid.json"
}
