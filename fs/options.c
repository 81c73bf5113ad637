/* SPDX-License-Identifier: Apache-2.0 */
/* Settings live in one table; the long options and -o share it, so that both
 * take the same words. What is left for libfuse is collected as text. */
#include "fs/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/status.h"
#include "fs/options_peer.h"
#include "fs/options_words.h"

enum { SECONDS_MAX = 3600 };

static const char help[] =
	"usage: raftfs [options] [SOURCE] MOUNTPOINT\n"
	"       raftfs [options] --no-mount\n"
	"Run one node of a raftfs cluster and mount its tree.\n"
	"\n"
	"  --id NAME              this node's name (the short host name)\n"
	"  --data DIR             its data folder, made if missing\n"
	"                         (/var/lib/raftfs; ~/.local/state/raftfs\n"
	"                         for other users than root)\n"
	"  --peers ID=HOST:PORT,... the founding nodes, this one included\n"
	"                         (none: a single node)\n"
	"  --join HOST:PORT       instead: join the cluster of that member, to "
	"which\n"
	"                         raftfsctl member add has added this node\n"
	"  --restore FILE         instead: a new cluster of this node alone, "
	"from a\n"
	"                         backup, in an empty data folder\n"
	"  --listen HOST:PORT     where to listen (as the cluster has this "
	"node, or\n"
	"                         its own address in --peers)\n"
	"  --insecure             allow listening beyond loopback without TLS\n"
	"  --reads MODE           fresh (default), strict or local\n"
	"  --timeout SECONDS      how long a change waits for a quorum (5)\n"
	"  --session-timeout SECONDS\n"
	"                         when the cluster gives up on a silent node "
	"(10)\n"
	"  --snapshot-rate MIB    how fast snapshots are sent, MiB a second "
	"(64)\n"
	"  --no-mount             serve without a mount\n"
	"  -f                     stay in the foreground, log to stderr\n"
	"  -d                     as -f, and log each request\n"
	"  -o OPTION[,OPTION...]  mount options; also id=, data=, listen=, "
	"join=,\n"
	"                         peer=ID=HOST:PORT (one for each), reads=,\n"
	"                         timeout=, session_timeout=, insecure,\n"
	"                         snapshot_rate=\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version\n";

const char *options_help(void)
{
	return help;
}

/* --- Values ----------------------------------------------------------------*/

static void replace(char **text, const char *with)
{
	mem_free(*text);
	*text = mem_strdup(with);
}

/* SECONDS or SECONDS.mmm, above 0. */
static bool read_ms(const char *text, uint32_t *ms)
{
	size_t whole = strspn(text, "0123456789");
	const char *point = text + whole;
	unsigned long value;
	unsigned long scale = 100;

	if (whole == 0 || whole > 5 || (*point != '\0' && *point != '.')) {
		return false;
	}
	value = strtoul(text, NULL, 10) * 1000;
	if (*point == '.') {
		size_t part = strspn(point + 1, "0123456789");

		if (part == 0 || part > 3 || point[1 + part] != '\0') {
			return false;
		}
		for (; part > 0; part--, scale /= 10) {
			value += (unsigned long)(*++point - '0') * scale;
		}
	}
	if (value == 0 || value > SECONDS_MAX * 1000UL) {
		return false;
	}
	*ms = (uint32_t)value;
	return true;
}

static int set_ms(uint32_t *ms, const char *name, const char *value,
		  struct buffer *problem)
{
	if (!read_ms(value, ms)) {
		buffer_printf(problem, "bad %s '%s': want seconds, up to %d",
			      name, value, SECONDS_MAX);
		return STATUS_INVALID;
	}
	return 0;
}

/* A shorter one ends with each election: of nodes that are there. */
static int set_session(uint32_t *ms, const char *value, struct buffer *problem)
{
	int rc = set_ms(ms, "session timeout", value, problem);

	if (rc == 0 && *ms < LIMIT_SESSION_MS_MIN) {
		buffer_printf(problem,
			      "bad session timeout '%s': want at least %d "
			      "seconds, longer than the election of a leader "
			      "takes",
			      value, LIMIT_SESSION_MS_MIN / 1000);
		rc = STATUS_INVALID;
	}
	return rc;
}

