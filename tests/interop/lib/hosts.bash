# shellcheck shell=bash disable=SC2154 # what ../bats/lib/common sets
# Clusters for the journeys in tests/interop: hosts that are network namespaces on one bridge, each
# with a peer (pinfs or the real ipfs-cluster-service) and, where asked for, a real Kubo. Loaded
# after ../bats/lib/common. Host N has the address 10.77.0.N; everything of it is below
# $BATS_FILE_TMPDIR.

cluster_secret=5b9f3c2d8e7a1406b5d4c3f2e1a09f8e7d6c5b4a39281706f5e4d3c2b1a09f8e

# shellcheck disable=SC2034 # netns.bash's
hosts_folder=${BATS_FILE_TMPDIR:-}
# shellcheck source=tests/lib/netns.bash
. "${BASH_SOURCE[0]%/*}/../../lib/netns.bash"

# --- configuration -----------------------------------------------------------------------

# cluster_config DIR N [FILTER]: one cluster, short periods, so that a test waits for seconds.
cluster_config() {
	config_set "$1" "
		.cluster.secret = \$secret
		| .cluster.peername = \"host\" + \$n
		| .cluster.listen_multiaddress = [\"/ip4/\" + \$ip + \"/tcp/9096\"]
		| .cluster.mdns_interval = \"0s\"
		| .cluster.monitor_ping_interval = \"2s\"
		| .cluster.pin_recover_interval = \"5s\"
		| .cluster.state_sync_interval = \"5s\"
		| .cluster.pubsub.heartbeat_interval = \"1s\"
		| .consensus.crdt.cluster_name = \"interop\"
		| .consensus.crdt.rebroadcast_interval = \"5s\"
		| .consensus.crdt.trusted_peers = [\"*\"]
		| .informer.disk.metric_ttl = \"6s\"
		| .informer.tags.metric_ttl = \"6s\"
		| .informer.pinqueue.metric_ttl = \"6s\"
		| .monitor.pubsubmon.check_interval = \"2s\"
		| ${3:-.}" --arg secret "$cluster_secret" --arg n "$2" --arg ip "$(host_ip "$2")"
}

peer_id() {
	jq -r .id "$(cfg "$1")/identity.json"
}

# peer_address N
peer_address() {
	echo "/ip4/$(host_ip "$1")/tcp/9096/p2p/$(peer_id "$1")"
}

# peers_know N M...: host N finds these at its start.
peers_know() {
	local n=$1 other
	shift
	for other in "$@"; do
		peer_address "$other"
	done >>"$(cfg "$n")/peerstore"
}

# --- peers -------------------------------------------------------------------------------

# ours_init N [FILTER], go_init N [FILTER]: a folder of each kind.
ours_init() {
	IPFS_CLUSTER_PATH=$(cfg "$1") "$PINFS" --init >>"$BATS_FILE_TMPDIR/init.log" 2>&1
	cluster_config "$(cfg "$1")" "$1" "${2:-.}"
}

go_init() {
	go_service "$(cfg "$1")" init >>"$BATS_FILE_TMPDIR/init.log" 2>&1
	cluster_config "$(cfg "$1")" "$1" "${2:-.}"
}

# ours_start N [options]: waits for the mount.
ours_start() {
	local n=$1 at
	shift
	at=$(mnt "$n")
	mounted "$at" || mkdir -p "$at" # one that was killed is mounted still
	become "$n" "$PINFS" -f -o "config=$(cfg "$n")" "$@" "$at" >>"$at.log" 2>&1 3>&- &
	echo $! >"$at.pid"
	wait_for 20 ready_or_dead "$at"
	alive "$(cat "$at.pid")" || {
		tail -n 20 "$at.log" >&2
		return 1
	}
}

# go_start N [arguments]: waits for its REST API, but asks it nothing before the peer's parts are
# joined: 1.1.6 dies of a nil pointer then.
go_start() {
	local n=$1 times
	shift
	times=$(go_joined "$n")
	become "$n" "$peers_bin/ipfs-cluster-service" -c "$(cfg "$n")" daemon "$@" \
		>>"$BATS_FILE_TMPDIR/go$n.log" 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/go$n.pid"
	wait_for 60 go_joined_again "$n" "$times"
	wait_for 20 rest "$n" id
}

# go_joined N: how many of its starts came so far.
go_joined() {
	grep -c "Cluster Peers (without including ourselves)" "$BATS_FILE_TMPDIR/go$1.log" 2>/dev/null ||
		true
}

go_joined_again() {
	[ "$(go_joined "$1")" -gt "${2:-0}" ]
}

go_stop() {
	stop_pid "$(cat "$BATS_FILE_TMPDIR/go$1.pid")"
	rm -f "$BATS_FILE_TMPDIR/go$1.pid"
}

go_kill9() {
	local pid
	pid=$(cat "$BATS_FILE_TMPDIR/go$1.pid")
	kill -KILL "$pid"
	wait_for 5 gone "$pid"
	rm -f "$BATS_FILE_TMPDIR/go$1.pid"
}

# rest N PATH [curl options]: the REST API of the Go peer on host N.
rest() {
	local n=$1 path=$2
	shift 2
	on "$n" curl -sf -m 20 "http://127.0.0.1:9094/$path" "$@"
}

# ctl N ARGS...: the reference's ipfs-cluster-ctl on host N.
ctl() {
	local n=$1
	shift
	on "$n" timeout 60 "$peers_bin/ipfs-cluster-ctl" --enc json "$@"
}

go_pin() {
	rest "$1" "pins/$2?${3:-}" -X POST >/dev/null
}

go_unpin() {
	rest "$1" "pins/$2" -X DELETE >/dev/null
}

# go_has N CID, ours_has N CID: it is in the pinset there.
go_has() {
	rest "$1" "allocations/$2" >/dev/null
}

ours_has() {
	[ -e "$(mnt "$1")/pins/$2.json" ]
}

# kubo_in_reach N: the Kubo of host N, before its first start, is to be reached from the other hosts.
kubo_in_reach() (
	kubo_init_at "$BATS_FILE_TMPDIR/kubo$1" 5001
	for key in Addresses.NoAnnounce:[] Swarm.AddrFilters:[] \
		Addresses.Swarm:"[\"/ip4/$(host_ip "$1")/tcp/4001\"]"; do
		"$peers_bin/ipfs" config --json "${key%%:*}" "${key#*:}"
	done
)

# host_kubo N: a real Kubo on host N, on the port the configuration names by default.
host_kubo() {
	local n=$1
	(
		kubo_init_at "$BATS_FILE_TMPDIR/kubo$n" 5001
		become "$n" "$peers_bin/ipfs" daemon >>"$BATS_FILE_TMPDIR/kubo$n.log" 2>&1 3>&- &
		echo $! >"$BATS_FILE_TMPDIR/kubo$n.pid"
	)
	wait_for 30 kubo_on "$n" id
}

kubo_on() {
	on "$1" curl -sf -m 20 -X POST "http://127.0.0.1:5001/api/v0/$2" "${@:3}"
}
