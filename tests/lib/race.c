/* SPDX-License-Identifier: Apache-2.0 */
/* race.c - two threads write one number without a lock: the thread sanitizer
 * must say so, or its silence over our own code would mean nothing. */
#include <pthread.h>
#include <stdio.h>

static long shared;

static void *writer(void *arg)
{
	for (int i = 0; i < 100000; i++)
		shared += *(const int *)arg;
	return NULL;
}

int main(void)
{
	int one = 1, two = 2;
	pthread_t thread;

	if (pthread_create(&thread, NULL, writer, &two) != 0)
		return 2;
	writer(&one);
	pthread_join(thread, NULL);
	printf("%ld\n", shared);
	return 0;
}
