#!/bin/sh
# Says how many tests were not run, and what installs what they miss. Each line of the file is what a test has
# said of itself: NAME: REASON.
[ -s "$1" ] || exit 0
packages=$(sed -n 's/.*: there is no //p' "$1" | sort -u | while read -r tool; do
  sed -n "s|^$tool ||p" "$(dirname "$0")/packages"
done | sort -u | tr '\n' ' ')
echo "$(cut -d : -f 1 "$1" | sort -u | wc -l) tests were not run, or only in part:"
sed 's/^[^:]*: /  /' "$1" | sort | uniq -c
[ -z "$packages" ] || echo "This installs what they miss: sudo apt install $packages"
