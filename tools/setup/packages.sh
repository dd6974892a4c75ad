#!/usr/bin/env bash
# Installs the Debian packages that Snug needs and this machine lacks.
#
#   tools/setup/packages.sh          what a build and its fast tests need (debian-packages.txt)
#   tools/setup/packages.sh test     the same and what the system tests need (debian-packages-test.txt)
#   tools/setup/packages.sh dev      all that and the developer's tools (debian-packages-dev.txt)
#
# Takes a fraction of a second when all are there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
log=$root/build/logs/packages.log

say() { printf '[setup] %s\n' "$*"; }
fail() { printf '[setup] %s\n' "$*" >&2; exit 1; }

# The names in the lists given, without comments.
wanted() { sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$@" | sort -u; }

# The names among those given that are not installed. dpkg-query also lists removed packages whose configuration is left.
missing() {
  comm -23 <(printf '%s\n' "$@") \
    <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | sed -n 's/ installed$//p' | sort -u)
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo -- "$@"
  else fail "Debian packages are missing and this is neither root nor is there sudo. As root, run: tools/setup/packages.sh"
  fi
}

# Runs a long command with its output in the log; on failure shows the end of it.
logged() {
  "$@" >>"$log" 2>&1 && return
  tail -n 15 "$log" >&2
  fail "failed: $* (all of it: $log)"
}

install_missing() {
  local -a apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300)
  mkdir -p "$(dirname "$log")"
  : >"$log"
  say "Debian packages: $# missing: $*"
  say "Debian packages: reading the lists"
  logged as_root "${apt[@]}" update
  say "Debian packages: downloading and installing"
  logged as_root "${apt[@]}" install --no-install-recommends "$@"
  say "Debian packages: done"
}

main() {
  local -a lists=("$here/debian-packages.txt") names lacking
  case ${1:-} in
    '') ;;
    test) lists+=("$here/debian-packages-test.txt") ;;
    dev) lists+=("$here/debian-packages-test.txt" "$here/debian-packages-dev.txt") ;;
    *) sed -n '2,8p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
  command -v dpkg-query >/dev/null || fail "this is not a Debian system: install what ${lists[*]} name by hand"
  mapfile -t names < <(wanted "${lists[@]}")
  mapfile -t lacking < <(missing "${names[@]}")
  [ ${#lacking[@]} = 0 ] || install_missing "${lacking[@]}"
}

main "$@"
