# shellcheck shell=bash
# What the journeys share. A bats file begins with `load lib/common`. A setup_file of its own
# begins with journey_begin, a teardown of its own has journey_log; nobody needs to replace
# teardown_file, which stops every daemon and detaches every mount.
#
# Everything is below $BATS_FILE_TMPDIR. The files run by run-file.sh have loopback and the
# process table for themselves, so ports are counted up and a leftover cannot disturb anyone.

bats_require_minimum_version 1.5.0

vectors=$(cd "${BASH_SOURCE[0]%/*}/../../vectors" && pwd)
project=$(cd "${BASH_SOURCE[0]%/*}/../../.." && pwd)
peers_bin=$project/tests/peers/bin
: "${PINFS:=$project/build/daemon/pinfs}"
case $PINFS in
/*) ;;
*) PINFS=$PWD/$PINFS ;;
esac
# How much slower than a plain build this one is: deadlines grow with it.
: "${PINFS_SLOW:=1}"

# shellcheck source=tests/lib/kubo.bash
. "$project/tests/lib/kubo.bash"

# --- a journey ---------------------------------------------------------------------------

setup_file() {
	journey_begin
}

teardown() {
	journey_log
}

teardown_file() {
	journey_end
}

# journey_begin: the first line of every setup_file.
journey_begin() {
	export LC_ALL=C.UTF-8 TZ=UTC
	unset IPFS_CLUSTER_PATH IPFS_PATH
	export HOME=$BATS_FILE_TMPDIR/home
	mkdir -p "$HOME"
	# Reports of sanitizers go to files: the daemon closes its standard error when it detaches.
	export ASAN_OPTIONS=${ASAN_OPTIONS:-}:log_path=$BATS_FILE_TMPDIR/sanitizer
	export UBSAN_OPTIONS=${UBSAN_OPTIONS:-}:log_path=$BATS_FILE_TMPDIR/sanitizer
	export TSAN_OPTIONS=${TSAN_OPTIONS:-}:log_path=$BATS_FILE_TMPDIR/sanitizer
	export M C
	M=$(mnt)
	C=$(cfg)
}

# journey_log: shows, after a failed test, what a sanitizer reported, what the daemons logged
# lately and why they refused.
journey_log() {
	[ -z "${BATS_TEST_COMPLETED:-}" ] || return 0
	local log
	sanitizer_reports || true
	for log in "$BATS_FILE_TMPDIR"/*.log; do
		[ -s "$log" ] || continue
		echo "--- ${log##*/}"
		tail -n 40 "$log"
	done
	if mounted "$M"; then
		echo "--- why"
		timeout 5 head -n 10 "$M/why" 2>&1 || true
	fi
}

# journey_end: stops and detaches everything; fails when a daemon did not stop in time or a
# sanitizer has something to report.
journey_end() {
	local pidfile status=0
	for pidfile in "$BATS_FILE_TMPDIR"/*.pid; do
		[ -e "$pidfile" ] || continue
		stop_pid "$(cat "$pidfile")" || {
			echo "${pidfile##*/}: did not stop in time"
			status=1
		}
	done
	detach_all
	sanitizer_reports || status=1
	if grep -nE 'runtime error:|ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer' \
		"$BATS_FILE_TMPDIR"/*.log 2>/dev/null; then
		status=1
	fi
	return "$status"
}

# sanitizer_reports: shows them; fails when there is one.
sanitizer_reports() {
	local report status=0
	for report in "$BATS_FILE_TMPDIR"/sanitizer.*; do
		[ -s "$report" ] || continue
		echo "--- ${report##*/}"
		head -n 80 "$report"
		status=1
	done
	return "$status"
}

