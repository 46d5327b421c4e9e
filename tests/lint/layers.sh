#!/usr/bin/env bash
# Who may include whom, and which library has its home where. An edge that is not in the
# tables below is an error: the code is to move, not the table.
# shellcheck disable=SC2016 # the program is of awk
set -euo pipefail
. tests/lib/files.sh

# folder: the folders whose headers it may include, besides its own.
may_include='
util:
types: util
store: types util
net: types util
ipfs: types util
consensus: store net types util
cluster: consensus ipfs net store types util
fs: cluster store types util
daemon: util types store net ipfs consensus cluster fs
'

# header (a regular expression): the folders at home with it.
homes='
lmdb\.h: store
curl/.*: ipfs
raft\.h: consensus/raft
raft/.*: consensus/raft
fuse.*\.h: fs
fuse3/.*: fs
sodium\.h: types net
msgpack.*: types net
protobuf-c/.*: types net consensus/crdt
systemd/.*: daemon
'

project_files 'util/*' 'types/*' 'store/*' 'net/*' 'ipfs/*' 'consensus/*' 'cluster/*' 'fs/*' 'daemon/*' |
	grep '\.[ch]$' | xargs -r -d '\n' awk -v may="$may_include" -v homes="$homes" '
	BEGIN {
		n = split(may, line, "\n")
		for (i = 1; i <= n; i++) {
			if (split(line[i], part, ":") < 2)
				continue
			k = split(part[2], to, " ")
			known[part[1]] = 1
			for (j = 1; j <= k; j++)
				edge[part[1], to[j]] = 1
		}
		n = split(homes, line, "\n")
		for (i = 1; i <= n; i++) {
			if (split(line[i], part, ":") < 2)
				continue
			library[++libraries] = part[1]
			home[libraries] = part[2]
		}
	}
	function refuse(why) {
		printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, why
		bad = 1
	}
	function at_home(folders,	n, i, f) {
		n = split(folders, f, " ")
		for (i = 1; i <= n; i++)
			if (index(FILENAME, f[i] "/") == 1)
				return 1
		return 0
	}
	function check_ours(path,	from, to) {
		from = FILENAME; sub(/\/.*/, "", from)
		if (path !~ /\//) {
			# Generated from a .proto, and so without a folder of ours.
			if (path !~ /\.pb-c\.h$/)
				refuse("write quoted includes from the root")
			return
		}
		to = path; sub(/\/.*/, "", to)
		if (from != to && !((from, to) in edge))
			refuse(from " may not include " to)
		if (from == "fs" && to == "cluster" && path != "cluster/cluster.h")
			refuse("fs sees the cluster through cluster/cluster.h alone")
		if (from == "consensus" && to == "net" && FILENAME !~ /^consensus\/(crdt\/crdt_host|raft\/transport)\./)
			refuse("net only from crdt/crdt_host and raft/transport")
		if (FILENAME ~ /^consensus\/crdt\// && path ~ /^consensus\/raft\// ||
		    FILENAME ~ /^consensus\/raft\// && path ~ /^consensus\/crdt\//)
			refuse("crdt and raft never include each other")
	}
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		path = $0; sub(/^[^"]*"/, "", path); sub(/".*/, "", path)
		check_ours(path)
	}
	/^[ \t]*#[ \t]*include[ \t]*</ {
		path = $0; sub(/^[^<]*</, "", path); sub(/>.*/, "", path)
		for (i = 1; i <= libraries; i++)
			if (path ~ "^" library[i] "$" && !at_home(home[i]))
				refuse("its home is" home[i])
	}
	END { exit bad }'