static int set_rate(uint64_t *rate, const char *value, struct buffer *problem)
{
	size_t digits = strspn(value, "0123456789");
	unsigned long mib = strtoul(value, NULL, 10);

	if (digits == 0 || digits > 5 || value[digits] != '\0' || mib == 0) {
		buffer_printf(problem,
			      "bad snapshot rate '%s': want MiB a second, "
			      "above 0",
			      value);
		return STATUS_INVALID;
	}
	*rate = (uint64_t)mib << 20;
	return 0;
}

static int set_reads(struct options *o, const char *value,
		     struct buffer *problem)
{
	static const char *const words[] = {"fresh", "strict", "local"};
	static const enum kv_reads modes[] = {KV_READS_FRESH, KV_READS_STRICT,
					      KV_READS_LOCAL};
	size_t i;

	for (i = 0; i < COUNT_OF(words); i++) {
		if (strcmp(value, words[i]) == 0) {
			o->reads = modes[i];
			return 0;
		}
	}
	buffer_printf(problem, "bad reads '%s': want fresh, strict or local",
		      value);
	return STATUS_INVALID;
}

static int set_recover(struct options *o, const char *value,
		       struct buffer *problem)
{
	o->no_mount = true;
	o->again = strcmp(value, "look-again") == 0;
	if (strcmp(value, "look") == 0 || o->again) {
		o->action = OPTIONS_LOOK;
		return 0;
	}
	if (strcmp(value, "go") == 0) {
		o->action = OPTIONS_RECOVER;
		return 0;
	}
	buffer_printf(problem, "bad recover '%s': want look or go", value);
	return STATUS_INVALID;
}

/* --- The table -------------------------------------------------------------*/

enum setting {
	SET_ID,
	SET_DATA,
	SET_LISTEN,
	SET_PEERS,
	SET_PEER,
	SET_JOIN,
	SET_RESTORE,
	SET_RECOVER,
	SET_READS,
	SET_TIMEOUT,
	SET_SESSION,
	SET_RATE,
	SET_INSECURE,
	SET_NO_MOUNT,
	SET_SOURCE,
};

static const struct {
	const char *long_name;	/* NULL: only with -o */
	const char *short_name; /* of -o; NULL: none */
	bool has_value;
	enum setting setting;
} settings[] = {
	{"id", "id", true, SET_ID},
	{"data", "data", true, SET_DATA},
	{"listen", "listen", true, SET_LISTEN},
	{"peers", NULL, true, SET_PEERS}, /* fstab can not protect commas */
	{NULL, "peer", true, SET_PEER},
	{"join", "join", true, SET_JOIN},
	{"restore", NULL, true, SET_RESTORE},
	{"recover", NULL, true, SET_RECOVER}, /* for raftfsctl recover */
	{"reads", "reads", true, SET_READS},
	{"timeout", "timeout", true, SET_TIMEOUT},
	{"session-timeout", "session_timeout", true, SET_SESSION},
	{"snapshot-rate", "snapshot_rate", true, SET_RATE},
	{"insecure", "insecure", false, SET_INSECURE},
	{"no-mount", NULL, false, SET_NO_MOUNT},
	{NULL, "fsname", true, SET_SOURCE},
};

static int set(struct options *o, enum setting setting, const char *value,
	       struct buffer *problem)
{
	switch (setting) {
	case SET_ID:
		replace(&o->id, value);
		return 0;
	case SET_DATA:
		replace(&o->data, value);
		return 0;
	case SET_LISTEN:
		replace(&o->listen, value);
		return 0;
	case SET_PEERS:
		return peer_add_list(o, value, problem);
	case SET_PEER:
		return peer_add(o, value, problem);
	case SET_JOIN:
		replace(&o->join, value);
		return 0;
	case SET_RESTORE:
		mem_free(o->restore);
		o->restore = options_absolute(value);
		return 0;
	case SET_RECOVER:
		return set_recover(o, value, problem);
	case SET_READS:
		return set_reads(o, value, problem);
	case SET_TIMEOUT:
		return set_ms(&o->timeout_ms, "timeout", value, problem);
	case SET_SESSION:
		return set_session(&o->session_ms, value, problem);
	case SET_RATE:
		return set_rate(&o->snapshot_rate, value, problem);
	case SET_INSECURE:
		o->insecure = true;
		return 0;
	case SET_NO_MOUNT:
		o->no_mount = true;
		return 0;
	case SET_SOURCE:
		if (*value == '\0') {
			buffer_printf(problem,
				      "mount option 'fsname=' wants a value");
			return STATUS_INVALID;
		}
		replace(&o->source, value);
		return 0;
	}
	return 0;
}

