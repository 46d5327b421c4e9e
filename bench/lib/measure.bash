# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # shared with who sources it and the files beside this one
# Sourced by bench/run and bench/cluster: waiting, seconds, medians, ratios, the table.

say() {
	echo "[$((SECONDS / 60))m$((SECONDS % 60))s] $*" >&2
}

# wait_for SECONDS CMD...: polls each few milliseconds.
wait_for() {
	local seconds=$1 end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "bench: not within $seconds s: $*" >&2
			tail -n 5 "$work"/*log >&2
			return 1
		fi
		sleep 0.005
	done
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

# anonymous_kib PID: the anonymous memory of a process.
anonymous_kib() {
	awk '$1 == "RssAnon:" { print $2 }' "/proc/$1/status"
}

# timed CMD...: the seconds that CMD took. Its own output goes to the log.
timed() {
	local begin=$EPOCHREALTIME
	"$@" >>"$work/log" 2>&1 || {
		echo "bench: failed: $*; the end of the log:" >&2
		tail -n 5 "$work/log" >&2
		return 1
	}
	calc "$EPOCHREALTIME - $begin"
}

# calc EXPRESSION
calc() {
	awk "BEGIN { printf \"%.6f\", $1 }"
}

# median NUMBER...
median() {
	printf '%s\n' "$@" | sort -g | awk '
		{ v[NR] = $1 }
		END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# short NUMBER: three digits that matter.
short() {
	awk -v x="$1" 'BEGIN {
		if (x >= 100) printf "%.0f", x; else if (x >= 10) printf "%.1f", x
		else if (x >= 1) printf "%.2f", x; else printf "%.3f", x }'
}

table_begin() {
	table=()
}

# table_row WORK REFERENCE OURS RATIO MUST VERDICT(an awk condition)
table_row() {
	local met=no
	awk "BEGIN { exit !($6) }" && met=yes
	table+=("| $1 | $2 | $3 | **$4** | $5 | $met |")
	say "$1: $2, $3: $4 (must: $5)"
}

# faster WORK THEIRS(seconds) OURS(seconds) MUST(times) NAME: a row that says how many times faster.
faster() {
	local ratio
	ratio=$(calc "$2 / $3")
	table_row "$1" "$5 $(short "$2") s" "$(short "$3") s" "$(short "$ratio")x" "≥ $4x" \
		"$ratio >= $4"
}

table_print() {
	echo "| work, at $pins pins | against | pinfs | ratio | must | met |"
	echo "|---|---|---|---|---|---|"
	printf '%s\n' "${table[@]}"
}
