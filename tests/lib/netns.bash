# shellcheck shell=bash disable=SC2154 # what the sourcing file sets
# Hosts that are network namespaces on one bridge, for tests/interop and bench/cluster. Who sources it
# sets hosts_folder, for the files of this one, and has wait_for SECONDS CMD... A namespace is pinned
# by a process that sleeps, so that nothing is left when the namespaces around it end.

# host_ip N
host_ip() {
	echo "10.77.0.$1"
}

host_pid() {
	cat "$hosts_folder/host$1.ns"
}

# on N CMD...: on that host; files and mounts are everybody's.
on() {
	local host=$1
	shift
	nsenter --target "$(host_pid "$host")" --net -- "$@"
}

# become N CMD...: the same for a process in the background, whose pid $! then is.
become() {
	local host=$1
	shift
	exec nsenter --target "$(host_pid "$host")" --net -- "$@"
}

# bridge_make NAME
bridge_make() {
	! ip link show "$1" >/dev/null 2>&1 || return 0
	ip link add "$1" type bridge
	ip link set "$1" up
}

# host_add N: a host on the bridge.
host_add() {
	local n=$1 pid
	bridge_make cluster0
	unshare --net sleep infinity 3>&- &
	pid=$!
	echo "$pid" >"$hosts_folder/host$n.ns"
	cp "$hosts_folder/host$n.ns" "$hosts_folder/zz-host$n.pid" # stopped last
	wait_for 5 host_ready "$pid"
	ip link add "veth$n" type veth peer name eth0 netns "$pid"
	ip link set "veth$n" master cluster0 up
	on "$n" ip link set lo up
	on "$n" ip addr add "$(host_ip "$n")/24" dev eth0
	on "$n" ip link set eth0 up
}

host_ready() {
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

# host_unplug N, host_plug N: a partition, and its end.
host_unplug() {
	ip link set "veth$1" down
}

host_plug() {
	ip link set "veth$1" up
}

# host_apart N, host_together N: a partition into two networks that each go on, and its end.
host_apart() {
	bridge_make cluster1
	ip link set "veth$1" master cluster1
}

host_together() {
	ip link set "veth$1" master cluster0
}
