# shellcheck shell=bash
# Sourced by the checks in tests/lint; they run at the root of the project.

# project_files PATHSPEC...: the project's own files, one a line: those git tracks or would
# track; without git (a release tarball), all but build folders.
project_files() {
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r f; do
			[ ! -f "$f" ] || printf '%s\n' "$f"
		done
	else
		local pattern
		for pattern in "$@"; do
			case $pattern in
			*/*) pattern=./$pattern ;;
			*) pattern="./*$pattern" ;;
			esac
			find . \( -path './build*' -o -path ./.git -o -path ./tests/peers/bin \) -prune -o \
				-type f -path "$pattern" -printf '%P\n'
		done
	fi | sort -u
}

# need PROGRAM: ends the check as skipped (77, which meson knows) where PROGRAM is absent.
need() {
	command -v "$1" >/dev/null || {
		echo "skipped: $1 is not installed"
		exit 77
	}
}
