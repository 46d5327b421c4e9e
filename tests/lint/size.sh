#!/usr/bin/env bash
# No function over 120 lines, no C file over 800. A function's body stands between braces in
# the first column.
set -euo pipefail
. tests/lib/files.sh

project_files '*.c' '*.h' | xargs -r -d '\n' awk '
	FNR == 1 { check_file(); file = FILENAME; open = 0 }
	{ lines = FNR }
	/^\{$/ { open = FNR }
	/^\}/ && open {
		if (FNR - open - 1 > 120) {
			printf "%s:%d: function of %d lines, at most 120\n", FILENAME, open, FNR - open - 1
			bad = 1
		}
		open = 0
	}
	END { check_file(); exit bad }
	function check_file() {
		if (file != "" && lines > 800) {
			printf "%s: file of %d lines, at most 800\n", file, lines
			bad = 1
		}
	}'
