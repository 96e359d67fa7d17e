#!/bin/sh
# SPDX-License-Identifier: MIT
# The formatter decides how C looks; see .clang-format.
set -u
cd "$(dirname "$0")/../.." || exit 1
find lib postfix daemon tests -name '*.[ch]' -exec \
    clang-format --dry-run -Werror {} +
