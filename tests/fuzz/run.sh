#!/usr/bin/env bash
# Runs the fuzz targets until each has had so many inputs.
#
#   tests/fuzz/run.sh [--inputs N] [--seconds N] [--keep] [TARGET...]
#
# N inputs, ten million when it is not given, are the total of all runs of a target: the
# counts are kept in build-fuzz/inputs/, and a run goes on where the last one stopped. --seconds ends
# each target's run earlier. What was found is in build-fuzz/found/TARGET, and an input that fails in
# build-fuzz/failed/TARGET; then the status is 1. --keep runs nothing, but adds found inputs that reach
# something new to tests/fuzz/corpus/TARGET. Needs clang.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build-fuzz
inputs=10000000
seconds=0
keep=
targets=()
kept_max=2048 # bytes of an input that is kept

while [ $# -gt 0 ]; do
	case $1 in
	--inputs) inputs=$2 && shift ;;
	--seconds) seconds=$2 && shift ;;
	--keep) keep=1 ;;
	-h | --help)
		sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
		exit 0
		;;
	-*)
		echo "run.sh: unknown option $1 (see --help)" >&2
		exit 2
		;;
	*) targets+=("$1") ;;
	esac
	shift
done

# Comparisons are not followed: it costs the slow targets half of their inputs, and their corpora
# have the words of the formats.
make_targets() {
	[ -e "$build/build.ninja" ] || CC=clang meson setup "$build" "$root" -Dfuzz=true \
		-Db_sanitize=address,undefined -Db_lundef=false -Doptimization=2 \
		-Dc_args=-fno-sanitize-coverage=trace-cmp >"$build.log"
	ninja -C "$build" "${targets[@]/#/tests/fuzz/fuzz_}" >"$build.log"
}

# run_target NAME: status 1 where an input fails.
run_target() {
	local have=0 status=0 length=4096 log=$build/log/$1 n

	[ ! -e "$build/inputs/$1" ] || have=$(<"$build/inputs/$1")
	[ "$have" -lt "$inputs" ] || return 0
	case $1 in # a row of steps, which takes long when it is long
	bitswap | gossip | gorpc | noise | stream | yamux) length=768 ;;
	esac
	mkdir -p "$build"/{found,failed}/"$1"
	"$build/tests/fuzz/fuzz_$1" -runs=$((inputs - have)) -max_total_time="$seconds" -entropic=0 \
		-max_len="$length" -artifact_prefix="$build/failed/$1/" -print_final_stats=1 -verbosity=0 \
		"$build/found/$1" "$root/tests/fuzz/corpus/$1" >"$log" 2>&1 || status=1
	n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	echo $((have + ${n:-0})) >"$build/inputs/$1"
	[ "$status" = 0 ] || echo "failed: $build/failed/$1, $log" >&2
	echo "$1 $(<"$build/inputs/$1")"
	return "$status"
}

keep_found() {
	local all file

	[ -d "$build/found/$1" ] || return 0
	find "$build/found/$1" -type f -size +"$kept_max"c -delete
	all=$(mktemp -d "$build/all.XXXXXX")
	cp "$root/tests/fuzz/corpus/$1"/* "$all/"
	"$build/tests/fuzz/fuzz_$1" -merge=1 "$all" "$build/found/$1" >"$build/log/$1" 2>&1
	for file in "$all"/*; do # by 16 digits of their SHA-1, unless they have names
		[ -e "$root/tests/fuzz/corpus/$1/${file##*/}" ] ||
			cp "$file" "$root/tests/fuzz/corpus/$1/$(basename "$file" | cut -c1-16)"
	done
	rm -r "$all"
}

mkdir -p "$build"/{inputs,log}
if [ ${#targets[@]} -eq 0 ]; then
	mapfile -t targets < <(cd "$root/tests/fuzz" && printf '%s\n' fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')
fi
make_targets
all=0
for target in "${targets[@]}"; do
	if [ -n "$keep" ]; then
		keep_found "$target"
	else
		run_target "$target" || all=1
	fi
done
exit "$all"
