#!/usr/bin/env bash
# Every header compiles by itself. BUILD_ROOT, when set, is searched for generated headers.
set -euo pipefail
. tests/lib/files.sh
need pkg-config

cc=${CC:-cc}
msgpack=msgpack # its older name
pkg-config --exists "$msgpack" || msgpack="msgpack-c"
read -ra flags < <(pkg-config --cflags "$msgpack" fuse3 lmdb jansson libcurl libsodium libuv libprotobuf-c)
flags+=(-std=gnu17 -D_GNU_SOURCE -DPINFS_VERSION='"0"' -Wall -Wextra -Wno-unused-parameter -Werror -I.)
if [ -n "${BUILD_ROOT:-}" ]; then
	while IFS= read -r dir; do
		flags+=("-I$dir")
	done < <(find "$BUILD_ROOT" -name '*.pb-c.h' -printf '%h\n' | sort -u)
fi

bad=0
while IFS= read -r header; do
	# Test files include cmocka, with the four headers it wants, in a block before ours.
	before=()
	case $header in
	tests/*) before=(stdarg stddef stdint setjmp cmocka) ;;
	esac
	if ! errors=$({
		[ ${#before[@]} -eq 0 ] || printf '#include <%s.h>\n' "${before[@]}"
		printf '#include "%s"\n' "$header"
	} | "$cc" "${flags[@]}" -fsyntax-only -x c - 2>&1); then
		printf '%s does not compile alone:\n%s\n' "$header" "$errors"
		bad=1
	fi
done < <(project_files '*.h')
exit "$bad"
