/* One store, open here and in another process, for tests of what happens when the world fails: the
 * faults strike here, the other process tells what everybody else sees. */
#ifndef ASSAY_TEST_STORE_TWO_H
#define ASSAY_TEST_STORE_TWO_H

#include "record/change.h"
#include "store/lmdb/lmdb_store.h"
#include "support/test_loop.h"

#include <stdbool.h>
#include <sys/types.h>

#define TWO_NOW 1000000

/* What a look-up said. */
enum sight { SEEN_LIVE, SEEN_DEAD, SEEN_NOTHING, SEEN_TROUBLE };

struct handle {
    struct assay_address address;
    struct assay_token_id id;
};

struct two {
    char path[64];
    struct assay_lmdb_options options;
    struct test_loop loop;
    struct assay_store *store;
    pid_t other; /* 0: none */
    int line;    /* to it */
    bool waiting;
    enum assay_status status; /* of the last change */
    const char *what;         /* and why it failed */
    char log[4096];           /* event words, one a line, of this process */
    struct assay_log log_sink;
};

/* A store in a temporary place with a client "robot", open here and, if asked for, in another
 * process. `adjust` may change fx->options before it is opened. */
struct two *two_open(bool other, void (*adjust)(struct two *fx));
void two_close(struct two *fx);

/* Closes and opens it here. */
void two_reopen(struct two *fx);
void two_shut(struct two *fx);
enum assay_status two_start(struct two *fx, struct assay_error *reterr);

/* Changes, carried out here: the status. They fail the test when no answer comes in 20 seconds. */
enum assay_status two_change(struct two *fx, struct assay_change *change);
enum assay_status two_issue(struct two *fx, struct handle *ret);
/* With so many bytes of extra claims. */
enum assay_status two_issue_large(struct two *fx, size_t bytes, struct handle *ret);
enum assay_status two_revoke(struct two *fx, const struct handle *token);

/* Looks, here and in the other process. */
enum sight two_look(struct two *fx, const struct handle *token);
enum sight two_other_look(struct two *fx, const struct handle *token);
/* Revokes there: the status, or TWO_DIED when the process ended over it. */
enum assay_status two_other_revoke(struct two *fx, const struct handle *token);
#define TWO_DIED 100

/* Starts another process; the one before must have ended. */
void two_other_start(struct two *fx);
/* Arms a fault there, in place of the one before; in a process anew if that one has killed it. */
void two_other_arm(struct two *fx, const char *spec);
/* Kills it inside a look-up. */
void two_other_die_reading(struct two *fx, const struct handle *token);
/* The two halves of two_other_revoke. */
void two_other_begin_revoke(struct two *fx, const struct handle *token);
enum assay_status two_other_end_revoke(struct two *fx);

/* Is `word` among the reasons of `stat`? Fails the test when the store cannot be asked. */
bool two_has_reason(struct two *fx, const char *word);
struct assay_store_stat two_stat(struct two *fx);

/* Turns the loop until `condition` holds; fails the test when it does not in 20 seconds. */
void two_wait(struct two *fx, bool (*condition)(struct two *fx));

/* Bytes of a file beside the data; -1 when there is none. */
long two_file_size(const struct two *fx, const char *name);
void two_file_path(const struct two *fx, const char *name, char room[128]);

#endif
