# shellcheck shell=bash disable=SC2154 # what hosts and ../bats/lib/common set
# A cluster in trouble: what happens in a round, chosen by a seed, and what must be there after it.
# Loaded after hosts. The seed decides what is done, in which order; how fast peers are does not
# depend on it, so a seed repeats a plan and not each turn of it. What was done is in $trace.
#
# Every host has CIDs of its own, which only it changes, and there are CIDs that all change.

go_hosts=(1 2)
our_hosts=(3 4 5)
hosts=("${go_hosts[@]}" "${our_hosts[@]}")
OWN=6     # CIDs of each host
SHARED=10 # CIDs of all

declare -gA cids     # "HOST I", "all I": a CID
declare -gA ledger   # by CID, of the own ones of our hosts: "pinned NAME" or "gone"; none: unknown
declare -gA down     # hosts whose peer does not run
declare -gA away     # hosts that are unplugged, or on the other bridge
declare -gA blank    # hosts that were cleaned and may not have everything again
declare -gA log_from # of Go peers: where the log of this round begins

# --- chance ------------------------------------------------------------------------------

# roll N: $rolled is one of 0 .. N - 1. (A number on standard output would need a subshell, which
# has a chance of its own.)
roll() {
	chance=$((chance * 6364136223846793005 + 1442695040888963407))
	rolled=$(((chance >> 33 & 0x3fffffff) % $1))
}

# pick THING...: $picked is one of them.
pick() {
	roll $#
	picked=${*:rolled + 1:1}
}

likely() {
	roll 100
	[ "$rolled" -lt "$1" ]
}

# --- the hosts ---------------------------------------------------------------------------

say() {
	echo "$*" >>"$trace"
}

is_go() {
	[ "$1" -le 2 ]
}

cids_choose() {
	local n i
	for n in "${hosts[@]}"; do
		for ((i = 0; i < OWN; i++)); do
			cids["$n $i"]=$(cid_of "own $n $i")
		done
	done
	for ((i = 0; i < SHARED; i++)); do
		cids["all $i"]=$(cid_of "all $i")
	done
}

# pins_of N: what the running peer has, in the form and order of an export.
pins_of() {
	if is_go "$1"; then
		rest "$1" allocations | jq -c .
	else
		cat "$(mnt "$1")/state/export"
	fi | sort
}

# agree N...: these peers have the same pins; what they have is below $round.
agree() {
	local n
	for n in "$@"; do
		pins_of "$n" >"$round/pins$n" || return 1
		cmp "$round/pins$1" "$round/pins$n" || return 1
	done
}

# reached: $among are the hosts that run and are together.
reached() {
	local n
	among=()
	for n in "${hosts[@]}"; do
		[ -n "${down[$n]:-}" ] || [ -n "${away[$n]:-}" ] || among+=("$n")
	done
}

start() {
	say "start $1"
	if is_go "$1"; then
		go_start "$1"
	else
		ours_start "$1"
	fi
	unset "down[$1]"
}

stop() {
	say "stop $1"
	if is_go "$1"; then
		go_stop "$1"
	else
		pinfs_stop "$(mnt "$1")"
	fi
	down[$1]=1
}

# --- changes -----------------------------------------------------------------------------

# choose_cid N: $cid is one that the host may change, $which says which.
choose_cid() {
	if likely 60; then
		roll "$OWN"
		which="$1 $rolled"
	else
		roll "$SHARED"
		which="all $rolled"
	fi
	cid=${cids["$which"]}
}

# record N WHICH STATE: a change was acknowledged. It may lose to one of another host where they
# share the CID, and on a blank peer to what that peer has forgotten.
record() {
	local c=${cids["$2"]}
	if [ -n "${blank[$1]:-}" ]; then
		unset "ledger[$c]"
	elif [[ $2 == "$1 "* ]]; then
		ledger[$c]=$3
	fi
}

# $options: what a change asks for besides its name; also as a document and as a query.
choose_options() {
	pick none none metadata factors expiry
	options=$picked
	case $options in
	none) document='' query='' ;;
	metadata) document=',"metadata":{"step":"'$step'"}' query="&meta-step=$step" ;;
	factors)
		document=',"replication_factor_min":1,"replication_factor_max":2'
		query='&replication-min=1&replication-max=2'
		;;
	expiry)
		document=',"expire_at":"2091-02-03T04:05:06Z"'
		query='&expire-at=2091-02-03T04:05:06Z'
		;;
	esac
}

pin_on_go() {
	say "pin on $1: $which, $name, $options"
	go_pin "$1" "$cid" "name=$name$query" || say "refused"
}

# A peer that cannot find enough others may refuse what asks for them.
pin_on_ours() {
	local file
	file=$(mnt "$1")/pins/$cid.json
	if likely 20 && [ ! -e "$file" ]; then
		say "touch on $1: $which"
		touch "$file"
		name=
	else
		say "pin on $1: $which, $name, $options"
		if ! echo "{\"name\":\"$name\"$document}" >"$file"; then
			say "refused: $(head -n 1 "$(mnt "$1")/why")"
			[ "$options" = factors ]
			why_says "not enough peers" "$(mnt "$1")"
			return 0
		fi
	fi
	record "$1" "$which" "pinned $name"
}

