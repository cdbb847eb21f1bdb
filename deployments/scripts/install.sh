#!/bin/sh
# docs/operations.md tells when to run this.
set -eu

id rhapsody >/dev/null 2>&1 || useradd --system --create-home --home-dir /var/lib/rhapsody rhapsody
python3 -m venv /opt/rhapsody/.venv
/opt/rhapsody/.venv/bin/pip install -c /opt/rhapsody/deployments/images/constraints.txt -e "/opt/rhapsody[$RHAPSODY_EXTRAS]"
install -d -m 0750 -g rhapsody /etc/rhapsody
test -e /etc/rhapsody/secrets.env || install -m 0640 -g rhapsody /opt/rhapsody/deployments/secrets.env.example /etc/rhapsody/secrets.env
install -m 0644 /opt/rhapsody/deployments/systemd/*.service /etc/systemd/system
systemctl daemon-reload
