/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * libtelemetry: hand a record to the telemetry agent of this host, which keeps it on disk and delivers it.
 *
 *     struct telem_ref *ref = NULL;
 *     int err = tm_create_record(&ref, 2, "org.example/maintenance/disk", 1);
 *     if (!err)
 *         err = tm_set_payload(ref, "disk swapped");
 *     if (!err)
 *         err = tm_send_record(ref);
 *     tm_free_record(ref);
 *
 * Build with `cc prog.c $(pkg-config --cflags --libs libtelemetry)`.
 *
 * Every function may be called from any thread. A record may be used by several at once, except that tm_free_record()
 * must be the last call. Unless another result is given, functions return 0, or a negative errno.
 */
#ifndef TELEMETRY_H
#define TELEMETRY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's own data. */
struct telem_record;

/* What a program holds of a record. */
struct telem_ref {
	struct telem_record *record;
};

/*
 * Chooses the configuration file that tells where the agent listens, for the whole process: the agent's own
 * (telemetrics.toml), or a telemetrics.conf with a socket_path. Without it, /etc/telemetrics/telemetrics.toml counts if it exists.
 *
 * path: absolute path of a regular file.
 *
 * -EINVAL  path is NULL, not absolute, not a regular file, or has a mistake
 * -errno   the file cannot be read
 */
int tm_set_config_file(const char *path);

/*
 * Makes a record, with a random event id and no payload. Needs neither opt-in nor agent.
 *
 * ref:             gets the record; free it with tm_free_record()
 * severity:        1 low, 2 medium, 3 high, 4 critical; other values become the nearest
 * classification:  DOMAIN/PROBE/REST, such as "org.example/maintenance/disk": printable ASCII without spaces, no part
 *                  empty, at most 122 bytes, PROBE and REST at most 40 each
 * payload_version: the version of the payload's format, the program's own matter
 *
 * -EINVAL  ref is NULL, or the classification is not one
 */
int tm_create_record(struct telem_ref **ref, uint32_t severity, char *classification, uint32_t payload_version);

/*
 * Sets what ties the records of one event together.
 *
 * id: 32 digits of 0-9 and a-f
 *
 * Returns 0, or -1 when ref is NULL or the id is not one.
 */
int tm_set_event_id(struct telem_ref *ref, char *id);

/*
 * Sets the payload: UTF-8 text that ends with NUL. What is beyond 65536 bytes is cut off, between two characters.
 *
 * -EINVAL  an argument is NULL, or the text is not UTF-8 or has control characters other than white space
 */
int tm_set_payload(struct telem_ref *ref, char *payload);

/*
 * Sends the record and waits, at most about 10 seconds for each of connecting, sending and the answer, until the agent
 * has it on disk or has refused it. To an agent that is starting or stopping it is sent again, with pauses that are 10
 * seconds in all. It never raises SIGPIPE. A record can be sent again.
 *
 * 0              the record is on disk and will be delivered, or was counted because there are enough of its kind
 * -ECONNREFUSED  this host has not opted in (tm_is_opted_in() tells), or nobody listens any more
 * -ENOENT        the agent does not run
 * -EDQUOT        this user has sent too much: later it may go
 * -EAGAIN        the agent is starting or stopping for long, or has no room for a connection: later it may go
 * -EINVAL        ref is NULL, or the agent refuses the record as it is
 * -EIO           the agent cannot write to its disk
 * -ETIMEDOUT     no answer in time; the record may be kept or not, as after any other -errno
 */
int tm_send_record(struct telem_ref *ref);

/* Whether this host has opted in: 1 or 0. Records of hosts that have not are not sent. */
int tm_is_opted_in(void);

/* Frees a record. NULL is nothing. */
void tm_free_record(struct telem_ref *ref);

#ifdef __cplusplus
}
#endif

#endif
