/*
 * A program as it was written for Clear Linux's library: strings that are not const, results that are only compared with
 * 0, one record after another in the same reference: old_style CONFIG. Exits 0 when both are kept.
 */
#include "telemetry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char event_id[] = "0123456789abcdef0123456789abcdef";

static int report(char *class, uint32_t severity, char *text)
{
	struct telem_ref *tm_handle = NULL;
	char *payload = strdup(text);
	int ret;

	if ((ret = tm_create_record(&tm_handle, severity, class, 1)) < 0)
		goto out;
	if ((ret = tm_set_event_id(tm_handle, event_id)) < 0)
		goto out_record;
	if ((ret = tm_set_payload(tm_handle, payload)) < 0)
		goto out_record;
	ret = tm_send_record(tm_handle);
out_record:
	tm_free_record(tm_handle);
out:
	free(payload);
	return ret;
}

int main(int argc, char **argv)
{
	static char class[] = "org.example/library/old";
	/* Longer than the old library's 8192, which lost it. */
	static char text[9001];

	if (argc != 2)
		return 64;
	if (tm_set_config_file(argv[1]) != 0) {
		fprintf(stderr, "Unable to set the configuration file\n");
		return 1;
	}
	memset(text, 'x', sizeof(text) - 1);
	if (report(class, 9, text) < 0 || report(class, 1, "old\n") < 0) {
		fprintf(stderr, "Failed to send the record\n");
		return 1;
	}
	return 0;
}
