#!/usr/bin/env bats
# Starting and stopping: exit codes, locks, dead mounts.
load lib/common

setup_file() {
	journey_begin
	pinfs_init "$C"
}

setup() {
	D=$BATS_TEST_TMPDIR/config
	mkdir -p "$M"
}

teardown() {
	journey_log
	[ ! -e "$M.pid" ] || pinfs_stop "$M"
	detach_all
}

# try SECONDS ARGS...: the program must end by itself; its words and status are in output.
try() {
	local seconds=$(($1 * PINFS_SLOW))
	shift
	run timeout "$seconds" "$PINFS" "$@" 3>&-
	[ "$status" -ne 124 ]
}

config_copy() {
	cp -a "$C" "$D"
}

@test "--version and --help answer with 0" {
	try 5 --version
	[ "$status" -eq 0 ]
	[[ $output == *pinfs* ]]
	try 5 --help
	[ "$status" -eq 0 ]
	[[ $output == *MOUNTPOINT* || $output == *mountpoint* ]]
}

@test "a wrong option ends with 2" {
	for args in --nonsense "-o nonsense=1 $M" "--check far too many"; do
		# shellcheck disable=SC2086 # several arguments
		try 5 $args
		[ "$status" -eq 2 ]
	done
}

@test "--init makes the folder with the modes of the reference" {
	IPFS_CLUSTER_PATH=$D try 10 --init
	[ "$status" -eq 0 ]
	[ "$(stat -c %a "$D")" = 700 ]
	[ "$(stat -c %a "$D/service.json")" = 600 ]
	[ "$(stat -c %a "$D/identity.json")" = 600 ]
	[ "$(stat -c %a "$D/peerstore")" = 644 ]
	jq -e '.consensus | has("crdt")' "$D/service.json"
	[[ $(jq -r .id "$D/identity.json") == 12D3KooW* ]]
	[[ $(jq -r .cluster.secret "$D/service.json") =~ ^[0-9a-f]{64}$ ]]
}

@test "--init does not overwrite, and says what does" {
	config_copy
	before=$(sha256sum <"$D/service.json")
	IPFS_CLUSTER_PATH=$D try 10 --init
	[ "$status" -eq 1 ]
	[[ $output == *--force* ]]
	[ "$(sha256sum <"$D/service.json")" = "$before" ]
}

@test "--init --force keeps the old configuration beside the new one, and identity and pins" {
	IPFS_CLUSTER_PATH=$D try 10 --init
	config_local "$D"
	cp "$D/service.json" "$D/identity.json" "$BATS_TEST_TMPDIR"
	pinfs_start "$M" "$D"
	touch "$M/pins/$(cid_of one).json"
	IPFS_CLUSTER_PATH=$D try 10 --init --force # not under a running peer
	[ "$status" -eq 75 ]
	pinfs_stop "$M"
	cmp "$D/service.json" "$BATS_TEST_TMPDIR/service.json"
	IPFS_CLUSTER_PATH=$D try 10 --init --force
	[ "$status" -eq 0 ]
	cmp "$D"/service.json.2* "$BATS_TEST_TMPDIR/service.json"
	[[ $output == *"$(echo "$D"/service.json.2*)"* ]]
	cmp "$D/identity.json" "$BATS_TEST_TMPDIR/identity.json"
	run ! cmp "$D/service.json" "$BATS_TEST_TMPDIR/service.json"
	config_local "$D"
	pinfs_start "$M" "$D"
	pins_are 1
}

@test "--init --peers writes the peerstore, and trusts those peers alone" {
	local a=/ip4/127.0.0.1/tcp/9096/p2p/12D3KooWC7LBFfAHYchqUWwzTyjTiMac4AtVmSvqMoEWUA1pQbkk
	local b=/dns4/example.org/tcp/9096/p2p/12D3KooWKCuiYfRSDeKx13qBkgVaYeGKZMZxTzWbAT4NrEoVwW1p
	IPFS_CLUSTER_PATH=$D try 10 --init --peers "$a, $b"
	[ "$status" -eq 0 ]
	[ "$(cat "$D/peerstore")" = "$a"$'\n'"$b" ]
	[ "$(jq -r '.consensus.crdt.trusted_peers[]' "$D/service.json")" = "${a##*/}"$'\n'"${b##*/}" ]
	IPFS_CLUSTER_PATH=$D try 10 --init --force --peers "$b,foo"
	[ "$status" -eq 78 ]
	[[ $output == *foo* ]]
	IPFS_CLUSTER_PATH=$D try 10 --init --force --peers "$b"
	[ "$status" -eq 0 ]
	[ "$(cat "$D/peerstore")" = "$b" ]
	[ "$(cat "$D"/peerstore.2*)" = "$a"$'\n'"$b" ]
}

