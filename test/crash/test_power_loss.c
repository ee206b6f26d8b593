/* REL-01, REL-02, REL-03, F-04, F-36: whatever the moment at which power fails, the store opens,
 * holds everything acknowledged, and holds nothing half.
 *
 * A workload (workload.c) runs under the recorder (record.c); from the log, images of the disk are
 * made for every place in it (replay.c), and each is opened and looked at as the server would
 * (examine.c). docs/crash-test.md tells the whole. */
#include "crash/agree.h"
#include "crash/place.h"
#include "crash/replay.h"
#include "support/check.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* A workload as it was recorded. */
struct recording {
    struct place place;
    struct replay_log log;
    struct ledger *ledger;
    const char *origins[REPLAY_MAX_FILES]; /* the name each file was made under */
    uint64_t *digests[REPLAY_MAX_FILES];   /* of its content after each of its commits */
    uint32_t commits[REPLAY_MAX_FILES];
    uint64_t seed;
    size_t images;     /* that there are */
    size_t wanted;     /* that are looked at, about */
    size_t dense_from; /* all images of the entries from here */
    size_t dense_to;   /* to here are looked at besides */
};

static const char *at(const struct recording *r, const char *name, char out[256])
{
    snprintf(out, 256, "%s/%s", r->place.path, name);
    return out;
}

/* --- recording --- */

static void spawn(char **arguments, char **environment)
{
    pid_t pid;
    int status = 0;
    assert_int_equal(posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environment), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void run_workload(struct recording *r, const char *name, unsigned rounds, const char *weaken)
{
    char rooms[8][300];
    char program[] = CRASH_WORKLOAD;
    char *arguments[8] = {program};
    char *environment[8] = {0};
    char path[256];
    snprintf(rooms[0], 300, "%s", name);
    snprintf(rooms[1], 300, "%llu", (unsigned long long)r->seed);
    snprintf(rooms[2], 300, "%u", rounds);
    snprintf(rooms[3], 300, "%s", at(r, "disk", path));
    snprintf(rooms[4], 300, "%s", at(r, "acks", path));
    snprintf(rooms[5], 300, "%s", at(r, "ledger", path));
    for (size_t i = 0; i < 6; i++) {
        arguments[i + 1] = rooms[i];
    }
    char preload[] = "LD_PRELOAD=" CRASH_RECORDER;
    char settings[4][320];
    snprintf(settings[0], 320, "ASSAY_RECORD_DIR=%s", rooms[3]);
    snprintf(settings[1], 320, "ASSAY_RECORD_LOG=%s", at(r, "log", path));
    snprintf(settings[2], 320, "ASSAY_RECORD_ACKS=%s", rooms[4]);
    snprintf(settings[3], 320, "ASSAY_RECORD_WEAKEN=%s", weaken == NULL ? "" : weaken);
    environment[0] = preload;
    for (size_t i = 0; i < 4; i++) {
        environment[i + 1] = settings[i];
    }
    assert_int_equal(mkdir(rooms[3], 0700), 0);
    spawn(arguments, environment);
}

/* --- calibration: without it nothing that follows means anything --- */

static bool is_same_file(const struct replay_bytes *bytes, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || (size_t)st.st_size != bytes->len) {
        return false;
    }
    uint8_t *real = malloc(bytes->len + 1);
    bool same = read(fd, real, bytes->len) == (ssize_t)bytes->len &&
                memcmp(real, bytes->data, bytes->len) == 0;
    free(real);
    close(fd);
    return same;
}

/* Replaying the whole log gives the files that are there, byte for byte. */
static void check_replay_is_true(struct recording *r, const struct replay *replay)
{
    static struct replay_image image;
    char path[512];
    size_t files = 0;
    replay_build(replay, REPLAY_EVERYTHING, dice_of(0, 0), &image);
    for (size_t i = 0; i < image.names.count; i++) {
        const struct replay_name *name = &image.names.names[i];
        snprintf(path, sizeof(path), "%s/disk/%s", r->place.path, name->name);
        if (name->file >= 0) {
            if (!is_same_file(&image.contents[name->file], path)) {
                print_error("%s is not what the log says\n", path);
                fail();
            }
            files++;
        } else {
            assert_int_equal(access(path, F_OK), 0);
        }
    }
    assert_true(files >= 2); /* data and witness, at least */
    replay_image_free(&image);
}

