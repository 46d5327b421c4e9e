# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # shared with bench/run and the files beside this one
# Sourced by bench/run: the daemons on both sides, their folders, and the end of everything.

kubo_port=15001 # nobody listens there
rest_port=19094

go_pid=
go_ready=       # the folder "go-full" has its pins
go_import_s=    # what that took
next_number=0

peers_begin() {
	work=$(mktemp -d "${TMPDIR:-/tmp}/pinfs-bench.XXXXXX")
	export HOME=$work/home TMPDIR=$work
	mkdir "$work/home" "$work/m" "$work/tmpfs"
	trap peers_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mount -t tmpfs -o mode=0700 tmpfs "$work/tmpfs"
	next_number=$pins
}

peers_end() {
	trap - EXIT
	ours_stop || true
	go_stop || true
	umount "$work/tmpfs" || true
	rm -rf "$work"
}

wait_until() {
	wait_for 120 "$@"
}

# config_local DIR PORT: loopback only, free ports, no Kubo. Both sides can be members at PORT.
config_local() {
	jq --arg listen "/ip4/127.0.0.1/tcp/$2" --arg kubo "/ip4/127.0.0.1/tcp/$kubo_port" \
		--arg rest "/ip4/127.0.0.1/tcp/$rest_port" '
		.cluster.listen_multiaddress = [$listen]
		| .cluster.peername = "bench"
		| .cluster.mdns_interval = "0s"
		| .api = {restapi: (.api.restapi // {} | .http_listen_multiaddress = $rest)}
		| .ipfs_connector.ipfshttp.node_multiaddress = $kubo' "$1/service.json" >"$1/new"
	mv "$1/new" "$1/service.json"
}

# first_number COUNT: sets first to that many numbers of CIDs nobody has pinned.
first_number() {
	first=$next_number
	next_number=$((next_number + $1))
}

# ---- pinfs ----

# ours_init NAME: an empty config folder, in place of one of that name.
ours_init() {
	rm -rf "${work:?}/$1"
	IPFS_CLUSTER_PATH=$work/$1 "$pinfs" --init >>"$work/log" 2>&1
	config_local "$work/$1" 19097
}

# ours_start NAME: returns when it is mounted.
ours_start() {
	"$pinfs" -o "config=$work/$1" "$work/m" >>"$work/log" 2>&1 3>&-
	M=$work/m
}


ours_stop() {
	local pid
	pid=$(pgrep -x pinfs || true)
	[ -n "$pid" ] || return 0
	kill -CONT "$pid"
	kill -TERM "$pid"
	wait_until gone "$pid"
}

ours_import() {
	cp "$work/dump" "$work/m/state/import"
}

# ours_full: mounted, with the pins of the dump.
ours_full() {
	if [ ! -e "$work/full" ]; then
		ours_stop
		ours_init full
		ours_start full
		timed ours_import >/dev/null
	elif ! mountpoint -q "$work/m"; then
		ours_start full
	fi
}

# ours_memory: MiB of anonymous memory.
ours_memory() {
	anonymous "$(pgrep -x pinfs)"
}

# anonymous PID: the same of any process.
anonymous() {
	awk -v kib="$(anonymous_kib "$1")" 'BEGIN { printf "%.1f", kib / 1024 }'
}

# ---- the reference ----

go_init() {
	rm -rf "${work:?}/$1"
	"$go" -c "$work/$1" init >>"$work/log" 2>&1
	config_local "$work/$1" 19096
}

go_answers() {
	curl -sf -o /dev/null "http://127.0.0.1:$rest_port/id"
}

# go_start NAME: returns when its REST API answers.
go_start() {
	"$go" -c "$work/$1" daemon >>"$work/go.log" 2>&1 &
	go_pid=$!
	wait_until go_answers
}

go_stop() {
	[ -n "$go_pid" ] || return 0
	kill -CONT "$go_pid" || true
	kill -TERM "$go_pid" || true
	wait "$go_pid" || true
	go_pid=
}

go_import() {
	"$go" -c "$work/go-full" state import -f "$work/dump"
}

# go_full: the folder go-full has the pins of the dump; the daemon is stopped.
go_full() {
	go_stop
	[ -z "$go_ready" ] || return 0
	say "the reference imports $pins pins"
	go_init go-full
	go_import_s=$(timed go_import)
	go_ready=1
}
