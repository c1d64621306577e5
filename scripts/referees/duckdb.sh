#!/usr/bin/env bash
# duckdb, which reads objects that are staged for Redshift. `install` puts it into a virtual
# environment and prints its interpreter.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
referee duckdb
python_packages "$@"
