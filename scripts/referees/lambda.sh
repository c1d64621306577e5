#!/usr/bin/env bash
# AWS Lambda's own Runtime Interface Emulator (Go), with its runtime client for
# Python: it runs the handler of lambda/handler.py behind the Invoke API, as the
# function "function". One invocation at a time, as in one execution environment.
# It lacks the header X-Amz-Function-Error, JSON for a time limit that has passed,
# throttling and qualifiers, and reports an answer that is too large with a status of
# 502 in place of 200. The first install compiles it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
referee lambda
VERSION=v0.0.0-20261030222936-bef5c4ba774d
PACKAGES="$REFEREE_SCRIPTS/lambda/requirements.txt"
STAMP="$VERSION $(digest "$PACKAGES")"

do_install() {
  installed "$STAMP" && return 0
  need go python3
  (cd "$DIR" && GOFLAGS=-mod=mod GOBIN="$DIR/bin" patiently go install "github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@$VERSION") ||
    die "go could not install the emulator $VERSION"
  rm -rf "${DIR:?}/venv"
  patiently python3 -m venv "$DIR/venv" || die "python3 could not make a virtual environment"
  patiently "$DIR/venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps -r "$PACKAGES" ||
    die "pip could not install what $PACKAGES lists"
  mark_installed "$STAMP"
}

do_start() {
  pick_port port "${LAMBDA_PORT:-}"
  pick_port api-port "${LAMBDA_API_PORT:-}"
  rm -rf "${RUN:?}/data"
  mkdir -p "$RUN/data"
  cp "$REFEREE_SCRIPTS/lambda/handler.py" "$RUN/data/"
  cd "$RUN/data" || die "$RUN/data is not there" # the handler is looked for here
  AWS_LAMBDA_FUNCTION_TIMEOUT="${LAMBDA_TIMEOUT:-2}" spawn "$DIR/bin/aws-lambda-rie" --runtime-interface-emulator-address "127.0.0.1:$(port port)" \
    --runtime-api-address "127.0.0.1:$(port api-port)" "$DIR/venv/bin/python" -m awslambdaric handler.handler
  wait_for answers "$(port port)"
}

endpoint() { printf 'http://127.0.0.1:%s\n' "$(port port)"; }
dispatch "$@"
