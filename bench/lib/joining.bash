# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # shared with who sources it and the files beside this one
# Sourced by bench/cluster: how long a peer takes to get what another one has. The source is on host
# 1, the joiner on host 2, and nobody else is there.
#
# Whether the reference has everything is not asked by counting, which lists its pinset, but by one
# pin: the history is a chain that a joining peer merges from the newest block to the oldest, each at
# once, so that it is complete when it has the first pin that the source ever made. Ours merges
# a large block in parts, and tells the number of its pins for little.

# join JOINER COUNT OLDEST [NEWEST]: an empty peer of that kind beside the source that runs, which has
# COUNT pins. Sets first_s and all_s, the seconds from its start until it had the NEWEST pin, or
# any, and all of them; all_s is empty where that was not within the limit. Sets peak_mb, the most
# anonymous memory meanwhile, and cpu_s.
join() {
	local begin end
	member_init "$1" 2 1
	first_s='' all_s='' peak_kib=0
	begin=$EPOCHREALTIME
	end=$((SECONDS + limit))
	member_launch "$1" 2
	while [ -z "$all_s" ] && [ "$SECONDS" -lt "$end" ]; do
		sleep 0.1
		look "$2" "$3" "${4:-}"
	done
	cpu_s=$(cpu_seconds "${pid[2]}")
	[ -z "$all_s" ] || [ "$(member_count 2)" = "$2" ] || {
		echo "bench/cluster: not $2 pins, but $(member_count 2)" >&2
		return 1
	}
	peak_mb=$(calc "$peak_kib * 1024 / 1e6")
	member_stop 2
}

look() {
	local kib n=0 now
	kib=$(anonymous_kib "${pid[2]}")
	peak_kib=$((kib > peak_kib ? kib : peak_kib))
	now=$(calc "$EPOCHREALTIME - $begin")
	if [ "${kind[2]}" = ours ]; then
		n=$(member_count 2 2>/dev/null) || n=0
	elif [ -z "$first_s" ]; then
		! member_has 2 "${3:-$2}" || n=1
	else
		! member_has 2 "$2" || n=$1
	fi
	[ "${n:-0}" -eq 0 ] || first_s=${first_s:-$now}
	[ "${n:-0}" -lt "$1" ] || all_s=$now
}

# source_full KIND: host 1 has the pins of the dump, and runs anew.
source_full() {
	members_stop
	if [ "$(cat "$work/full" 2>/dev/null)" != "$1" ]; then
		rm -f "$work/full"
		member_init "$1" 1
		say "$1 imports $pins pins"
		"import_$1" >>"$work/init.log" 2>&1
		echo "$1" >"$work/full"
	fi
	say "the source: $1"
	member_start "$1" 1
}

import_go() {
	"$go" -c "$work/c1" state import -f "$work/dump"
}

import_ours() {
	member_start ours 1
	cp "$work/dump" "$work/m1/state/import"
	member_stop 1
}

# dumped LINE-OPTION: the CID of a line of the dump (head or tail -n 1).
dumped() {
	"$@" -n 1 "$work/dump" | jq -r .cid
}

# joined JOINER: the peer joins the source that has the dump.
joined() {
	say "$1 joins"
	join "$1" "$pins" "$(dumped head)" "$(dumped tail)"
	say "$1: first after ${first_s:--} s, all after ${all_s:-more than $limit} s, peak $peak_mb MB, CPU $cpu_s s"
}

# joined_row WORK THEIRS OURS MUST: seconds; THEIRS empty: more than the limit.
joined_row() {
	local ratio more=
	[ -n "$3" ] || {
		echo "bench/cluster: $1: not within $limit s" >&2
		return 1
	}
	[ -n "$2" ] || more="> "
	ratio=$(calc "${2:-$limit} / $3")
	table_row "$1" "$more$(short "${2:-$limit}") s" "$(short "$3") s" "$more$(short "$ratio")x" \
		"≥ $4x" "$ratio >= $4"
}

# span FIRST ALL: the seconds between, or nothing.
span() {
	[ -z "$2" ] || calc "$2 - $1"
}
