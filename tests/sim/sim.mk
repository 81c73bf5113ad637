# SPDX-License-Identifier: Apache-2.0
# sim.mk - the simulator: the daemon's rooms over a world of its own, replaced
# at link time. Included by the Makefile.
SIM_C = $(call room,tests/sim,arena atlas bulk calm churn clock disk fault fiber files life loop net plan random \
	rot run say state state_disk stream task thread)
# What the rooms call of the system, and the simulator answers.
SIM_WRAPS = malloc calloc realloc free vasprintf abort exit _exit check_failed \
	pthread_create pthread_join pthread_sigmask pthread_mutex_init pthread_mutex_destroy \
	pthread_mutex_lock pthread_mutex_unlock pthread_condattr_init pthread_condattr_setclock \
	pthread_condattr_destroy pthread_cond_init pthread_cond_destroy pthread_cond_wait \
	pthread_cond_timedwait pthread_cond_signal pthread_cond_broadcast setpriority \
	clock_gettime getrandom open openat close read write pread pwrite fsync fdatasync flock \
	fstat stat access mkdir rename renameat unlink unlinkat rmdir fdopendir readdir closedir opendir posix_fallocate fstatvfs statvfs syncfs \
	setsockopt options_listen raft_init raft_step wire_encode_core
SIM_LINK = $(patsubst %,-Xlinker --wrap=%,$(SIM_WRAPS)) $(filter-out -luv -ljansson,$(LIBS))
SIM_OBJECTS = $(call objects,$(SIM_C))
SIM_ROOMS = $(A_TESTLIB) $(A_TREE) $(A_KV) $(A_NODE) $(A_RAFT) $(A_PROTO) $(A_BASE)
$(SIM_OBJECTS): | $(PROTO_H)
$(BUILD)/tests/sim/try: $(BUILD)/tests/sim/try.o $(SIM_OBJECTS) $(SIM_ROOMS)
	$(call link,$(SIM_LINK))
