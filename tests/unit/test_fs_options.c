/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a command line becomes what was meant, or one clear line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"
#include "fs/mount/adapter.h"
#include "fs/options.h"
#include "fs/options_peer.h"

enum { WORDS_MAX = 16 };

/* Words are separated by blanks; the program's name is put before them. */
static int parse(struct options *o, const char *line, struct buffer *problem)
{
	char *argv[WORDS_MAX + 1] = {(char[]){"raftfs"}};
	char *copy = strdup(line);
	char *rest = copy;
	char *word;
	int argc = 1;
	int rc;

	while ((word = strsep(&rest, " ")) != NULL) {
		assert_true(argc < WORDS_MAX);
		argv[argc++] = word;
	}
	memset(o, 0, sizeof *o);
	rc = options_parse(o, argc, argv, problem);
	free(copy);
	return rc;
}

static void GIVEN_PARSED(struct options *o, const char *line)
{
	struct buffer problem = {0};

	if (parse(o, line, &problem) != 0) {
		fail_msg("%s: %s", line, buffer_text(&problem));
	}
}

#define assert_refused(line, expected)                                         \
	do {                                                                   \
		struct options refused;                                        \
		struct buffer said = {0};                                      \
		assert_int_equal(parse(&refused, line, &said),                 \
				 STATUS_INVALID);                              \
		assert_string_equal(buffer_text(&said), expected);             \
		buffer_deinit(&said);                                          \
		options_deinit(&refused);                                      \
	} while (0)

static void a_mount_point_is_enough(void **state)
{
	struct options o;
	(void)state;

	GIVEN_PARSED(&o, "/nowhere/mnt");

	assert_string_equal(o.mountpoint, "/nowhere/mnt");
	assert_string_equal(o.source, "raftfs");
	assert_true(peer_name_is_valid(o.id));
	assert_int_equal(o.data[0], '/');
	assert_null(o.listen);
	assert_int_equal(o.peer_count, 0);
	assert_int_equal(o.reads, KV_READS_FRESH);
	assert_int_equal(o.timeout_ms, 5000);
	assert_int_equal(o.session_ms, 10000);
	assert_false(o.foreground);
	options_deinit(&o);
}

static void a_backup_is_restored_into_a_cluster_of_one(void **state)
{
	struct options o;
	(void)state;

	GIVEN_PARSED(&o, "--id n4 --data /d --restore /b/backup /m");
	assert_string_equal(o.restore, "/b/backup");
	assert_int_equal(o.action, OPTIONS_RUN);
	options_deinit(&o);
	assert_refused("--id a --restore /b --join 127.0.0.1:1 /m",
		       "--restore makes a cluster of this node alone; the "
		       "others are added to it afterwards (raftfsctl member "
		       "add)");
	assert_refused(
		"--id a --restore /b --peers a=127.0.0.1:1,b=127.0.0.1:2 /m",
		"--restore makes a cluster of this node alone; the "
		"others are added to it afterwards (raftfsctl member "
		"add)");
}

static void a_recovery_needs_no_mount_point(void **state)
{
	struct options o;
	(void)state;

	GIVEN_PARSED(&o, "--recover look --id n4 --data /d");
	assert_int_equal(o.action, OPTIONS_LOOK);
	assert_false(o.again);
	assert_string_equal(o.data, "/d");
	options_deinit(&o);
	GIVEN_PARSED(&o, "--recover look-again --data /d");
	assert_int_equal(o.action, OPTIONS_LOOK);
	assert_true(o.again);
	assert_null(o.id); /* the folder says */
	options_deinit(&o);
	GIVEN_PARSED(&o, "--id n4 --recover go");
	assert_int_equal(o.action, OPTIONS_RECOVER);
	options_deinit(&o);
	/* Nothing listens yet. */
	GIVEN_PARSED(&o, "--recover go --listen 10.0.0.2:7000");
	assert_string_equal(o.listen, "10.0.0.2:7000");
	options_deinit(&o);
	assert_refused("--recover now", "bad recover 'now': want look or go");
	assert_refused("--recover go --listen here",
		       "bad listen address 'here': want HOST:PORT or "
		       "[IPv6]:PORT");
	assert_refused("--recover go --id a/b",
		       "bad id 'a/b': 1 to 63 letters, digits, '.', '_' or "
		       "'-'");
	assert_refused("--recover go --peers n1=127.0.0.1:1",
		       "--recover makes a cluster of this node alone: no "
		       "--peers, no --join");
}

