#!/usr/bin/env bash
# Installs the tools that the tests need, builds, checks vulnerabilities and format, and runs every test. Needs only a fresh clone.
# Arguments go to `dotnet test`, and the run is quick, without the two checks: ./test.sh --filter FullyQualifiedName~RunbookTests
# The last lines are the ten slowest tests and "N passed, N failed, N skipped". The exit status is 0 only if every step succeeded.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DEBIAN_FRONTEND=noninteractive
# Mapping each page of compiled code twice would cost a tenth of the run.
export DOTNET_EnableWriteXorExecute=0
# MSBuild's idle workers would outlive the script and hold its output pipe open.
export MSBUILDDISABLENODEREUSE=1
solution=AutoTicket.Console.sln
results=$(mktemp -d)
quick=$(($# > 0))

attribute_value='function value(name) {
  return match($0, " " name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : ""
}'

# The ten slowest tests of all result files, as "seconds class.method"; a theory counts with its slowest row.
slowest_tests() {
  cat "$results"/*.trx 2>/dev/null | LC_ALL=C awk "$attribute_value"'
    /<UnitTestResult / { split(value("duration"), time, ":"); seconds[value("testId")] = time[1] * 3600 + time[2] * 60 + time[3] }
    /<UnitTest / { id = value("id") }
    /<TestMethod / {
      test = value("className") "." value("name")
      if (id in seconds && seconds[id] >= slowest[test]) slowest[test] = seconds[id]
    }
    END { for (test in slowest) printf "%8.1f s  %s\n", slowest[test], test }' | LC_ALL=C sort -rn | sed -n 1,10p
}

# Ends the script, however it got here: prints the slowest tests, then the counts over all result files.
# VSTest leaves notExecuted at 0, so skipped tests are the total without the executed ones.
report() {
  local status=$? counts passed failed skipped
  counts=$(cat "$results"/*.trx 2>/dev/null | grep -o '<Counters [^>]*>' | awk "$attribute_value"'
    { passed += value("passed"); skipped += value("total") - value("executed"); executed += value("executed") }
    END { print passed + 0, executed - passed, skipped + 0 }') || true
  read -r passed failed skipped <<<"${counts:-0 0 0}"
  if ((passed + failed > 0)); then
    echo "== slowest tests"
    slowest_tests || true
  fi
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
  if [[ ! -x ${CHROMIUM:-/usr/bin/chromium-headless-shell} ]]; then echo chromium-headless-shell; fi
  if [[ ! -x /usr/bin/prometheus || ! -x /usr/bin/promtool ]]; then echo prometheus; fi
  if [[ ! -x /usr/bin/prometheus-alertmanager ]]; then echo prometheus-alertmanager; fi
  if [[ ! -x /usr/sbin/pgbouncer ]]; then echo pgbouncer; fi
  if [[ ! -x /usr/sbin/nginx ]]; then echo nginx; fi
  if ! command -v sqlite3 >/dev/null; then echo sqlite3; fi
  if ! command -v pg_dump >/dev/null; then echo postgresql-client; fi
  if ! command -v systemd-analyze >/dev/null; then echo systemd; fi
  if ! command -v npm >/dev/null; then printf '%s\n' nodejs npm; fi
  # Without an outline font a browser renders no text.
  if [[ -z $(find /usr/share/fonts \( -name '*.ttf' -o -name '*.otf' \) -print -quit 2>/dev/null) ]]; then echo fonts-liberation; fi
}

install_packages() {
  local apt=(apt-get) service as_root=()
  if ((EUID != 0)); then as_root=(sudo) apt=(sudo --preserve-env=DEBIAN_FRONTEND apt-get); fi
  "${apt[@]}" update
  # After an interrupted unpacking, -f install repairs it and the second try succeeds.
  "${apt[@]}" install -y --no-install-recommends "$@" || {
    "${apt[@]}" -f install -y
    "${apt[@]}" install -y --no-install-recommends "$@"
  }

  # The tests start their own. The packages' services must not run on this machine, now or after a restart.
  for service in "$@"; do
    if [[ $service == prometheus* || $service == pgbouncer || $service == nginx ]]; then
      "${as_root[@]}" service "$service" stop >/dev/null 2>&1 || true
      "${as_root[@]}" update-rc.d "$service" disable >/dev/null 2>&1 || true
    fi
  done
}

# Whether any package source publishes vulnerabilities. Where none does, NuGet reports "no vulnerable packages" without knowing.
has_vulnerability_data() {
  local source
  while read -r source; do
    if curl --silent --fail --location --max-time 20 "$source" | grep -q VulnerabilityInfo; then return 0; fi
  done < <(dotnet nuget list source --format short | awk '/^E/ && $2 ~ /^http/ { print $2 }')
  return 1
}

check_vulnerabilities() {
  local found
  echo "== known vulnerabilities"
  found=$(dotnet list "$solution" package --vulnerable --include-transitive --no-restore) || return 1
  if grep -q 'has the following vulnerable packages' <<<"$found"; then
    echo "$found"
    echo "A package has a known vulnerability: see docs/security.md." >&2
    return 1
  elif has_vulnerability_data; then
    echo "None, in all packages."
  else
    echo "NOT CHECKED: no package source of this machine publishes vulnerabilities. \"No vulnerable packages\" would mean nothing here."
  fi
}

# Style and analyzer rules are build errors. CSharpier formats the code, to lines of at most 140 characters.
check_format() {
  echo "== format"
  if ! dotnet tool restore >/dev/null || ! dotnet csharpier check .; then
    echo "The format check failed: run 'dotnet csharpier format .'." >&2
    return 1
  fi
}

# The OpenID provider of the sign-in tests, with its Node.js, and the schema of compose files. npm ci installs exactly the locked packages,
# and only when the lock changed.
outdated_npm_folders() {
  local folder
  for folder in tests/oidc-provider tests/schemas; do
    if [[ ! $folder/node_modules/.package-lock.json -nt $folder/package-lock.json ]]; then echo "$folder"; fi
  done
}

mapfile -t missing < <(missing_packages)
if ((${#missing[@]} > 0)) && ! command -v apt-get >/dev/null; then
  echo "The tests need ${missing[*]}, and this machine has no apt-get. Install them by hand, or set TEST_DATABASE_URL or PG_BIN," \
    "and CHROMIUM (see tests/AutoTicket.Testing/Kit)." >&2
  exit 1
fi

installs=()
if ((${#missing[@]} > 0)); then installs+=("${missing[*]} with apt-get"); fi
mapfile -t npm_folders < <(outdated_npm_folders)
for folder in "${npm_folders[@]}"; do installs+=("the packages of $folder (only there) with npm"); done
installing=$(printf ', %s' "${installs[@]}")
if ((${#installs[@]} > 0)); then echo "Installing ${installing:2}"; fi

if ((${#missing[@]} > 0)); then install_packages "${missing[@]}"; fi
npm_ci=
if ((${#npm_folders[@]} > 0)); then
  (for folder in "${npm_folders[@]}"; do npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --prefer-offline; done) &
  npm_ci=$!
fi

# Quick runs print only warnings and errors of restore and build.
verbosity=minimal
if ((quick)); then verbosity=quiet; fi

# Locked. A package with a known vulnerability fails the restore (NuGetAudit in Directory.Build.props).
echo "== restore"
dotnet restore "$solution" --locked-mode --verbosity "$verbosity"
echo "== build"
dotnet build "$solution" --no-restore --verbosity "$verbosity"

status=0
if ((!quick)); then
  check_vulnerabilities || status=1
  check_format || status=1
fi

if [[ -n $npm_ci ]] && ! wait "$npm_ci"; then
  echo "npm could not install the packages of ${npm_folders[*]}: the tests that need them will fail." >&2
  status=1
fi

# VSTest names a test that hangs and ends the run, long before CI's own time limit.
echo "== test"
# Collected often and packed closely, the tests take half a gigabyte less, and no longer.
export DOTNET_GCgen0size=0x1000000 DOTNET_GCConserveMemory=5
if ! dotnet test "$solution" --no-build --results-directory "$results" --logger "trx;LogFilePrefix=tests" \
  --blame-hang-timeout 5m --blame-hang-dump-type none "$@"; then
  echo "The test run failed." >&2
  status=1
fi
exit "$status"
