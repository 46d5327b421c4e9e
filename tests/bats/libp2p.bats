#!/usr/bin/env bats
# Connections and streams with the real ipfs-cluster-service: who they are is proved, protocols
# are agreed on, bytes go both ways. tests/interop/speak is our side.
load lib/common

: "${SPEAK:=$(dirname "$PINFS")/../tests/interop/speak}"

setup_file() {
	journey_begin
	have_peers || return 0
	export G=$BATS_FILE_TMPDIR/go
	go_service "$G" init >>"$BATS_FILE_TMPDIR/init.log" 2>&1
	config_local "$G"
	go_start
}

setup() {
	skip_without_go
	secret=$(jq -r .cluster.secret "$G/service.json")
	id=$(jq -r .id "$G/identity.json")
	IFS=/ read -r _ _ ip _ port <<<"$(jq -r '.cluster.listen_multiaddress[0]' "$G/service.json")"
}

# Kubo is not there, which is no matter here.
go_start() {
	go_daemon "$G"
	wait_for 30 listening "$(jq -r '.cluster.listen_multiaddress[0]' "$G/service.json")"
}

go_stop() {
	stop_pid "$(cat "$BATS_FILE_TMPDIR/go.pid")"
	rm "$BATS_FILE_TMPDIR/go.pid"
}

# listening /ip4/A/tcp/PORT
listening() {
	ss -Hltn "sport = :${1##*/}" | grep . >/dev/null
}

# said OUTPUT: all that speak sees of a real peer.
said() {
	local line
	for line in "agent github.com/ipfs-cluster/ipfs-cluster@v1.1.6" "protocol /ipfs/id/1.0.0" \
		"agreed /ipfs/ping/1.0.0" "flood came back" "identified to the peer" \
		"refused /no/such/protocol/1.0.0: Protocol not supported" "closed: closed by us"; do
		grep -F -- "$line" <<<"$1" || {
			echo "not said: $line"
			return 1
		}
	done
	[ "$(grep -c "ping came back" <<<"$1")" -eq 3 ]
}

@test "we dial the real peer, and each identifies the other" {
	run -0 "$SPEAK" "$secret" dial "$ip" "$port" "$id"
	said "$output"
	[[ $output == *"open to $id"* ]]
	[[ $output == *"protocol /ipfscluster/1.0/rpc"* ]] # which it speaks some time after it dials
}

@test "the real peer closes on another secret, and we on another peer than we dialled" {
	run -1 "$SPEAK" "$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')" dial "$ip" "$port" "$id"
	[[ $output == closed:* ]]
	local other=12D3KooWG4UjWWW2uE8dBdG29LaQE6md3X1WX6tRL7N6Q2DMgArf
	run -1 "$SPEAK" "$secret" dial "$ip" "$port" "$other"
	[[ $output == *"$other was expected and $id is there"* ]]
}

@test "the real peer dials us by its peerstore, and each identifies the other" {
	go_stop
	"$SPEAK" "$secret" listen >"$BATS_TEST_TMPDIR/said" 3>&- &
	local pid=$! address
	wait_for 5 test -s "$BATS_TEST_TMPDIR/said"
	address=$(sed -n 's/^listening //p' "$BATS_TEST_TMPDIR/said")
	echo "$address" >"$G/peerstore"
	go_start
	wait "$pid"
	said "$(cat "$BATS_TEST_TMPDIR/said")"
	grep -F "open from $id" "$BATS_TEST_TMPDIR/said"
}
