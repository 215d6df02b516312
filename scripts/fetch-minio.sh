#!/bin/sh
# Prints the path of the pinned MinIO as its last line, building it on first use (8 minutes). It is the second opinion
# on S3: only the soak asks for it, or a test run with MINIO set.
set -eu
exec "$(dirname "$0")/fetch-go-tool.sh" minio github.com/minio/minio v0.0.0-20260212201848-7aac2a2c5b7c
