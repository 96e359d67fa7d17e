#!/bin/sh
# SPDX-License-Identifier: MIT
# Shell scripts, checked by shellcheck.
set -u
cd "$(dirname "$0")/../.." || exit 1
scripts=$(git ls-files 2>/dev/null || find . -type f -not -path './.git/*' -not -path './build/*')
for file in $scripts; do
	[ -f "$file" ] || continue
	head -c 64 "$file" | head -n 1 | grep -qE '^#!.*[/ ](sh|bash)$' && echo "$file"
done | xargs -r shellcheck