detach_all() {
	local mount
	while IFS= read -r mount; do
		fusermount3 -uz "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null || true
	done < <(awk -v below="$BATS_FILE_TMPDIR/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts)
}

# --- waiting -----------------------------------------------------------------------------

# wait_for SECONDS CMD...: polls until CMD succeeds; fails, naming it, at the deadline.
wait_for() {
	local seconds=$(($1 * PINFS_SLOW)) end
	shift
	end=$((SECONDS + seconds))
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "not within $seconds s: $*" >&2
			return 1
		fi
		sleep 0.05
	done
}

# stays SECONDS CMD...: CMD succeeds at every look for that long; for what must not happen.
stays() {
	local end=$((SECONDS + $1))
	shift
	while [ "$SECONDS" -le "$end" ]; do
		"$@" >/dev/null || {
			echo "no longer: $*" >&2
			return 1
		}
		sleep 0.05
	done
}

# runs PID PROGRAM: the shell that was started in the background has become PROGRAM.
runs() {
	grep -x "$2" "/proc/$1/comm"
}

# alive PID: true while it runs; a dead child that nobody has waited for does not.
alive() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	stat=${stat##*) }
	[ "${stat%% *}" != Z ]
}

gone() {
	! alive "$1"
}

# fails CMD...: for conditions that must come to be false (wait_for 5 fails test -e F).
fails() {
	! "$@"
}

# stop_pid PID: asks, and after the 10 s a daemon has for it, kills.
stop_pid() {
	alive "$1" || return 0
	kill -TERM "$1"
	wait_for 12 gone "$1" && return 0
	kill -KILL "$1" || true
	wait_for 5 gone "$1" || true
	return 1
}

# --- the daemon --------------------------------------------------------------------------

# mnt [N], cfg [N]: mount point and config folder of the N-th daemon of this file.
mnt() {
	echo "$BATS_FILE_TMPDIR/m${1:-1}"
}

cfg() {
	echo "$BATS_FILE_TMPDIR/c${1:-1}"
}

# next_port: a port of loopback that nobody has.
next_port() {
	local file=$BATS_FILE_TMPDIR/port port
	port=$(($(cat "$file" 2>/dev/null || echo 21000) + 1))
	echo "$port" >"$file"
	echo "$port"
}

# config_set DIR FILTER [jq options]: rewrites service.json.
config_set() {
	local file=$1/service.json filter=$2
	shift 2
	jq "$@" "$filter" "$file" >"$file.new"
	mv "$file.new" "$file"
}

# config_local DIR: loopback ports that are free, no multicast, a short patience; Kubo where
# kubo_start puts it, so that it may come later or never.
config_local() {
	local port rest proxy pinsvc
	port=$(next_port) rest=$(next_port) proxy=$(next_port) pinsvc=$(next_port)
	config_set "$1" '
		.cluster.listen_multiaddress = ["/ip4/127.0.0.1/tcp/\($port)"]
		| .cluster.peername = "alpha"
		| .cluster.mdns_interval = "0s"
		| .cluster.pin_recover_interval = "2s"
		| .cluster.state_sync_interval = "2s"
		| (.api.restapi | select(.) | .http_listen_multiaddress) = "/ip4/127.0.0.1/tcp/\($rest)"
		| (.api.pinsvcapi | select(.) | .http_listen_multiaddress) = "/ip4/127.0.0.1/tcp/\($pinsvc)"
		| (.api.ipfsproxy | select(.) | .listen_multiaddress) = "/ip4/127.0.0.1/tcp/\($proxy)"
		| (.api.ipfsproxy | select(.) | .node_multiaddress) = "/ip4/127.0.0.1/tcp/\($kubo)"
		| .ipfs_connector.ipfshttp.node_multiaddress = "/ip4/127.0.0.1/tcp/\($kubo)"' \
		--arg port "$port" --arg rest "$rest" --arg proxy "$proxy" --arg pinsvc "$pinsvc" \
		--arg kubo "$kubo_port"
}

# pinfs_init DIR [args]: a config folder made by the program, on free ports of loopback.
pinfs_init() {
	local dir=$1
	shift
	IPFS_CLUSTER_PATH=$dir "$PINFS" --init "$@" >>"$BATS_FILE_TMPDIR/init.log" 2>&1
	config_local "$dir"
}

# mounted MNT: by the mount table, which no hung daemon can delay.
mounted() {
	awk -v at="$1" '$2 == at && $3 == "fuse.pinfs" { found = 1 } END { exit !found }' \
		/proc/self/mounts
}

# pid_of MNT
pid_of() {
	cat "$1.pid"
}

ready_or_dead() {
	gone "$(pid_of "$1")" || { mounted "$1" && timeout 5 test -e "$1/README"; }
}

# pinfs_launch MNT DIR [options]: starts it and returns at once.
pinfs_launch() {
	local mountpoint=$1 dir=$2
	shift 2
	mkdir -p "$mountpoint" 2>/dev/null || true
	"$PINFS" -f -o "config=$dir" "$@" "$mountpoint" >>"$mountpoint.log" 2>&1 3>&- &
	echo $! >"$mountpoint.pid"
}

# pinfs_start MNT DIR [options]: starts it in the foreground mode and waits for the mount.
pinfs_start() {
	pinfs_launch "$@"
	wait_for 20 ready_or_dead "$1"
	if gone "$(pid_of "$1")"; then
		echo "the daemon ended at once:" >&2
		tail -n 20 "$1.log" >&2
		return 1
	fi
}

# pinfs_stop MNT: SIGTERM; fails when it is still there, or still mounted, after its 10 s.
pinfs_stop() {
	stop_pid "$(pid_of "$1")"
	rm -f "$1.pid"
	wait_for 2 fails mounted "$1"
}

# pinfs_kill9 MNT: as a power cut for the daemon; the dead mount stays.
pinfs_kill9() {
	local pid
	pid=$(pid_of "$1")
	kill -KILL "$pid"
	wait_for 5 gone "$pid"
	rm -f "$1.pid"
}

# daemon_fresh: the first daemon, with an empty pinset; in setup, a new one for every test.
daemon_fresh() {
	[ ! -e "$M.pid" ] || pinfs_stop "$M"
	detach_all
	rm -rf "${C:?}"
	pinfs_init "$C"
	pinfs_start "$M" "$C"
}

# --- pins --------------------------------------------------------------------------------

# cid_of TEXT: the CIDv1 of TEXT as one raw block, as `ipfs add --raw-leaves` names it.
cid_of() {
	local hash
	hash=$(printf %s "$1" | sha256sum | cut -c 1-64 | sed 's/../\\x&/g')
	# shellcheck disable=SC2059 # the hash is the format: it is all escapes
	printf "b%s\n" "$(printf "\\x01\\x55\\x12\\x20$hash" | base32 -w 0 | tr -d = | tr "[:upper:]" "[:lower:]")"
}

# dump_lines N [PREFIX]: N pins in the form of a dump, in the order of their names.
dump_lines() {
	perl -MDigest::SHA=sha256 -e '
		my ($n, $prefix) = @ARGV;
		for my $i (1 .. $n) {
			my $bits = unpack("B*", "\x01\x55\x12\x20" . sha256("$prefix$i"));
			$bits .= "0" x (-length($bits) % 5);
			my $cid = join "", map { substr("abcdefghijklmnopqrstuvwxyz234567", oct("0b$_"), 1) }
				$bits =~ /(.{5})/g;
			print qq({"replication_factor_min":-1,"replication_factor_max":-1,"name":"$prefix$i",),
				qq("mode":"recursive","shard_size":0,"user_allocations":null,),
				qq("expire_at":"0001-01-01T00:00:00Z","metadata":null,"pin_update":null,),
				qq("origins":[],"cid":"b$cid","type":"pin","allocations":[],"max_depth":-1,),
				qq("reference":null,"timestamp":"2026-11-23T11:31:58Z"}\n);
		}' "$1" "${2:-pin}"
}

# cids: the CIDs of the dump on standard input.
cids() {
	sed 's/.*"cid":"\([^"]*\)".*/\1/'
}

# batch_lines N [PREFIX]: what pins the pins of dump_lines through batch.
batch_lines() {
	dump_lines "$@" | cids | sed 's/^/+/'
}

# pins_fill N: the pinset becomes N pins: dump went in, export came out.
pins_fill() {
	dump=$BATS_TEST_TMPDIR/dump exported=$BATS_TEST_TMPDIR/export
	dump_lines "$1" >"$dump"
	import_dump "$dump"
	cp "$M/state/export" "$exported"
}

# import_dump FILE [MNT]
import_dump() {
	timeout $((60 * PINFS_SLOW)) cp "$1" "${2:-$M}/state/import"
}

# allow_all [MNT]: the next import may replace whatever there is.
allow_all() {
	echo 1000000 >"${1:-$M}/state/allow"
}

# pins_count [MNT]
pins_count() {
	jq .pins "${1:-$M}/state/info.json"
}

# pins_are N [MNT]: by the number the daemon keeps and by the lines of the dump.
pins_are() {
	[ "$(pins_count "${2:-$M}")" = "$1" ] && [ "$(wc -l <"${2:-$M}/state/export")" = "$1" ]
}

# status_is CID STATUS [MNT]: on this peer.
status_is() {
	[ -L "${3:-$M}/status/by/$2/$1.json" ]
}

# vim_ex COMMANDS FILE: edits without a terminal.
vim_ex() {
	local vim
	vim=$(command -v vim || command -v vim.tiny) || skip "vim is not installed"
	timeout 30 "$vim" -es -u NONE -c "$1" -c wq "$2" </dev/null
}

# backups [MNT]: the names of the dumps, oldest first.
backups() {
	ls "${1:-$M}/backups"
}

# pins_same FILE [MNT]: the pinset is exactly that of a dump.
pins_same() {
	cmp "$1" "${2:-$M}/state/export"
}

# why_says TEXT [MNT]: the newest refusal has these words.
why_says() {
	head -n 1 "${2:-$M}/why" | grep -F -- "$1" >/dev/null
}

# refused ERROR CMD...: CMD fails and says this error in the words of the C library.
refused() {
	local error=$1
	shift
	run "$@"
	[ "$status" -ne 0 ] || {
		echo "succeeded: $*" >&2
		return 1
	}
	[[ $output == *"$error"* ]] || {
		echo "not '$error' but: $output" >&2
		return 1
	}
}

# --- the real peers ----------------------------------------------------------------------

kubo_port=15001

have_peers() {
	[ -x "$peers_bin/ipfs-cluster-service" ] && [ -x "$peers_bin/ipfs" ]
}

# skip_without_go: for setup; in setup_file, ask have_peers (bats cannot skip there).
skip_without_go() {
	have_peers || skip "the real peers are not built (tests/peers/build.sh needs Go)"
}

# go_service DIR ARGS...: the reference's program on a config folder.
go_service() {
	local dir=$1
	shift
	timeout 120 "$peers_bin/ipfs-cluster-service" -c "$dir" "$@"
}

# go_daemon DIR: the real peer in the background, with its id in $!; journey_end stops it at the
# latest.
go_daemon() {
	"$peers_bin/ipfs-cluster-service" -c "$1" daemon >"$BATS_FILE_TMPDIR/go.log" 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/go.pid"
}

# go_dump DIR FILE, go_import DIR FILE: its export and import. Now and then the program dies of its
# own repair, which looks at the store while that is being closed ("pebble: closed"): then once more.
go_dump() {
	go_tries "$1" state export -f "$2"
}

go_import() {
	go_tries "$1" state import -f "$2"
}

go_tries() {
	local attempt
	for attempt in 1 2 3; do
		go_service "$@" && return 0
		echo "attempt $attempt of $2 $3 failed"
	done
	return 1
}

# go_heads DIR: the heads of a folder of the Go program, a CID each line.
go_heads() {
	go_service "$1" state crdt info 2>/dev/null | sed -n 's/^Heads: \[\(.*\)\]$/\1/p' | tr ' ' '\n'
}

# heads [MNT]: ours, in the same form.
heads() {
	jq -r '.heads[].cid' "${1:-$M}/state/info.json"
}

# kubo_init_at DIR PORT: a repository for a Kubo that talks to nobody; its API is at that port.
kubo_init_at() {
	kubo_repo "$1" 127.0.0.1 "$2" >>"$BATS_FILE_TMPDIR/kubo.log" 2>&1
}

kubo_init() {
	kubo_init_at "$BATS_FILE_TMPDIR/kubo" "$kubo_port"
}

# kubo_rpc COMMAND [CURL-OPTIONS]: the answer, or failure with nothing.
kubo_rpc() {
	local command=$1
	shift
	curl -sf -m 20 -X POST "http://127.0.0.1:$kubo_port/api/v0/$command" "$@"
}

# kubo_start: a real Kubo without a network; the repository is kept between starts.
kubo_start() {
	kubo_init
	"$peers_bin/ipfs" daemon --offline >>"$BATS_FILE_TMPDIR/kubo.log" 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/kubo.pid"
	wait_for 30 kubo_rpc id
}

kubo_stop() {
	[ -e "$BATS_FILE_TMPDIR/kubo.pid" ] || return 0
	stop_pid "$(cat "$BATS_FILE_TMPDIR/kubo.pid")"
	rm -f "$BATS_FILE_TMPDIR/kubo.pid"
}

# kubo_kill9: it dies without a word.
kubo_kill9() {
	local pid
	pid=$(cat "$BATS_FILE_TMPDIR/kubo.pid")
	kill -KILL "$pid"
	wait_for 5 gone "$pid"
	rm -f "$BATS_FILE_TMPDIR/kubo.pid"
}

# kubo_add TEXT: stores it, unpinned, and prints its CID, which is that of cid_of.
kubo_add() {
	printf %s "$1" | kubo_rpc 'add?cid-version=1&raw-leaves=true&pin=false' -F file=@- |
		jq -r .Hash
}

# kubo_has CID: the block is in its repository.
kubo_has() {
	kubo_rpc "block/stat?arg=$1&offline=true" >/dev/null
}

# kubo_pinned CID [recursive|direct]
kubo_pinned() {
	kubo_rpc "pin/ls?arg=$1&type=${2:-all}" >/dev/null
}