@test "--init --custom-secret reads the secret from a pipe or a terminal, which does not show it" {
	local secret
	secret=$(printf 'Ab%.0s' {1..32})
	IPFS_CLUSTER_PATH=$D run -0 "$PINFS" --init --custom-secret <<<"$secret"
	[ "$(jq -r .cluster.secret "$D/service.json")" = "${secret,,}" ]
	[[ $output != *"$secret"* ]]
	for wrong in 1234 ""; do
		IPFS_CLUSTER_PATH=$D run -78 "$PINFS" --init --force --custom-secret <<<"$wrong"
	done
	IPFS_CLUSTER_PATH=$D run -78 "$PINFS" --init --force --custom-secret </dev/null
	[ "$(jq -r .cluster.secret "$D/service.json")" = "${secret,,}" ]

	secret=$(printf 'cd%.0s' {1..32})
	# Typed once the question is there: before, the terminal would show it.
	perl -e '
		use strict;
		use IPC::Open2;
		my ($secret, @cmd) = @ARGV;
		my $pid = open2(my $out, my $in, qw(timeout 20 script -qec), "@cmd", "/dev/null");
		my $said = "";
		while (sysread($out, my $piece, 4096)) {
			my $asked = $said =~ /string\): /;
			$said .= $piece;
			syswrite($in, "$secret\n") if !$asked && $said =~ /string\): /;
		}
		waitpid($pid, 0);
		print $said;
		exit($? >> 8);
	' "$secret" "IPFS_CLUSTER_PATH=$D '$PINFS' --init --force --custom-secret" \
		>"$BATS_TEST_TMPDIR/typed"
	[ "$(jq -r .cluster.secret "$D/service.json")" = "$secret" ]
	grep -F "Enter cluster secret" "$BATS_TEST_TMPDIR/typed"
	run ! grep -F cdcd "$BATS_TEST_TMPDIR/typed"
}

@test "--init --randomports listens where nobody else does" {
	IPFS_CLUSTER_PATH=$D try 10 --init --randomports
	[ "$status" -eq 0 ]
	jq -r '.cluster.listen_multiaddress[], .api[].listen_multiaddress, .api[].http_listen_multiaddress
		| select(.)' "$D/service.json" >"$BATS_TEST_TMPDIR/addresses"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/addresses")" = 5 ]
	run ! grep -E '/909[4-7](/|$)' "$BATS_TEST_TMPDIR/addresses"
	[ "$(grep tcp "$BATS_TEST_TMPDIR/addresses" | grep -Eo '[0-9]+$' | sort -u | wc -l)" = 4 ]
}

@test "--init --consensus raft makes a folder that says raft comes later" {
	IPFS_CLUSTER_PATH=$D try 10 --init --consensus raft
	[ "$status" -eq 0 ]
	jq -e '.consensus | has("raft")' "$D/service.json"
	try 10 -f -o "config=$D" "$M"
	[ "$status" -ne 0 ]
	[[ $output == *raft* ]]
}

@test "--check of a good folder says that Kubo is not there" {
	try 20 --check -o "config=$C"
	[[ $output == *[Kk]ubo* ]]
}

@test "no config folder ends with 78 and says how to make one" {
	try 10 -f -o "config=$D" "$M"
	[ "$status" -eq 78 ]
	[[ $output == *--init* ]]
}

@test "every wrong value is named with file, section and key, and ends with 78" {
	while read -r key filter; do
		rm -rf "${D:?}"
		config_copy
		config_set "$D" "$filter"
		try 10 -f -o "config=$D" "$M"
		[ "$status" -eq 78 ] || {
			echo "$filter: status $status"
			false
		}
		[[ $output == *service.json* && $output == *"$key"* ]] || {
			echo "$filter: $output"
			false
		}
		run ! mounted "$M"
	done <<-'EOF'
		secret .cluster.secret="zz"
		replication_factor_min .cluster.replication_factor_min=-2
		replication_factor_min .cluster.replication_factor_min=3|.cluster.replication_factor_max=2
		pin_recover_interval .cluster.pin_recover_interval="soon"
		listen_multiaddress .cluster.listen_multiaddress=["foo"]
		trusted_peers .consensus.crdt.trusted_peers=["foo"]
		node_multiaddress .ipfs_connector.ipfshttp.node_multiaddress="foo"
		concurrent_pins .pin_tracker.stateless.concurrent_pins="many"
		consensus del(.consensus.crdt)
	EOF
}

