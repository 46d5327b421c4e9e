#!/usr/bin/env bats
# What the tree shows of a cluster: a real ipfs-cluster-service with a Kubo (host 1), a peer of ours
# with one (host 2), a peer of ours without (host 3). The Go peer's REST API says what is right.
load ../bats/lib/common
load lib/hosts

setup_file() {
	journey_begin
	have_peers || return 0
	for n in 1 2 3; do
		host_add "$n"
	done
	go_init 1
	ours_init 2
	ours_init 3
	peers_know 2 1
	peers_know 3 1 2
	host_kubo 1
	host_kubo 2
	go_start 1
	ours_start 2
	ours_start 3
}

setup() {
	skip_without_go
}

teardown() {
	journey_log
}

teardown_file() {
	journey_end
}

# peer_file N M: what host N shows of the peer of host M.
peer_file() {
	echo "$(mnt "$1")/peers/$(peer_id "$2").json"
}

answered() {
	[ -n "$(jq -r '.asked | select(. != "")' "$(peer_file "$1" "$2")")" ]
}

# id_keys: what stays the same in two answers of a peer.
id_keys='{id,version,commit,rpc_protocol_version,peername,error}
	+ {ipfs: .ipfs.id, addresses: (.addresses | sort), cluster_peers: (.cluster_peers | sort)}'

# same_id N: of the peer of host N, the Go peer lists the same as host 3 shows.
same_id() {
	rest 1 peers | jq -S --arg id "$(peer_id "$1")" "select(.id == \$id) | $id_keys" >"$BATS_TEST_TMPDIR/go"
	jq -S "$id_keys" "$(peer_file 3 "$1")" | diff "$BATS_TEST_TMPDIR/go" -
}

# lists FILE KEY TEXT: the list under the key has the text.
lists() {
	jq -r ".$2[]" "$1" | grep -Fx -- "$3"
}

@test "there is a file for every member, and each is listed once" {
	wait_for 30 answered 3 1
	wait_for 30 answered 2 1
	for n in 2 3; do
		find "$(mnt "$n")/peers" -mindepth 1 -printf '%f\n' | sort >"$BATS_TEST_TMPDIR/names"
		{
			echo add
			echo self
			for m in 1 2 3; do
				echo "$(peer_id "$m").json"
			done
		} | sort | diff - "$BATS_TEST_TMPDIR/names"
	done
}

@test "the file of a Go peer is its entry in the reference's peers ls" {
	wait_for 40 same_id 1 || same_id 1
	wait_for 10 jq -e '.alive and .connected and .trusted and .agent != ""' "$(peer_file 3 1)"
	[ "$(stat -c %s "$(peer_file 3 1)")" = "$(wc -c <"$(peer_file 3 1)")" ]
}

# in_step N M: host N has all that host M announced last.
in_step() {
	jq -e '.in_step and (.heads | length) > 0 and .heads_heard != ""' "$(peer_file "$1" "$2")"
}

same_heads() {
	[ "$(jq -c .heads "$(peer_file 3 1)")" = "$(jq -c .heads "$(peer_file 2 1)")" ]
}

@test "the file of a member has the heads it announced last, and whether they are here" {
	cid=$(cid_of "head of go")
	go_pin 1 "$cid"
	wait_for 20 ours_has 2 "$cid"
	wait_for 20 in_step 2 1
	host_unplug 2
	go_pin 1 "$(cid_of "not here")"
	wait_for 20 ours_has 3 "$(cid_of "not here")"
	wait_for 20 in_step 3 1
	host_plug 2
	wait_for 40 ours_has 2 "$(cid_of "not here")"
	wait_for 20 in_step 2 1
	wait_for 20 same_heads
}

@test "self has the addresses where this peer and the others are" {
	self=$(mnt 3)/peers/self
	lists "$self" addresses "$(peer_address 3)"
	wait_for 20 lists "$self" cluster_peers_addresses "$(peer_address 1)"
	wait_for 20 lists "$self" cluster_peers_addresses "$(peer_address 2)"
	[ "$(jq -c .cluster_peers "$self")" = \
		"$(rest 1 id | jq -c .cluster_peers)" ]
}

