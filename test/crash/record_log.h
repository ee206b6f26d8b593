/* What the recorder (record.c) writes and the replayer (replay.c) reads: in order, every change of
 * the files below one directory, and the marks at which a client had its answer. Each entry is this
 * struct, then `len` bytes of data, then `name_len` and `to_len` bytes of paths relative to that
 * directory. */
#ifndef ASSAY_TEST_CRASH_RECORD_LOG_H
#define ASSAY_TEST_CRASH_RECORD_LOG_H

#include <stdint.h>

enum record_kind {
    RECORD_WRITE = 1,   /* data at offset; lost with the power until the next RECORD_SYNC */
    RECORD_DSYNC_WRITE, /* data at offset through O_DSYNC: on the disk when it returned */
    RECORD_SYNC,        /* fsync or fdatasync of a file has returned */
    RECORD_TRUNCATE,    /* offset is the new length */
    RECORD_CREATE,      /* name is a new file */
    RECORD_RENAME,      /* name becomes `to` */
    RECORD_UNLINK,
    RECORD_MKDIR,
    RECORD_RMDIR,
    RECORD_SYNC_DIR, /* fsync of the directory `name` has returned */
    RECORD_ACK,      /* the client has answer `number` */
    RECORD_UNKNOWN,  /* a way to change a file that the replayer does not follow: `name` says it */
};

struct record_entry {
    uint32_t kind;
    uint32_t number;
    uint64_t file; /* inode */
    int64_t offset;
    uint64_t len;
    uint32_t name_len;
    uint32_t to_len;
};

#endif
