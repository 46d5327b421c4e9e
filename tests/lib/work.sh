# shellcheck shell=bash
# Sourced by test: the temporary folder of a run, and leaving nothing behind.

work=
child=

work_begin() {
	work=$(mktemp -d "${TMPDIR:-/tmp}/pinfs-test.XXXXXX")
	chmod 711 "$work" # journeys look at mounts below it as other users
	export TMPDIR=$work
	trap work_end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# Ends the one process that is running, by its id, and detaches what is mounted in our folder.
work_end() {
	trap - EXIT
	if [ -n "$child" ] && kill -TERM "$child" 2>/dev/null; then
		wait "$child" 2>/dev/null || true
	fi
	local mount
	while IFS= read -r mount; do
		fusermount3 -uz "$mount" 2>/dev/null || umount -l "$mount" || true
	done < <(awk -v below="$work/" 'index($2, below) == 1 { print $2 }' /proc/self/mounts)
	rm -rf "$work"
}

# work_run SECONDS LOG CMD...: runs one command to its end or its deadline.
work_run() {
	local seconds=$1 log=$2 status=0
	shift 2
	timeout --kill-after=20 "$seconds" "$@" </dev/null >"$log" 2>&1 &
	child=$!
	wait "$child" || status=$?
	child=
	[ "$status" -ne 124 ] || echo "not finished within $seconds s" >>"$log"
	return "$status"
}