@test "an address written to peers/add is dialled, and a bad one is refused with the reason" {
	add=$(mnt 2)/peers/add
	peer_address 1 >"$add"
	printf %s "$(peer_address 1)" >"$add"
	refused "Invalid argument" bash -c "echo hello > $add"
	why_says 'it must begin with "/"' "$(mnt 2)"
	refused "Invalid argument" bash -c "echo /ip4/$(host_ip 1)/tcp/9096 > $add"
	why_says "there is no /p2p/" "$(mnt 2)"
	refused "Invalid argument" bash -c "echo $(peer_address 2) > $add"
	why_says "this is the peer itself" "$(mnt 2)"
}

@test "an address where nobody is cannot be added, which is said within five seconds" {
	nobody=/ip4/10.77.0.99/tcp/9096/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo
	from=$EPOCHREALTIME
	refused "No route to host" bash -c "echo $nobody > $(mnt 2)/peers/add"
	[ $(((${EPOCHREALTIME/./} - ${from/./}) / 1000)) -lt 6000 ]
	why_says "the peer cannot be reached" "$(mnt 2)"
	refused "No route to host" \
		bash -c "echo /ip4/$(host_ip 3)/tcp/1/p2p/${nobody##*/} > $(mnt 2)/peers/add"
}

# same_metrics NAME: the Go peer and host 2 know of the same peers' values.
same_metrics() {
	local keys='[.[] | {name,peer,value,valid,weight,partitionable}] | sort_by(.peer)'
	rest 1 "monitor/metrics/$1" | jq -S "$keys" >"$BATS_TEST_TMPDIR/go"
	jq -S "$keys" "$(mnt 2)/health/metrics/$1.json" | diff "$BATS_TEST_TMPDIR/go" -
}

@test "the metrics of all peers are those that the Go peer has" {
	for name in ping tag:group pinqueue; do
		wait_for 20 same_metrics "$name" || same_metrics "$name"
	done
	[ "$(jq length "$(mnt 2)/health/metrics/ping.json")" = 3 ]
	rest 1 monitor/metrics | jq -r '.[] + ".json"' | sort >"$BATS_TEST_TMPDIR/go"
	find "$(mnt 2)/health/metrics" -type f -printf '%f\n' | sort | diff "$BATS_TEST_TMPDIR/go" -
}

# same_graph: complete, and but for whose graph it is and the Kubos' own connections, which are not
# asked for here, the same.
# The order in which a peer names those that it is connected to is nobody's.
same_graph() {
	local keys='del(.cluster_id) | .cluster_links |= map_values(sort) | .ipfs_links |= keys'
	rest 1 health/graph | jq -S "$keys" >"$BATS_TEST_TMPDIR/go"
	jq -S "$keys" "$(mnt 3)/health/graph.json" | diff "$BATS_TEST_TMPDIR/go" - || return 1
	jq -e '[.cluster_to_ipfs, .cluster_links[]] | map(length) == [2, 2, 2, 2]' \
		"$(mnt 3)/health/graph.json"
}

@test "the graph has the links that the Go peer finds" {
	wait_for 40 same_graph || same_graph
	graph=$(mnt 3)/health/graph.json dot=$(mnt 3)/health/graph.dot
	[ "$(jq -r .cluster_id "$graph")" = "$(peer_id 3)" ]
	[ "$(grep -c 'C[0-9] -> C[0-9]' "$dot")" -eq 6 ]
	[ "$(grep -c 'C[0-9] -> I[0-9]$' "$dot")" -eq 2 ]
	[ "$(grep -c 'style="dotted"' "$dot")" -eq 1 ]
}

