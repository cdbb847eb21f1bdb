#!/bin/sh
# docs/operations.md tells when to run this.
set -eu

systemctl stop "rhapsody-worker@*"
