#!/usr/bin/env bash
# Builds the real peers the tests talk to (ipfs-cluster-service and Kubo) into tests/peers/bin,
# as Go programs of the versions in go.mod. Does nothing where they are newer than that.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
mkdir -p bin

# build FOLDER PROGRAM PACKAGE
build() {
	if [ -x "bin/$2" ] && [ ! "$1/go.mod" -nt "bin/$2" ]; then
		return 0
	fi
	echo "building $2"
	(cd "$1" && go build -mod=mod -o "$PWD/.new" "$3")
	mv "$1/.new" "bin/$2"
}

build . ipfs-cluster-service github.com/ipfs-cluster/ipfs-cluster/cmd/ipfs-cluster-service
build . ipfs-cluster-ctl github.com/ipfs-cluster/ipfs-cluster/cmd/ipfs-cluster-ctl
build kubo ipfs github.com/ipfs/kubo/cmd/ipfs
