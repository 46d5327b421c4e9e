#!/usr/bin/env bats
# Dumps and folders to and from the real ipfs-cluster-service.
load lib/common

setup_file() {
	journey_begin
	have_peers || return 0
	pinfs_init "$C"
	pinfs_start "$M" "$C"
}

setup() {
	skip_without_go
	G=$BATS_TEST_TMPDIR/go
	go_service "$G" init
}

go_export() {
	go_dump "$G" "$1"
}

@test "a dump goes from the Go tool to pinfs and comes back byte for byte" {
	for size in small medium; do
		go_import "$G" "$vectors/dumps/$size/export.json"
		go_export "$BATS_TEST_TMPDIR/$size.go"
		cp "$BATS_TEST_TMPDIR/$size.go" "$M/state/import"
		pins_same "$BATS_TEST_TMPDIR/$size.go"
	done
}

@test "an export of the Go tool that is written to state/import restores" {
	go_import "$G" "$vectors/dumps/small/export.json"
	allow_all
	go_dump "$G" "$BATS_TEST_TMPDIR/theirs"
	cat "$BATS_TEST_TMPDIR/theirs" >"$M/state/import"
	pins_same "$vectors/dumps/small/export.json"
}

@test "a dump goes from pinfs to the Go tool" {
	allow_all
	import_dump "$vectors/dumps/medium/import.json"
	cp "$M/state/export" "$BATS_TEST_TMPDIR/ours"
	go_import "$G" "$BATS_TEST_TMPDIR/ours"
	go_export "$BATS_TEST_TMPDIR/theirs"
	cmp "$BATS_TEST_TMPDIR/ours" "$BATS_TEST_TMPDIR/theirs"
}

@test "the same dump gives the same head in pinfs and in the Go tool" {
	dump_lines 9000 >"$BATS_TEST_TMPDIR/large" # more than one delta
	tac "$BATS_TEST_TMPDIR/large" >"$BATS_TEST_TMPDIR/reversed"
	for dump in "$vectors/dumps/small/export.json" "$vectors/dumps/medium/import.json" \
		"$vectors/dumps/medium/export.json" "$BATS_TEST_TMPDIR/large" "$BATS_TEST_TMPDIR/reversed"; do
		go_import "$G" "$dump"
		allow_all
		import_dump "$dump"
		[ "$(go_heads "$G")" = "$(heads)" ] || {
			echo "$dump: $(go_heads "$G") there, $(heads) here"
			false
		}
	done
}

@test "the height after an import is that of the Go tool" {
	dump_lines 9000 >"$BATS_TEST_TMPDIR/large"
	go_import "$G" "$BATS_TEST_TMPDIR/large"
	allow_all
	import_dump "$BATS_TEST_TMPDIR/large"
	height=$(go_service "$G" state crdt info 2>/dev/null | sed -n 's/.*max-height: \([0-9]*\).*/\1/p')
	[ "$(jq .height "$M/state/info.json")" = "$height" ]
}

@test "duplicates and odd forms give the same head and the same dump" {
	{
		dump_lines 20
		dump_lines 5
		dump_lines 3 odd | jq -c '.NAME = "upper" | .later = {"a":1}'
	} >"$BATS_TEST_TMPDIR/odd"
	go_import "$G" "$BATS_TEST_TMPDIR/odd"
	allow_all
	import_dump "$BATS_TEST_TMPDIR/odd"
	go_export "$BATS_TEST_TMPDIR/theirs"
	pins_same "$BATS_TEST_TMPDIR/theirs"
	[ "$(go_heads "$G")" = "$(heads)" ]
}

@test "a dump of pins written here is accepted whole by the Go tool" {
	rm -rf "${M:?}/state"
	touch "$M/pins/$(cid_of one).json"
	echo '{"name":"two <&> \u2028 é","mode":"direct","metadata":{"b":"2","a":"1"}}' >"$M/pins/$(cid_of two).json"
	echo '{"expire_at":"2090-01-01T00:00:00+02:00"}' >"$M/pins/$(cid_of three).json"
	cp "$M/state/export" "$BATS_TEST_TMPDIR/ours"
	go_import "$G" "$BATS_TEST_TMPDIR/ours"
	go_export "$BATS_TEST_TMPDIR/theirs"
	cmp "$BATS_TEST_TMPDIR/ours" "$BATS_TEST_TMPDIR/theirs"
}
