# shellcheck shell=bash
# Sourced by test: sums up what the runners report. The totals are these three.
passed=0
failed=0
skipped=0

# count_add PASSED FAILED SKIPPED
count_add() {
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
}

# count_tap FILE: the results in a TAP stream, as "PASSED FAILED SKIPPED".
count_tap() {
	awk '
		/^not ok/ { failed++; next }
		/^ok/ && /# *[Ss][Kk][Ii][Pp]/ { skipped++; next }
		/^ok/ { passed++ }
		END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# count_meson TESTLOG: the same for the testlog.json of meson: subtests where an executable
# speaks TAP, else the executable as one. One that failed outside its subtests (a sanitizer, a
# crash, a deadline) counts as one more failure.
count_meson() {
	jq -rs '
		def tap: (.stdout // "") | split("\n") | map(select(test("^(not )?ok\\b")));
		def good: .result | IN("OK", "EXPECTEDFAIL");
		map(
			. as $test | tap as $lines
			| ($lines | map(select(startswith("not ok"))) | length) as $bad
			| ($lines | map(select(startswith("ok") and test("# *skip"; "i"))) | length) as $skip
			| if .result == "SKIP" then { p: 0, f: 0, s: ([1, $skip] | max) }
			  elif ($lines | length) == 0 then
				{ p: (if good then 1 else 0 end), f: (if good then 0 else 1 end), s: 0 }
			  else
				{ p: (($lines | length) - $bad - $skip), s: $skip,
				  f: (if (good | not) and $bad == 0 then 1 else $bad end) }
			  end)
		| "\(map(.p) | add // 0) \(map(.f) | add // 0) \(map(.s) | add // 0)"' "$1"
}
