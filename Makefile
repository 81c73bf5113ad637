# SPDX-License-Identifier: Apache-2.0
# raftfs. `make help` lists the targets; BUILD= and CFLAGS= may be given,
# V=1 shows every command.

BUILD ?= build
Q = $(if $(V),,@)
CC = gcc
CLANG = clang
CFLAGS ?= -O2 -g
VERSION = 0.1.0
PREFIX ?= /usr/local

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Werror
ALL_CPPFLAGS = -I. -I$(BUILD) -D_GNU_SOURCE -DPB_ENABLE_MALLOC \
	-DRAFTFS_VERSION='"$(VERSION)"' $(CPPFLAGS)
ALL_CFLAGS = -std=c11 $(WARNINGS) -fno-strict-aliasing -pthread -MMD -MP \
	$(CFLAGS) $(SANITIZE)
FUSE_CFLAGS = $(shell pkg-config --cflags fuse3 2>/dev/null)
FUSE_LIBS = -lfuse3
LIBS = -lrocksdb -luv -lprotobuf-nanopb -lxxhash -ljansson -pthread

# The rooms, lowest first; each is one archive. Sources are listed by hand.
BASE = base/bytes.c base/check.c base/frame.c base/log.c base/mem.c base/status.c
PROTO = $(basename $(notdir $(wildcard proto/*.proto)))
RAFT = raft/append.c raft/check.c raft/commit.c raft/election.c raft/members.c \
	raft/progress.c raft/quorum.c raft/random.c raft/read.c raft/replicate.c \
	raft/runs.c raft/save.c raft/sizes.c raft/status.c raft/step.c
NODE = raft/node/accept.c raft/node/address.c raft/node/begin.c \
	raft/node/clock.c raft/node/conn.c raft/node/deliver.c raft/node/disk.c \
	raft/node/drive.c raft/node/entry.c raft/node/found.c raft/node/identity.c \
	raft/node/inbox.c raft/node/log.c raft/node/log_open.c \
	raft/node/log_read.c raft/node/log_spare.c raft/node/mark.c raft/node/node.c raft/node/options.c raft/node/peer.c raft/node/peers.c \
	raft/node/propose.c raft/node/publish.c raft/node/saver.c \
	raft/node/segment.c raft/node/tail.c raft/node/trace.c raft/node/wire.c \
	raft/node/wire_decode.c
KV = kv/apply.c kv/batch.c kv/client.c kv/clock.c kv/command.c kv/face.c kv/feed.c kv/hold.c kv/keeper.c kv/kv.c \
	kv/marker.c kv/propose.c kv/read.c kv/record.c kv/session.c kv/status.c kv/store_rocksdb.c kv/worker.c
TREE = fs/tree/block.c fs/tree/change.c fs/tree/check.c fs/tree/chunk.c \
	fs/tree/counters.c fs/tree/cut.c fs/tree/dentry.c fs/tree/inode.c fs/tree/key.c \
	fs/tree/machine.c fs/tree/note.c fs/tree/op.c fs/tree/op_make.c \
	fs/tree/op_remove.c fs/tree/op_rename.c fs/tree/op_write.c fs/tree/orphan.c \
	fs/tree/read.c fs/tree/record.c
MOUNT = fs/mount/errmap.c fs/mount/fuse.c fs/mount/gate.c fs/mount/handle.c \
	fs/mount/init.c fs/mount/notify.c fs/mount/op_change.c fs/mount/op_dir.c \
	fs/mount/op_file.c fs/mount/op_read.c fs/mount/point.c fs/mount/reply.c \
	fs/mount/request.c fs/mount/thread.c fs/mount/trunc.c fs/mount/virt.c \
	fs/mount/worker.c
CONTROL = fs/control/client.c fs/control/command.c fs/control/control.c \
	fs/control/job.c fs/control/json.c fs/control/message.c fs/control/socket.c \
	fs/control/status.c
DAEMON = fs/raftfs.c fs/launch.c fs/options.c fs/options_path.c \
	fs/options_peer.c fs/options_words.c
CLI = fs/raftfsctl.c
TESTLIB = tests/lib/faultdisk.c tests/lib/faultdisk_file.c tests/lib/logkit.c tests/lib/memstore.c tests/lib/treegen.c tests/lib/treekit.c tests/lib/treemodel.c tests/lib/treemodel_ops.c tests/lib/toy.c tests/lib/nodekit.c

# Unit tests: tests/unit/test_<room>_<file>.c, linked with what the room may see.
UNIT_BASE = base_bytes base_frame
UNIT_RAFT = raft_append raft_election raft_progress raft_quorum raft_random raft_read \
	raft_runs raft_sizes raft_step
UNIT_NODE = node_address node_cluster node_found node_identity node_open node_refuse node_tail node_trace node_wire node_disk node_log node_log_crash node_mark node_saver node_segment
UNIT_KV = kv_store kv_command kv_apply kv_propose kv_read kv_client kv_keeper \
	kv_kv kv_cluster
UNIT_TREE = tree_op tree_make tree_rename tree_content tree_orphan tree_read tree_check \
	tree_model tree_history
UNIT_MOUNT = fs_options mount_errmap mount_gate mount_handle mount_trunc
UNIT_CONTROL = control_control control_job control_message control_status

objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIB = $(BUILD)/lib
A_BASE = $(LIB)/base.a
A_PROTO = $(LIB)/proto.a
A_RAFT = $(LIB)/raft.a
A_NODE = $(LIB)/node.a
A_KV = $(LIB)/kv.a
A_TREE = $(LIB)/tree.a
A_MOUNT = $(LIB)/mount.a
A_CONTROL = $(LIB)/control.a
A_TESTLIB = $(LIB)/testlib.a
PROTO_C = $(patsubst %,$(BUILD)/proto/%.pb.c,$(PROTO))
PROTO_H = $(PROTO_C:.c=.h)

all: $(BUILD)/raftfs $(BUILD)/raftfsctl ## build raftfs and raftfsctl

$(A_BASE): $(call objects,$(BASE))
$(A_PROTO): $(PROTO_C:.c=.o)
$(A_RAFT): $(call objects,$(RAFT))
$(A_NODE): $(call objects,$(NODE))
$(A_KV): $(call objects,$(KV))
$(A_TREE): $(call objects,$(TREE))
$(A_MOUNT): $(call objects,$(MOUNT))
$(A_CONTROL): $(call objects,$(CONTROL))
$(A_TESTLIB): $(call objects,$(TESTLIB))

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
	@echo LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(FUSE_LIBS) $(LIBS)
$(BUILD)/raftfsctl: $(call objects,$(CLI)) $(A_CONTROL) $(A_PROTO) $(A_BASE)
	@echo LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lprotobuf-nanopb -lxxhash -pthread

# --- Unit tests: no root, network or FUSE device ------------------------------
UNITS = $(UNIT_BASE) $(UNIT_RAFT) $(UNIT_NODE) $(UNIT_KV) $(UNIT_TREE) $(UNIT_MOUNT) $(UNIT_CONTROL)
UNIT_BINS = $(patsubst %,$(BUILD)/tests/unit/test_%,$(UNITS))
unit_bins = $(patsubst %,$(BUILD)/tests/unit/test_%,$(1))
$(BUILD)/tests/unit/test_%: $(BUILD)/tests/unit/test_%.o
	@echo LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(UNIT_LIBS)
$(patsubst %,%.o,$(call unit_bins,$(UNIT_NODE) $(UNIT_KV) $(UNIT_TREE) $(UNIT_MOUNT) $(UNIT_CONTROL))): | $(PROTO_H)
$(call unit_bins,$(UNIT_BASE)): $(A_BASE)
$(call unit_bins,$(UNIT_BASE)): UNIT_LIBS = -lxxhash
$(call unit_bins,raft_random): $(BUILD)/tests/lib/world.o
$(call unit_bins,raft_append raft_election raft_read raft_step): $(BUILD)/tests/lib/solo.o
$(call unit_bins,$(UNIT_RAFT)): $(A_RAFT) $(A_BASE)
$(call unit_bins,$(UNIT_NODE)): $(A_TESTLIB) $(A_NODE) $(A_RAFT) $(A_PROTO) $(A_BASE)
$(call unit_bins,$(UNIT_NODE)): UNIT_LIBS = -luv -lprotobuf-nanopb -lxxhash
# A fake node and clock stand before the real ones, for these tests alone.
FAKENODE = $(BUILD)/tests/lib/fakenode.o $(BUILD)/tests/lib/kvkit.o
$(call unit_bins,kv_client kv_keeper kv_kv): $(FAKENODE)
$(FAKENODE): | $(PROTO_H)
$(call unit_bins,$(UNIT_KV)): $(A_TESTLIB) $(A_KV) $(A_NODE) $(A_RAFT) $(A_PROTO) $(A_BASE)
$(call unit_bins,$(UNIT_KV)): UNIT_LIBS = $(LIBS)
$(call unit_bins,$(UNIT_TREE)): $(A_TESTLIB) $(A_TREE) $(A_KV) $(A_NODE) $(A_RAFT) $(A_PROTO) $(A_BASE)
$(call unit_bins,$(UNIT_TREE)): UNIT_LIBS = $(LIBS)
$(call unit_bins,control_control control_job): $(call objects,tests/lib/controlkit.c tests/lib/fake_kv.c)
$(call unit_bins,fs_options): $(filter-out %/raftfs.o,$(call objects,$(DAEMON)))
$(patsubst %,%.o,$(call unit_bins,$(UNIT_MOUNT))): ALL_CPPFLAGS += $(FUSE_CFLAGS)
$(call unit_bins,$(UNIT_MOUNT) $(UNIT_CONTROL)): $(A_TESTLIB) $(DAEMON_LIBS)
$(call unit_bins,$(UNIT_MOUNT) $(UNIT_CONTROL)): UNIT_LIBS = $(FUSE_LIBS) $(LIBS)

# --- Tests: one line each here, the work is in tests/run.sh --------------------
PROGRAMS = $(patsubst %,$(BUILD)/tests/%,cluster/history cluster/judge lib/forget \
	posix/semantics bench/floor bench/small cluster/garbage)
$(BUILD)/tests/lib/forget.o: ALL_CPPFLAGS += $(FUSE_CFLAGS)
$(BUILD)/tests/lib/forget: $(BUILD)/tests/lib/forget_store.o
$(BUILD)/tests/lib/forget: TEST_LIBS = $(FUSE_LIBS)
$(BUILD)/tests/cluster/history $(BUILD)/tests/cluster/judge: $(BUILD)/tests/cluster/token.o
$(BUILD)/tests/posix/semantics: $(call objects,$(patsubst %,tests/posix/semantics_%.c,names folders data attributes))
$(BUILD)/tests/bench/floor $(BUILD)/tests/bench/small: $(BUILD)/tests/bench/measure.o
$(BUILD)/tests/cluster/garbage: $(A_BASE)
$(BUILD)/tests/cluster/garbage: TEST_LIBS = -lxxhash
$(BUILD)/tests/cluster/judge: $(call objects,$(patsubst %,tests/cluster/judge_%.c,register log names))
$(PROGRAMS) $(BUILD)/tests/lib/race: $(BUILD)/tests/%: $(BUILD)/tests/%.o
	@echo LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(TEST_LIBS)
# A daemon whose own syncs do nothing, to show that the power cut would notice.
NOSYNC = $(BUILD)/tests/lib/raftfs-nosync
$(NOSYNC): $(call objects,$(DAEMON)) $(BUILD)/tests/lib/nosync.o $(DAEMON_LIBS)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -Wl,--wrap=fdatasync,--wrap=fsync -o $@ $^ $(FUSE_LIBS) $(LIBS)
# The daemon over a map without Raft, whose quorum is a file.
SOLO = $(BUILD)/tests/lib/raftfs-solo
$(BUILD)/tests/lib/solokv.o: | $(PROTO_H)
$(SOLO): $(call objects,$(DAEMON)) $(BUILD)/tests/lib/solokv.o $(A_MOUNT) $(A_CONTROL) $(A_TREE) $(A_TESTLIB) $(A_KV) $(A_PROTO) $(A_BASE)
	@echo LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(FUSE_LIBS) $(LIBS)
RUN = BUILD=$(BUILD) tests/run.sh
programs: $(PROGRAMS) $(NOSYNC) $(SOLO)
unit-list:
	@echo $(UNIT_BINS)
units: $(UNIT_BINS)

check: ## unit tests, golden scripts, house rules: a minute, no root, network or FUSE
	@$(RUN) check
test: deps ## every test: check, sanitizers, cluster, posix, docker, fuzz
	@$(RUN) check asan tsan cluster posix docker fuzz
asan: ## under the address and undefined-behaviour sanitizers
	@$(RUN) asan
tsan: ## under the thread sanitizer
	@$(RUN) tsan
cluster: ## real daemons killed, stopped, cut off, without power
	@$(RUN) cluster
posix: ## everyday tools and POSIX semantics on the mount
	@$(RUN) posix
powercut: all programs ## an acknowledged write survives the power cut of all nodes
	@BUILD=$(BUILD) tests/cluster/powercut.sh
fuzz: ## fuzz every decoder; SECONDS_EACH=
	@BUILD=$(BUILD) tests/fuzz/run.sh
bench: all programs ## the bare commit, and raftfs beside it
	@BUILD=$(BUILD) tests/bench/run.sh
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
docker: ## the container tests alone
	@$(RUN) docker
install: all ## into DESTDIR and PREFIX (/usr/local)
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) packaging/install.sh $(BUILD)

# --- Scenarios of the Raft core, and its purity --------------------------------
SCENARIO = $(BUILD)/tests/scenarios/scenario
$(SCENARIO): $(BUILD)/tests/scenarios/scenario.o $(BUILD)/tests/scenarios/tell.o $(BUILD)/tests/lib/world.o $(A_RAFT) $(A_BASE)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^
golden: $(SCENARIO) ## play the scenarios (GOLDEN=write: rewrite what they expect)
	tests/scenarios/run.sh $(SCENARIO)
	tests/scenarios/check-rows.sh
pure: ## the core needs nothing but checks and mem*
	tests/check/purity.sh $(CC) $(RAFT)
.PHONY: golden pure

help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

fmt: ## format the sources in place
	clang-format -i $$(git ls-files '*.c' '*.h')

clean: ## remove everything built
	rm -rf build build-*

.PHONY: all help fmt clean programs units unit-list check test asan tsan \
	cluster posix powercut fuzz bench headers tidy deps demo docker install
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
