#!/bin/sh
# Prints the path of the pinned versitygw (an S3 server over a folder) as its last line, building it on first use.
# Tests call this when VERSITYGW does not name one.
set -eu
exec "$(dirname "$0")/fetch-go-tool.sh" versitygw github.com/versity/versitygw/cmd/versitygw v1.8.0