/* The log has as many marks as the client counted, in order. */
static void check_marks(struct recording *r)
{
    char path[256];
    struct stat st;
    uint32_t marks = 0;
    for (size_t i = 0; i < r->log.count; i++) {
        if (r->log.entries[i].head.kind == RECORD_ACK) {
            assert_int_equal(r->log.entries[i].head.number, marks + 1);
            marks++;
        }
    }
    assert_int_equal(stat(at(r, "acks", path), &st), 0);
    assert_int_equal(st.st_size, marks * sizeof(uint32_t));
    assert_int_equal(marks, r->ledger->acks);
    assert_true(marks > 0);
}

/* What is there after each commit, as the engine itself reads it. */
static void digest_commit(struct recording *r, const struct replay *replay, size_t file)
{
    static struct replay_image image;
    char path[256];
    struct agreement agreement;
    uint32_t commit = replay->files[file].commits;
    replay_build(replay, REPLAY_EVERYTHING, dice_of(0, 0), &image);
    image.names.count = 0;
    snprintf(image.names.names[0].name, sizeof(image.names.names[0].name), "d");
    image.names.names[0].file = -1;
    snprintf(image.names.names[1].name, sizeof(image.names.names[1].name), "d/data");
    image.names.names[1].file = (int)file;
    image.names.count = 2;
    replay_put(&image, "d", at(r, "commit", path));
    if (!agree_at(path, &agreement)) {
        print_error("commit %u of %s: %s\n", commit, r->origins[file], agreement.why);
        fail();
    }
    r->digests[file] = realloc(r->digests[file], (commit + 2) * sizeof(uint64_t));
    r->digests[file][commit] = agreement.digest;
    r->commits[file] = commit;
    replay_image_free(&image);
}

/* One pass over the log: digests, the number of images, and the end compared with the disk. */
static void survey(struct recording *r)
{
    static struct replay replay;
    replay_start(&replay, &r->log);
    for (;;) {
        size_t choices = replay_choices(&replay);
        for (size_t i = 0; i < choices; i++) {
            r->images += replay_choice_counts(&replay, i) ? 1 : 0;
        }
        if (replay.at == r->log.count) {
            break;
        }
        const struct replay_entry *entry = &r->log.entries[replay.at];
        if (entry->head.kind == RECORD_CREATE) {
            r->origins[replay.file_count] = entry->name;
        }
        replay_step(&replay);
        for (size_t i = 0; i < replay.file_count; i++) {
            if (replay.files[i].commits > r->commits[i]) {
                digest_commit(r, &replay, i);
            }
        }
    }
    check_replay_is_true(r, &replay);
    replay_end(&replay);
}

static void record(struct recording *r, const char *name, unsigned rounds, const char *weaken)
{
    char path[256];
    r->seed = place_seed();
    place_make(&r->place);
    run_workload(r, name, rounds, weaken);
    replay_log_load(&r->log, at(r, "log", path));
    r->ledger = ledger_load(at(r, "ledger", path));
    check_marks(r);
    survey(r);
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct recording));
    return *state == NULL;
}

/* Also after a failure: nothing is left behind, unless somebody wants to look at it. */
static int teardown(void **state)
{
    struct recording *r = *state;
    for (size_t i = 0; i < REPLAY_MAX_FILES; i++) {
        free(r->digests[i]);
    }
    replay_log_free(&r->log);
    free(r->ledger);
    if (place_setting("ASSAY_CRASH_KEEP", 0) != 0) {
        printf("kept: %s\n", r->place.path);
    } else if (r->place.path[0] != 0) {
        place_remove(&r->place);
    }
    free(r);
    return 0;
}

/* --- images --- */

static bool is_restored(const struct recording *r, int file)
{
    return strcmp(r->origins[file], "store/restore/data") == 0;
}

/* The last backup that was answered is whole. */
static enum verdict examine_copy(const struct recording *r, const struct replay *replay,
                                 struct replay_image *image, const char *dir, struct examination *e)
{
    uint32_t newest = 0;
    char name[32];
    for (uint32_t i = 0; i < r->ledger->copy_count; i++) {
        newest = r->ledger->copies[i].ack <= replay->acked ? i + 1 : newest;
    }
    if (newest == 0) {
        return VERDICT_GOOD;
    }
    snprintf(name, sizeof(name), "backup-%u", newest);
    int file = replay_find(&image->names, name);
    if (file < 0) {
        snprintf(e->why, sizeof(e->why), "a backup is missing");
        return VERDICT_LOST;
    }
    int original = 0;
    while (strcmp(r->origins[original], "store/data.new") != 0) {
        original++;
    }
    image->names.count = 2;
    snprintf(image->names.names[0].name, sizeof(image->names.names[0].name), "c");
    image->names.names[0].file = -1;
    snprintf(image->names.names[1].name, sizeof(image->names.names[1].name), "c/data");
    image->names.names[1].file = file;
    replay_put(image, "c", dir);
    *e = (struct examination){.ledger = r->ledger,
                              .dir = dir,
                              .acked = r->ledger->copies[newest - 1].holds,
                              .digests = r->digests[original],
                              .first_commit = 1,
                              .last_commit = r->commits[original],
                              .is_copy = true};
    return examine(e);
}

