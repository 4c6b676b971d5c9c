#!/usr/bin/env bash
# Makes a Debian package of a published console: build-deb.sh PUBLISHED VERSION RUNTIME OUT
# The same input gives the same bytes. Called by release.sh, which sets SOURCE_DATE_EPOCH.
set -euo pipefail
published=$(realpath "$1") version=${2/-/\~} out=$(realpath "$4")
case $3 in
  linux-x64) architecture=amd64 ;;
  linux-arm64) architecture=arm64 ;;
  *) echo "There is no Debian architecture for $3." >&2 && exit 2 ;;
esac
: "${SOURCE_DATE_EPOCH:?}"
cd "$(dirname "${BASH_SOURCE[0]}")"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

install -d "$root"/{DEBIAN,etc/autoticket-console,usr/bin,usr/lib/systemd/system,usr/share/doc/autoticket-console}
cp -r "$published" "$root/usr/lib/autoticket-console"
rm "$root/usr/lib/autoticket-console/LICENSE"
chmod -R u=rwX,go=rX "$root"
ln -s ../lib/autoticket-console/AutoTicket.Console "$root/usr/bin/autoticket-console"
install -m 644 autoticket-console.service "$root/usr/lib/systemd/system"
install -m 640 console.env "$root/etc/autoticket-console"
install -m 644 ../../LICENSE "$root/usr/share/doc/autoticket-console/copyright"
install -m 644 ../../CHANGELOG.md "$root/usr/share/doc/autoticket-console"
(cd ../.. && find docs -name '*.md' -exec install -D -m 644 {} "$root/usr/share/doc/autoticket-console/{}" \;)

echo /etc/autoticket-console/console.env >"$root/DEBIAN/conffiles"
install -m 755 deb/{postinst,prerm,postrm} "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<CONTROL
Package: autoticket-console
Version: $version
Architecture: $architecture
Maintainer: The AutoTicket Console authors <autoticket-console@localhost>
Section: admin
Priority: optional
Installed-Size: $(find "$root/usr" -type f -printf '%s\n' | awk '{ bytes += $1 } END { print int(bytes / 1024) + 1 }')
Depends: ca-certificates, libc6 (>= 2.27), libgcc-s1, libssl3 | libssl3t64 | libssl1.1, libstdc++6, passwd, tzdata
Description: status board that files exactly one FreeScout ticket per outage
 AutoTicket Console probes the public URLs of your systems and shows each as
 a live tile. A click or an alert files exactly one open ticket in FreeScout.
CONTROL

find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group --uniform-compression --threads-max=1 ${QUICK:+-Znone} --build "$root" \
  "$out/autoticket-console_${version}_$architecture.deb"
