# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # shared with who sources it and the files beside this one
# Sourced by bench/cluster: the members of a cluster, each on a host of its own, and the end of
# everything. Two kinds, "ours" and "go"; what differs between them is here. Host N has its folder at
# $work/cN. Periods, batching and trust are the defaults of both. One Kubo serves all members, where
# a row starts it: without it the reference syncs, and is no member to the others.

secret=5b9f3c2d8e7a1406b5d4c3f2e1a09f8e7d6c5b4a39281706f5e4d3c2b1a09f8e
bridge_ip=10.77.0.254
. "$root/tests/lib/netns.bash"
. "$root/tests/lib/kubo.bash"

declare -A pid=() kind=() # of the host
kubo_pid=

members_begin() {
	local n
	work=$(mktemp -d "${TMPDIR:-/tmp}/pinfs-cluster.XXXXXX")
	export HOME=$work/home TMPDIR=$work
	hosts_folder=$work
	trap members_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mkdir "$work/home"
	for n in 1 2 3 4; do
		host_add "$n"
		mkdir "$work/m$n"
	done
	ip addr add $bridge_ip/24 dev cluster0
	next_number=$pins
}

members_end() {
	trap - EXIT
	members_stop || true
	kubo_stop
	if [ -n "$keep" ]; then
		say "kept: $work"
	else
		rm -rf "$work"
	fi
}

# ---- folders ----

# member_init KIND N [SOURCE]: an empty folder of host N, that finds the peer of host SOURCE.
member_init() {
	rm -rf "${work:?}/c$2"
	if [ "$1" = ours ]; then
		IPFS_CLUSTER_PATH=$work/c$2 "$pinfs" --init
	else
		"$go" -c "$work/c$2" init
	fi >>"$work/init.log" 2>&1
	member_config "$2"
	[ -z "${3:-}" ] || member_address "$3" >"$work/c$2/peerstore"
}

member_config() {
	jq --arg secret "$secret" --arg ip "$(host_ip "$1")" --arg kubo "/ip4/$bridge_ip/tcp/5001" '
		.cluster.secret = $secret
		| .cluster.peername = "host " + $ip
		| .cluster.listen_multiaddress = ["/ip4/" + $ip + "/tcp/9096"]
		| .cluster.mdns_interval = "0s"
		| .ipfs_connector.ipfshttp.node_multiaddress = $kubo
		| .api = {restapi: (.api.restapi // {}
			| .http_listen_multiaddress = "/ip4/" + $ip + "/tcp/9094")}' \
		"$work/c$1/service.json" >"$work/c$1/new"
	mv "$work/c$1/new" "$work/c$1/service.json"
}

member_address() {
	echo "/ip4/$(host_ip "$1")/tcp/9096/p2p/$(jq -r .id "$work/c$1/identity.json")"
}

# ---- processes ----

# member_launch KIND N: returns at once.
member_launch() {
	kind[$2]=$1
	if [ "$1" = ours ]; then
		become "$2" "$pinfs" -f -o "config=$work/c$2" "$work/m$2"
	else
		become "$2" "$go" -c "$work/c$2" daemon
	fi >>"$work/$1$2.log" 2>&1 &
	pid[$2]=$!
}

# member_start KIND N: returns when it answers.
member_start() {
	member_launch "$1" "$2"
	wait_for 300 member_answers "$2"
}

member_answers() {
	if [ "${kind[$1]}" = ours ]; then
		[ -e "$work/m$1/README" ]
	else
		rest "$1" id
	fi
}

member_stop() {
	local p=${pid[$1]:-}
	[ -n "$p" ] || return 0
	unset "pid[$1]"
	kill -TERM "$p" 2>/dev/null || true
	wait_for 60 gone "$p" || kill -KILL "$p"
	wait "$p" || true
}

members_stop() {
	local n
	for n in "${!pid[@]}"; do
		member_stop "$n"
	done
}

# ---- Kubo ----

kubo_start() {
	[ -z "$kubo_pid" ] || return 0
	kubo_repo "$work/kubo" "$bridge_ip" 5001 >>"$work/init.log" 2>&1
	"$peers_bin/ipfs" daemon >>"$work/kubo.log" 2>&1 &
	kubo_pid=$!
	wait_for 60 curl -sf -X POST "http://$bridge_ip:5001/api/v0/id"
}

kubo_stop() {
	[ -n "$kubo_pid" ] || return 0
	kill -TERM "$kubo_pid" || true
	wait "$kubo_pid" || true
	kubo_pid=
}

# ---- pins ----

# rest N PATH [curl options]: the REST API of the Go peer on host N.
rest() {
	curl -sf -m 60 "${@:3}" "http://$(host_ip "$1"):9094/$2"
}

# member_target N: where bench-writers pins there, and bench-arrival looks.
member_target() {
	if [ "${kind[$1]}" = ours ]; then
		echo "$work/m$1/pins"
	else
		echo "http:$(host_ip "$1"):9094"
	fi
}

member_has() {
	if [ "${kind[$1]}" = ours ]; then
		[ -e "$work/m$1/pins/$2.json" ]
	else
		rest "$1" "allocations/$2" >/dev/null
	fi
}

# member_count N: cheap for ours, and a listing of the pinset for the reference.
member_count() {
	if [ "${kind[$1]}" = ours ]; then
		jq .pins "$work/m$1/state/info.json"
	else
		rest "$1" allocations | grep -c '"cid"' || true
	fi
}

# first_number COUNT: sets first to that many numbers of CIDs nobody has pinned.
first_number() {
	first=$next_number
	next_number=$((next_number + $1))
}

# cpu_seconds PID: user and system, of all its threads.
cpu_seconds() {
	cat "/proc/$1"/task/*/schedstat | awk '{ ns += $1 } END { printf "%.6f", ns / 1e9 }'
}
