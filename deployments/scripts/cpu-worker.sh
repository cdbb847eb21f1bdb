#!/bin/sh
# docs/operations.md tells when to run this.
set -eu

systemctl enable --now rhapsody-worker@cpu-pool
