/* What the files of the embedded engine share. */
#ifndef ASSAY_STORE_LMDB_LMDB_PRIV_H
#define ASSAY_STORE_LMDB_LMDB_PRIV_H

#include "crypto/digest.h"
#include "record/header_record.h"
#include "record/key_record.h"
#include "store/lmdb/lmdb_schema.h"
#include "store/lmdb/lmdb_store.h"
#include "store/lmdb/lmdb_tree.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LMDB_MAX_BATCH 256   /* changes of one commit */
#define LMDB_MAX_QUEUE 65536 /* changes waiting */
#define LMDB_BALLAST (UINT64_C(1) << 20)
#define LMDB_CLIENT_SLOTS 64
#define LMDB_SWEEP_EVERY_MS 2000
#define LMDB_LOOK_EVERY_MS 1000 /* room, files, witness */

/* The sealing keys as one thread uses them, and which state of the store they are of. */
struct lmdb_ring {
    struct assay_seal_ring ring;
    uint64_t keys_seq;
};

/* A client as it was read last, so that a busy caller's record is parsed once. */
struct lmdb_client_slot {
    uint8_t *bytes; /* id, then record; owned */
    size_t id_len;
    uint64_t clients_seq; /* of the snapshot it was read in */
    struct assay_client_record record;
};

/* What is told about trouble, by the writer, read by whoever asks for `stat`. */
struct lmdb_trouble {
    atomic_bool full;
    atomic_bool io;
    atomic_bool replaced; /* files of the store are gone or others */
    atomic_bool gone;     /* and the data among them: nothing here may be believed */
    atomic_bool corrupt;
    atomic_bool write_blocked;
};

/* The writer's queue. A change is in one place at a time; every move is made under `lock`. */
struct lmdb_queue {
    pthread_mutex_t lock;
    pthread_cond_t wake; /* for the writer: work, or the end; CLOCK_MONOTONIC */
    struct assay_store_change *waiting;
    struct assay_store_change **waiting_tail;
    size_t waiting_count;
    struct assay_store_change *answered; /* for the loop to call done() */
    struct assay_store_change **answered_tail;
    bool stopping;
    bool reopen; /* the writer asks the loop to reopen the environment, and waits */
    bool left;   /* the loop has gone without the writer: no operation may be touched any more */
    bool ended;  /* the writer has */
    pthread_cond_t end;
    pthread_cond_t reopened;
};

/* The header as the loop's thread read it last. */
struct lmdb_header_cache {
    bool known;
    uint8_t bytes[ASSAY_HEADER_LEN];
    struct assay_header_record header;
};

/* A token tree as some snapshot had it. */
struct lmdb_kept_tree {
    uint64_t snapshot; /* which; 0: none */
    struct lmdb_tree tree;
};

/* Look-ups, linked by their `engine`. */
struct lmdb_find_list {
    struct assay_store_find *first;
    struct assay_store_find *last;
};

/* The look-ups of the loop's thread. */
struct lmdb_finds {
    struct lmdb_find_list waiting;   /* for the end of this turn of the loop */
    struct lmdb_find_list answering; /* from the snapshot that is open */
    struct assay_task task;
    bool task_set;
    uint64_t snapshot;                   /* counts them */
    struct lmdb_ahead ahead[LMDB_AHEAD]; /* of the next to be answered */
    size_t ahead_count;
    struct lmdb_kept_tree trees[ASSAY_LIFETIME_CLASSES];
};

/* Which files this process has open, and its lock on the data that says so to others. */
struct lmdb_presence {
    int fd; /* of the data, -1 while there is none; holds the lock */
    uint64_t device;
    uint64_t data_inode;
    uint64_t lock_inode;
};

struct lmdb_store {
    struct assay_store base; /* first */
    char *path;              /* of the directory; owned */
    int dir_fd;
    struct lmdb_presence presence;
    uint64_t max_size;
    uint64_t map_size;
    bool read_only;
    bool sweep;
    struct assay_loop *loop;
    struct assay_log *log;
    struct assay_store_meter *meter;
    int64_t (*clock)(void *context);
    void *clock_context;

    MDB_env *env;
    struct lmdb_dbis dbis;
    uint8_t log_id[ASSAY_LOG_ID_LEN]; /* whose numbers these are; set once the store is open */
    bool log_known;

