#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2154 # programs of jq; what lib/hosts sets
# A running peer and whoever has bad intentions: strangers, floods, garbage in every layer, forged
# messages, and a trusted peer gone bad. tests/interop/hostile.c does each of it, and knows the
# answer that is due; here is what must be true afterwards. Host 2 is attacked, host 3 is another
# peer of ours, host 1 a real ipfs-cluster-service, host 4 an address of somebody else.
load ../bats/lib/common
load lib/hosts

: "${HOSTILE:=$(dirname "$PINFS")/../tests/interop/hostile}"

# Anonymous memory that the peer may have grown by after an attack, and while it is being held up by
# far more peers than may be: see "What a stranger can cost" in docs/network.md. A sanitizer keeps
# what was freed, and has several bytes for each of ours.
grown_kib=49152
held_kib=196608
sanitizer_kib=1048576

# Lines in the log by one test's attacks: those that are always written, and those of debugging.
lines_max=60
debug_max=10000

peers_max=40    # that are shown when those who attack are gone
members_max=512 # as in cluster/members.h

descriptors_spare=6 # connections of honest peers that come and go

setup_file() {
	journey_begin
	local n trusted
	for n in 2 3 4; do
		host_add "$n"
		[ "$n" = 4 ] || ours_init "$n"
	done
	peers_know 3 2
	if have_peers; then
		host_add 1
		go_init 1
		peers_know 2 1
		host_kubo 1
		go_start 1
		trusted=$(peer_id 1)
	fi
	config_set "$(cfg 2)" '.cluster.listen_multiaddress += ["/ip4/127.0.0.1/tcp/9096"]
		| .consensus.crdt.trusted_peers = ($ids | split(" "))' \
		--arg ids "$(peer_id 3) $("$HOSTILE" id judas)${trusted:+ $trusted}"
	ours_start 2 -d
	ours_start 3
	wait_for 20 pin_travels 3 2 "the first"
	ours_memory >"$BATS_FILE_TMPDIR/memory"
	ours_descriptors >"$BATS_FILE_TMPDIR/descriptors"
}

setup() {
	log=$(mnt 2).log
	lines_before=$(lines)
	debug_before=$(debug_lines)
	length_before=$(wc -l <"$log")
}

teardown() {
	journey_log
}

teardown_file() {
	journey_end
}

# attack NAME...: by a stranger who knows the secret, on the same machine, where connections are
# not limited by address.
attack() {
	on 2 timeout $((60 * PINFS_SLOW)) "$HOSTILE" "$cluster_secret" 127.0.0.1 9096 \
		"$(peer_id 2)" "$@"
}

ours_pid() {
	pid_of "$(mnt 2)"
}

ours_memory() {
	awk '$1 == "RssAnon:" { print $2 }' "/proc/$(ours_pid)/status"
}

ours_descriptors() {
	find "/proc/$(ours_pid)/fd" -mindepth 1 | wc -l
}

# Those of debugging, but for what libfuse says of each request; the others.
debug_lines() {
	grep ' debug   ' "$(mnt 2).log" | grep -cv ' debug   fs: ' || true
}

lines() {
	grep -cv ' debug   ' "$(mnt 2).log" || true
}

# memory_within KIB: what it has grown by since it was started.
memory_within() {
	local now begun bound=$1
	now=$(ours_memory) begun=$(cat "$BATS_FILE_TMPDIR/memory")
	[ "$PINFS_SLOW" = 1 ] || bound=$((bound + sanitizer_kib))
	echo "anonymous memory: $begun KiB at first, $now KiB now"
	[ $((now - begun)) -le "$bound" ]
}

descriptors_are_back() {
	[ "$(ours_descriptors)" -le $(($(cat "$BATS_FILE_TMPDIR/descriptors") + descriptors_spare)) ]
}

# pin_travels FROM TO TEXT
pin_travels() {
	local cid
	cid=$(cid_of "$3")
	[ -e "$(mnt "$1")/pins/$cid.json" ] || touch "$(mnt "$1")/pins/$cid.json"
	ours_has "$2" "$cid"
}

# log_says TEXT: since the test began.
log_says() {
	tail -n +"$((length_before + 1))" "$log" | grep -F -- "$1" >/dev/null || {
		echo "the log does not say '$1'"
		return 1
	}
}

no_secret_in() {
	local key
	key=$(jq -r .private_key "$(cfg 2)/identity.json")
	fails grep -rqF -e "$cluster_secret" -e "$key" -e "${key:20:40}" "$@"
}

# unharmed: the peer lives, answers at once, takes part, and has kept nothing of it.
unharmed() {
	local text="$BATS_TEST_NUMBER $RANDOM" at
	at=$(mnt 2)
	alive "$(ours_pid)"
	timeout $((2 * PINFS_SLOW)) jq -e .pins "$at/state/info.json" >/dev/null
	timeout $((2 * PINFS_SLOW)) ls "$at/pins" >/dev/null
	timeout $((2 * PINFS_SLOW)) cat "$at"/health/{alerts.json,metrics/ping.json} >/dev/null
	wait_for 40 pin_travels 3 2 "to $text"
	wait_for 40 pin_travels 2 3 "from $text"
	[ ! -e "$BATS_FILE_TMPDIR/go1.pid" ] || {
		go_pin 1 "$(cid_of "go $text")"
		wait_for 40 ours_has 2 "$(cid_of "go $text")"
	}
	wait_for 15 memory_within "$grown_kib" || memory_within "$grown_kib"
	wait_for 15 descriptors_are_back
	[ $(($(lines) - lines_before)) -le "$lines_max" ]
	[ $(($(debug_lines) - debug_before)) -le "$debug_max" ]
	no_secret_in "$log"
}

