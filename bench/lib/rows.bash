# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # shared with bench/run and the files beside this one
# Sourced by bench/run: one function per row of the table.

# ---- state ----

row_restore() {
	local ours=() i
	go_full
	ours_stop
	for ((i = 0; i < rounds; i++)); do
		rm -rf "${work:?}/full"
		ours_init full
		ours_start full
		sync -f "$work"
		ours+=("$(timed ours_import)")
		((i + 1 == rounds)) || ours_stop
	done
	faster "restore: \`cp dump M/state/import\`, durable" "$go_import_s" "$(median "${ours[@]}")" 20 \
		"\`state import\`"
}

row_dump() {
	local theirs=() ours=() i
	go_full
	ours_full
	for ((i = 0; i < rounds; i++)); do
		theirs+=("$(timed "$go" -c "$work/go-full" state export -f "$work/out")")
		ours+=("$(timed cp "$work/m/state/export" "$work/ours")")
	done
	cmp "$work/out" "$work/ours"
	rm -f "$work/out" "$work/ours"
	faster "dump: \`cp M/state/export\`" "$(median "${theirs[@]}")" "$(median "${ours[@]}")" 10 \
		"\`state export\`"
}

# memory_row WHEN THEIRS
memory_row() {
	local ours
	ours=$(ours_memory)
	table_row "anonymous memory $1" "$2 MiB" "$ours MiB" "$(short "$(calc "$2 / $ours")")x less" \
		"≤ 64 MiB" "$ours <= 64"
}

row_memory() {
	local theirs
	go_full
	go_start go-full
	theirs=$(anonymous "$go_pid")
	go_stop
	ours_full
	ours_stop
	ours_start full
	memory_row "after the start" "$theirs"
	ls -l "$work/m/pins" >/dev/null
	cat "$work/m/state/export" >/dev/null
	memory_row "after a listing and a dump" "$theirs"
	ours_import
	memory_row "after a restore too" "$theirs"
}

# ---- listing ----

list_names() {
	# shellcheck disable=SC2012 # the time of ls is what is measured
	[ "$(ls -f "$1" | wc -l)" -ge "$pins" ]
}

list_rest() {
	curl -sf -o /dev/null "http://127.0.0.1:$rest_port/allocations"
}

# first_name: the seconds from opening the folder to the first pin's name.
first_name() {
	perl -MTime::HiRes=time -e '
		$begin = time;
		opendir $folder, $ARGV[0] or die;
		do { $name = readdir $folder } while $name =~ /^\./;
		printf "%.6f", time - $begin' "$work/m/pins"
}

row_names() {
	local theirs=() ours=() first_s=() i rate
	go_full
	go_start go-full
	ours_full
	for ((i = 0; i < rounds; i++)); do
		theirs+=("$(timed list_rest)")
		ours+=("$(timed list_names "$work/m/pins")")
		first_s+=("$(first_name)")
	done
	go_stop
	rate=$(calc "$pins / $(median "${ours[@]}") / 1000")
	table_row "list names: \`ls -f M/pins\`" \
		"\`GET /allocations\` $(short "$(median "${theirs[@]}")") s" \
		"$(short "$(median "${ours[@]}")") s, $(short "$rate") k/s" \
		"$(short "$(calc "$(median "${theirs[@]}") / $(median "${ours[@]}")")")x" \
		"≥ 500 k/s" "$rate >= 500"
	table_row "first name of them" "-" "$(short "$(calc "1000 * $(median "${first_s[@]}")")") ms" \
		"-" "< 10 ms" "$(median "${first_s[@]}") < 0.01"
}

# forget_names: the kernel forgets names and inodes, where we may tell it to.
forget_names() {
	sync
	echo 2 >/proc/sys/vm/drop_caches 2>/dev/null || true
}

list_long() {
	# shellcheck disable=SC2012
	[ "$(ls -l "$1" | wc -l)" -ge "$pins" ]
}

