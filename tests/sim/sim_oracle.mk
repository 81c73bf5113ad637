# SPDX-License-Identifier: Apache-2.0
# sim_oracle.mk - what judges a run of the simulator; included by the Makefile.
UNIT_SIM = sim_linear sim_linear_order
UNITS += $(UNIT_SIM)
$(call unit_bins,$(UNIT_SIM)): $(call objects,$(call room,tests/sim,linear linear_model linear_order)) \
	$(A_BASE)
$(call unit_bins,$(UNIT_SIM)): UNIT_LIBS = -lxxhash

# The program: the simulator, its oracles, and the farm that plays many seeds.
SIM = $(BUILD)/tests/sim/sim
ORACLE = $(call objects,$(call room,tests/sim,agree client farm history law linear linear_model linear_order load \
	main oracle page proof tale trail))
$(ORACLE): | $(PROTO_H)
$(BUILD)/tests/sim/page_html.o: tests/sim/page.html
	@mkdir -p $(@D)
	$(Q)$(LD) -z noexecstack --relocatable --format=binary --output=$@ $<
$(SIM): $(ORACLE) $(BUILD)/tests/sim/page_html.o $(SIM_OBJECTS) $(SIM_ROOMS)
	$(call link,$(SIM_LINK))

# SEED=n: one seed, told; HTML=file: drawn (WINDOW=ms-ms: only its messages of
# that time). Else the kept seeds and COUNT more from FROM on, with floors.
build-sim: $(SIM)
sim: $(SIM) ## play the simulator: 3,000 seeds; SEED=, HTML=, FROM=, COUNT=
ifneq ($(SEED),)
	@$(SIM) --seed $(SEED) $(if $(HTML),--html $(HTML),--tell) $(if $(WINDOW),--window $(WINDOW))
else
	@$(SIM) --kept tests/sim/SEEDS --from $(or $(FROM),1) --count $(or $(COUNT),3000) \
		--workers $(or $(WORKERS),$(shell nproc)) $(if $(COUNT),,--floors)
endif
sim-long: $(SIM) ## new seeds for an hour, noted in tests/sim/LEDGER; SECONDS_ALL=
	@BUILD=$(BUILD) tests/sim/long.sh
.PHONY: build-sim sim sim-long
