#!/usr/bin/env bash
# What signs requests as AWS's own clients in Python do: botocore. `install` puts it
# into a virtual environment and prints its interpreter.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
referee sigv4
python_packages "$@"