row_ls() {
	local ours=() theirs=() i rate
	ours_full
	mkdir "$work/tmpfs/names"
	"$bench_gen" "$pins" "$work/tmpfs/names"
	for ((i = 0; i < rounds; i++)); do
		theirs+=("$(timed list_long "$work/tmpfs/names")")
		forget_names
		ours+=("$(timed list_long "$work/m/pins")")
	done
	rm -rf "${work:?}/tmpfs/names"
	rate=$(calc "$pins / $(median "${ours[@]}") / 1000")
	table_row "\`ls -l M/pins\`" "tmpfs $(short "$(median "${theirs[@]}")") s" \
		"$(short "$(median "${ours[@]}")") s, $(short "$rate") k/s" \
		"$(short "$(calc "$(median "${ours[@]}") / $(median "${theirs[@]}")")")x tmpfs" \
		"≥ 100 k/s" "$rate >= 100"
}

# ---- start ----

row_start() {
	local ours=() theirs=() i begin
	go_full
	ours_full
	for ((i = 0; i < rounds; i++)); do
		ours_stop
		ours+=("$(timed ours_start full)")
		go_stop
		begin=$EPOCHREALTIME
		go_start go-full
		theirs+=("$(calc "$EPOCHREALTIME - $begin")")
		go_stop
	done
	table_row "start to mounted, to the REST API" "$(short "$(median "${theirs[@]}")") s" \
		"$(short "$(median "${ours[@]}")") s" \
		"$(short "$(calc "$(median "${theirs[@]}") / $(median "${ours[@]}")")")x" "< 0.3 s" \
		"$(median "${ours[@]}") < 0.3"
}

# ---- pins ----

# pin_row WORK THREADS COUNT MUST GO-FOLDER OUR-FOLDER: the side that is not measured is stopped,
# since the reference goes on trying to reach Kubo.
pin_row() {
	local theirs=() ours=() i our_pid first
	go_stop
	ours_stop
	go_start "$5"
	ours_start "$6"
	our_pid=$(pgrep -x pinfs)
	for ((i = 0; i < rounds; i++)); do
		first_number "$3"
		kill -STOP "$our_pid"
		theirs+=("$("$bench_writers" "$2" "$first" "$3" "http:127.0.0.1:$rest_port")")
		kill -STOP "$go_pid"
		kill -CONT "$our_pid"
		ours+=("$("$bench_writers" "$2" "$first" "$3" "$work/m/pins")")
		kill -CONT "$go_pid"
	done
	go_stop
	ours_stop
	faster "$1" "$(median "${theirs[@]}")" "$(median "${ours[@]}")" "$4" "REST, not durable,"
}

row_one_empty() {
	go_init go-empty
	ours_init empty
	pin_row "2000 durable pins one at a time, empty peer" 1 2000 1.2 go-empty empty
}

row_many_empty() {
	go_init go-empty
	ours_init empty
	pin_row "16000 durable pins, 32 writers, empty peer" 32 16000 4 go-empty empty
}

row_one_full() {
	go_full
	ours_full
	pin_row "2000 durable pins one at a time, at $pins" 1 2000 0.8 go-full full
}

row_many_full() {
	go_full
	ours_full
	pin_row "16000 durable pins, 32 writers, at $pins" 32 16000 2.5 go-full full
}

# ---- rsync ----

row_rsync() {
	local ours=() theirs=() i n=100000
	ours_stop
	ours_init rsync
	ours_start rsync
	"$bench_gen" "$n" >"$work/small"
	cp "$work/small" "$work/m/state/import"
	mkdir "$work/tmpfs/copy"
	rsync -a "$work/m/pins/" "$work/tmpfs/copy/"
	cp -a "$work/tmpfs/copy" "$work/tmpfs/pins"
	for ((i = 0; i < rounds; i++)); do
		theirs+=("$(timed rsync -a "$work/tmpfs/pins/" "$work/tmpfs/copy/")")
		ours+=("$(timed rsync -a "$work/m/pins/" "$work/tmpfs/copy/")")
	done
	rm -rf "${work:?}/tmpfs/copy" "$work/tmpfs/pins"
	ours_stop
	table_row "unchanged second \`rsync -a\` of $n pins" "from tmpfs $(short "$(median "${theirs[@]}")") s" \
		"$(short "$(median "${ours[@]}")") s" \
		"$(short "$(calc "$(median "${ours[@]}") / $(median "${theirs[@]}")")")x tmpfs" "≤ 1.3x" \
		"$(median "${ours[@]}") <= 1.3 * $(median "${theirs[@]}")"
}