/* --- Mount options ---------------------------------------------------------*/

static void pass_on(struct options *o, const char *word)
{
	char *longer;

	if (o->fuse_options == NULL) {
		o->fuse_options = mem_strdup(word);
		return;
	}
	longer = mem_printf("%s,%s", o->fuse_options, word);
	mem_free(o->fuse_options);
	o->fuse_options = longer;
}

/* One word of -o, KEY or KEY=VALUE. */
static int read_word(struct options *o, char *word, struct buffer *problem)
{
	char *equals = strchr(word, '=');
	size_t key = equals != NULL ? (size_t)(equals - word) : strlen(word);
	size_t i;

	for (i = 0; i < COUNT_OF(settings); i++) {
		const char *name = settings[i].short_name;

		if (name == NULL || strlen(name) != key ||
		    strncmp(name, word, key) != 0) {
			continue;
		}
		if (settings[i].has_value != (equals != NULL)) {
			buffer_printf(problem, "mount option '%s' %s", word,
				      settings[i].has_value ? "wants a value"
							    : "takes no value");
			return STATUS_INVALID;
		}
		return set(o, settings[i].setting,
			   equals != NULL ? equals + 1 : "", problem);
	}
	if (strcmp(word, "debug") == 0) {
		o->debug = true;
	} else if (words_is_for_fuse(word)) {
		pass_on(o, word);
	} else if (!words_is_for_others(word)) {
		words_refuse(word, problem);
		return STATUS_INVALID;
	}
	return 0;
}

static int read_words(struct options *o, const char *list,
		      struct buffer *problem)
{
	char *copy = mem_strdup(list);
	char *rest = copy;
	char *word;
	int rc = 0;

	while (rc == 0 && (word = strsep(&rest, ",")) != NULL) {
		if (*word != '\0') {
			rc = read_word(o, word, problem);
		}
	}
	mem_free(copy);
	return rc;
}

/* --- Defaults and what must fit together -----------------------------------*/

static int check_id(const struct options *o, struct buffer *problem)
{
	if (!peer_name_is_valid(o->id)) {
		buffer_printf(problem,
			      "bad id '%s': 1 to %d letters, digits, '.', '_' "
			      "or '-'",
			      o->id, LIMIT_NODE_NAME_BYTES);
		return STATUS_INVALID;
	}
	return 0;
}

static int default_id(struct options *o, struct buffer *problem)
{
	char name[HOST_NAME_MAX + 1];

	if (o->id == NULL) {
		if (gethostname(name, sizeof name) != 0) {
			name[0] = '\0';
		}
		name[sizeof name - 1] = '\0';
		name[strcspn(name, ".")] = '\0';
		if (!peer_name_is_valid(name)) {
			buffer_printf(problem, "this host has no name that "
					       "can be used; give --id");
			return STATUS_INVALID;
		}
		o->id = mem_strdup(name);
	}
	return check_id(o, problem);
}

static int default_data(struct options *o, struct buffer *problem)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	char *given = o->data;

	if (given != NULL) {
		o->data = *given != '\0' ? options_absolute(given) : NULL;
		mem_free(given);
	} else if (geteuid() == 0) {
		o->data = options_absolute("/var/lib/raftfs");
	} else if (state != NULL && state[0] == '/') {
		given = mem_printf("%s/raftfs", state);
		o->data = options_absolute(given);
		mem_free(given);
	} else if (home != NULL && home[0] == '/') {
		given = mem_printf("%s/.local/state/raftfs", home);
		o->data = options_absolute(given);
		mem_free(given);
	}
	if (o->data == NULL) {
		buffer_printf(problem, "no data folder: give --data");
		return STATUS_INVALID;
	}
	return 0;
}

