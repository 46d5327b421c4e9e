# A real Go peer and ours ask each other: what its ipfs-cluster-ctl shows of ours.
load ../bats/lib/common
load lib/hosts

setup_file() {
	journey_begin
	host_add 1
	host_add 2
	go_init 1
	ours_init 2
	peers_know 2 1
	host_kubo 1
	host_kubo 2
	go_start 1
	ours_start 2
}

teardown() {
	journey_log
}

teardown_file() {
	journey_end
}

sees_ours() {
	ctl 1 peers ls | jq -e --arg id "$(peer_id 2)" 'select(.id == $id and .error == "" and .peername == "host2")'
}

@test "peers ls shows both, each without an error" {
	wait_for 30 sees_ours
	ctl 1 peers ls | jq -c . >&3
}