static void who_joins_is_given_the_address_of_a_member(void **state)
{
	struct options o;
	(void)state;

	GIVEN_PARSED(&o, "--id n4 --data /d --join 127.0.0.1:7001 /m");
	assert_string_equal(o.join, "127.0.0.1:7001");
	assert_null(o.listen);
	options_deinit(&o);
	GIVEN_PARSED(&o, "-o id=n4,data=/d,join=h:7001,insecure /m");
	assert_string_equal(o.join, "h:7001");
	options_deinit(&o);
	assert_refused("--id a --join h:1 --peers a=127.0.0.1:1 /m",
		       "a node founds a cluster with --peers or joins one "
		       "with --join, not both");
	assert_refused("--id a --join h /m",
		       "bad address to join at 'h': want HOST:PORT or "
		       "[IPv6]:PORT");
	assert_refused("--id a --join h:1 /m",
		       "joining at h:1 opens this node to the network, not "
		       "encrypted; say --insecure if that network is trusted");
}

static void peers_are_no_address_to_listen_on_for_ever(void **state)
{
	struct options o;
	(void)state;

	GIVEN_PARSED(&o, "--id n2 --data /d --peers "
			 "n1=127.0.0.1:7001,n2=[::1]:7002 --reads strict "
			 "--timeout 2.5 --session-timeout 20 -f /m");

	assert_null(o.listen);
	assert_int_equal(o.peer_count, 2);
	assert_string_equal(o.peers[0].name, "n1");
	assert_string_equal(o.peers[0].address, "127.0.0.1:7001");
	assert_int_equal(o.reads, KV_READS_STRICT);
	assert_int_equal(o.timeout_ms, 2500);
	assert_int_equal(o.session_ms, 20000);
	assert_true(o.foreground);
	options_deinit(&o);
}

/* mount -t fuse.raftfs none /m, as fstab has it. */
static void fstab_says_all_of_it_with_mount_options(void **state)
{
	struct options o;
	(void)state;

	GIVEN_PARSED(&o, "none /m -o rw,noauto,_netdev,x-systemd.automount,"
			 "nofail,dev,suid,id=n1,data=/d,peer=n1=10.0.0.1:7,"
			 "peer=n2=10.0.0.2:7,reads=local,timeout=1,insecure,"
			 "session_timeout=3,snapshot_rate=8,allow_other");

	assert_string_equal(o.source, "none");
	assert_string_equal(o.mountpoint, "/m");
	assert_string_equal(o.id, "n1");
	assert_null(o.listen);
	assert_int_equal(o.peer_count, 2);
	assert_int_equal(o.reads, KV_READS_LOCAL);
	assert_int_equal(o.timeout_ms, 1000);
	assert_int_equal(o.session_ms, 3000);
	assert_int_equal(o.snapshot_rate, 8 << 20);
	assert_string_equal(o.fuse_options, "rw,dev,suid,allow_other");
	options_deinit(&o);
}

static void debugging_stays_in_the_foreground(void **state)
{
	struct options o;
	(void)state;

	GIVEN_PARSED(&o, "-d -s --snapshot-rate 99999 /m");

	assert_true(o.debug);
	assert_int_equal(o.snapshot_rate, 99999ULL << 20);
	assert_true(o.foreground);
	options_deinit(&o);
}

static void help_and_version_need_nothing_else(void **state)
{
	struct options o;
	(void)state;

	GIVEN_PARSED(&o, "--help");
	assert_int_equal(o.action, OPTIONS_HELP);
	options_deinit(&o);
	GIVEN_PARSED(&o, "-V");
	assert_int_equal(o.action, OPTIONS_VERSION);
	options_deinit(&o);
}

