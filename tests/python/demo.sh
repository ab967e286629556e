#!/bin/sh
# The samples' own conversations, each line as Python runs it: compare with `make demo`.
set -eu
cd "$(dirname "$0")"
pipe=$(mktemp -u)
mkfifo "$pipe"
server=
trap 'rm -f "$pipe"; [ -z "$server" ] || kill "$server"' EXIT

standard_library=$(python3 -c 'import sysconfig; print(sysconfig.get_paths()["stdlib"])')
run() { # -u: at once, and not when a buffer is full
  exec python3 -u -m trace --trace --ignore-dir="$standard_library" "$@" 2>&1
}

for protocol in tcp udp; do
  (run "${protocol}_server.py" 127.0.0.1 0) >"$pipe" &
  server=$!
  exec 3<"$pipe"
  while read -r line <&3; do
    echo "$line"
    case $line in "ready on"*) break ;; esac
  done
  (run "${protocol}_client.py" 127.0.0.1 "${line##*:}")
  # The server has done all that it had to when it waits for the second time.
  waits=0
  while [ "$waits" -lt 2 ] && read -r line <&3; do
    echo "$line"
    case $line in *.accept* | *.recvfrom*) waits=$((waits + 1)) ;; esac
  done
  kill "$server"
  wait "$server" 2>/dev/null || true
  server=
done