static enum verdict examine_choice(const struct recording *r, const struct replay *replay,
                                   size_t choice, size_t number, const char *dir,
                                   struct examination *e)
{
    static struct replay_image image;
    char store[300];
    char copy[300];
    snprintf(store, sizeof(store), "%s/store", dir);
    snprintf(copy, sizeof(copy), "%s/copy", dir);
    replay_build(replay, choice, dice_of(r->seed, number), &image);
    replay_put(&image, "store", store);
    int file = replay_find(&image.names, "store/data");
    *e = (struct examination){.ledger = r->ledger,
                              .dir = store,
                              .acked = replay->acked,
                              .absent_is_allowed = replay->acked < r->ledger->created};
    if (file >= 0) {
        const struct replay_entry *next = &r->log.entries[replay->at];
        bool ends = choice >= REPLAY_PREFIX && next->head.file == replay->files[file].inode;
        e->digests = r->digests[file];
        e->first_commit = replay->files[file].commits_durable;
        e->last_commit = replay->files[file].commits + (ends ? 1 : 0);
        e->first_commit = e->first_commit == 0 ? 1 : e->first_commit;
        e->is_restored = is_restored(r, file);
    }
    if (r->ledger->restored != 0 && replay->acked >= r->ledger->restored && !e->is_restored) {
        snprintf(e->why, sizeof(e->why), "a restore is undone");
        return VERDICT_LOST;
    }
    enum verdict verdict = examine(e);
    return verdict == VERDICT_GOOD ? examine_copy(r, replay, &image, copy, e) : verdict;
}

static bool is_picked(const struct recording *r, size_t entry, size_t number)
{
    struct dice dice = dice_of(r->seed + 1, number);
    return r->images <= r->wanted || (entry >= r->dense_from && entry < r->dense_to) ||
           dice_below(&dice, r->images) < r->wanted;
}

static void work(struct pool *pool, unsigned worker, unsigned workers, size_t from)
{
    const struct recording *r = pool->context;
    static struct replay replay;
    char name[32];
    char dir[256];
    size_t number = 0;
    snprintf(name, sizeof(name), "image-%u", worker);
    (void)mkdir(at(r, name, dir), 0700);
    replay_start(&replay, &r->log);
    for (;;) {
        size_t choices = replay_choices(&replay);
        for (size_t choice = 0; choice < choices; choice++) {
            if (!replay_choice_counts(&replay, choice)) {
                continue;
            }
            bool mine =
                number % workers == worker && number >= from && is_picked(r, replay.at, number);
            if (mine) {
                struct examination e;
                pool_begin(pool, worker, number);
                enum verdict verdict = examine_choice(r, &replay, choice, number, dir, &e);
                char why[280];
                snprintf(why, sizeof(why), "entry %zu, choice %zu, answer %u: %s", replay.at,
                         choice, replay.acked, e.why);
                pool_end(pool, number, verdict, why);
            }
            number++;
        }
        if (replay.at == r->log.count) {
            break;
        }
        replay_step(&replay);
    }
    replay_end(&replay);
}

/* Looks at the images; counts[v] of them got verdict v. */
static void examine_all(struct recording *r, size_t wanted, bool is_control, const char *name,
                        size_t counts[VERDICTS])
{
    struct pool pool = {.count = r->images,
                        .seconds = is_control ? 10 : 120,
                        .quiet = is_control,
                        .work = work,
                        .context = r};
    size_t told = 0;
    r->wanted = wanted;
    pool_run(&pool);
    memset(counts, 0, VERDICTS * sizeof(*counts));
    for (size_t i = 0; i < pool.count; i++) {
        const struct outcome *outcome = &pool.outcomes[i];
        counts[outcome->verdict]++;
        if (!is_control && outcome->verdict > VERDICT_GOOD && told++ < 10) {
            print_error("%s, image %zu: %s: %s\n", name, i,
                        verdict_name((enum verdict)outcome->verdict), outcome->why);
        }
    }
    pool_free(&pool);
    printf("%-10s %6zu log entries %6u answers %7zu images %6zu looked at:", name, r->log.count,
           r->ledger->acks, r->images, r->images - counts[VERDICT_NONE]);
    for (int i = 1; i < VERDICTS; i++) {
        if (counts[i] != 0) {
            printf(" %s %zu", verdict_name((enum verdict)i), counts[i]);
        }
    }
    printf("\n");
    fflush(stdout);
}

