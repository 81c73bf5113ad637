# SPDX-License-Identifier: Apache-2.0
# scenarios.mk - scenarios of the Raft core; included by the Makefile.
SCENARIO = $(BUILD)/tests/scenarios/scenario
$(SCENARIO): $(call objects,$(call room,tests/scenarios,scenario members tell words)) $(WORLD) $(A_RAFT) $(A_BASE)
	$(call link)
golden: $(SCENARIO) ## play the scenarios (GOLDEN=write: rewrite what they expect)
	tests/scenarios/run.sh $(SCENARIO)
.PHONY: golden
