#!/bin/sh
# docs/operations.md tells when to run this.
set -eu

systemctl enable --now rhapsody-api@4201 rhapsody-api@4202 rhapsody-services rhapsody-proxy