@test "a peer in step with the others is ready, and says how far it is" {
	cid=$(cid_of "in step")
	go_pin 1 "$cid"
	wait_for 20 ours_has 2 "$cid"
	wait_for 10 grep -Fx 1 "$(mnt 2)/health/ready"
	info=$(mnt 2)/state/info.json
	jq -e '(.dirty | not) and .wanted == 0 and .merged > 0 and .failed == 0' "$info"
	age=$(($(date +%s) - $(date -d "$(jq -r .last_heard "$info")" +%s)))
	[ "$age" -ge 0 ] && [ "$age" -lt 60 ]
	[ ! -s "$(mnt 2)/health/problems" ]
	grep -F "Kubo does not answer" "$(mnt 3)/health/problems"
}

@test "peers, connections and messages are counted" {
	prom=$(mnt 2)/health/pinfs.prom
	grep -Fx "pinfs_peers 3" "$prom"
	grep -Fx "pinfs_peers_connected 2" "$prom"
	grep -Fx "pinfs_crdt_wanted_blocks 0" "$prom"
	grep -E '^pinfs_gossip_delivered_total [1-9]' "$prom"
	grep -E '^pinfs_net_in_bytes_total [1-9]' "$prom"
	[ -z "$(grep -E '^[a-z_]+ -?[0-9]+$' "$prom" | cut -d ' ' -f 1 | sort | uniq -d)" ]
}

# status_of N CID M: what host N shows of the status of the pin on host M.
status_of() {
	jq -r ".peer_map[\"$(peer_id "$3")\"].status" "$(mnt "$1")/status/$2.json"
}

has_status() {
	[ "$(status_of "$1" "$2" "$3")" = "$4" ]
}

# said_by_go CID: the entry of the Go peer, by its own word and in our file.
said_by_go() {
	local key
	key=".peer_map[\"$(peer_id 1)\"]"
	[ "$(rest 1 "pins/$1?local=true" | jq -S "$key")" = \
		"$(jq -S "$key" "$(mnt 3)/status/$1.json")" ]
}

@test "the status of a pin has what every member says of it" {
	cid=$(cid_of "everywhere")
	kubo_on 1 "block/put?cid-codec=raw" -F "data=@-" <<<"" >/dev/null
	printf everywhere >"$BATS_TEST_TMPDIR/block"
	for n in 1 2; do
		kubo_on "$n" "block/put?cid-codec=raw" -F "data=@$BATS_TEST_TMPDIR/block" >/dev/null
	done
	go_pin 1 "$cid" name=everywhere
	wait_for 20 has_status 3 "$cid" 1 pinned
	wait_for 20 has_status 3 "$cid" 2 pinned
	said_by_go "$cid"
	has_status 3 "$cid" 3 pin_queued
	file=$(mnt 3)/status/$cid.json
	[ "$(jq -c '.peer_map | keys_unsorted' "$file")" = "$(jq -c '.peer_map | keys' "$file")" ]
	[ "$(jq '.peer_map | length' "$file")" = 3 ]
	jq --indent 4 . "$file" | cmp - "$file"
	cmp "$file" "$file"
	exec 4<"$file"
	[ "$(stat -L -c %s /proc/self/fd/4)" -le "$(wc -c <&4)" ]
	exec 4<&-
}

