#!/usr/bin/env bash
# Every C file is as clang-format leaves it.
set -euo pipefail
. tests/lib/files.sh
need clang-format

project_files '*.c' '*.h' | xargs -r -d '\n' clang-format --dry-run -Werror
