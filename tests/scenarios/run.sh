#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Play every scenario, each in a process of its own, and say how many held.
# GOLDEN=write rewrites their expectations; review the difference like code.
# usage: run.sh SCENARIO-PROGRAM [FILE...]
set -u
program=$1
shift
[ $# -gt 0 ] || set -- "$(dirname "$0")"/*.txt
passed=0
failed=0
for script in "$@"; do
	if timeout 60 "$program" "$script"; then
		passed=$((passed + 1))
	else
		echo "FAILED $script"
		failed=$((failed + 1))
	fi
done
echo "scenarios: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
