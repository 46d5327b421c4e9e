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
