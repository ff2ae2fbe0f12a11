# Sourced by the other tools: makes the virtual environment `.venv` in this checkout and keeps it current.
# shellcheck shell=bash

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv"

# Says on stderr what was wrong and what to type, then ends.
give_up() {
  printf 'rtsep: %s\n' "$*" >&2
  exit 1
}

# Prints a Python that rtsep runs on; every dependency has wheels for 3.11 and 3.12.
find_python() {
  local name
  for name in python3.11 python3.12 python3; do
    if command -v "$name" >/dev/null &&
      "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))'; then
      "$name" -c 'import ensurepip' 2>/dev/null ||
        give_up "$name cannot make virtual environments. Type: sudo apt install $(basename "$(readlink -f "$(command -v "$name")")")-venv"
      printf '%s\n' "$name"
      return
    fi
  done
  give_up "Python 3.11 or 3.12 is needed and was not found. Type: sudo apt install python3.11-venv"
}

# ensure_environment EXTRAS: installs this checkout with these extras, unless that was done for this very pyproject.toml.
ensure_environment() {
  local extras="$1" stamp python
  stamp="$(sha256sum "$root/pyproject.toml" | cut -c 1-64)"
  if [[ -x "$venv/bin/python" ]] && grep -qsx "$stamp .*,$extras,.*" "$venv/rtsep-installed"; then
    return
  fi
  python="$(find_python)" || exit 1
  printf 'rtsep: setting up %s, once; this takes some minutes\n' "$venv" >&2
  [[ -x "$venv/bin/python" ]] || "$python" -m venv "$venv"
  # torch by itself and first: one exact version, so that nothing that comes later exchanges it.
  "$venv/bin/python" -m pip install "torch==2.13.0" >&2 &&
    "$venv/bin/python" -m pip install -e "$root[$extras]" >&2 ||
    give_up "the installation stopped; see above. Once that is mended, the same command goes on where it stopped."
  printf '%s ,%s,\n' "$stamp" "$extras" >>"$venv/rtsep-installed"
}
