#!/bin/sh
# docs/operations.md tells when to run this.
set -eu

systemctl stop rhapsody-api@4201 rhapsody-api@4202 rhapsody-services