@test "members to which a pin is not allocated are remote" {
	cid=$(cid_of "on go alone")
	go_pin 1 "$cid" "replication-min=1&replication-max=1&user-allocations=$(peer_id 1)"
	wait_for 20 ours_has 3 "$cid"
	wait_for 10 has_status 3 "$cid" 3 remote
	has_status 3 "$cid" 2 remote
	[ "$(jq -r ".peer_map[\"$(peer_id 2)\"].peername" "$(mnt 3)/status/$cid.json")" = host2 ]
	[[ $(status_of 3 "$cid" 1) = pin* ]]
}

@test "errors has the lines of all members, and says who answered" {
	errors=$(mnt 3)/status/errors
	tail -n 1 "$errors" | jq -e --arg go "$(peer_id 1)" --arg us "$(peer_id 3)" \
		'(.answered | contains([$go, $us])) and .shown == .pins_in_error'
	[ "$(jq -s 'length - 1 == .[-1].shown' "$errors")" = true ]
}

@test "a listing and rsync of the statuses ask nobody, or not for long" {
	from=$SECONDS
	find "$(mnt 3)/status" -type f -printf '%s\n' >/dev/null
	[ $((SECONDS - from)) -le 2 ]
	rsync -a "$(mnt 3)/status/" "$BATS_TEST_TMPDIR/copy/"
	[ "$(find "$BATS_TEST_TMPDIR/copy" -name '*.json' -type f | wc -l)" -gt 1 ]
}

# event_of N EVENT CID: host N has a line of it.
event_of() {
	jq -e --arg event "$2" --arg cid "$3" -n 'any(inputs; .event == $event and .cid == $cid)' \
		"$(mnt "$1")/events"
}

@test "changes made elsewhere are events" {
	cid=$(cid_of "an event")
	go_pin 1 "$cid"
	wait_for 20 event_of 2 pin "$cid"
	wait_for 20 event_of 3 pin "$cid"
	rm "$(mnt 2)/pins/$cid.json"
	wait_for 20 event_of 2 unpin "$cid"
	wait_for 20 event_of 3 unpin "$cid"
}

# alerted: the document on standard input tells of host 3.
alerted() {
	jq -e --arg peer "$(peer_id 3)" "any(.[]; .peer == \$peer and .name == \"ping\"
		and (.value | fromjson | .peer_name) == \"host3\")"
}

we_alert() {
	alerted <"$(mnt 2)/health/alerts.json"
}

go_alerts() {
	rest 1 health/alerts >"$BATS_TEST_TMPDIR/go" && alerted <"$BATS_TEST_TMPDIR/go"
}

@test "a peer that went silent is an alert, an event, and no file any more" {
	pinfs_stop "$(mnt 3)"
	wait_for 40 we_alert
	wait_for 40 go_alerts
	[ "$(jq -c '.[0] | keys' "$BATS_TEST_TMPDIR/go")" = \
		"$(jq -c '.[0] | keys' "$(mnt 2)/health/alerts.json")" ]
	wait_for 20 fails test -e "$(peer_file 2 3)"
	grep -F '"event":"peer_down"' "$(mnt 2)/events" | grep -F "$(peer_id 3)"
	ours_start 3
	wait_for 30 answered 3 1
	wait_for 10 jq -e .alive "$(peer_file 2 3)"
	tail -n 20 "$(mnt 2)/events" | grep -F '"event":"peer_up"' | grep -F "$(peer_id 3)"
}

@test "another secret, and that nobody is connected, are problems of the peer that has them" {
	host_add 4
	ours_init 4 '.cluster.secret = "0000000000000000000000000000000000000000000000000000000000000001"'
	peers_know 4 2
	ours_start 4
	wait_for 20 grep -F "compare cluster.secret" "$(mnt 4)/health/problems"
	! grep -F "compare cluster.secret" "$(mnt 2)/health/problems" || false
	[ "$(sed -n 's/^pinfs_net_other_secret_total //p' "$(mnt 2)/health/pinfs.prom")" -gt 0 ]
	wait_for 20 grep -F "none of the 1 other trusted peers is connected" "$(mnt 4)/health/problems"
	pinfs_stop "$(mnt 4)"
}

# Last: the reference tells of no alert after its first (1.1.6, disable_repinning).
@test "a member that hangs is a cluster_error within five seconds, and holds up nobody after that" {
	first=$(cid_of "hangs first") second=$(cid_of "hangs second")
	for cid in "$first" "$second"; do
		go_pin 1 "$cid" "replication-min=1&replication-max=1&user-allocations=$(peer_id 1)"
		wait_for 20 ours_has 3 "$cid"
	done
	kill -STOP "$(cat "$BATS_FILE_TMPDIR/go1.pid")"
	from=$SECONDS
	said=$(status_of 3 "$first" 1)
	took=$((SECONDS - from)) from=$SECONDS
	said_again=$(status_of 3 "$second" 1)
	took_again=$((SECONDS - from))
	kill -CONT "$(cat "$BATS_FILE_TMPDIR/go1.pid")"
	[ "$said" = cluster_error ]
	[ "$took" -le 6 ]
	[ "$said_again" = cluster_error ]
	[ "$took_again" -le 1 ]
}
