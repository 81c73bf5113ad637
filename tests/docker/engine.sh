# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# sourced - a docker engine, and the image debian:12-slim in it.
#
#   engine_begin      use the engine that runs, or start one of our own
#   engine_base       the base image: there already, pulled, or made of packages
#   engine_end        stop the engine if it is ours, and undo what it changed
#
# Ours keeps its layers, and the base image, in $CACHE from run to run. It is
# stopped by its pid, only while its command line names our folder. A machine
# where no engine can work is a skip (77) with the reason.

CACHE=${RAFTFS_TEST_CACHE:-/var/cache/raftfs-test}
ENGINE_ROOT=$CACHE/docker
ENGINE_PID=''
ENGINE_RUN=''

skip() {
	echo "$*"
	exit 77
}

# wait_for SECONDS COMMAND...: until it succeeds; false at the deadline.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1 # between two looks
	done
}

engine_answers() { timeout 10 docker info >/dev/null 2>&1; }
is_ours() { # PID
	tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" |
		grep -qF -- "--data-root $ENGINE_ROOT "
}
has_ended() { ! is_ours "$1"; }

# One of an earlier run that was killed holds the folder's lock.
stop_stale() {
	local pid
	pid=$(cat "$CACHE/docker.pid" 2>/dev/null) || return 0
	[ -d "/proc/$pid" ] && is_ours "$pid" || return 0
	kill "$pid"
	wait_for 20 has_ended "$pid" || kill -KILL "$pid"
}

# What outlived the engine: its shims by their command line, then its mounts.
clear_run() {
	local pid
	for pid in $(pgrep --full -- "-address $ENGINE_RUN/exec/"); do
		kill -KILL "$pid" 2>/dev/null
	done
	awk -v d="$ENGINE_RUN/" 'index($5, d) == 1 { print $5 }' \
		/proc/self/mountinfo | tac | xargs --no-run-if-empty umount --lazy
	rm -rf "$ENGINE_RUN"
}

# The packet filter as it is; a table that is not there yet is an empty one.
save_rules() {
	local rules
	rules=$(iptables-save 2>/dev/null)
	echo "$rules"
	[[ $rules == *'*filter'* ]] ||
		printf '%s\n' '*filter' ':INPUT ACCEPT' ':FORWARD ACCEPT' \
			':OUTPUT ACCEPT' COMMIT
	[[ $rules == *'*nat'* ]] ||
		printf '%s\n' '*nat' ':PREROUTING ACCEPT' ':INPUT ACCEPT' \
			':OUTPUT ACCEPT' ':POSTROUTING ACCEPT' COMMIT
}

engine_begin() {
	if engine_answers; then
		return
	fi
	[ "$(id -u)" = 0 ] || skip "no docker engine runs, and only root can start one"
	command -v dockerd >/dev/null || skip "no dockerd is installed"
	mkdir -p "$CACHE" || skip "cannot make $CACHE"
	exec 9>"$CACHE/lock"
	flock --timeout 120 9 || skip "another test uses $CACHE"
	stop_stale
	ENGINE_RUN=$CACHE/run
	clear_run
	mkdir -p "$ENGINE_RUN" || exit 1
	save_rules >"$ENGINE_RUN/iptables"
	cat /proc/sys/net/ipv4/ip_forward >"$ENGINE_RUN/ip_forward"
	export DOCKER_HOST=unix://$ENGINE_RUN/docker.sock
	# In a session of its own: what ends this test is not for it.
	setsid dockerd --data-root "$ENGINE_ROOT" --exec-root "$ENGINE_RUN/exec" \
		--pidfile "$ENGINE_RUN/pid" --host "$DOCKER_HOST" \
		>"$ENGINE_RUN/log" 2>&1 9>&- </dev/null &
	ENGINE_PID=$!
	echo "$ENGINE_PID" >"$CACHE/docker.pid"
	[ -z "${CLUSTER_STATE:-}" ] ||
		echo "pid $ENGINE_PID --data-root $ENGINE_ROOT" >>"$CLUSTER_STATE"
	if ! wait_for 40 engine_answers; then
		grep -E 'level=(error|fatal)|failed' "$ENGINE_RUN/log" | tail -n 3
		skip "dockerd does not work here: $(tail -n 1 "$ENGINE_RUN/log")"
	fi
}

engine_end() {
	[ -n "$ENGINE_PID" ] || return 0
	if is_ours "$ENGINE_PID"; then
		kill "$ENGINE_PID"
		wait_for 20 has_ended "$ENGINE_PID" || kill -KILL "$ENGINE_PID"
	fi
	wait "$ENGINE_PID" 2>/dev/null
	rm -f "$CACHE/docker.pid"
	! ip link show docker0 >/dev/null 2>&1 || ip link delete docker0
	iptables-restore <"$ENGINE_RUN/iptables"
	cat "$ENGINE_RUN/ip_forward" >/proc/sys/net/ipv4/ip_forward
	clear_run
}

# The mirror that this machine uses itself, and how it gets there.
debian_sites() { # "SITE RELEASE" lines
	apt-get indextargets --format '$(ORIGIN) $(SITE) $(RELEASE)' \
		'Created-By: Packages' | sed -n 's/^Debian \(.* bookworm.*\)/\1/p' |
		sort -u
}

make_base() { # TAR
	local root site
	root=$(mktemp -d "$CACHE/base.XXXXXX") || return 1
	site=$(debian_sites | sed -n 's/ bookworm$//p' | head -n 1)
	timeout 400 debootstrap --variant=minbase bookworm "$root" \
		${site:+"$site"} >"$CACHE/debootstrap.log" 2>&1 ||
		{ tail -n 3 "$CACHE/debootstrap.log"; rm -rf "$root"; return 1; }
	[ -z "$site" ] || debian_sites | sed 's/^/deb /; s/$/ main/' \
		>"$root/etc/apt/sources.list"
	apt-config dump 'Acquire::http::Proxy' >"$root/etc/apt/apt.conf.d/90proxy"
	rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
	tar --create --directory "$root" --file "$1.new" . && mv "$1.new" "$1"
	rm -rf "$root"
}

engine_base() {
	local tar=$CACHE/debian-12.tar
	! docker image inspect debian:12-slim >/dev/null 2>&1 || return 0
	if [ ! -s "$tar" ]; then
		! timeout 60 docker pull --quiet debian:12-slim >/dev/null 2>&1 ||
			return 0
		command -v debootstrap >/dev/null ||
			skip "no registry can be reached and there is no debootstrap"
		mkdir -p "$CACHE" && make_base "$tar" || return 1
	fi
	docker import "$tar" debian:12-slim >/dev/null
}