    /* of the loop's thread */
    MDB_txn *reader; /* of look-ups; reset between them */
    MDB_txn *lister; /* of listings, which may be asked for while a look-up is answered */
    struct lmdb_pages pages;
    struct lmdb_finds finds;
    struct lmdb_header_cache header_cache;
    struct lmdb_ring reader_ring;
    struct lmdb_client_slot callers[LMDB_CLIENT_SLOTS]; /* who asks */
    struct lmdb_client_slot owners[LMDB_CLIENT_SLOTS];  /* whose tokens are asked about */
    struct assay_watch watch;                           /* of the eventfd */
    struct assay_timer timer;                           /* abandons what waits too long */
    bool timer_set;
    size_t under_way; /* changes submitted and not answered */

    /* of the writer's thread */
    pthread_t thread;
    bool thread_runs;
    struct lmdb_ring writer_ring;
    struct assay_digester *digester;
    int wake_fd;
    bool warm; /* there is more to look at beforehand */
    uint64_t warmed_pages;
    int64_t witness_ms; /* when it was written last, CLOCK_MONOTONIC */
    int64_t last_sweep_ms;
    bool sweep_more; /* the last one left something to remove */
    /* Where a tree goes on behind what a sweep must step over (the last one is the event log). */
    uint64_t step_over[ASSAY_LIFETIME_CLASSES + 1];
    int64_t stepped_ms; /* since when */
    bool witness_due;   /* a commit of ours is newer than the witness, or there may be none */
    bool witness_failed;
    uint64_t free_pages; /* at the last look */
    int64_t free_pages_us;
    int64_t free_pages_cost_us; /* what that look took */
    bool poisoned;              /* the environment must be opened anew */

    struct lmdb_queue queue;
    int event_fd;
    struct lmdb_trouble trouble;
};

/* A write transaction and the header it works on. */
struct lmdb_write {
    struct lmdb_store *store;
    MDB_txn *txn;
    struct assay_header_record header;
    bool dirty;     /* something was written */
    size_t changes; /* that wrote something */
};

/* lmdb_env.c */