/* Where it will listen the cluster says: taken to be near the member asked. */
static int check_join(const struct options *o, struct buffer *problem)
{
	if (o->join == NULL) {
		return 0;
	}
	if (o->peer_count > 0) {
		buffer_printf(problem,
			      "a node founds a cluster with --peers or "
			      "joins one with --join, not both");
		return STATUS_INVALID;
	}
	if (!peer_address_is_valid(o->join)) {
		buffer_printf(problem,
			      "bad address to join at '%s': want HOST:PORT or "
			      "[IPv6]:PORT",
			      o->join);
		return STATUS_INVALID;
	}
	if (!o->insecure && !peer_address_is_loopback(o->join)) {
		buffer_printf(problem,
			      "joining at %s opens this node to the network, "
			      "not encrypted; say --insecure if that network "
			      "is trusted",
			      o->join);
		return STATUS_INVALID;
	}
	return 0;
}

/* A cluster that begins with a backup begins with one node. */
static int check_restore(const struct options *o, struct buffer *problem)
{
	if (o->restore != NULL && (o->join != NULL || o->peer_count > 1)) {
		buffer_printf(problem,
			      "--restore makes a cluster of this node alone; "
			      "the others are added to it afterwards "
			      "(raftfsctl member add)");
		return STATUS_INVALID;
	}
	return 0;
}

static int check_address(const char *listen, struct buffer *problem)
{
	if (!peer_address_is_valid(listen)) {
		buffer_printf(problem,
			      "bad listen address '%s': want HOST:PORT or "
			      "[IPv6]:PORT",
			      listen);
		return STATUS_INVALID;
	}
	return 0;
}

/* What --peers has of this node is no --listen: it holds until the cluster
 * calls the node elsewhere. */
static int check_listen(struct options *o, struct buffer *problem)
{
	const char *own = peer_address(o, o->id);
	const char *at = o->listen != NULL ? o->listen : own;

	if (o->peer_count > 0 && own == NULL) {
		buffer_printf(problem, "this node's id '%s' is not in --peers",
			      o->id);
		return STATUS_INVALID;
	}
	if (check_join(o, problem) != 0 || check_restore(o, problem) != 0) {
		return STATUS_INVALID;
	}
	if (at == NULL) {
		return 0;
	}
	if (check_address(at, problem) != 0) {
		return STATUS_INVALID;
	}
	if (!o->insecure && !peer_address_is_loopback(at)) {
		buffer_printf(problem,
			      "listening on %s is open to the network and not "
			      "encrypted; say --insecure if that network is "
			      "trusted",
			      at);
		return STATUS_INVALID;
	}
	return 0;
}

static int read_places(struct options *o, int argc, char **argv,
		       struct buffer *problem)
{
	int count = argc - optind;

	if (o->no_mount) {
		if (count > 0) {
			buffer_printf(problem,
				      "--no-mount takes no mount point, but "
				      "'%s' was given",
				      argv[optind]);
			return STATUS_INVALID;
		}
		return 0;
	}
	if (count == 0) {
		buffer_printf(problem, "no mount point; see raftfs --help");
		return STATUS_INVALID;
	}
	if (count > 2) {
		buffer_printf(problem, "too many arguments from '%s' on",
			      argv[optind + 2]);
		return STATUS_INVALID;
	}
	if (o->source == NULL) {
		o->source = mem_strdup(count == 2 ? argv[optind] : "raftfs");
	}
	if (*argv[argc - 1] == '\0') {
		buffer_printf(problem, "no mount point; see raftfs --help");
		return STATUS_INVALID;
	}
	o->mountpoint = options_absolute(argv[argc - 1]);
	return 0;
}

/* The folder says whose it is; and nothing listens yet. */
static int fit_recovery(struct options *o, struct buffer *problem)
{
	int rc = default_data(o, problem);

	if (rc == 0 && o->id != NULL) {
		rc = check_id(o, problem);
	}
	if (rc == 0 && o->listen != NULL) {
		rc = check_address(o->listen, problem);
	}
	if (rc == 0 && (o->peer_count > 0 || o->join != NULL)) {
		buffer_printf(problem, "--recover makes a cluster of this node "
				       "alone: no --peers, no --join");
		rc = STATUS_INVALID;
	}
	return rc;
}

