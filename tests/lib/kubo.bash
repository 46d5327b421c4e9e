# shellcheck shell=bash disable=SC2154 # what the sourcing file sets
# A real Kubo, for the tests and bench/cluster. Who sources it sets peers_bin.

# kubo_repo FOLDER ADDRESS PORT: a repository, if there is none, for a Kubo that talks to nobody, and
# the variables by which a Kubo started now finds it. Its API is at that address.
kubo_repo() {
	local key
	export IPFS_PATH=$1 IPFS_TELEMETRY=off
	[ ! -d "$IPFS_PATH" ] || return 0
	"$peers_bin/ipfs" init --empty-repo --profile=server,test
	for key in AutoConf.Enabled:false AutoTLS.Enabled:false Bootstrap:[] DNS.Resolvers:{} \
		Routing.DelegatedRouters:[] Ipns.DelegatedPublishers:[] Provide.Enabled:false \
		Swarm.DisableNatPortMap:true; do
		"$peers_bin/ipfs" config --json "${key%%:*}" "${key#*:}"
	done
	"$peers_bin/ipfs" config Routing.Type none
	"$peers_bin/ipfs" config Addresses.API "/ip4/$2/tcp/$3"
	"$peers_bin/ipfs" config Addresses.Gateway "/ip4/$2/tcp/$(($3 + 1))"
	"$peers_bin/ipfs" config --json Addresses.Swarm "[\"/ip4/127.0.0.1/tcp/$(($3 + 2))\"]"
}
