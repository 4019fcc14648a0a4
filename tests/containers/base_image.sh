#!/usr/bin/env bash
# Makes a stand-in for debian:bookworm-slim, named $1, from a Debian mirror, for machines that reach no registry. Needs root.
set -euo pipefail

readonly image=$1 mirror=${DEBIAN_MIRROR:-http://deb.debian.org}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
debootstrap --variant=minbase bookworm "$work" "$mirror/debian" > "$work.log" || { tail "$work.log" >&2; exit 1; }
rm -rf "$work.log" "$work"/var/cache/apt/archives/*.deb "$work"/var/lib/apt/lists/*
cat > "$work/etc/apt/sources.list" <<END
deb $mirror/debian bookworm main
deb $mirror/debian bookworm-updates main
deb $mirror/debian-security bookworm-security main
END
tar --directory "$work" --create . | docker import - "$image"
