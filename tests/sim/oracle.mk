# SPDX-License-Identifier: Apache-2.0
# oracle.mk - what judges a run of the simulator; included by the Makefile.
UNIT_SIM = sim_linear
UNITS += $(UNIT_SIM)
$(call unit_bins,sim_linear): $(BUILD)/tests/sim/linear.o $(A_BASE)
$(call unit_bins,sim_linear): UNIT_LIBS = -lxxhash