static int fit_together(struct options *o, struct buffer *problem)
{
	int rc;

	if (o->action == OPTIONS_LOOK || o->action == OPTIONS_RECOVER) {
		return fit_recovery(o, problem);
	}
	rc = default_id(o, problem);
	if (rc == 0) {
		rc = default_data(o, problem);
	}
	if (rc == 0) {
		rc = check_listen(o, problem);
	}
	if (rc != 0 || o->no_mount) {
		return rc;
	}
	if (options_is_within(o->mountpoint, o->data)) {
		buffer_printf(problem,
			      "mount point %s is inside the data folder %s",
			      o->mountpoint, o->data);
		return STATUS_INVALID;
	}
	if (options_is_within(o->data, o->mountpoint)) {
		buffer_printf(problem,
			      "data folder %s is inside the mount point %s",
			      o->data, o->mountpoint);
		return STATUS_INVALID;
	}
	return 0;
}

/* --- The command line ------------------------------------------------------*/

enum { LONG_FIRST = 256 }; /* above every character */

static int refuse(int argc, char **argv, int letter, struct buffer *problem)
{
	const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";

	if (letter == ':') {
		buffer_printf(problem, "option '%s' wants a value", word);
	} else if (optopt > 0 && optopt < LONG_FIRST) {
		buffer_printf(problem,
			      "unknown option '-%c'; see raftfs --help",
			      optopt);
	} else if (optopt >= LONG_FIRST) {
		buffer_printf(problem, "option '%s' takes no value", word);
	} else {
		buffer_printf(problem, "unknown option '%s'; see raftfs --help",
			      word);
	}
	return STATUS_INVALID;
}

static int read_option(struct options *o, int argc, char **argv, int letter,
		       struct buffer *problem)
{
	switch (letter) {
	case 'h':
		o->action = OPTIONS_HELP;
		return 0;
	case 'V':
		o->action = OPTIONS_VERSION;
		return 0;
	case 'd':
		o->debug = true;
		return 0;
	case 'f':
		o->foreground = true;
		return 0;
	case 's': /* mount(8) passes -s and -n; neither means anything here */
	case 'n':
		return 0;
	case 'o':
		return read_words(o, optarg, problem);
	default:
		if (letter >= LONG_FIRST) {
			return set(o, settings[letter - LONG_FIRST].setting,
				   optarg, problem);
		}
		return refuse(argc, argv, letter, problem);
	}
}

int options_parse(struct options *o, int argc, char **argv,
		  struct buffer *problem)
{
	struct option names[COUNT_OF(settings) + 3] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
	};
	size_t count = 2;
	size_t i;
	int letter;
	int rc = 0;

	for (i = 0; i < COUNT_OF(settings); i++) {
		if (settings[i].long_name != NULL) {
			names[count++] =
				(struct option){settings[i].long_name,
						settings[i].has_value
							? required_argument
							: no_argument,
						NULL, LONG_FIRST + (int)i};
		}
	}
	o->timeout_ms = LIMIT_TIMEOUT_MS;
	o->session_ms = LIMIT_SESSION_MS;
	o->reads = KV_READS_FRESH;
	opterr = 0;
	optind = 0; /* glibc: begin anew */
	while (rc == 0 && o->action != OPTIONS_HELP &&
	       o->action != OPTIONS_VERSION &&
	       (letter = getopt_long(argc, argv, ":dfhno:sV", names, NULL)) !=
		       -1) {
		rc = read_option(o, argc, argv, letter, problem);
	}
	if (rc != 0 || o->action == OPTIONS_HELP ||
	    o->action == OPTIONS_VERSION) {
		return rc;
	}
	o->foreground = o->foreground || o->debug;
	rc = read_places(o, argc, argv, problem);
	return rc != 0 ? rc : fit_together(o, problem);
}

void options_deinit(struct options *o)
{
	size_t i;

	for (i = 0; i < o->peer_count; i++) {
		mem_free((void *)(uintptr_t)o->peers[i].name);
		mem_free((void *)(uintptr_t)o->peers[i].address);
	}
	mem_free(o->id);
	mem_free(o->data);
	mem_free(o->listen);
	mem_free(o->join);
	mem_free(o->restore);
	mem_free(o->source);
	mem_free(o->mountpoint);
	mem_free(o->fuse_options);
	*o = (struct options){0};
}
