#!/usr/bin/env bash
# Makes a release of the checked-out commit in artifacts/: archives, Debian packages, container images and the files to run them, lists
# of the packages inside, and checksums. In the same folder, a commit gives the same archives and packages. Needs the .NET SDK, git,
# dpkg-deb and the registry of the images' base.
# --quick OUT: only for this machine's kind, without images and precompiled code, and hardly compressed, for tests. Replaces the folder OUT.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1 TZ=UTC LC_ALL=C
# The compiler runs once: to profile it would cost more than it gives.
export DOTNET_TieredPGO=0
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
packaging=src/packaging
out=artifacts
runtimes=(linux-x64 linux-arm64)
precompiled=true
if [[ ${1:-} == --quick ]]; then
  out=$2
  runtimes=("linux-$(dpkg --print-architecture | sed 's/amd64/x64/')")
  precompiled=false
  export QUICK=1
elif (($# > 0)); then
  echo "usage: ./release.sh [--quick OUT]" >&2
  exit 2
fi

if [[ -n $(git status --porcelain) ]]; then echo "The work tree has uncommitted changes: the release can't be reproduced from the commit." >&2; fi

# Publishes the console as one file beside its static files, into $out/build/RUNTIME. Without debug information: for pages it has the
# checksums of generated sources, which name the folder of the clone.
publish() {
  local runtime=$1 folder=$out/build/$1
  dotnet publish src/AutoTicket.Console --configuration Release --runtime "$runtime" --self-contained --verbosity quiet \
    --artifacts-path "$out/build/obj-$runtime" --output "$folder" \
    -p:PublishSingleFile=true -p:EnableSingleFileAnalyzer=false -p:PublishReadyToRun=$precompiled \
    -p:DebugType=none -p:ContinuousIntegrationBuild=true -p:RunAnalyzers=false -p:UseSharedCompilation=false
  check_lock "$out/build/obj-$runtime/obj/AutoTicket.Console/packages.lock.json"
  # It holds when each static file was checked out or compressed.
  sed -i "s/\"Last-Modified\",\"Value\":\"[^\"]*\"/\"Last-Modified\",\"Value\":\"$(date -d "@$SOURCE_DATE_EPOCH" '+%a, %d %b %Y %T GMT')\"/g" \
    "$folder/AutoTicket.Console.staticwebassets.endpoints.json"
  cp LICENSE "$folder"
}

# Each package must be the one that the project's lock file names.
check_lock() {
  local unknown
  unknown=$(comm -23 <(hashes "$1") <(hashes src/AutoTicket.Console/packages.lock.json))
  if [[ -n $unknown ]]; then
    printf 'These packages are not in the lock file:\n%s\n' "$unknown" >&2
    return 1
  fi
}

hashes() { grep -o '"contentHash": "[^"]*"' "$1" | sort -u; }

archive() {
  local runtime=$1 name=autoticket-console-$version
  tar --create --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --format=gnu \
    --directory "$out/build" --transform "s|^$runtime|$name|" "$runtime" |
    gzip --no-name "-${QUICK:-9}" >"$out/$name-$runtime.tar.gz"
}

# The container images of one runtime, for docker load: the console, and the demo with its sandbox. BASE_IMAGE names another base, for
# example in a mirror.
images() {
  local runtime=$1 demo
  for demo in false true; do
    dotnet publish src/AutoTicket.Console --configuration Release --runtime "$runtime" --no-self-contained --verbosity quiet \
      --artifacts-path "$out/build/image-$runtime-$demo" -t:PublishContainer -p:PublishSandbox=$demo \
      -p:PublishReadyToRun=true -p:DebugType=none -p:ContinuousIntegrationBuild=true \
      -p:RunAnalyzers=false -p:UseSharedCompilation=false \
      ${BASE_IMAGE:+"-p:ContainerBaseImage=$BASE_IMAGE"} \
      -p:ContainerArchiveOutputPath="$PWD/$out/autoticket-console-$version$($demo && echo -demo || true)-image-$runtime.tar"
    check_lock "$out/build/image-$runtime-$demo/obj/AutoTicket.Console/packages.lock.json"
  done
}

rm -rf "$out"
mkdir -p "$out/build"
for runtime in "${runtimes[@]}"; do
  echo "== $runtime"
  publish "$runtime"
  version=$(sed -E 's/.*"name":"AutoTicket Console","version":"([^"]*)".*/\1/' "$out/build/$runtime/sbom.cdx.json")
  archive "$runtime"
  $packaging/build-deb.sh "$out/build/$runtime" "$version" "$runtime" "$out"
  cp "$out/build/$runtime/sbom.cdx.json" "$out/autoticket-console-$version-$runtime.cdx.json"
  if [[ ! ${QUICK:-} ]]; then images "$runtime"; fi
done
cp $packaging/{compose.yaml,kubernetes.yaml,autoticket-console.service,console.env} "$out"
sed -i "s/autoticket-console:latest/autoticket-console:$version/" "$out"/{compose,kubernetes}.yaml
rm -rf "$out/build"
(cd "$out" && sha256sum -- * >SHA256SUMS && cat SHA256SUMS)