ASSAY_MUST_USE enum assay_status lmdb_fail(int rc, const char *what, struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_env_open(struct lmdb_store *store, unsigned flags,
                                               struct assay_error *reterr);
void lmdb_env_close(struct lmdb_store *store);
ASSAY_MUST_USE enum assay_status lmdb_read_header(struct lmdb_store *store, MDB_txn *txn,
                                                  struct assay_header_record *ret,
                                                  struct assay_error *reterr);
/* The same in a write transaction, of the state that it works on. */
ASSAY_MUST_USE enum assay_status lmdb_read_header_to_write(struct lmdb_store *store, MDB_txn *txn,
                                                           struct assay_header_record *ret,
                                                           struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_ring_refresh(struct lmdb_store *store, MDB_txn *txn,
                                                   uint64_t keys_seq, struct lmdb_ring *ring,
                                                   struct assay_error *reterr);
void lmdb_ring_clear(struct lmdb_ring *ring);
#define LMDB_TREE_NAME_SIZE 4
/* The name of the tree of a lifetime class, spelled into `room`. */
struct assay_slice lmdb_tree_name(unsigned lifetime_class, char room[LMDB_TREE_NAME_SIZE]);
/* Which database is called so: an enum lmdb_db, or LMDB_DBS and a lifetime class. */
bool lmdb_db_named(struct assay_slice name, size_t *ret_db, bool *ret_by_number);

/* lmdb_find.c */

void lmdb_find_init(struct lmdb_store *store);
/* Refuses what still waits, and forgets the clients. */
void lmdb_find_stop(struct lmdb_store *store);
/* Forgets what the loop's thread keeps of clients. */
void lmdb_clients_forget(struct lmdb_store *store);
void lmdb_find_submit(struct assay_store *base, struct assay_store_find *find);
void lmdb_find_cancel(struct assay_store *base, struct assay_store_find *find);
/* The map is about to go: nothing may lead into it any more. */
void lmdb_find_forget(struct lmdb_store *store);

/* lmdb_warm.c: looks at a stretch of the map beforehand; false when there is no more. */
bool lmdb_warm_some(struct lmdb_store *store);

/* lmdb_verify.c: what is looked at before a store is believed */

/* Walks what decides over life and death, with the environment open and no database. CORRUPT when
 * anything of it is damaged or missing, or is not the newest state. */
ASSAY_MUST_USE enum assay_status lmdb_verify(struct lmdb_store *store, struct assay_error *reterr);
/* Is every page that the data file speaks of and does not have a free one? LMDB counts pages that
 * it takes and gives back in one transaction, and never writes them. */
ASSAY_MUST_USE bool lmdb_missing_are_free(int fd);
/* The databases whose entries the header counts, and what one adds to the digest. */
bool lmdb_is_vital(enum lmdb_db db);
uint64_t lmdb_vital_part(enum lmdb_db db, struct assay_slice key, struct assay_slice value);
/* Did the commit `txn` write this header, or one after it? */
bool lmdb_is_snapshot(const struct assay_header_record *header, uint64_t txn);

/* lmdb_files.c: the files beside the data */

/* Fills the descriptors 0, 1 and 2 where they are closed: what somebody prints shall never end up
 * in a file of the store. Before each opening, since a host may close some meanwhile. */
void lmdb_spare_standard_descriptors(void);

ASSAY_MUST_USE enum assay_status lmdb_dir_open(const char *path, int *ret_fd,
                                               struct assay_error *reterr);
/* The same, made (0700) if it is missing, and then on the disk before anything in it is. */
ASSAY_MUST_USE enum assay_status lmdb_dir_make(const char *path, int *ret_fd,
                                               struct assay_error *reterr);
/* The name of the file `path` is on the disk: flushes the directory that holds it. */
ASSAY_MUST_USE bool lmdb_sync_parent(const char *path);
ASSAY_MUST_USE enum assay_status lmdb_data_check(int dir_fd, const char *name,
                                                 struct assay_error *reterr);
/* Is there nothing in the directory but files of ours, left by a creation that did not end? (And
 * lost+found: a store may have a file system of its own.) */
bool lmdb_dir_is_ours(int dir_fd);
/* The number below all that a store begun or restored at `now_s` gives: seconds × 2^24. */
uint64_t lmdb_seq_floor(int64_t now_s);
/* Bytes that the data file `fd` must have, as its newest first page says; false when that is none.
 */
bool lmdb_data_size(int fd, off_t *ret_size);
/* Lengthens the data file to `size` when it is shorter. */
void lmdb_data_keep_whole(int fd, uint64_t size, uint64_t page_size);
/* A file of the directory, made (0600, of the directory's owner) if `flags` say so. -1 with errno.
 */
int lmdb_file_open(int dir_fd, const char *name, int flags);
/* Every file here belongs to the directory's owner, also when root made it. */
void lmdb_own_file(int dir_fd, const char *name);
/* Identity and number in the witness; false when there is none that can be read. Read it before the
 * header it is held against: commits go on meanwhile. */
bool lmdb_witness_read(int dir_fd, struct assay_header_record *ret);
ASSAY_MUST_USE enum assay_status lmdb_witness_check(const struct assay_header_record *witness,
                                                    const struct assay_header_record *header,
                                                    struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_witness_write(int dir_fd,
                                                    const struct assay_header_record *header,
                                                    struct assay_error *reterr);
/* Writes the newest header of the store to the witness. The writers of all processes take turns
 * (false: another one is at it, or it failed), so that the witness never goes back. */
bool lmdb_witness_renew(struct lmdb_store *store);

/* lmdb_presence.c: who has the store open */

/* Before the environment is opened: this process shows itself on the data file, and finds the lock
 * file that others use still in its place. Somebody who is just opening or closing it is waited
 * for, for `wait_ms` at most. */
ASSAY_MUST_USE enum assay_status lmdb_presence_join(struct lmdb_store *store, int64_t wait_ms,
                                                    struct assay_error *reterr);
/* Once it is open: remembers the files, and lets others in. */
ASSAY_MUST_USE enum assay_status lmdb_presence_settle(struct lmdb_store *store,
                                                      struct assay_error *reterr);
void lmdb_presence_leave(struct lmdb_store *store);
/* Sets trouble.replaced, and trouble.gone when the data is another's, as the files are now. */
void lmdb_presence_look(struct lmdb_store *store);
/* True when no process has the store of the directory open; none opens it then until `*ret_fd` is
 * closed (-1: there is no store yet). */
bool lmdb_presence_claim(int dir_fd, int *ret_fd);

/* lmdb_room.c: what may still be written */

struct lmdb_room {
    bool issue;  /* there is room for new tokens */
    bool revoke; /* there is room for cutoffs */
};

/* Looks at the store's size and at the disk; gives the ballast up or builds it, as fits. */
struct lmdb_room lmdb_room_look(struct lmdb_store *store);
/* Is there too little left for a commit? */
bool lmdb_disk_is_full(const struct lmdb_store *store);
void lmdb_ballast_release(int dir_fd);

/* lmdb_read.c: what reads share; all work in any transaction */

/* The value of `key` in `db`: ASSAY_OK, ASSAY_ERR_ABSENT, or trouble. */
ASSAY_MUST_USE enum assay_status lmdb_get(MDB_txn *txn, MDB_dbi db, struct assay_slice key,
                                          struct assay_slice *ret, struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_get_number(MDB_txn *txn, MDB_dbi db, uint64_t number,
                                                 struct assay_slice *ret,
                                                 struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_get_token(struct lmdb_store *store, MDB_txn *txn,
                                                struct assay_token_id id,
                                                struct assay_token_record *ret,
                                                struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_get_client(struct lmdb_store *store, MDB_txn *txn,
                                                 struct assay_slice client_id,
                                                 struct assay_client_record *ret,
                                                 struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_get_cutoff(struct lmdb_store *store, MDB_txn *txn,
                                                 enum assay_cutoff_kind kind, struct assay_slice id,
                                                 struct assay_cutoff *ret,
                                                 struct assay_error *reterr);
/* The newest cutoff at or above the number of `token`, if any: *ret_cut. */
ASSAY_MUST_USE enum assay_status lmdb_find_cutoff(struct lmdb_store *store, MDB_txn *txn,
                                                  const struct assay_header_record *header,
                                                  const struct assay_token_record *token,
                                                  bool *ret_cut, struct assay_cutoff *ret,
                                                  struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_list_run(struct lmdb_store *store, struct assay_query *query,
                                               struct assay_error *reterr);

/* Pages kept for reuse. */
uint64_t lmdb_free_pages(MDB_txn *txn);

/* lmdb_change.c, lmdb_rotate.c, lmdb_client.c: one verb each, inside `w`. Trouble ends the whole
 * batch. */

ASSAY_MUST_USE enum assay_status lmdb_change_run(struct lmdb_write *w, struct assay_change *change,
                                                 struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_rotate_run(struct lmdb_write *w, struct assay_change *change,
                                                 struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_client_run(struct lmdb_write *w, struct assay_change *change,
                                                 struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_sweep_run(struct lmdb_write *w, struct assay_change *change,
                                                struct assay_error *reterr);

/* lmdb_audience.c: the resource servers of an audience */

/* Keeps the index when the record of a client changes from `before` to `after` (NULL: there is
 * none). Before the record itself is written, on whose page `before` lies. */
ASSAY_MUST_USE enum assay_status lmdb_index_audiences(struct lmdb_write *w,
                                                      struct assay_slice client_id,
                                                      const struct assay_client_record *before,
                                                      const struct assay_client_record *after,
                                                      struct assay_error *reterr);
/* Narrows the scope of `record`, an access token that `change` is to make (record/narrowing.h),
 * before anything is written. *ret_any is false, the outcome ASSAY_REFUSED_SCOPE, and `record` as
 * it was when nothing remains. */
ASSAY_MUST_USE enum assay_status lmdb_narrow_scope(struct lmdb_write *w,
                                                   struct assay_change *change,
                                                   struct assay_token_record *record, bool *ret_any,
                                                   struct assay_error *reterr);

/* What verbs are made of. */
ASSAY_MUST_USE enum assay_status lmdb_next_seq(struct lmdb_write *w, uint64_t *ret,
                                               struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_put(struct lmdb_write *w, enum lmdb_db db,
                                          struct assay_slice key, struct assay_slice value,
                                          struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_put_number(struct lmdb_write *w, MDB_dbi db, uint64_t number,
                                                 struct assay_slice value, unsigned flags,
                                                 struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_delete(struct lmdb_write *w, enum lmdb_db db,
                                             struct assay_slice key, struct assay_error *reterr);
/* Gives a draft its class, number and address. */
ASSAY_MUST_USE enum assay_status
lmdb_place_draft(struct lmdb_write *w, struct assay_token_draft *draft, struct assay_error *reterr);
/* Places, spells and stores a draft; the secret is the draft's. */
ASSAY_MUST_USE enum assay_status lmdb_put_draft(struct lmdb_write *w, struct assay_slice prefix,
                                                struct assay_token_draft *draft,
                                                struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_put_token(struct lmdb_write *w,
                                                const struct assay_token_record *record,
                                                unsigned flags, struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_put_end(struct lmdb_write *w, int64_t until_s,
                                              enum assay_end_kind kind, struct assay_slice detail,
                                              struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_put_cutoff(struct lmdb_write *w,
                                                 const struct assay_change *change,
                                                 enum assay_cutoff_kind kind, struct assay_slice id,
                                                 int64_t keep_until_s, uint64_t *ret_seq,
                                                 struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status lmdb_put_grant(struct lmdb_write *w,
                                                const struct assay_grant_record *grant,
                                                struct assay_error *reterr);
/* Until when a cutoff of a kind that concerns many tokens must be kept. */
int64_t lmdb_keep_until(const struct lmdb_write *w, int64_t now_s);

/* lmdb_commit.c: one write transaction */

/* Opens it and reads what every change needs. Not 0: LMDB's code. */
int lmdb_write_begin(struct lmdb_store *store, struct lmdb_write *w, struct assay_error *error);
/* Puts the header and commits. Tells of a failing disk by itself. */
enum assay_status lmdb_write_commit(struct lmdb_write *w, struct assay_error *error);
/* Before anything is written: the files are still those that were opened, and there is an
 * environment that works. */
void lmdb_see_to_environment(struct lmdb_store *store);

/* lmdb_queue.c: between the loop's thread and the writer's */

/* Changes of one commit. */
struct lmdb_batch {
    struct assay_store_change *ops[LMDB_MAX_BATCH];
    size_t count;
};

void lmdb_queue_init(struct lmdb_queue *queue);

/* The loop's side. */

void lmdb_queue_submit(struct assay_store *base, struct assay_store_change *op);
bool lmdb_queue_cancel(struct assay_store *base, struct assay_store_change *op);
/* Calls done() for what the writer has answered. */
void lmdb_queue_deliver(struct assay_watch *watch);
/* Abandons what has waited for longer than the limit. */
void lmdb_queue_abandon_late(struct assay_timer *timer);
void lmdb_queue_clear_timer(struct lmdb_store *store);
/* Refuses what still waits, once the writer is gone. */
void lmdb_queue_refuse(struct lmdb_queue *queue);

/* The writer's side. */

/* Takes what waits. Called with the write transaction open, so that whatever waits for the write
 * lock can still be abandoned. */
void lmdb_queue_take(struct lmdb_queue *queue, struct lmdb_batch *batch);
void lmdb_queue_answer(struct lmdb_store *store, struct lmdb_batch *batch);
/* Asks the loop to close and open the environment, and waits until it has: after a failed write of
 * the meta page, LMDB lets nothing through until that is done. It may fail; then it is asked again
 * later. */
void lmdb_ask_to_reopen(struct lmdb_store *store);

/* lmdb_writer.c: the thread that commits */

ASSAY_MUST_USE enum assay_status lmdb_writer_start(struct lmdb_store *store,
                                                   struct assay_error *reterr);
/* Answers what is queued and ends the writer. False when it cannot be ended, because a stopped
 * process holds the write lock or the disk does not answer: then what waits has been refused, and
 * `store` must be left as it is, in memory. */
bool lmdb_writer_stop(struct lmdb_store *store);

/* lmdb_upkeep.c: what the writer does beside changes */

void lmdb_sweep_once(struct lmdb_store *store);
/* Renews the witness if it is due: at most once a second, or `now`. */
void lmdb_keep_witness(struct lmdb_store *store, bool now);
/* A record of the store fails its check: told once, and shown from then on. */
void lmdb_note_corrupt(struct lmdb_store *store, const char *what);

/* CLOCK_MONOTONIC, milliseconds. */
int64_t lmdb_now_ms(void);
void lmdb_log(struct lmdb_store *store, enum assay_log_level level, const char *event,
              const char *detail);

static inline MDB_val lmdb_val(struct assay_slice s)
{
    /* LMDB does not write through what it is given, but says so in no type. */
    union {
        const uint8_t *in;
        void *out;
    } data = {.in = s.data};
    return (MDB_val){.mv_size = s.len, .mv_data = data.out};
}

#endif