/* --- the tests --- */

/* Which part of the log is looked at without gaps. */
enum dense { DENSE_NOWHERE, DENSE_START, DENSE_END };

static void survives(void **state, const char *name, enum dense dense)
{
    struct recording *r = *state;
    size_t counts[VERDICTS];
    size_t all = (size_t)place_setting("ASSAY_CRASH_IMAGES", place_is_deep() ? 20000 : 3000);
    unsigned rounds = place_is_deep() ? 300 : 60;
    record(r, name, (unsigned)place_setting("ASSAY_CRASH_ROUNDS", rounds), NULL);
    r->dense_from = dense == DENSE_END && r->log.count > 20 ? r->log.count - 20 : 0;
    r->dense_to = dense == DENSE_END ? SIZE_MAX : dense == DENSE_START ? 20 : 0;
    examine_all(r, all / 9, false, name, counts);
    size_t looked_at = r->images - counts[VERDICT_NONE];
    assert_true(looked_at > 0);
    assert_int_equal(counts[VERDICT_GOOD], looked_at);
}

/* F-36, REL-01: a creation that ends half way leaves no store or a whole one, and can be repeated;
 * one that was answered is there. */
static void no_loss_of_power_leaves_half_a_store(void **state)
{
    survives(state, "create", DENSE_START);
}

/* REL-01, REL-02 */
static void no_loss_of_power_takes_an_issued_token(void **state)
{
    survives(state, "issue", DENSE_NOWHERE);
}

/* REL-01, REL-03, P-7009-2: on the disk before it is answered. */
static void no_loss_of_power_revives_a_revoked_token(void **state)
{
    survives(state, "revoke", DENSE_NOWHERE);
}

/* REL-02: a rotation is there wholly or not at all, and repeating it gives the same successor. */
static void no_loss_of_power_splits_a_rotation(void **state)
{
    survives(state, "refresh", DENSE_NOWHERE);
}

/* REL-03, P-7009-3: what a sweep takes has expired, and the cutoffs of the living stay. */
static void no_loss_of_power_leaves_half_a_sweep(void **state)
{
    survives(state, "sweep", DENSE_NOWHERE);
}

/* REL-01: nor does one find a file that is shorter than it says: pages that were counted and given
 * back in one commit. */
static void no_loss_of_power_leaves_a_file_cut_short(void **state)
{
    survives(state, "drain", DENSE_NOWHERE);
}

/* REL-01: a sealing key is there before anything is sealed with it. */
static void no_loss_of_power_takes_a_sealing_key(void **state)
{
    survives(state, "keys", DENSE_NOWHERE);
}

/* REL-01: a backup that was answered is whole, and the store goes on under it. */
static void no_loss_of_power_takes_a_backup(void **state)
{
    survives(state, "copy", DENSE_NOWHERE);
}

/* REL-03: a restore is done or not begun, and once answered its end of everything stands. */
static void no_loss_of_power_undoes_a_restore(void **state)
{
    survives(state, "restore", DENSE_END);
}

/* The control of the whole: an engine that does not flush the page that ends a commit must be seen
 * to forget answers. */
static void an_engine_that_does_not_flush_its_meta_page_is_found_out(void **state)
{
    size_t counts[VERDICTS];
    record(*state, "revoke", 30, "nometasync");
    examine_all(*state, 400, true, "nometasync", counts);
    assert_true(counts[VERDICT_LOST] > 0);
}

/* The other control: one that flushes nothing must be seen to be damaged. */
static void an_engine_that_flushes_nothing_is_found_out(void **state)
{
    size_t counts[VERDICTS];
    record(*state, "revoke", 30, "nosync");
    examine_all(*state, 400, true, "nosync", counts);
    assert_true(counts[VERDICT_LOST] > 0);
    assert_true(counts[VERDICT_REFUSED] + counts[VERDICT_DISAGREES] + counts[VERDICT_CRASH] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(no_loss_of_power_leaves_half_a_store),
        TEST(no_loss_of_power_takes_an_issued_token),
        TEST(no_loss_of_power_revives_a_revoked_token),
        TEST(no_loss_of_power_splits_a_rotation),
        TEST(no_loss_of_power_leaves_half_a_sweep),
        TEST(no_loss_of_power_leaves_a_file_cut_short),
        TEST(no_loss_of_power_takes_a_sealing_key),
        TEST(no_loss_of_power_takes_a_backup),
        TEST(no_loss_of_power_undoes_a_restore),
        TEST(an_engine_that_does_not_flush_its_meta_page_is_found_out),
        TEST(an_engine_that_flushes_nothing_is_found_out),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