step_pin() {
	choose_cid "$1"
	choose_options
	name=s$seed.$step
	if is_go "$1"; then
		pin_on_go "$1"
	else
		pin_on_ours "$1"
	fi
}

step_unpin() {
	choose_cid "$1"
	say "unpin on $1: $which"
	if is_go "$1"; then
		go_unpin "$1" "$cid" || say "was not there"
	elif ours_has "$1" "$cid"; then
		rm -f "$(mnt "$1")/pins/$cid.json" # another may be faster where it is shared
		record "$1" "$which" gone
	fi
}

# Several pins by one operation, added to what there is, or in place of it: then what others have
# pinned meanwhile may be removed by it.
step_import() {
	local i dump=$round/import
	{
		if likely 70; then
			echo '{"import":{"method":"merge"}}'
		else
			echo '{"import":{"method":"update"}}'
			cat "$(mnt "$1")/state/export"
			ledger_forget_others "$1"
		fi
	} >"$dump"
	for i in 0 1 2; do
		sed -i "/${cids["$1 $i"]}/d" "$dump"
		echo "{\"cid\":\"${cids["$1 $i"]}\",\"name\":\"s$seed.$step\"}" >>"$dump"
	done
	say "import on $1: $(head -n 1 "$dump")"
	import_dump "$dump" "$(mnt "$1")"
	for i in 0 1 2; do
		record "$1" "$1 $i" "pinned s$seed.$step"
	done
}

ledger_forget_others() {
	local n i
	for n in "${our_hosts[@]}"; do
		for ((i = 0; i < OWN; i++)); do
			[ "$n" = "$1" ] || unset "ledger[${cids["$n $i"]}]"
		done
	done
}

# --- trouble -----------------------------------------------------------------------------

# Off the network, or together with others that are away.
step_away() {
	if likely 40; then
		say "unplug $1"
		host_unplug "$1"
	else
		say "apart $1"
		host_apart "$1"
	fi
	away[$1]=1
}

step_back() {
	say "plug $1"
	host_together "$1"
	host_plug "$1"
	unset "away[$1]"
}

# Changes one after the other until the peer is killed under them. What was acknowledged counts;
# of the one that was under way nobody knows.
step_kill() {
	local at i writer
	at=$(mnt "$1")
	: >"$round/tried"
	: >"$round/acked"
	roll "$OWN"
	say "kill $1 after $rolled changes"
	for ((i = 0; i < OWN; i++)); do
		echo "$i" >>"$round/tried"
		echo "{\"name\":\"s$seed.$step.$i\"}" >"$at/pins/${cids["$1 $i"]}.json" || exit
		echo "$i" >>"$round/acked"
	done 2>/dev/null 3>&- &
	writer=$!
	wait_for 10 lines_are "$round/acked" "$rolled"
	pinfs_kill9 "$at"
	wait "$writer" || true
	while read -r i; do
		unset "ledger[${cids["$1 $i"]}]"
	done <"$round/tried"
	while read -r i; do
		record "$1" "$1 $i" "pinned s$seed.$step.$i"
	done <"$round/acked"
	down[$1]=1
}

lines_are() {
	[ "$(wc -l <"$1")" -ge "$2" ]
}

