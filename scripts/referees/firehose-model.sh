#!/usr/bin/env bash
# firehose-model.sh DIRECTORY: fetches AWS's own model of the Firehose API, as the
# Python SDK ships it, and prints the path of the file.
set -euo pipefail

version=1.44.5
member=botocore/data/firehose/2015-08-04/service-2.json.gz
sum=642851b1491e04d5f3bfd2afc6535fbe0300c038b1bb379dbf417c9e19c153aa

directory="$1"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$directory" "botocore==$version" >&2
python3 - "$directory/botocore-$version-py3-none-any.whl" "$member" "$directory" <<'PYTHON'
import sys, zipfile
zipfile.ZipFile(sys.argv[1]).extract(sys.argv[2], sys.argv[3])
PYTHON
echo "$sum  $directory/$member" | sha256sum --check --quiet >&2
echo "$directory/$member"
