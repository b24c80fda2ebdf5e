/* Sends a record from each of several threads at once: threads CONFIG COUNT. Exits 0 when all are kept. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <telemetry.h>

#define THREADS_MAX 64

struct job {
	pthread_t thread;
	int number;
	int err;
};

static void *send_one(void *argument)
{
	static char class[] = "org.example/library/threads";
	struct job *job = argument;
	struct telem_ref *ref = NULL;
	char payload[64];

	snprintf(payload, sizeof(payload), "thread %d, gr\xc3\xbc\xc3\x9f", job->number);
	job->err = tm_create_record(&ref, 3, class, 2);
	if (!job->err)
		job->err = tm_set_payload(ref, payload);
	if (!job->err)
		job->err = tm_send_record(ref);
	tm_free_record(ref);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct job jobs[THREADS_MAX];
	int count = argc == 3 ? atoi(argv[2]) : 0;
	int failed = 0;
	int err;

	if (count < 1 || count > THREADS_MAX)
		return 64;
	err = tm_set_config_file(argv[1]);
	if (err) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	if (!tm_is_opted_in()) {
		fprintf(stderr, "not opted in\n");
		return 1;
	}
	for (int i = 0; i < count; i++) {
		jobs[i].number = i;
		if (pthread_create(&jobs[i].thread, NULL, send_one, &jobs[i]))
			return 1;
	}
	for (int i = 0; i < count; i++) {
		pthread_join(jobs[i].thread, NULL);
		if (jobs[i].err) {
			fprintf(stderr, "thread %d: %s\n", i, strerror(-jobs[i].err));
			failed = 1;
		}
	}
	return failed;
}
