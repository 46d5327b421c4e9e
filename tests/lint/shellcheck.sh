#!/usr/bin/env bash
# Every shell script and every bats file is clean under shellcheck.
set -euo pipefail
. tests/lib/files.sh
need shellcheck

scripts() {
	project_files '*.sh' '*.bash' '*.bats'
	# The others are known by their first line.
	project_files '*' | grep -v '\.' | while IFS= read -r f; do
		if head -c 64 "$f" | head -n 1 | grep -aE '^#!.*\b(ba|da)?sh$' >/dev/null; then
			printf '%s\n' "$f"
		fi
	done
	[ ! -f .ci/run ] || echo .ci/run
}

scripts | sort -u | xargs -r -d '\n' shellcheck -x
