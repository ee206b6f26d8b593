/* What a disk can hold after a loss of power: the recorder's log, read up to some place in it, and
 * of the writes that nothing had flushed by then, some. */
#ifndef ASSAY_TEST_CRASH_REPLAY_H
#define ASSAY_TEST_CRASH_REPLAY_H

#include "crash/ledger.h"
#include "crash/record_log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_MAX_FILES 512
#define REPLAY_MAX_COMMITS 4096

/* One entry of the log; data and names lie in the log's bytes. */
struct replay_entry {
    struct record_entry head;
    const uint8_t *data;
    char name[256];
    char to[256];
};

struct replay_log {
    uint8_t *bytes;
    struct replay_entry *entries;
    size_t count;
};

/* Reads the log; ends the process when it cannot, or when it holds an entry that says that a file
 * was changed in a way the recorder does not follow. */
void replay_log_load(struct replay_log *log, const char *path);
void replay_log_free(struct replay_log *log);

/* Bytes of a file that grow. */
struct replay_bytes {
    uint8_t *data;
    size_t len;
    size_t room;
};

/* A file, whatever it is called. */
struct replay_file {
    uint64_t inode;
    struct replay_bytes durable;
    uint32_t commits;         /* LMDB's writes of a meta page, so far */
    uint32_t commits_durable; /* of them: those on the disk */
};

/* A part of a write, inside one page, that nothing has flushed yet; or a change of length. */
struct replay_part {
    size_t entry;
    uint32_t file;
    bool truncates;
    int64_t offset;
    const uint8_t *data;
    size_t len;
};

struct replay_name {
    char name[256];
    int file; /* -1: a directory */
};

struct replay_names {
    struct replay_name names[REPLAY_MAX_FILES];
    size_t count;
};

/* The state of a disk after the first `at` entries. */
struct replay {
    const struct replay_log *log;
    size_t at;
    struct replay_file files[REPLAY_MAX_FILES];
    size_t file_count;
    struct replay_part *parts; /* pending, in order */
    size_t part_count;
    size_t part_room;
    struct replay_names durable;
    struct replay_names live; /* as the running system sees them */
    size_t *moves;            /* pending changes of names: entries, in order */
    uint32_t *move_files;     /* the file that each creates or renames */
    size_t move_count;
    size_t move_room;
    uint32_t acked; /* last mark */
};

void replay_start(struct replay *replay, const struct replay_log *log);
void replay_step(struct replay *replay); /* takes in the next entry */
void replay_end(struct replay *replay);

/* Which of the pending writes an image has. */
enum replay_choice {
    REPLAY_NOTHING = 0,
    REPLAY_EVERYTHING,
    REPLAY_SUBSET,
    REPLAY_SUBSET_2,
    REPLAY_SUBSET_3,
    REPLAY_LAST,
    REPLAY_TORN,   /* a subset, and of one part only some of its sectors */
    REPLAY_PREFIX, /* everything, and the first (choice - REPLAY_PREFIX + 1) × 8 bytes of the
                      synchronous write that comes next */
};

/* How many images there are at this place: choices 0 to this, those that would be the same as
 * another left out by replay_choice_counts. */
size_t replay_choices(const struct replay *replay);
bool replay_choice_counts(const struct replay *replay, size_t choice);

/* An image: names and contents. */
struct replay_image {
    struct replay_names names;
    struct replay_bytes contents[REPLAY_MAX_FILES];
};

void replay_build(const struct replay *replay, size_t choice, struct dice dice,
                  struct replay_image *image);
void replay_image_free(struct replay_image *image);

/* The file called `name` in the image, or -1. */
int replay_find(const struct replay_names *names, const char *name);

/* Writes what the image has at `prefix` (a directory of the record) below `dir`, which is made to
 * hold just that, but for files that mean nothing (lock, ballast, wake). */
void replay_put(const struct replay_image *image, const char *prefix, const char *dir);

#endif
