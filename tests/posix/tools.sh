#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 900
# tools.sh - everyday tools on the mount of a node: a source tree of 2,000
# files unpacked, copied, moved, searched, committed and edited. Each result
# is compared with the same work in a local folder, and on all nodes.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

FILES=${FILES:-2000}
export LC_ALL=C HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a \
	GIT_COMMITTER_EMAIL=a@b GIT_AUTHOR_DATE='2001-02-03T04:05:06Z' \
	GIT_COMMITTER_DATE='2001-02-03T04:05:06Z'
for tool in git rsync vim tar; do
	command -v "$tool" >/dev/null || skip "$tool is not installed"
done

make_archive() { # a source tree: folders, sizes, modes and links vary
	local i dir
	mkdir "$local/src"
	for ((i = 0; i < FILES; i++)); do
		dir=$local/src/dir$((i % 40))/sub$((i % 7))
		[ -d "$dir" ] || mkdir -p "$dir"
		seq "$i" $((i + i % 400)) >"$dir/file$i.c"
	done
	head -c 3000000 /dev/urandom >"$local/src/blob"
	chmod 755 "$local/src/dir1/sub1/"*.c
	chmod 400 "$local/src/dir2/sub2/"*.c
	ln -s ../dir1 "$local/src/dir3/link"
	ln "$local/src/dir0/sub0/file0.c" "$local/src/hard.c"
	tar -C "$local" -cf "$CLUSTER_DIR/src.tar" src
	rm -rf "$local/src"
}

# Names, kinds, modes, link counts, sizes, times to the second (TIMES: %Ts, or
# nothing for what was edited), link targets, contents. Not .git: it holds times.
shape_of() { # FOLDER TIMES
	(
		cd "$1" || exit 1
		find . -name .git -prune -o -type d -printf '%P d %m\n' \
			-o -printf "%P %y %m %n %s $2 %l\n" | sort
		find . -name .git -prune -o -type f -print0 | sort -z |
			xargs -0 cksum
	)
}
same_shape() { # FOLDER TIMES
	shape_of "$local/$1" "$2" >"$CLUSTER_DIR/shape.local"
	shape_of "$there/$1" "$2" >"$CLUSTER_DIR/shape.there"
	cmp -s "$CLUSTER_DIR/shape.local" "$CLUSTER_DIR/shape.there" || {
		diff "$CLUSTER_DIR/shape.local" "$CLUSTER_DIR/shape.there" |
			head -n 10
		fail "$1: not what the local folder holds"
	}
}

# The same command in the local folder and on the mount, with one output.
both() { # WHAT COMMAND
	local start
	(cd "$local" && bash -c "$2") >"$CLUSTER_DIR/out.local" 2>&1 ||
		fail "$1: wrong by itself: $(tail -n 3 "$CLUSTER_DIR/out.local")"
	start=$(milliseconds)
	(cd "$there" && timeout $((300 * SLOW)) bash -c "$2") \
		>"$CLUSTER_DIR/out.there" 2>&1 ||
		fail "$1: $(tail -n 5 "$CLUSTER_DIR/out.there")"
	cmp -s "$CLUSTER_DIR/out.local" "$CLUSTER_DIR/out.there" || {
		diff "$CLUSTER_DIR/out.local" "$CLUSTER_DIR/out.there" |
			head -n 10
		fail "$1: another output than locally"
	}
	echo "$1: $(($(milliseconds) - start)) ms"
}

cluster_begin 3
local=$CLUSTER_DIR/local
mkdir "$local"
make_archive
cluster_start
f=$(follower) || exit 1
there=${MNT[f]}/tools
must mkdir "$there"

both "tar x" "tar -xf '$CLUSTER_DIR/src.tar'"
same_shape src %Ts
both "find" "find src -type f | sort; find src -name '*9.c' -size +1 | sort"
both "grep -r" "grep -r '^77\$' src | sort"
both "cp -a" "cp -a src copy"
same_shape copy %Ts
both "mv" "mv copy moved && mv moved/dir5 moved/dir6/ && ls moved/dir6"
both "sed -i" "sed -i 's/^7/seven/' src/dir7/*/*.c; cat src/dir7/*/*.c"
both "vim" "vim -es -u NONE -N -n -c '%s/8/eight/ge' -c wq src/dir8/sub1/file8.c;
	cat src/dir8/sub1/file8.c"
both "vim with backup" "vim -es -u NONE -N -c 'set backup writebackup' \
	-c 'normal Goend' -c wq src/dir9/sub2/file9.c; tail -n 1 src/dir9/sub2/file9.c"
both "rsync -a" "rsync -a src/dir1* synced/ &&
	rsync -an --itemize-changes src/dir1* synced/"
both "git init, add, commit" "cd src && git init -q -b main . && git add -A &&
	git commit -q -m one && git status --short && git rev-parse HEAD"
both "git again" "cd src && echo more >>dir0/sub0/file0.c && git commit -q -am two &&
	git mv dir1 renamed && git commit -q -m three && git fsck &&
	git log --oneline && git status --short"
both "rm -r" "rm -r moved synced; ls"
same_shape src ''

note "all nodes"
trees_are_equal || fail "trees differ"
for ((n = 1; n <= NODES; n++)); do
	git -C "${MNT[n]}/tools/src" -c safe.directory='*' fsck >/dev/null 2>&1 ||
		fail "git fsck on n$n"
	diff -r "$local/src/renamed" "${MNT[n]}/tools/src/renamed" ||
		fail "n$n: other contents"
done