@test "service.json that is no JSON, and a wrong key in identity.json, end with 78" {
	config_copy
	echo '{' >"$D/service.json"
	try 10 -f -o "config=$D" "$M"
	[ "$status" -eq 78 ]
	[[ $output == *service.json* ]]
	rm -rf "${D:?}"
	config_copy
	jq '.private_key = "AAAA"' "$C/identity.json" >"$D/identity.json"
	try 10 -f -o "config=$D" "$M"
	[ "$status" -eq 78 ]
	[[ $output == *identity.json* ]]
	[[ $output != *AAAA* ]]
}

@test "an unknown key warns and does not hinder" {
	config_copy
	config_set "$D" '.cluster.colour = "red"'
	pinfs_start "$M" "$D"
	grep -F colour "$M.log"
}

@test "CLUSTER_ variables override the file" {
	CLUSTER_PEERNAME=from-the-environment pinfs_start "$M" "$C"
	[ "$(jq -r .peername "$M/peers/self")" = from-the-environment ]
	pinfs_stop "$M"
	CLUSTER_REPLICATIONFACTORMIN=abc try 10 -f -o "config=$C" "$M"
	[ "$status" -eq 78 ]
	[[ $output == *CLUSTER_REPLICATIONFACTORMIN* ]]
}

@test "a missing mount point is an error that says so" {
	try 10 -f -o "config=$C" "$BATS_TEST_TMPDIR/missing"
	[ "$status" -ne 0 ]
	[[ $output == *missing* ]]
}

@test "without /dev/fuse the message says what to do" {
	unshare --mount bash -c 'mount -t tmpfs none /dev && exec "$@"' _ \
		timeout 20 "$PINFS" -f -o "config=$C" "$M" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- && false
	grep -F /dev/fuse "$BATS_TEST_TMPDIR/out"
}

@test "a second daemon on the folder ends with 75, naming the first" {
	pinfs_start "$M" "$C"
	mkdir -p "$(mnt 2)"
	try 10 -f -o "config=$C" "$(mnt 2)"
	[ "$status" -eq 75 ]
	[[ $output == *"$(pid_of "$M")"* ]]
	[[ $output == *"$M"* ]]
	[ -e "$M/README" ]
}

@test "a living mount is not mounted over" {
	pinfs_start "$M" "$C"
	IPFS_CLUSTER_PATH=$D try 10 --init
	try 10 -f -o "config=$D" "$M"
	[ "$status" -ne 0 ]
	[ -e "$M/README" ]
}

@test "the Go program is refused while pinfs runs, and pinfs while the Go program does" {
	skip_without_go
	pinfs_start "$M" "$C"
	run go_service "$C" state export
	[ "$status" -ne 0 ]
	[[ $output == *lock* ]]
	pinfs_stop "$M"

	go_service "$D" init
	config_local "$D"
	go_daemon "$D"
	go=$!
	wait_for 20 test -e "$D/cluster.lock"
	try 10 -f -o "config=$D" "$M"
	[ "$status" -eq 75 ]
	[[ $output == *"$go"* ]]
	stop_pid "$go"
}

@test "SIGTERM, SIGINT, umount and fusermount3 -u end the daemon with 0" {
	for way in "kill -TERM" "kill -INT" umount "fusermount3 -u"; do
		# SIGINT is ignored in what a script starts in the background, unless it is given back.
		env --default-signal=INT "$PINFS" -f -o "config=$C" "$M" >>"$M.log" 2>&1 3>&- &
		pid=$!
		wait_for 20 test -e "$M/README"
		case $way in
		kill*) $way "$pid" ;;
		*) $way "$M" ;;
		esac
		code=0
		wait "$pid" || code=$?
		[ "$code" -eq 0 ] || {
			echo "$way: $code"
			false
		}
		run ! mounted "$M"
	done
}

@test "SIGTERM ends the daemon within 10 s though files are open" {
	pinfs_start "$M" "$C"
	exec 5<"$M/state/export"
	exec 6>"$M/pins/$(cid_of open).json"
	cd "$M/pins"
	pid=$(pid_of "$M")
	kill -TERM "$pid"
	wait_for 10 gone "$pid"
	rm "$M.pid"
	cd /
	exec 5<&- 6>&- || true
}

