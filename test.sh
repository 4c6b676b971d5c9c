#!/usr/bin/env bash
# Installs what the tests need, builds, checks the format and runs every test, from a fresh clone on.
# Arguments go to `dotnet test`: ./test.sh --filter FullyQualifiedName~RunbookTests
# The last line is always "N passed, N failed, N skipped"; the exit status is 0 only if all of it went well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DEBIAN_FRONTEND=noninteractive
# MSBuild's idle workers would outlive the script and keep whoever reads its output waiting.
export MSBUILDDISABLENODEREUSE=1
solution=AutoTicket.Console.sln
results=$(mktemp -d)

# Counts over all result files and ends the script, in whatever way it came here.
# VSTest leaves notExecuted at 0: what it did not run is the difference.
report() {
  local status=$? counts passed failed skipped
  counts=$(cat "$results"/*.trx 2>/dev/null | grep -o '<Counters [^>]*>' | awk '
    function value(name) { return match($0, " " name "=\"[0-9]+\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : 0 }
    { passed += value("passed"); skipped += value("total") - value("executed"); executed += value("executed") }
    END { print passed + 0, executed - passed, skipped + 0 }') || true
  read -r passed failed skipped <<<"${counts:-0 0 0}"
  rm -rf "$results"
  if ((failed > 0 && status == 0)); then status=1; fi
  if ((passed + failed == 0)); then
    echo "No test ran." >&2
    if ((status == 0)); then status=1; fi
  fi
  echo "$passed passed, $failed failed, $skipped skipped"
  exit "$status"
}
trap report EXIT

missing_packages() {
  if [[ -z ${TEST_DATABASE_URL:-} && -z ${PG_BIN:-} ]] && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
    echo postgresql
  fi
  if [[ ! -x ${CHROMIUM:-/usr/bin/chromium} ]]; then echo chromium; fi
  if [[ ! -x /usr/bin/prometheus || ! -x /usr/bin/promtool ]]; then echo prometheus; fi
  if [[ ! -x /usr/bin/prometheus-alertmanager ]]; then echo prometheus-alertmanager; fi
  if ! command -v npm >/dev/null; then printf '%s\n' nodejs npm; fi
  # Without an outline font a browser shows, and measures, nothing.
  if [[ -z $(find /usr/share/fonts \( -name '*.ttf' -o -name '*.otf' \) -print -quit 2>/dev/null) ]]; then echo fonts-liberation; fi
}

install_packages() {
  local apt=(apt-get) service as_root=()
  if ((EUID != 0)); then as_root=(sudo) apt=(sudo --preserve-env=DEBIAN_FRONTEND apt-get); fi
  "${apt[@]}" update
  # An unpacking that broke off is mended by -f install, and the second try goes through.
  "${apt[@]}" install -y --no-install-recommends "$@" || {
    "${apt[@]}" -f install -y
    "${apt[@]}" install -y --no-install-recommends "$@"
  }

  # The tests start their own; what comes with the packages must watch nothing on this machine, now or after a restart.
  for service in "$@"; do
    if [[ $service == prometheus* ]]; then
      "${as_root[@]}" service "$service" stop >/dev/null 2>&1 || true
      "${as_root[@]}" update-rc.d "$service" disable >/dev/null 2>&1 || true
    fi
  done
}

# Whether any package source says which versions have holes; where none does, NuGet finds none.
has_hole_data() {
  local source
  while read -r source; do
    if curl --silent --fail --location --max-time 20 "$source" | grep -q VulnerabilityInfo; then return 0; fi
  done < <(dotnet nuget list source --format short | awk '/^E/ && $2 ~ /^http/ { print $2 }')
  return 1
}

mapfile -t missing < <(missing_packages)
if ((${#missing[@]} > 0)); then
  if ! command -v apt-get >/dev/null; then
    echo "The tests need ${missing[*]} and there is no apt-get to install it: install it by hand, or set TEST_DATABASE_URL or PG_BIN, and CHROMIUM (see tests/AutoTicket.Console.Tests/Kit)." >&2
    exit 1
  fi
  echo "Installing ${missing[*]}"
  install_packages "${missing[@]}"
fi

# The OpenID provider of the sign-in tests, with the Node.js that it runs on; exactly what is locked, and only when that changed.
provider=tests/oidc-provider
npm_ci=
if [[ ! $provider/node_modules/.package-lock.json -nt $provider/package-lock.json ]]; then
  npm ci --prefix "$provider" --ignore-scripts --no-audit --no-fund --prefer-offline &
  npm_ci=$!
fi

# Locked, and refused where a package has a known hole (NuGetAudit in Directory.Build.props).
echo "== restore"
dotnet restore "$solution" --locked-mode
echo "== build"
dotnet build "$solution" --no-restore

status=0
echo "== known holes"
holes=$(dotnet list "$solution" package --vulnerable --include-transitive --no-restore)
if grep -q 'has the following vulnerable packages' <<<"$holes"; then
  echo "$holes"
  echo "A package has a known hole: see docs/security.md." >&2
  status=1
elif has_hole_data; then
  echo "None, of all packages."
else
  echo "NOT CHECKED: no package source of this machine offers data about holes. \"No vulnerable packages\" would mean nothing here."
fi

echo "== format"
# Style and analysis are errors of the build; what is left is white space.
if ! dotnet format whitespace "$solution" --verify-no-changes --no-restore; then
  echo "The format check failed: run 'dotnet format'." >&2
  status=1
fi

if [[ -n $npm_ci ]] && ! wait "$npm_ci"; then
  echo "The OpenID provider of the tests could not be installed: its tests will fail." >&2
  status=1
fi

# A test that hangs is named and ended, long before the limit of whoever runs this.
echo "== test"
if ! dotnet test "$solution" --no-build --results-directory "$results" --logger "trx;LogFilePrefix=tests" \
  --blame-hang-timeout 5m --blame-hang-dump-type none "$@"; then
  echo "The test run failed." >&2
  status=1
fi
exit "$status"
