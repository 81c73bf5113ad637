#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# shell.sh - every script parses and refuses unset variables; where shellcheck
# is installed, it has nothing to say.
set -u
cd "$(dirname "$0")/../.." || exit 1

rc=0
mapfile -t scripts < <(
	find tests docker docs packaging .ci -type f \( -name '*.sh' -o -path .ci/run \) \
		2>/dev/null | sort
)
for script in "${scripts[@]}"; do
	bash -n "$script" || rc=1
	grep -qE '^set -[a-z]*u' "$script" ||
		grep -q '^# sourced' "$script" || {
		echo "$script: no set -u"
		rc=1
	}
done
if command -v shellcheck >/dev/null; then
	shellcheck --severity=warning --shell=bash --exclude=SC1090,SC1091 \
		"${scripts[@]}" || rc=1
fi
exit "$rc"