@test "SIGTERM during an import leaves the old pinset" {
	pinfs_start "$M" "$C"
	touch "$M/pins/$(cid_of old).json"
	before=$(cat "$M/state/export")
	dump_lines 1000 >"$BATS_TEST_TMPDIR/dump"
	exec 5>"$M/state/import"
	cat "$BATS_TEST_TMPDIR/dump" >&5
	pinfs_stop "$M"
	exec 5>&- || true
	pinfs_start "$M" "$C"
	[ "$(cat "$M/state/export")" = "$before" ]
}

@test "a dead mount is detached at the next start" {
	pinfs_start "$M" "$C"
	pinfs_kill9 "$M"
	refused "Transport endpoint is not connected" ls "$M"
	pinfs_start "$M" "$C"
	[ -e "$M/README" ]
	[ "$(grep -c " $M " /proc/self/mounts)" = 1 ]
}

@test "a lock file left by a killed daemon does not hinder" {
	pinfs_start "$M" "$C"
	pinfs_kill9 "$M"
	[ -e "$C/cluster.lock" ]
	pinfs_start "$M" "$C"
}

@test "a folder that holds only a Go store is refused with the line that exports it" {
	skip_without_go
	go_service "$D" init
	dump_lines 3 >"$BATS_TEST_TMPDIR/dump"
	go_import "$D" "$BATS_TEST_TMPDIR/dump"
	try 10 -f -o "config=$D" "$M"
	[ "$status" -ne 0 ]
	[[ $output == *"state export"* ]]
}

@test "-o fresh takes a folder of the Go program over, empty, until its store changes again" {
	skip_without_go
	go_service "$D" init
	config_local "$D"
	dump_lines 3 >"$BATS_TEST_TMPDIR/dump"
	go_import "$D" "$BATS_TEST_TMPDIR/dump"
	pinfs_start "$M" "$D" -o fresh
	pins_are 0
	touch "$M/pins/$(cid_of fresh).json"
	pinfs_stop "$M"
	pinfs_start "$M" "$D"
	pins_are 1
	pinfs_stop "$M"
	go_import "$D" "$BATS_TEST_TMPDIR/dump"
	try 10 -f -o "config=$D" "$M"
	[ "$status" -ne 0 ]
	[[ $output == *"changed since our last start"* ]]
}

@test "a folder made by the Go program starts as it is" {
	skip_without_go
	go_service "$D" init
	config_local "$D"
	rm -rf "${D:?}/pebble"
	pinfs_start "$M" "$D"
	[ "$(jq -r .id "$M/peers/self")" = "$(jq -r .id "$D/identity.json")" ]
}

@test "a folder made by pinfs is accepted by the Go program" {
	skip_without_go
	IPFS_CLUSTER_PATH=$D try 10 --init
	dump_lines 3 >"$BATS_TEST_TMPDIR/dump"
	go_import "$D" "$BATS_TEST_TMPDIR/dump"
	go_dump "$D" "$BATS_TEST_TMPDIR/theirs"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/theirs")" -eq 3 ]
}

@test "a folder that pinfs made anew with every option is accepted by the Go program, with its pins" {
	skip_without_go
	IPFS_CLUSTER_PATH=$D try 10 --init
	dump_lines 3 >"$BATS_TEST_TMPDIR/dump"
	go_import "$D" "$BATS_TEST_TMPDIR/dump"
	printf 'ab%.0s' {1..32} | IPFS_CLUSTER_PATH=$D "$PINFS" --init --force --randomports --custom-secret \
		--peers /ip4/127.0.0.1/tcp/1/p2p/12D3KooWC7LBFfAHYchqUWwzTyjTiMac4AtVmSvqMoEWUA1pQbkk
	go_dump "$D" "$BATS_TEST_TMPDIR/theirs"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/theirs")" -eq 3 ]
	# Its daemon listens on those ports.
	config_set "$D" '.cluster.mdns_interval = "0s"'
	go_daemon "$D"
	go=$!
	wait_for 20 grep -F "listening on:" "$BATS_FILE_TMPDIR/go.log"
	stop_pid "$go"
}

@test "the log has no secret" {
	pinfs_start "$M" "$C" -d
	ls -lR "$M" >/dev/null
	pinfs_stop "$M"
	run ! grep -F "$(jq -r .cluster.secret "$C/service.json")" "$M.log"
	run ! grep -F "$(jq -r .private_key "$C/identity.json")" "$M.log"
}

@test "config/ shows the files without the secrets" {
	pinfs_start "$M" "$C"
	jq -e . "$M/config/service.json" >/dev/null
	run ! grep -rF -e "$(jq -r .cluster.secret "$C/service.json")" \
		-e "$(jq -r .private_key "$C/identity.json")" "$M/config"
}
