# SPDX-License-Identifier: MIT
"""A small Internet in one namespace, for testing stsd with real parts."""
