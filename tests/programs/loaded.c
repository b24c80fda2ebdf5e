/*
 * A program that has the library as an option, as mcelog has, and asks for the symbols by their versions, as the loader
 * does for programs that were linked with it: loaded CONFIG. Exits 0 when its record is kept.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

struct telem_ref;

static void *symbol(void *library, const char *name, const char *version)
{
	void *found = dlvsym(library, name, version);

	if (!found)
		fprintf(stderr, "%s\n", dlerror());
	return found;
}

int main(int argc, char **argv)
{
	void *library = dlopen("libtelemetry.so.4", RTLD_NOW);
	int (*set_config_file)(const char *);
	int (*create_record)(struct telem_ref **, uint32_t, char *, uint32_t);
	int (*set_event_id)(struct telem_ref *, char *);
	int (*set_payload)(struct telem_ref *, char *);
	int (*send_record)(struct telem_ref *);
	int (*is_opted_in)(void);
	void (*free_record)(struct telem_ref *);
	static char class[] = "org.example/library/loaded";
	static char payload[] = "loaded";
	struct telem_ref *ref = NULL;
	int err;

	if (argc != 2)
		return 64;
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	set_config_file = symbol(library, "tm_set_config_file", "TM_1_0_0");
	free_record = symbol(library, "tm_free_record", "TM_2_0_0");
	create_record = symbol(library, "tm_create_record", "TM_3_0_0");
	set_payload = symbol(library, "tm_set_payload", "TM_3_0_0");
	send_record = symbol(library, "tm_send_record", "TM_3_0_0");
	set_event_id = symbol(library, "tm_set_event_id", "TM_4_0_0");
	is_opted_in = symbol(library, "tm_is_opted_in", "TM_4_1_0");
	if (!set_config_file || !free_record || !create_record || !set_payload || !send_record || !set_event_id || !is_opted_in)
		return 1;
	err = set_config_file(argv[1]);
	if (!err)
		err = create_record(&ref, 2, class, 1);
	if (!err)
		err = set_payload(ref, payload);
	if (!err)
		err = send_record(ref);
	if (err) {
		fprintf(stderr, "error %d\n", err);
		return 1;
	}
	free_record(ref);
	return 0;
}
