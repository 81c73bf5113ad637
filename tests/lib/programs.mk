# SPDX-License-Identifier: Apache-2.0
# programs.mk - programs that the scripts of the tests run; included by the
# Makefile.
PROGRAMS = $(patsubst %,$(BUILD)/tests/%,cluster/history cluster/judge lib/forget \
	posix/semantics bench/floor bench/overwrite bench/small cluster/garbage)
$(BUILD)/tests/lib/forget.o: ALL_CPPFLAGS += $(FUSE_CFLAGS)
$(BUILD)/tests/lib/forget: TEST_LIBS = $(FUSE_LIBS)
$(BUILD)/tests/lib/forget: $(BUILD)/tests/lib/forget_store.o
$(BUILD)/tests/cluster/history $(BUILD)/tests/cluster/judge: $(BUILD)/tests/cluster/token.o
$(BUILD)/tests/posix/semantics: $(call objects,$(patsubst %,tests/posix/semantics_%.c,names folders data attributes))
$(BUILD)/tests/bench/floor $(BUILD)/tests/bench/overwrite $(BUILD)/tests/bench/small: $(BUILD)/tests/bench/measure.o
$(BUILD)/tests/cluster/garbage: $(A_BASE)
$(BUILD)/tests/cluster/garbage: TEST_LIBS = -lxxhash
$(BUILD)/tests/cluster/judge: $(call objects,$(patsubst %,tests/cluster/judge_%.c,register log names))
$(PROGRAMS) $(BUILD)/tests/lib/race: $(BUILD)/tests/%: $(BUILD)/tests/%.o
	$(call link,$(TEST_LIBS))
# A daemon whose own syncs do nothing, to show that the power cut would notice.
NOSYNC = $(BUILD)/tests/lib/raftfs-nosync
$(NOSYNC): $(call objects,$(DAEMON)) $(BUILD)/tests/lib/nosync.o $(DAEMON_LIBS)
	$(call link,-Xlinker --wrap=fdatasync -Xlinker --wrap=fsync $(FUSE_LIBS) $(LIBS))
# One in which those of RocksDB do nothing.
NODBSYNC = $(BUILD)/tests/lib/raftfs-nodbsync
$(NODBSYNC): $(call objects,$(DAEMON)) $(BUILD)/tests/lib/nodbsync.o $(DAEMON_LIBS)
	$(call link,$(FUSE_LIBS) $(LIBS))
# The daemon over a map without Raft, whose quorum is a file.
SOLO = $(BUILD)/tests/lib/raftfs-solo
$(BUILD)/tests/lib/solokv.o: | $(PROTO_H)
$(SOLO): $(call objects,$(DAEMON)) $(BUILD)/tests/lib/solokv.o $(A_MOUNT) $(A_CONTROL) $(A_TREE) $(A_TESTLIB) $(A_KV) $(A_NODE) $(A_PROTO) $(A_BASE)
	$(call link,$(FUSE_LIBS) $(LIBS))
