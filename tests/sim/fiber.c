/* SPDX-License-Identifier: Apache-2.0 */
/* fiber.c - stacks of their own, and the switch from one to another.
 *
 * The switch keeps what the calling convention of x86-64 asks a function to
 * keep, and nothing else: no system call. Other machines use ucontext. Stacks
 * are used again and never given back; below each is a page that faults. */
#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifndef __x86_64__
#include <ucontext.h>
#endif

#include "tests/sim/inside.h"

enum { GUARD_BYTES = 4096, STACKS_KEPT = 1024 };

static void *kept[STACKS_KEPT];
static size_t kept_count;
static struct fiber *before; /* which the switch came from */

#ifdef __x86_64__
void fiber_swap(void **save, void *load);
__asm__(".text\n"
	".globl fiber_swap\n"
	".type fiber_swap, @function\n"
	"fiber_swap:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size fiber_swap, .-fiber_swap\n");

static void prepare(struct fiber *f, void (*entry)(void))
{
	uintptr_t top = (uintptr_t)f->bottom + f->bytes;
	void **at = (void **)(top & ~(uintptr_t)15);

	/* As if entry() had been called: its stack is 8 off a multiple of 16.
	 */
	*--at = NULL;
	memcpy(--at, &entry, sizeof entry);
	for (int i = 0; i < 6; i++) {
		*--at = NULL;
	}
	f->pointer = at;
}

static void swap(struct fiber *from, struct fiber *to)
{
	fiber_swap(&from->pointer, to->pointer);
}
#else
static void prepare(struct fiber *f, void (*entry)(void))
{
	ucontext_t *context = f->bottom; /* at the low end of the stack */

	CHECK(getcontext(context) == 0);
	context->uc_stack.ss_sp = context + 1;
	context->uc_stack.ss_size = f->bytes - sizeof *context;
	context->uc_link = NULL;
	makecontext(context, entry, 0);
	f->pointer = context;
}

static void swap(struct fiber *from, struct fiber *to)
{
	static ucontext_t own;

	if (from->pointer == NULL) {
		from->pointer = &own;
	}
	CHECK(swapcontext(from->pointer, to->pointer) == 0);
}
#endif

void fiber_make(struct fiber *f, void (*entry)(void))
{
	uint8_t *map;

	if (kept_count > 0) {
		f->bottom = kept[--kept_count];
#ifdef __SANITIZE_ADDRESS__
		__asan_unpoison_memory_region(f->bottom, SIM_STACK_BYTES);
#endif
	} else {
		map = mmap(NULL, GUARD_BYTES + SIM_STACK_BYTES,
			   PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		CHECK(map != MAP_FAILED);
		CHECK(mprotect(map, GUARD_BYTES, PROT_NONE) == 0);
		f->bottom = map + GUARD_BYTES;
	}
	f->bytes = SIM_STACK_BYTES;
	f->fake = NULL;
	prepare(f, entry);
}

void fiber_drop(struct fiber *f)
{
	CHECK(kept_count < STACKS_KEPT);
	kept[kept_count++] = f->bottom;
	f->bottom = NULL;
}

void fiber_switch(struct fiber *from, struct fiber *to)
{
	before = from;
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_start_switch_fiber(&from->fake, to->bottom, to->bytes);
#endif
	swap(from, to);
	fiber_begun(from);
}

void fiber_begun(struct fiber *f)
{
#ifdef __SANITIZE_ADDRESS__
	const void *bottom;
	size_t bytes;

	__sanitizer_finish_switch_fiber(f->fake, &bottom, &bytes);
	/* The thread's own stack becomes known by leaving it. */
	if (before->bottom == NULL) {
		before->bottom = (void *)(uintptr_t)bottom;
		before->bytes = bytes;
	}
#else
	(void)f;
#endif
}