static void unknown_options_are_named(void **state)
{
	(void)state;
	assert_refused("--foo /m", "unknown option '--foo'; see raftfs --help");
	assert_refused("-x /m", "unknown option '-x'; see raftfs --help");
	assert_refused("-o foo /m",
		       "unknown mount option 'foo'; see raftfs --help");
	assert_refused("--id", "option '--id' wants a value");
	assert_refused("-o kernel_cache /m",
		       "no mount option 'kernel_cache' here: the kernel would "
		       "answer from what it keeps, stale once another node has "
		       "changed it");
	assert_refused("-o ro,umask=022 /m",
		       "no mount option 'umask=022' here: modes and owners are "
		       "the tree's, equal on all nodes");
	assert_refused("-o fsname= /m", "mount option 'fsname=' wants a value");
	assert_refused("-o id /m", "mount option 'id' wants a value");
	assert_refused("-o insecure=1 /m",
		       "mount option 'insecure=1' takes no value");
	assert_refused("--no-mount=1", "option '--no-mount=1' takes no value");
}

static void a_bad_peer_is_named(void **state)
{
	(void)state;
	assert_refused("--peers n1 /m", "bad peer 'n1': want ID=HOST:PORT");
	assert_refused("--peers n1=127.0.0.1:1,,n2=127.0.0.1:2 /m",
		       "bad peer list 'n1=127.0.0.1:1,,n2=127.0.0.1:2': an "
		       "item is empty");
	assert_refused("--peers n1=host /m",
		       "bad peer 'n1=host': want HOST:PORT or [IPv6]:PORT "
		       "after '='");
	assert_refused("--peers n/1=h:1 /m",
		       "bad peer 'n/1=h:1': an ID has 1 to 63 letters, digits, "
		       "'.', '_' or '-'");
	assert_refused("--peers a=h:1,a=h:2 /m", "peer 'a' is given twice");
	assert_refused("--peers a=h:1,b=h:1 /m",
		       "peers 'a' and 'b' have one address, h:1");
	assert_refused("--id n3 --peers n1=127.0.0.1:1 /m",
		       "this node's id 'n3' is not in --peers");
}

static void a_bad_value_is_named(void **state)
{
	(void)state;
	assert_refused("--reads soon /m",
		       "bad reads 'soon': want fresh, strict or local");
	assert_refused("--snapshot-rate 0 /m",
		       "bad snapshot rate '0': want MiB a second, above 0");
	assert_refused("--snapshot-rate 8M /m",
		       "bad snapshot rate '8M': want MiB a second, above 0");
	assert_refused("--timeout 0 /m",
		       "bad timeout '0': want seconds, up to 3600");
	assert_refused("--timeout 1.2345 /m",
		       "bad timeout '1.2345': want seconds, up to 3600");
	assert_refused("--session-timeout 0.001 /m",
		       "bad session timeout '0.001': want at least 2 seconds, "
		       "longer than the election of a leader takes");
	assert_refused("-o session_timeout=1.999 /m",
		       "bad session timeout '1.999': want at least 2 seconds, "
		       "longer than the election of a leader takes");
	assert_refused("--id a/b /m", "bad id 'a/b': 1 to 63 letters, digits, "
				      "'.', '_' or '-'");
	assert_refused("--listen 127.0.0.1 --id a /m",
		       "bad listen address '127.0.0.1': want HOST:PORT or "
		       "[IPv6]:PORT");
}

static void listening_to_a_network_wants_insecure(void **state)
{
	struct options o;
	(void)state;

	assert_refused("--id a --listen 10.0.0.1:7 /m",
		       "listening on 10.0.0.1:7 is open to the network and not "
		       "encrypted; say --insecure if that network is trusted");
	GIVEN_PARSED(&o, "--id a --listen 10.0.0.1:7 --insecure /m");
	assert_string_equal(o.listen, "10.0.0.1:7");
	options_deinit(&o);
}

static void places_must_not_hold_each_other(void **state)
{
	(void)state;
	assert_refused("--data /nowhere/d /nowhere/d/m",
		       "mount point /nowhere/d/m is inside the data folder "
		       "/nowhere/d");
	assert_refused("--data /nowhere/m/d /nowhere/m",
		       "data folder /nowhere/m/d is inside the mount point "
		       "/nowhere/m");
	assert_refused("--data /nowhere/m /nowhere/m/",
		       "mount point /nowhere/m is inside the data folder "
		       "/nowhere/m");
	assert_refused("--data /d a b c", "too many arguments from 'c' on");
	assert_refused("--data /d", "no mount point; see raftfs --help");
	assert_refused("--no-mount /m",
		       "--no-mount takes no mount point, but '/m' was given");
}

