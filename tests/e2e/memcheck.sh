#!/bin/sh
# SPDX-License-Identifier: MIT
# Some of the end-to-end cases, with all processes of stsd under valgrind: memcheck.sh
# [PART OF NAME...]. What valgrind says of any of them is a failure, and so are definite
# leaks. The sandbox is off: valgrind itself needs what it takes away.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${B:=build}"
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
mkdir -p "$place/real" "$place/bin" "$place/said" # where the account that stsd takes on may go
chmod 755 "$place"
chmod 777 "$place/said"
cp "$B/tests/e2e/stsd" "$B/stsd-resolver" "$B/stsd-query" "$place/real"
for program in stsd stsd-resolver stsd-query; do
	cat >"$place/bin/$program" <<-END
		#!/bin/sh
		export STSD_SANDBOX=no
		said=\$(mktemp -d "$place/said/XXXXXX") # process numbers begin anew in each case
		chmod 777 "\$said"
		exec valgrind --quiet --vgdb=no --trace-children=yes --leak-check=full \\
		    --show-leak-kinds=definite --errors-for-leak-kinds=definite \\
		    --log-file="\$said/%p" $place/real/$program "\$@"
	END
	chmod 755 "$place/bin/$program"
done
# None of them looks for processes by the name of their program: that is valgrind's.
[ $# -gt 0 ] || set -- "answers/mode:" "changes/mode changes" "frames/pipelined" \
    "control/--export here" "dane/MX secure, first host: U" "dns/first server: garbage"
for part in "$@"; do
	python3 tests/e2e/run.py -v -j 1 --build "$place/bin" -k "$part" | grep -v '^logs:'
done >"$place/cases"
grep -v ' skipped$' "$place/cases"
find "$place/said" -type f -size +0 -exec cat {} + | tee "$place/complaints"
failed=$(grep -c '^failed' "$place/cases")
[ ! -s "$place/complaints" ] || failed=$((failed + 1))
echo "$(grep -c '^passed' "$place/cases") passed, $failed failed"
[ "$failed" -eq 0 ]
