# SPDX-License-Identifier: Apache-2.0
# mutants.mk - included by the Makefile.
sim-mutants: ## each bug of the catalogue, put back, is caught; ROWS="1 15"
	tests/sim/mutants.sh $(ROWS)
.PHONY: sim-mutants
