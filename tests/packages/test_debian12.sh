#!/bin/sh
# SPDX-License-Identifier: MIT
# The package of Debian 12: debian.py.
exec "$(dirname "$0")/debian.py" 12 "$@"
