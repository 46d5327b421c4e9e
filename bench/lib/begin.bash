# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # shared with who sources it and the files beside this one
# Sourced by bench/run and bench/cluster: the programs that are measured and that measure.

pinfs=$root/build-release/daemon/pinfs
bench_gen=$root/build-release/bench/bench-gen
bench_writers=$root/build-release/bench/bench-writers
bench_arrival=$root/build-release/bench/bench-arrival
peers_bin=$root/tests/peers/bin
go=$peers_bin/ipfs-cluster-service

# begin SCRIPT ARGS...: builds them, then is SCRIPT --inside ARGS, in namespaces of its own.
begin() {
	local script=$1 namespaces=(--mount --propagation private --net --pid --fork --kill-child --mount-proc)
	shift
	. "$root/packages/install.sh"
	packages_install "$root/packages/debian-run" "$root/packages/debian-test"
	"$root/tests/peers/build.sh" >&2
	if [ ! -e "$root/build-release/build.ninja" ]; then
		meson setup --buildtype=release -Dtests=disabled "$root/build-release" "$root" >&2
	fi
	ninja -C "$root/build-release" all bench >&2
	[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
	exec unshare "${namespaces[@]}" "$script" --inside "$@"
}

# rows_check SCRIPT: each of $rows is one of $all_rows.
rows_check() {
	local row
	for row in ${rows//,/ }; do
		case ,$all_rows, in
		*,"$row",*) ;;
		*)
			echo "$1: no row $row; there are $all_rows" >&2
			exit 2
			;;
		esac
	done
}

# rows_run: the function of each row that is wanted, in the order of all.
rows_run() {
	local row
	for row in ${all_rows//,/ }; do
		[[ ,$rows, == *,"$row",* ]] || continue
		say "$row"
		"row_${row//-/_}"
	done
}
