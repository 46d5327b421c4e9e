# shellcheck shell=bash
# Sourced by run and test.

# packages_listed FILE...: the names in the lists, without comments.
packages_listed() {
	sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$@"
}

# packages_missing FILE...: the names that are not installed.
packages_missing() {
	local installed
	installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^.i. *//p')
	packages_listed "$@" | grep -vxF -e "$installed" || true
}

# packages_install FILE...: installs what is missing, and says so. Where the system has no
# dpkg, the build itself reports what it does not find.
packages_install() {
	local -a missing as_root=()
	command -v dpkg-query >/dev/null || return 0
	mapfile -t missing < <(packages_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "Installing: ${missing[*]}" >&2
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "Not root, and there is no sudo. As root, run:" >&2
			echo "  apt-get install ${missing[*]}" >&2
			return 1
		fi
		as_root=(sudo)
	fi
	local -a apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
	"${apt[@]}" update >&2
	"${apt[@]}" install --no-install-recommends "${missing[@]}" >&2
}
