# SPDX-License-Identifier: Apache-2.0
# explore.mk - the core's behaviours, all of them within bounds. Included by the
# Makefile.
EXPLORE = $(BUILD)/tests/explore/explore
$(EXPLORE): $(call objects,$(call room,tests/explore,explore image intern model node oracle packet \
	say search step story walk) tests/scenarios/tell.c) $(A_RAFT) $(A_BASE)
	$(call link,-lxxhash)
explore: $(EXPLORE) ## every behaviour of three cores; TERMS=3 CRASHES=2 PROPOSALS=2 SECONDS= ...
	$(EXPLORE) $(strip $(foreach v,TERMS CRASHES PROPOSALS NODES HEARTBEATS ENTRIES LAG PREVOTES \
		PROMISES SECONDS STATES NEAREST QUIET WALK SEED,$(if $($(v)),$(v)=$($(v)))))
.PHONY: explore