# hold NAME: an attack that stays until let_go; let_go.
hold() {
	rm -f "$BATS_TEST_TMPDIR/hold"
	mkfifo "$BATS_TEST_TMPDIR/hold"
	attack "$1" <"$BATS_TEST_TMPDIR/hold" >"$BATS_TEST_TMPDIR/held" 2>&1 3>&- &
	holder=$!
	exec 7>"$BATS_TEST_TMPDIR/hold"
	wait_for 40 grep holding "$BATS_TEST_TMPDIR/held" || {
		cat "$BATS_TEST_TMPDIR/held"
		return 1
	}
}

let_go() {
	exec 7>&-
	wait "$holder"
}

# The two that take their time, as the limits they run into do: one has its connection before the
# other takes all that there are for strangers.
@test "who says nothing, on a connection or on its streams, is ended" {
	local connections
	connections=$(ours_descriptors)
	attack stream_flood >"$BATS_TEST_TMPDIR/streams" 3>&- &
	local streams=$!
	wait_for 5 more_descriptors "$connections"
	attack silent >"$BATS_TEST_TMPDIR/silent" 3>&- &
	local silent=$!
	wait_for 10 more_descriptors $((connections + 60))
	timeout $((2 * PINFS_SLOW)) ls "$(mnt 2)/pins" >/dev/null
	wait_for 10 pin_travels 3 2 "in the silence"
	wait "$streams"
	wait "$silent"
	unharmed
}

more_descriptors() {
	[ "$(ours_descriptors)" -gt "$1" ]
}

@test "who has another secret, or none, is not talked to" {
	attack wrong_secret garbage no_token too_many_proposals
	log_says "another network, or secret"
	unharmed
}

@test "one address has a few connections, and no more" {
	on 4 "$HOSTILE" "$cluster_secret" "$(host_ip 2)" 9096 "$(peer_id 2)" flood
	unharmed
}

@test "handshakes that lie, and frames that break the rules, end the connection" {
	attack noise_first_message noise_third_message yamux_violations
	log_says "Noise: "
	log_says "yamux: "
	unharmed
}

@test "floods of streams and pings are cut, and nothing else is" {
	attack stream_storm ping_flood stream_dialogues
	unharmed
}

@test "what identify, ping and bitswap may not be, ends their stream" {
	attack identify_pushes ping_streams bitswap_messages
	log_says identify
	unharmed
}

@test "a message that is forged, replayed or not trusted goes no further" {
	attack gossip_frames forged_messages
	log_says "not reading it for a while"
	unharmed
}

@test "members that are invented are none, and floods of messages change nothing" {
	attack invented_members strange_metrics gossip_control_flood message_flood
	unharmed
	wait_for 15 few_peers
}

@test "peers that come in thousands are forgotten again, and few of them are told of" {
	attack many_identities
	lines_max=$((2 * members_max))
	unharmed
	wait_for 15 few_peers
}

few_peers() {
	[ "$(find "$(mnt 2)/peers" -mindepth 1 -maxdepth 1 | wc -l)" -lt "$peers_max" ]
}

@test "who is not trusted changes nothing by calls" {
	attack untrusted_calls malformed_calls call_flood
	unharmed
}

@test "what is held up by many is bounded, and given back" {
	hold hoard
	memory_within "$held_kib"
	timeout $((2 * PINFS_SLOW)) ls "$(mnt 2)/pins" >/dev/null
	wait_for 15 pin_travels 3 2 "while it holds"
	let_go
	wait_for 15 descriptors_are_back
	hold crowd
	memory_within "$held_kib"
	wait_for 15 pin_travels 3 2 "in the crowd"
	let_go
	unharmed
}

@test "deltas of a trusted peer gone bad are taken as far as they make sense" {
	local cid at dump=$BATS_TEST_TMPDIR/dump
	# This is of ours: what the reference makes of it is not asked.
	[ ! -e "$BATS_FILE_TMPDIR/go1.pid" ] || go_stop 1
	attack_as_judas hostile_keys hostile_values hostile_blocks huge_height head_flood
	log_says "is no delta"
	at=$(mnt 2)
	cid=$(cid_of "hostile keys")
	wait_for 10 ours_has 2 "$cid"
	jq -e '.name == "a/b\n\"\\\u001b[31m\\.." or (.name | contains("a/b"))' "$at/pins/$cid.json"
	cp "$at/state/export" "$dump"
	jq -e .cid "$dump" >/dev/null
	# The highest pin that there can be is changed, and removed, nevertheless.
	cid=$(cid_of "made by a hostile peer")
	wait_for 10 ours_has 2 "$cid"
	echo '{"name":"ours now"}' >"$at/pins/$cid.json"
	[ "$(jq -r .name "$at/pins/$cid.json")" = "ours now" ]
	wait_for 15 renamed 3 "$cid" "ours now"
	rm "$at/pins/$cid.json"
	wait_for 15 fails ours_has 3 "$cid"
	unharmed
}

attack_as_judas() {
	on 2 timeout $((60 * PINFS_SLOW)) "$HOSTILE" -i judas "$cluster_secret" 127.0.0.1 9096 \
		"$(peer_id 2)" "$@"
}

renamed() {
	[ "$(jq -r .name "$(mnt "$1")/pins/$2.json")" = "$3" ]
}

# Some files wait for what is to come.
@test "neither the secret nor the key is anywhere to be read" {
	local all=$BATS_TEST_TMPDIR/all
	find "$(mnt 2)" -type f -exec timeout "$PINFS_SLOW" cat {} \; >"$all" 2>/dev/null || true
	grep -F "$(peer_id 2)" "$all" >/dev/null
	no_secret_in "$all" "$(mnt 2).log"
}
