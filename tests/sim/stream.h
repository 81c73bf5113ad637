/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h - what the loop and the streams of libuv need of each other. */
#ifndef TESTS_SIM_STREAM_H
#define TESTS_SIM_STREAM_H

#include "tests/sim/net.h"

/* loop.c */
void loop_add(uv_loop_t *uv, void *handle, uv_handle_type type);
void loop_active(void *handle, bool active);
void loop_request(struct loop *loop, bool begins);

/* stream.c */
bool stream_has_work(const uv_tcp_t *tcp);
void stream_work(uv_tcp_t *tcp); /* its callbacks */
void stream_close(uv_tcp_t *tcp);
void stream_closed(uv_tcp_t *tcp); /* before the handle's callback */

#endif
