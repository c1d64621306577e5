#!/usr/bin/env bash
# What Python has to read containers with: cramjam (zstd), python-snappy
# (Hadoop's Snappy) and kafka-python (snappy-java's stream). `install` puts them
# into a virtual environment and prints its interpreter.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
referee python-readers
python_packages "$@"
