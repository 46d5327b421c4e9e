#!/usr/bin/env bash
# Runs one bats file in mount, network and process namespaces of its own: loopback only, its
# mounts are nobody else's, and no process of it lives on. TAP on standard output.
#
#   PINFS=path/to/pinfs [BATS_DEADLINE=seconds] tests/bats/run-file.sh FILE [bats options]
set -euo pipefail

deadline=${BATS_DEADLINE:-240}

if [ "${1:-}" != --inside ]; then
	namespaces=(--mount --propagation private --net --pid --fork --kill-child --mount-proc)
	[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
	exec timeout --kill-after=5 $((deadline + 30)) \
		unshare "${namespaces[@]}" "${BASH_SOURCE[0]}" --inside "$@"
fi
shift

ip link set lo up
status=0
timeout --kill-after=10 "$deadline" bats --tap "${@:2}" "$1" || status=$?
if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
	echo "not ok $(basename "$1") was not finished within $deadline s"
fi
exit "$status"
