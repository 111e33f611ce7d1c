#!/bin/bash
# SPDX-License-Identifier: MIT
# The example alert rules, with Prometheus' own checker: they are well formed, each fires when it
# should and does not when it should not, and none of them is without such a test.
set -euo pipefail
here=$(dirname "$0")
rules=$here/../../man/examples/cmkdisk-alerts.yml
tests=$here/alerts_test.yml

if ! command -v promtool >/dev/null; then
	echo "promtool is not installed"
	exit 77
fi
promtool check rules "$rules"
promtool test rules "$tests"
sed -n 's/.*- alert: //p' "$rules" | while read -r alert; do
	grep -q "alertname: $alert$" "$tests" || {
		echo "no test sees $alert fire"
		exit 1
	}
	grep -q "alertname: $alert, exp_alerts: \[\]" "$tests" || {
		echo "no test sees $alert not fire"
		exit 1
	}
done
