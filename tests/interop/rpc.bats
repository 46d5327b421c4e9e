# A real Go peer and ours call each other: what its ipfs-cluster-ctl shows of ours, and does to it.
load ../bats/lib/common
load lib/hosts

setup_file() {
	journey_begin
	have_peers || return 0
	host_add 1
	host_add 2
	go_init 1
	ours_init 2 '.ipfs_connector.ipfshttp.pin_timeout = "2s"
		| .cluster.pin_recover_interval = "10m"'
	peers_know 2 1
	host_kubo 1
	host_kubo 2
	go_start 1
	ours_start 2
	wait_for 30 sees_ours 1
	wait_for 30 can_allocate_ours
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

# ctl_all N ARGS...: as ctl, with every object in one array; fails when it names an error.
ctl_all() {
	local out
	out=$(ctl "$@" | jq -s .)
	echo "$out"
	jq -e '[.. | .error? // empty | select(. != "")] == []' <<<"$out" >/dev/null || {
		echo "$out" >&2
		return 1
	}
}

sees_ours() {
	ctl_all "$1" peers ls | jq -e --arg id "$(peer_id 2)" \
		'any(.[]; .id == $id and .peername == "host2")'
}

# Without a metric of its space no pin is given to a peer.
can_allocate_ours() {
	rest 1 monitor/metrics/freespace | jq -e --arg id "$(peer_id 2)" 'any(.[]; .peer == $id)'
}

peers_are() {
	[ "$(ctl_all 1 peers ls | jq length)" = "$1" ]
}

# state N CID PEER: how that host's peer stands with the pin, as host N is told.
state() {
	ctl "$1" status "$2" | jq -r --arg id "$(peer_id "$3")" '.peer_map[$id].status'
}

state_is() {
	[ "$(state "$1" "$2" "$3")" = "$4" ]
}

# known TEXT: both Kubos have it; prints its CID.
known() {
	local n
	for n in 1 2; do
		printf %s "$1" | kubo_on "$n" 'add?cid-version=1&raw-leaves=true&pin=false' \
			-F file=@- >/dev/null
	done
	cid_of "$1"
}

kubo_holds() {
	kubo_on "$1" "block/stat?arg=$2&offline=true" >/dev/null
}

@test "peers ls shows our peer as it is" {
	run -0 ctl_all 1 peers ls
	jq -e --arg id "$(peer_id 2)" --arg at "$(peer_address 2)" \
		--arg ipfs "$(kubo_on 2 id | jq -r .ID)" '
		.[] | select(.id == $id)
		| .addresses == [$at] and (.cluster_peers | length) == 2
			and (.cluster_peers_addresses | length) == 1
			and .ipfs.id == $ipfs and .rpc_protocol_version == "/ipfscluster/1.0/rpc"' \
		<<<"$output"
}

@test "status of a pin shows it pinned by our peer" {
	local cid
	cid=$(known one)
	ctl_all 1 pin add --name "the first" --metadata k=v "$cid"
	wait_for 20 state_is 1 "$cid" 2 pinned
	run -0 ctl_all 1 status "$cid"
	jq -e --arg id "$(peer_id 2)" --arg ipfs "$(kubo_on 2 id | jq -r .ID)" '
		.[0] | .name == "the first" and .metadata == {k: "v"}
		and (.peer_map[$id] | .peername == "host2" and .ipfs_peer_id == $ipfs
			and .attempt_count == 0)' <<<"$output"
}

@test "status of all pins tells each of them once, by what our peer says" {
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		ctl 1 pin add --no-status "$(known "many $i")" >/dev/null
	done
	all_pinned() {
		[ "$(ctl_all 1 status --filter pinned | jq --arg id "$(peer_id 2)" \
			'[.[] | select(.peer_map[$id].status == "pinned")] | length')" = 11 ]
	}
	wait_for 20 all_pinned
	run -0 ctl_all 1 status
	[ "$(jq length <<<"$output")" = 11 ]
	run -0 ctl_all 1 status --filter error,queued,pinning
	[ "$(jq length <<<"$output")" = 0 ]
}

@test "a pin of our peer alone is remote to the other" {
	local cid
	cid=$(known "ours alone")
	ctl_all 1 pin add --replication 1 --allocations "$(peer_id 2)" "$cid"
	wait_for 20 state_is 1 "$cid" 2 pinned
	state_is 1 "$cid" 1 remote
	kubo_on 2 "pin/ls?arg=$cid" >/dev/null
	run ! kubo_on 1 "pin/ls?arg=$cid"
}

@test "a pin that our peer cannot have is shown in error, and recovered once it can" {
	local cid
	cid=$(cid_of "nobody has it")
	ctl 1 pin add --no-status --replication 1 --allocations "$(peer_id 2)" "$cid" >/dev/null
	wait_for 20 state_is 1 "$cid" 2 pin_error
	ctl 1 status --filter error | jq -e --arg id "$(peer_id 2)" --arg cid "$cid" \
		'.cid == $cid and (.peer_map[$id] | .error != "" and .attempt_count > 0)'
	# Another attempt, of the one and of all: told of, and failing again.
	ctl 1 recover "$cid" | jq -e --arg id "$(peer_id 2)" \
		'.peer_map[$id].status | IN("pin_queued", "pinning")'
	wait_for 20 state_is 1 "$cid" 2 pin_error
	ctl 1 recover | jq -e --arg id "$(peer_id 2)" --arg cid "$cid" \
		'.cid == $cid and (.peer_map[$id].status | IN("pin_queued", "pinning"))'
	wait_for 20 state_is 1 "$cid" 2 pin_error
	known "nobody has it"
	ctl 1 recover >/dev/null
	wait_for 20 state_is 1 "$cid" 2 pinned
	run -0 ctl_all 1 recover
	[ "$(jq length <<<"$output")" = 0 ]
}

@test "what its Kubo lost is pinned again at recover" {
	local cid
	cid=$(cid_of one)
	kubo_on 2 "pin/rm?arg=$cid" >/dev/null
	ctl 1 recover "$cid" >/dev/null
	wait_for 20 kubo_on 2 "pin/ls?arg=$cid"
	wait_for 20 state_is 1 "$cid" 2 pinned
}

@test "health graph has the links of our peer, and its Kubo" {
	run -0 ctl 1 health graph
	run -0 rest 1 health/graph
	jq -e --arg go "$(peer_id 1)" --arg id "$(peer_id 2)" \
		--arg ipfs "$(kubo_on 2 id | jq -r .ID)" '
		.id_to_peername[$id] == "host2" and .cluster_to_ipfs[$id] == $ipfs
		and .cluster_trust_links[$id] and .cluster_links[$id] == [$go]
		and .cluster_links[$go] == [$id] and (.ipfs_links | has($ipfs))' <<<"$output"
}

@test "ipfs gc collects in our Kubo too, and names what went" {
	local cid
	cid=$(known "nobody pins it")
	run -0 ctl_all 1 ipfs gc
	jq -e --arg id "$(peer_id 2)" --arg cid "$cid" \
		'.[0].peer_map[$id] | .peername == "host2" and any(.keys[]; .key == $cid)' <<<"$output"
	run ! kubo_holds 2 "$cid"
}

@test "what is added for our peer comes to its Kubo, block by block" {
	local file=$BATS_TEST_TMPDIR/file cid
	head -c 3000000 /dev/urandom >"$file"
	run -0 --separate-stderr ctl_all 1 add --replication-min 1 --replication-max 1 \
		--allocations "$(peer_id 2)" "$file"
	cid=$(jq -r '.[-1] | if type == "array" then .[-1].cid else .cid end' <<<"$output")
	wait_for 20 state_is 1 "$cid" 2 pinned
	kubo_on 2 "cat?arg=$cid&offline=true" | cmp - "$file"
	run ! kubo_holds 1 "$cid"
	prom=$(mnt 2)/health/pinfs.prom
	[ "$(sed -n 's/^ipfscluster_blocks_added_size //p' "$prom")" -ge 3000000 ]
	[ "$(sed -n 's/^ipfscluster_blocks_added //p' "$prom")" = \
		"$(sed -n 's/^ipfscluster_blocks_put //p' "$prom")" ]
	grep -Fx "ipfscluster_blocks_put_errors 0" "$prom"
}

@test "the space of all Kubos is summed up with that of ours" {
	local sum=0 n
	for n in 1 2; do
		sum=$((sum + $(kubo_on "$n" 'repo/stat?size-only=true' | jq .StorageMax)))
	done
	run -0 on 1 curl -sf -m 20 -X POST http://127.0.0.1:9095/api/v0/repo/stat
	[ "$(jq .StorageMax <<<"$output")" = "$sum" ]
}

@test "a peer that knows ours alone joins the cluster by it" {
	host_add 3
	go_init 3
	host_kubo 3
	go_start 3 --bootstrap "$(peer_address 2)"
	wait_for 30 sees_ours 3
	wait_for 40 peers_are 3
	all_pins() {
		[ "$(ctl_all 3 status | jq length)" = "$(pins_count "$(mnt 2)")" ]
	}
	wait_for 40 all_pins
	go_stop 3
	wait_for 40 peers_are 2
}

@test "who is not trusted sees our peer, but not its pins" {
	pinfs_stop "$(mnt 2)"
	config_set "$(cfg 2)" '.consensus.crdt.trusted_peers = []'
	ours_start 2
	wait_for 30 sees_ours 1
	run -0 ctl_all 1 status
	jq -e --arg id "$(peer_id 2)" 'length > 0 and all(.[]; .peer_map | has($id) | not)' \
		<<<"$output"
	run -0 ctl_all 1 recover
	run -0 ctl_all 1 ipfs gc
	jq -e --arg id "$(peer_id 2)" '.[0].peer_map | has($id) | not' <<<"$output"
}
