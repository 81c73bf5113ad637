# SPDX-License-Identifier: Apache-2.0
# raftfs. `make help` lists the targets; BUILD= and CFLAGS= may be given,
# V=1 shows every command.
BUILD ?= build
Q = $(if $(V),,@)
CC = gcc
CFLAGS ?= -O2 -g
VERSION = 0.1.0
PREFIX ?= /usr/local
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Werror
ALL_CPPFLAGS = -I. -I$(BUILD) -D_GNU_SOURCE -DPB_ENABLE_MALLOC \
	-DRAFTFS_VERSION='"$(VERSION)"' $(CPPFLAGS)
ALL_CFLAGS = -std=c11 $(WARNINGS) -fno-strict-aliasing -pthread -MMD -MP $(CFLAGS) $(SANITIZE)
FUSE_CFLAGS = $(shell pkg-config --cflags fuse3 2>/dev/null)
FUSE_LIBS = -lfuse3
LIBS = -lrocksdb -luv -lprotobuf-nanopb -lxxhash -ljansson -pthread

# The rooms, lowest first; each is one archive. Sources are listed by hand.
room = $(patsubst %,$(1)/%.c,$(2))
BASE = $(call room,base,bytes check folder frame log mem status)
PROTO = $(basename $(notdir $(wildcard proto/*.proto)))
RAFT = $(call room,raft,append change check commit election members progress quorum random \
	read repair replicate runs save sizes snapshot status step transfer)
NODE = $(call room,raft/node,accept address admit alone begin change clock config configs conn \
	cut deliver disk drive entry found home identity inbox lead listen log log_cut log_open log_read \
	log_reset log_spare mark members mend node options peer peers promise propose publish \
	reserve saver segment snap snap_copy snap_intake snap_pace snap_receive snap_send \
	snap_stage snap_stream snap_wire snap_wire_decode snap_work tail trace wire wire_decode)
KV = $(call room,kv,anew apply archive backup batch change client clock command damage face feed \
	hold install keeper kv marker propose read record session space status store_rocksdb swap \
	worker)
TREE = $(call room,fs/tree,block change check chunk counters cut dentry inode key machine note \
	op op_make op_remove op_rename op_write orphan read record)
MOUNT = $(call room,fs/mount,errmap fuse gate handle init notify op_change op_dir op_file \
	op_read point reply request thread trunc user virt worker)
CONTROL = $(call room,fs/control,client command control job json member message names socket status)
DAEMON = $(call room,fs,raftfs launch options options_path options_peer options_words)
CLI = fs/raftfsctl.c fs/recover.c fs/options_peer.c
TESTLIB = $(call room,tests/lib,caller faultdisk faultdisk_file logkit logtest memstore \
	memstore_copy memversion nodekit nodekit_snap nodetest toy treegen treekit treemodel \
	treemodel_ops)

# Unit tests: tests/unit/test_<room>_<file>.c, linked with what the room may see.
UNIT_BASE = base_bytes base_folder base_frame base_log base_status
UNIT_PROTO = proto_codec
UNIT_RAFT = raft_append raft_change raft_election raft_progress raft_quorum raft_random \
	raft_read raft_repair raft_runs raft_sizes raft_snapshot raft_step raft_transfer
UNIT_NODE = node_address node_admit node_change node_cluster node_config node_configs node_cut \
	node_disk node_found node_home node_identity node_lead node_lead_replace node_listen \
	node_log node_log_crash node_log_reset node_mark node_mend node_open node_peers \
	node_promise node_propose node_refuse node_reserve node_saver node_segment node_snap \
	node_snap_copy node_snap_intake node_snap_pace node_snap_receive node_snap_send \
	node_snap_stage node_snap_wire node_snap_work node_tail node_trace node_wire \
	node_wire_members
UNIT_KV = kv_anew kv_apply kv_archive kv_change kv_client kv_cluster kv_command kv_install \
	kv_install_crash kv_keeper kv_kv kv_propose kv_read kv_space kv_store kv_store_full kv_swap
UNIT_TREE = tree_check tree_content tree_history tree_make tree_model tree_op tree_orphan \
	tree_read tree_rename
UNIT_MOUNT = fs_options mount_errmap mount_gate mount_handle mount_notify mount_trunc mount_user
UNIT_CONTROL = control_control control_job control_member control_message control_names control_status

# $(call link,LIBRARIES): the recipe of a program.
define link
@echo LD $@
$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(1)
endef
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIB = $(BUILD)/lib
ROOMS = BASE RAFT NODE KV TREE MOUNT CONTROL TESTLIB
$(foreach r,$(ROOMS) PROTO,$(eval A_$(r) = $(LIB)/$(shell echo $(r) | tr A-Z a-z).a))
PROTO_C = $(patsubst %,$(BUILD)/proto/%.pb.c,$(PROTO))
PROTO_H = $(PROTO_C:.c=.h)

all: $(BUILD)/raftfs $(BUILD)/raftfsctl ## build raftfs and raftfsctl

$(A_PROTO): $(PROTO_C:.c=.o) $(BUILD)/proto/codec.o
$(foreach r,$(ROOMS),$(eval $(A_$(r)): $(call objects,$($(r)))))

$(LIB)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	@$(AR) rcs $@ $^
$(call objects,$(MOUNT) $(DAEMON)): ALL_CPPFLAGS += $(FUSE_CFLAGS)
$(call objects,$(NODE) $(KV) $(TREE) $(MOUNT) $(CONTROL) $(DAEMON) $(CLI) $(TESTLIB)): | $(PROTO_H)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo CC $<
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<
# Generated code gets fewer warnings.
$(BUILD)/proto/%.pb.c $(BUILD)/proto/%.pb.h: proto/%.proto proto/%.options
	@mkdir -p $(@D)
	$(Q)protoc -Iproto -I/usr/lib/python3/dist-packages/proto --nanopb_opt=-Iproto --nanopb_out=$(BUILD)/proto $<
$(BUILD)/proto/%.pb.o: $(BUILD)/proto/%.pb.c
	$(Q)$(CC) $(ALL_CPPFLAGS) -std=c11 -pthread $(CFLAGS) $(SANITIZE) -c -o $@ $<
.SECONDARY: $(PROTO_C) $(PROTO_H)

DAEMON_LIBS = $(A_MOUNT) $(A_CONTROL) $(A_TREE) $(A_KV) $(A_NODE) $(A_RAFT) $(A_PROTO) $(A_BASE)
$(BUILD)/raftfs: $(call objects,$(DAEMON)) $(DAEMON_LIBS)
	$(call link,$(FUSE_LIBS) $(LIBS))
$(BUILD)/raftfsctl: $(call objects,$(CLI)) $(A_CONTROL) $(A_PROTO) $(A_BASE)
	$(call link,-lprotobuf-nanopb -lxxhash -pthread)

# --- Unit tests: no network or FUSE device; without root one is skipped -------
UNITS = $(UNIT_BASE) $(UNIT_PROTO) $(UNIT_RAFT) $(UNIT_NODE) $(UNIT_KV) $(UNIT_TREE) $(UNIT_MOUNT) $(UNIT_CONTROL)
# Those that wait longest begin first, so that none is waited for at the end.
SLOW_UNITS = $(patsubst %,$(BUILD)/tests/unit/test_%,node_snap node_change node_refuse node_snap_send \
	node_mend node_cluster kv_cluster node_listen)
UNIT_BINS = $(patsubst %,$(BUILD)/tests/unit/test_%,$(UNITS))
unit_bins = $(patsubst %,$(BUILD)/tests/unit/test_%,$(1))
$(BUILD)/tests/unit/test_%: $(BUILD)/tests/unit/test_%.o
	$(call link,-lcmocka $(UNIT_LIBS))
$(patsubst %,%.o,$(call unit_bins,$(UNIT_PROTO) $(UNIT_NODE) $(UNIT_KV) $(UNIT_TREE) $(UNIT_MOUNT) $(UNIT_CONTROL))): | $(PROTO_H)
$(call unit_bins,$(UNIT_BASE)): $(A_BASE)
$(call unit_bins,$(UNIT_BASE)): UNIT_LIBS = -lxxhash
$(call unit_bins,$(UNIT_PROTO)): $(A_PROTO) $(A_BASE)
$(call unit_bins,$(UNIT_PROTO)): UNIT_LIBS = -lprotobuf-nanopb -lxxhash
WORLD = $(call objects,$(call room,tests/lib,world world_members world_snap))
$(call unit_bins,raft_random): $(WORLD)
$(call unit_bins,$(filter-out raft_random,$(UNIT_RAFT))): $(BUILD)/tests/lib/solo.o
$(call unit_bins,$(UNIT_RAFT)): $(A_RAFT) $(A_BASE)
$(call unit_bins,$(UNIT_NODE)): $(A_TESTLIB) $(A_NODE) $(A_RAFT) $(A_PROTO) $(A_BASE)
$(call unit_bins,$(UNIT_NODE)): UNIT_LIBS = -luv -lprotobuf-nanopb -lxxhash
# A fake node and clock stand before the real ones, for these tests alone.
FAKENODE = $(call objects,tests/lib/fakenode.c tests/lib/kvkit.c tests/lib/otherkit.c)
$(call unit_bins,kv_change kv_client kv_install kv_install_crash kv_keeper kv_kv kv_space): $(FAKENODE)
$(FAKENODE): | $(PROTO_H)
$(call unit_bins,$(UNIT_KV)): $(A_TESTLIB) $(A_KV) $(A_NODE) $(A_RAFT) $(A_PROTO) $(A_BASE)
$(call unit_bins,$(UNIT_TREE)): $(A_TESTLIB) $(A_TREE) $(A_KV) $(A_NODE) $(A_RAFT) $(A_PROTO) $(A_BASE)
$(call unit_bins,$(UNIT_KV) $(UNIT_TREE)): UNIT_LIBS = $(LIBS)
$(call unit_bins,control_control control_job): $(call objects,tests/lib/controlkit.c tests/lib/fake_kv.c)
$(call unit_bins,fs_options): $(filter-out %/raftfs.o,$(call objects,$(DAEMON)))
$(patsubst %,%.o,$(call unit_bins,$(UNIT_MOUNT))): ALL_CPPFLAGS += $(FUSE_CFLAGS)
$(call unit_bins,$(UNIT_MOUNT) $(UNIT_CONTROL)): $(A_TESTLIB) $(DAEMON_LIBS)
$(call unit_bins,$(UNIT_MOUNT) $(UNIT_CONTROL)): UNIT_LIBS = $(FUSE_LIBS) $(LIBS)

# The simulator, scenarios, explorations, and programs that scripts run.
include $(wildcard tests/*/*.mk)

# --- Tests: one line each here, the work is in tests/run.sh --------------------
RUN = BUILD=$(BUILD) tests/run.sh
programs: $(PROGRAMS) $(NOSYNC) $(NODBSYNC) $(SOLO) $(EXPLORE) $(SCENARIO)
unit-list:
	@echo $(SLOW_UNITS) $(filter-out $(SLOW_UNITS),$(UNIT_BINS))
units: $(UNIT_BINS)
check: ## unit tests, golden scripts, house rules: about a minute, no root, network or FUSE
	@$(RUN) check
test: deps ## every test: check, sim, times, sanitizers, cluster, posix, docker, fuzz
	@$(RUN) check sim timed asan tsan docker posix fuzz cluster
asan: ## under the address and undefined-behaviour sanitizers
tsan: ## under the thread sanitizer
cluster: all programs ## real daemons killed, stopped, cut off, without power
	@$(RUN) timed $@
posix: all programs ## everyday tools and POSIX semantics on the mount
docker: ## the image, the compose file, three containers
asan tsan posix docker:
	@$(RUN) $@
powercut: all programs ## an acknowledged write survives the power cut of all nodes
	@BUILD=$(BUILD) tests/cluster/powercut.sh
bounded: all programs ## 2,000,000 overwrites of 100 files: disk and restart stay bounded
	@BUILD=$(BUILD) COUNT=2000000 BYTES=100 tests/cluster/bounded.sh
fuzz: ## fuzz every decoder; SECONDS_EACH=
	@BUILD=$(BUILD) tests/fuzz/run.sh
bench: all programs ## the bare commit, and raftfs beside it
	@BUILD=$(BUILD) tests/bench/run.sh
bench-install: all programs ## a state of 1 GiB installs on a node while writes go on
	@BUILD=$(BUILD) tests/bench/install.sh
headers: ## every header compiles alone
	@BUILD=$(BUILD) tests/check/headers.sh
tidy: ## clang-tidy over our sources
	@BUILD=$(BUILD) tests/lib/tidy.sh

# --- Getting and giving ---------------------------------------------------------
deps: ## install what building, running and testing need (Debian 12)
	@packaging/deps.sh build run test
demo: ## three nodes here: write, read, lose the leader; KEEP=1 leaves them up
	@packaging/deps.sh build run
	@$(MAKE) --no-print-directory --jobs=$$(nproc) all
	@BUILD=$(BUILD) docs/demo.sh
install: all ## into DESTDIR and PREFIX (/usr/local)
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) packaging/install.sh $(BUILD)

# --- House rules and housekeeping -----------------------------------------------
pure: ## the core needs nothing but checks and mem*
	tests/check/purity.sh $(CC) $(RAFT)
help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16
fmt: ## format the sources in place
	clang-format -i $$(git ls-files '*.c' '*.h')
clean: ## remove everything built
	rm -rf build build-*
.PHONY: all help fmt clean programs units unit-list check test asan tsan \
	cluster posix powercut bounded fuzz bench bench-install headers tidy deps demo docker install pure
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
