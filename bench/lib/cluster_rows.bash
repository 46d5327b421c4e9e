# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # shared with who sources it and the files beside this one
# Sourced by bench/cluster: one function per row of the table.

# ---- joining ----

row_join() {
	local ours_first ours_all ours_mb ours_cpu
	source_full go
	joined ours
	ours_first=$first_s ours_all=$all_s ours_mb=$peak_mb ours_cpu=$cpu_s
	source_full go
	joined go
	joined_row "a peer joins a Go peer: from its start until it has all" "$all_s" "$ours_all" 5
	joined_row "the same from its first pin, without the wait for an announcement" \
		"$(span "${first_s:-0}" "$all_s")" "$(span "$ours_first" "$ours_all")" 5
	[ -z "$all_s" ] || joined_row "CPU meanwhile" "$cpu_s" "$ours_cpu" 5
	table_row "anonymous memory meanwhile, the peak" "$(short "$peak_mb") MB" \
		"$(short "$ours_mb") MB" "$(short "$(calc "$peak_mb / $ours_mb")")x less" "≤ 96 MB" \
		"$ours_mb <= 96"
}

# How ours serves: a Go peer joins it.
row_serve() {
	local from_ours
	source_full ours
	joined go
	from_ours=$(span "${first_s:-0}" "$all_s")
	source_full go
	joined go
	joined_row "a Go peer joins: from a Go peer, from ours; from its first pin" \
		"$(span "${first_s:-0}" "$all_s")" "$from_ours" 0.9
}

# A block for each pin: the history of a peer without batching, taken in by one that was away.
row_deltas() {
	local count=20000 oldest newest ours_s
	members_stop
	rm -f "$work/full"
	member_init go 1
	member_start go 1
	oldest=$(dumped head) newest=$(dumped tail)
	say "the source makes $count pins"
	first_number "$count"
	rest 1 "pins/$oldest" -X POST >/dev/null
	"$bench_writers" 1 "$first" "$((count - 2))" "$(member_target 1)" >/dev/null
	rest 1 "pins/$newest" -X POST >/dev/null
	join ours "$count" "$oldest"
	ours_s=$(span "$first_s" "$all_s")
	say "ours: first after $first_s s, all after $all_s s, CPU $cpu_s s"
	join go "$count" "$oldest" "$newest"
	say "go: first after ${first_s:--} s, all after ${all_s:--} s, CPU $cpu_s s"
	joined_row "$count deltas of one pin: from the first, $(rate "$count" "$ours_s")" \
		"$(span "${first_s:-0}" "$all_s")" "$ours_s" 1
}

# rate COUNT SECONDS
rate() {
	echo "$(short "$(calc "$1 / $2")")/s"
}

# ---- a cluster of four ----

four_up() {
	local n
	members_stop
	kubo_start
	rm -f "$work/full"
	member_init go 1
	for n in 2 3; do
		member_init go "$n" 1
	done
	member_init ours 4 1
	for n in 1 2 3; do
		member_start go "$n"
	done
	member_start ours 4
	for n in 1 2 3; do
		wait_for 180 sees_four "$n"
	done
}

sees_four() {
	[ "$(rest "$1" peers | grep -c '^{')" = 4 ]
}

row_idle() {
	local n seconds=60 before=() used=()
	four_up
	say "settling"
	sleep 60
	for n in 1 2 3 4; do
		before[n]=$(cpu_seconds "${pid[$n]}")
	done
	sleep "$seconds"
	for n in 1 2 3 4; do
		used[n]=$(calc "1000 * ($(cpu_seconds "${pid[$n]}") - ${before[n]})")
	done
	members_stop
	kubo_stop
	say "CPU in ms: ${used[*]}"
	cpu_row "$seconds" "$(median "${used[@]:1:3}")" "${used[4]}"
}

# cpu_row SECONDS THEIRS OURS
cpu_row() {
	table_row "CPU of an idle member beside three, in $1 s" "$(short "$2") ms" "$(short "$3") ms" \
		"$(short "$(calc "$2 / $3")")x less" "≥ 1x less" "$3 <= $2"
}

# Pins on one Go peer, seen on another and on ours, in turns; first some that nobody counts.
row_arrival() {
	local medians
	four_up
	arrivals 3 >/dev/null
	medians=$(arrivals 50)
	members_stop
	kubo_stop
	arrival_row "${medians% *}" "${medians#* }"
}

# arrivals COUNT
arrivals() {
	first_number "$((2 * $1))"
	"$bench_arrival" "$first" "$1" "$(member_target 1)" "$(member_target 2)" "$(member_target 4)"
}

# arrival_row THEIRS OURS: milliseconds.
arrival_row() {
	table_row "from \`POST /pins\` on a Go peer until it is there" "on a Go peer $(short "$1") ms" \
		"$(short "$2") ms" "$(short "$(calc "$2 / $1")")x" "≤ 1x" "$2 <= $1"
}

# ---- pins made here, received by a Go peer ----

# pinned_by KIND COUNT: 32 writers pin there; sets made_s, until all are accepted, and all_s,
# until the Go peer has them.
pinned_by() {
	local begin
	members_stop
	rm -f "$work/full"
	member_init "$1" 1
	member_init go 2 1
	member_start "$1" 1
	member_start go 2
	first_number 1
	"$bench_writers" 1 "$first" 1 "$(member_target 1)" >/dev/null
	wait_for 180 received 1
	first_number "$2"
	begin=$EPOCHREALTIME
	made_s=$("$bench_writers" 32 "$first" "$2" "$(member_target 1)")
	wait_for "$limit" received "$(($2 + 1))"
	all_s=$(calc "$EPOCHREALTIME - $begin")
	say "$1: accepted in $made_s s, received in $all_s s"
}

received() {
	[ "$(member_count 2)" = "$1" ]
}

row_accept() {
	local count=16000 made theirs
	pinned_by go "$count"
	made=$made_s theirs=$all_s
	pinned_by ours "$count"
	joined_row "$count pins by 32 writers: accepted, $(rate "$count" "$made_s")" "$made" "$made_s" 1
	joined_row "the same, until a Go peer has them, $(rate "$count" "$all_s")" "$theirs" "$all_s" 1
}