static void neighbours_with_a_common_beginning_are_no_parents(void **state)
{
	struct options o;
	(void)state;

	GIVEN_PARSED(&o, "--data /nowhere/mnt2 /nowhere/mnt");
	options_deinit(&o);
	assert_true(options_is_within("/a/b", "/a"));
	assert_false(options_is_within("/ab", "/a"));
	assert_true(options_is_within("/a", "/"));
}

static void addresses_are_checked(void **state)
{
	(void)state;
	assert_true(peer_address_is_valid("host:1"));
	assert_true(peer_address_is_valid("[fe80::1]:65535"));
	assert_false(peer_address_is_valid("host:0"));
	assert_false(peer_address_is_valid("host:65536"));
	assert_false(peer_address_is_valid("::1:7"));
	assert_false(peer_address_is_valid(":7"));
	assert_false(peer_address_is_valid("host:7x"));
	assert_true(peer_address_is_loopback("localhost:7"));
	assert_true(peer_address_is_loopback("127.9.9.9:7"));
	assert_true(peer_address_is_loopback("[::1]:7"));
	assert_false(peer_address_is_loopback("0.0.0.0:7"));
	assert_false(peer_address_is_loopback("127.host:7"));
}

/* As mount(8) would say them; libfuse is asked as the mount asks it. */
static void libfuse_knows_whatever_is_passed_on(void **state)
{
	static const char *const words[] = {
		"rw",	       "ro",	       "suid",
		"nosuid",      "dev",	       "nodev",
		"exec",	       "noexec",       "async",
		"sync",	       "dirsync",      "noatime",
		"atime",       "nodiratime",   "diratime",
		"relatime",    "norelatime",   "defaults",
		"strictatime", "lazytime",     "allow_other",
		"allow_root",  "auto_unmount", "default_permissions",
	};
	(void)state;

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		const struct fuse_lowlevel_ops none = {.lookup = NULL};
		struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
		struct fuse_session *session;
		char line[64];
		struct options o;

		snprintf(line, sizeof line, "-o ro,%s /m", words[i]);
		GIVEN_PARSED(&o, line);
		assert_int_equal(fuse_opt_add_arg(&args, "raftfs"), 0);
		assert_int_equal(fuse_opt_add_arg(&args, "-o"), 0);
		assert_int_equal(fuse_opt_add_arg(&args, o.fuse_options), 0);
		session = fuse_session_new(&args, &none, sizeof none, NULL);
		if (session == NULL) {
			fail_msg("libfuse does not know %s", words[i]);
		}
		fuse_session_destroy(session);
		fuse_opt_free_args(&args);
		options_deinit(&o);
	}
}

static void the_source_is_named_in_either_way(void **state)
{
	struct options o;
	(void)state;

	GIVEN_PARSED(&o, "none /m");
	assert_string_equal(o.source, "none");
	options_deinit(&o);
	GIVEN_PARSED(&o, "-o fsname=tree none /m");
	assert_string_equal(o.source, "tree");
	options_deinit(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mount_point_is_enough),
		cmocka_unit_test(a_backup_is_restored_into_a_cluster_of_one),
		cmocka_unit_test(a_recovery_needs_no_mount_point),
		cmocka_unit_test(who_joins_is_given_the_address_of_a_member),
		cmocka_unit_test(peers_are_no_address_to_listen_on_for_ever),
		cmocka_unit_test(fstab_says_all_of_it_with_mount_options),
		cmocka_unit_test(debugging_stays_in_the_foreground),
		cmocka_unit_test(help_and_version_need_nothing_else),
		cmocka_unit_test(unknown_options_are_named),
		cmocka_unit_test(a_bad_peer_is_named),
		cmocka_unit_test(a_bad_value_is_named),
		cmocka_unit_test(listening_to_a_network_wants_insecure),
		cmocka_unit_test(places_must_not_hold_each_other),
		cmocka_unit_test(
			neighbours_with_a_common_beginning_are_no_parents),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(libfuse_knows_whatever_is_passed_on),
		cmocka_unit_test(the_source_is_named_in_either_way),
	};

	return cmocka_run_group_tests_name("fs/options", tests, NULL, NULL);
}
