#!/bin/sh
# SPDX-License-Identifier: MIT
# The package of Debian 13: debian.py.
exec "$(dirname "$0")/debian.py" 13 "$@"