# A peer empties itself. What it alone has is lost then, so it must be in step with all that run.
step_clean() {
	local seconds
	pick 1 10
	seconds=$picked
	reached
	if [ -n "${away[$1]:-}" ] || [ ${#among[@]} -eq 1 ] || ! wait_for 5 agree "${among[@]}"; then
		say "no cleanup of $1: it may be alone with something"
		return 0
	fi
	say "clean $1"
	rm -r "$(mnt "$1")/state"
	if wait_for "$seconds" agree "${among[@]}"; then
		say "$1 has everything again"
	else
		blank[$1]=1
	fi
}

# Time goes by until those that are together agree, or not.
step_rest() {
	reached
	[ ${#among[@]} -gt 1 ] || return 0
	say "rest, with ${among[*]}"
	wait_for 2 agree "${among[@]}" || say "which is not enough"
}

# For as long as it takes until connections are given up.
long_cut() {
	local n
	for n in 1 3; do
		[ -z "${down[$n]:-}" ] || start "$n"
		[ -z "${away[$n]:-}" ] || step_back "$n"
	done
	wait_for 90 jq -e .connected "$(peer_file 3 1)"
	say "long cut"
	step_away 3
	wait_for 90 fails jq -e .connected "$(peer_file 3 1)"
}

# peer_file N M: what host N, of ours, shows of the peer of host M.
peer_file() {
	echo "$(mnt "$1")/peers/$(peer_id "$2").json"
}

# take_step N: on that host. The peers of the reference lose acknowledged pins when they are killed:
# those are only stopped.
take_step() {
	if [ -n "${down[$1]:-}" ]; then
		! likely 40 || start "$1"
		return
	fi
	roll 100
	if [ "$rolled" -lt 48 ]; then
		step_pin "$1"
	elif [ "$rolled" -lt 66 ]; then
		step_unpin "$1"
	elif [ "$rolled" -lt 80 ]; then
		if [ -n "${away[$1]:-}" ]; then step_back "$1"; else step_away "$1"; fi
	elif [ "$rolled" -lt 90 ]; then
		if is_go "$1"; then stop "$1"; else step_kill "$1"; fi
	elif [ "$rolled" -lt 94 ]; then
		is_go "$1" || step_clean "$1"
	elif [ "$rolled" -lt 97 ]; then
		is_go "$1" || step_import "$1"
	else
		step_rest
	fi
}

# --- a round -----------------------------------------------------------------------------

# trouble SEED STEPS: with one, two or three of ours; the others are there again at the end. Each
# tenth one ends with a long cut.
trouble() {
	local n here
	seed=$1 chance=$1 blank=()
	for n in "${go_hosts[@]}"; do
		log_from[$n]=$(wc -c <"$BATS_FILE_TMPDIR/go$n.log")
	done
	roll 3
	here=("${go_hosts[@]}" "${our_hosts[@]:0:rolled+1}")
	say "seed $seed: hosts ${here[*]}"
	for n in "${our_hosts[@]:rolled+1}"; do
		stop "$n"
	done
	for ((step = 1; step <= $2; step++)); do
		pick "${here[@]}"
		take_step "$picked"
	done
	[ $((seed % 10)) -ne 0 ] || long_cut
}

# peace: everyone is there, and comes to the same pins.
peace() {
	local n
	for n in "${hosts[@]}"; do
		[ -z "${away[$n]:-}" ] || step_back "$n"
	done
	for n in "${hosts[@]}"; do
		[ -z "${down[$n]:-}" ] || start "$n"
	done
	for n in "${go_hosts[@]}"; do
		! interrupted "$n" || go_resync "$n"
	done
	wait_for 120 agree "${hosts[@]}" || {
		differences
		return 1
	}
}

# interrupted N: in this round the Go peer was stopped while it waited for a block. What it had
# merged then is known and yet no head of it, so nothing makes it ask for what that links to: the
# repair at its next start goes by its heads, finds nothing missing, and takes the mark away that the
# stop has left. (go-ds-crdt 0.6.8: processNode adds a head at the end of a walk, repairDAG begins
# at the heads. Its mark-dirty does not outlive the program that sets it.)
interrupted() {
	tail -c "+${log_from[$1]}" "$BATS_FILE_TMPDIR/go$1.log" |
		grep -F "error getting delta: context canceled" >/dev/null
}

# go_resync N: the Go peer is emptied, as its manual has it for a store that is broken, after ours
# have all that it has: it makes a change, which links to everything.
go_resync() {
	local n last
	say "resync $1"
	last=$(cid_of "last of $1 in $seed")
	go_pin "$1" "$last"
	for n in "${our_hosts[@]}"; do
		wait_for 60 ours_has "$n" "$last"
	done
	for n in "${our_hosts[@]}"; do
		wait_for 60 jq -e '.wanted == 0' "$(mnt "$n")/state/info.json"
	done
	go_stop "$1"
	go_service "$(cfg "$1")" state cleanup -f
	go_start "$1"
}

# What each peer has otherwise than the first of ours.
differences() {
	local n first=$round/pins${our_hosts[0]}
	pins_of "${our_hosts[0]}" >"$first"
	for n in "${hosts[@]}"; do
		pins_of "$n" >"$round/pins$n" || true
		echo "--- host $n against host ${our_hosts[0]}"
		diff "$first" "$round/pins$n" || true
		is_go "$n" || cat "$(mnt "$n")/state/info.json"
	done
}

# ledger_check FILE: what our peers acknowledged is in the dump.
ledger_check() {
	local c is bad=0
	for c in "${!ledger[@]}"; do
		is=$(jq -r "select(.cid == \"$c\") | \"pinned \" + .name" "$1")
		[ "${is:-gone}" = "${ledger[$c]}" ] || {
			echo "$c is '${is:-gone}', but '${ledger[$c]}' was acknowledged"
			bad=1
		}
	done
	return "$bad"
}

# The Go peers, stopped, export what each of ours exports, byte for byte.
exports_are_the_same() {
	local n m status=0
	for n in "${go_hosts[@]}"; do
		go_stop "$n"
		go_dump "$(cfg "$n")" "$round/go$n"
		for m in "${our_hosts[@]}"; do
			cmp "$round/go$n" "$(mnt "$m")/state/export" || {
				diff "$round/go$n" "$(mnt "$m")/state/export" || true
				status=1
			}
		done
		go_start "$n"
	done
	return "$status"
}
