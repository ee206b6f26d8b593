/* F-28, REL-04: whatever bit of the data file is wrong, no token that is dead is called alive, no
 * answer takes for ever, and what cannot be read is said to be so. Section 5.3: a store of known
 * content, a copy of it damaged in one place, and every question asked of the copy.
 *
 * F-29 and F-30, whole pages, are tried with the same questions. */
#include "base/secret.h"
#include "crash/agree.h"
#include "crash/ledger.h"
#include "crash/place.h"
#include "support/check.h"
#include "support/test_loop.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define PAGE 4096
#define META_BITS (152 * 8) /* in use of each of the first two pages */

/* What came of one damage, the mildest first; the worst of all questions counts. */
enum grade {
    GRADE_NONE = 0,
    GRADE_UNCHANGED,   /* every answer as before */
    GRADE_REFUSED,     /* the store does not open */
    GRADE_ERROR,       /* some answer is that there is none: a 503 */
    GRADE_LOST_TOKEN,  /* a living token is called dead */
    GRADE_LOST_CUTOFF, /* a cutoff is not found, though all it ends is dead for some other reason */
    GRADE_WRONG,       /* a dead token is called alive, or a living one is not as it was given */
    GRADE_CRASH,
    GRADE_HANG,
};
#define GRADES 9

static const char *const grade_names[GRADES] = {"none",         "unchanged",  "refused",
                                                "503",          "lost token", "lost cutoff",
                                                "wrong active", "crash",      "hang"};

enum manner {
    MANNER_BIT,
    MANNER_BYTE,
    MANNER_ZERO_PAGE,
    MANNER_NEIGHBOUR,
    MANNER_OLDER,
    MANNER_META,     /* one of the first two pages zeroed */
    MANNER_META_BIT, /* one bit of what LMDB keeps there, each in turn */
};

struct sample {
    struct place place;
    struct ledger *ledger;
    uint8_t *data;
    size_t len;
    uint8_t *older;
    size_t older_len;
    uint8_t *witness;
    size_t witness_len;
    uint64_t *prints; /* of each token's record, as it is read undamaged */
    struct assay_header_record header;
    uint64_t seed;
    enum manner manner;
};

/* --- the store of known content --- */

static uint8_t *slurp(const char *path, size_t *ret_len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *ret_len = (size_t)st.st_size;
    return bytes;
}

static void run_workload(const struct sample *s)
{
    char program[] = CRASH_WORKLOAD;
    char name[] = "damage";
    char rounds[] = "200";
    char rooms[4][300];
    char *arguments[] = {program, name, rooms[0], rounds, rooms[1], rooms[2], rooms[3], NULL};
    pid_t pid;
    int status = 0;
    snprintf(rooms[0], 300, "%llu", (unsigned long long)s->seed);
    snprintf(rooms[1], 300, "%s/disk", s->place.path);
    snprintf(rooms[2], 300, "%s/acks", s->place.path);
    snprintf(rooms[3], 300, "%s/ledger", s->place.path);
    assert_int_equal(mkdir(rooms[1], 0700), 0);
    assert_int_equal(posix_spawn(&pid, program, NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* --- questions --- */

struct asking {
    const struct sample *sample;
    struct test_loop loop;
    struct assay_store *store;
    struct assay_digester *digester;
    enum grade grade;
    uint64_t wrong_at; /* the token or cutoff of it */
};

static void worsen(struct asking *a, enum grade grade, uint64_t at)
{
    if (grade > a->grade) {
        a->grade = grade;
        a->wrong_at = at;
    }
}

struct answer {
    bool answered;
    enum assay_status status;
    bool alive;
    uint64_t print;
    const struct ledger_token *token;
    struct asking *asking;
};

static uint64_t mix(uint64_t hash, struct assay_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.data[i]) * UINT64_C(0x100000001B3);
    }
    return (hash ^ bytes.len) * UINT64_C(0x100000001B3);
}

/* Everything that an answer says of a token. */
static uint64_t print_of(const struct assay_token_record *t)
{
    const int64_t numbers[] = {(int64_t)t->kind, t->issued_at_s, t->expires_at_s,
                               t->not_before_s,  t->auth_time_s, (int64_t)t->grant};
    const struct assay_slice texts[] = {
        t->client_id, t->subject, t->username, t->scope,        t->audience,
        t->session,   t->extra,   t->acr,      t->confirmation, t->authorization_details};
    uint64_t hash = mix(1, assay_slice_of(numbers, sizeof(numbers)));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        hash = mix(hash, texts[i]);
    }
    return hash;
}

static void looked(struct assay_store_find *find)
{
    struct answer *answer = find->context;
    const struct ledger_token *token = answer->token;
    struct assay_error error;
    uint8_t hash[ASSAY_SHA256_LEN];
    answer->answered = true;
    answer->status = find->status;
    if (find->status != ASSAY_OK || find->lookup->token == NULL) {
        return;
    }
    answer->print = print_of(find->lookup->token);
    answer->alive =
        assay_lookup_judge(find->lookup, answer->asking->sample->ledger->now_s) == ASSAY_LIVE &&
        assay_sha256(answer->asking->digester, assay_slice_of(token->text, token->text_len), hash,
                     &error) == ASSAY_OK &&
        assay_secret_equal(assay_slice_of(hash, sizeof(hash)),
                           assay_slice_of(find->lookup->token->text_sha256, sizeof(hash)));
}

static struct answer ask(struct asking *a, const struct ledger_token *token)
{
    struct answer answer = {.token = token, .asking = a};
    struct assay_lookup lookup = {.want_token = true, .address = token->address};
    struct assay_store_find find = {.lookup = &lookup, .done = looked, .context = &answer};
    lookup.caller_id = ledger_client_id(0);
    a->store->ops->find(a->store, &find);
    while (!answer.answered) {
        test_loop_run_task(&a->loop);
    }
    return answer;
}

static void ask_for_token(struct asking *a, uint32_t i)
{
    const struct sample *s = a->sample;
    const struct ledger_token *token = &s->ledger->tokens[i];
    bool lives = ledger_fate_of(token, &s->header, s->ledger->now_s) == LEDGER_LIVES;
    struct answer answer = ask(a, token);
    if (answer.status != ASSAY_OK) {
        worsen(a, GRADE_ERROR, i);
    } else if (answer.alive && (!lives || answer.print != s->prints[i])) {
        worsen(a, GRADE_WRONG, i);
    } else if (!answer.alive && lives) {
        worsen(a, GRADE_LOST_TOKEN, i);
    }
}

static void ask_for_cutoff(struct asking *a, MDB_txn *txn, uint32_t i)
{
    const struct ledger_cutoff *cutoff = &a->sample->ledger->cutoffs[i];
    struct lmdb_store *store = (struct lmdb_store *)a->store;
    struct assay_cutoff found = {.seq = 0};
    struct assay_error error;
    enum assay_status status =
        lmdb_get_cutoff(store, txn, (enum assay_cutoff_kind)cutoff->kind,
                        assay_slice_of(cutoff->id, cutoff->id_len), &found, &error);
    if (status == ASSAY_ERR_ABSENT || (status == ASSAY_OK && found.seq < cutoff->seq)) {
        worsen(a, GRADE_LOST_CUTOFF, i);
    } else if (status != ASSAY_OK) {
        worsen(a, GRADE_ERROR, i);
    }
}

static void ask_everything(struct asking *a)
{
    const struct ledger *ledger = a->sample->ledger;
    MDB_txn *txn = NULL;
    for (uint32_t i = 0; i < ledger->token_count; i++) {
        ask_for_token(a, i);
    }
    if (mdb_txn_begin(((struct lmdb_store *)a->store)->env, NULL, MDB_RDONLY, &txn) != 0) {
        worsen(a, GRADE_ERROR, 0);
        return;
    }
    for (uint32_t i = 0; i < ledger->cutoff_count; i++) {
        ask_for_cutoff(a, txn, i);
    }
    mdb_txn_abort(txn);
}

/* Opens as the server does, and asks. */
static enum grade judge(const struct sample *s, const char *dir, uint64_t *ret_at)
{
    static struct asking a;
    struct assay_error error = {0};
    a = (struct asking){.sample = s, .grade = GRADE_UNCHANGED};
    struct assay_lmdb_options options = {
        .path = dir, .map_size = (uint64_t)8 << 30, .loop = &a.loop.loop};
    test_loop_init(&a.loop);
    if (assay_lmdb_check(dir, &error) != ASSAY_OK ||
        assay_lmdb_open(&options, &a.store, &error) != ASSAY_OK) {
        return GRADE_REFUSED;
    }
    if (assay_digester_open(&a.digester, &error) != ASSAY_OK) {
        return GRADE_CRASH;
    }
    ask_everything(&a);
    a.store->ops->close(a.store);
    assay_digester_close(a.digester);
    *ret_at = a.wrong_at;
    return a.grade;
}

/* --- damage --- */

static size_t pages_of(const struct sample *s)
{
    return s->len / PAGE;
}

static void damage(const struct sample *s, size_t number, uint8_t *data, char why[200])
{
    struct dice dice = dice_of(s->seed + s->manner, number);
    size_t at = (size_t)dice_below(&dice, s->len);
    size_t page = number % pages_of(s) * PAGE;
    switch (s->manner) {
    case MANNER_BIT:
        data[at] ^= (uint8_t)(1u << dice_below(&dice, 8));
        break;
    case MANNER_BYTE:
        data[at] ^= (uint8_t)(1 + dice_below(&dice, 255));
        break;
    case MANNER_ZERO_PAGE:
        memset(data + page, 0, PAGE);
        break;
    case MANNER_NEIGHBOUR:
        memcpy(data + page, s->data + (page + PAGE) % s->len, PAGE);
        break;
    case MANNER_OLDER:
        if (page + PAGE <= s->older_len) {
            memcpy(data + page, s->older + page, PAGE);
        }
        break;
    case MANNER_META_BIT:
        page = number / META_BITS * PAGE;
        data[page + number % META_BITS / 8] ^= (uint8_t)(1u << number % 8);
        at = page + number % META_BITS / 8;
        break;
    case MANNER_META:
        memset(data + number * PAGE, 0, PAGE);
        break;
    }
    bool bits = s->manner <= MANNER_BYTE || s->manner == MANNER_META_BIT;
    snprintf(why, 200, "page %zu byte %zu", bits ? at / PAGE : page / PAGE, at % PAGE);
}

static void put(const char *path, const uint8_t *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, len) != (ssize_t)len || close(fd) != 0) {
        perror(path);
        _exit(92);
    }
}

static void work(struct pool *pool, unsigned worker, unsigned workers, size_t from)
{
    const struct sample *s = pool->context;
    uint8_t *data = malloc(s->len);
    char dir[256];
    char path[300];
    char witness[300];
    snprintf(dir, sizeof(dir), "%s/damaged-%u", s->place.path, worker);
    snprintf(path, sizeof(path), "%s/data", dir);
    snprintf(witness, sizeof(witness), "%s/witness", dir);
    (void)mkdir(dir, 0700);
    for (size_t i = 0; i < pool->count; i++) {
        char why[200];
        char said[240];
        uint64_t at = 0;
        if (i % workers != worker || i < from) {
            continue;
        }
        put(witness, s->witness, s->witness_len); /* as it stands beside the undamaged one */
        memcpy(data, s->data, s->len);
        damage(s, i, data, why);
        put(path, data, s->len);
        snprintf(pool->outcomes[i].why, sizeof(pool->outcomes[i].why), "%s", why);
        pool_begin(pool, worker, i);
        enum grade grade = judge(s, dir, &at);
        snprintf(said, sizeof(said), "%s, question %llu", why, (unsigned long long)at);
        pool_end(pool, i, (enum verdict)grade, said);
    }
    free(data);
}

static void count_grades(struct sample *s, const char *name, enum manner manner, size_t times,
                         size_t counts[GRADES])
{
    struct pool pool = {.count = times, .seconds = 60, .quiet = true, .work = work, .context = s};
    s->manner = manner;
    pool_run(&pool);
    memset(counts, 0, GRADES * sizeof(*counts));
    for (size_t i = 0; i < times; i++) {
        size_t grade = pool.outcomes[i].verdict;
        /* The pool's own words for what it sees of a worker. */
        grade = grade == VERDICT_CRASH && strncmp(pool.outcomes[i].why, "status", 6) == 0
                    ? GRADE_CRASH
                    : grade;
        grade = grade == VERDICT_HANG ? GRADE_HANG : grade;
        counts[grade]++;
        if (grade >= GRADE_LOST_CUTOFF && place_setting("ASSAY_CRASH_TELL", 0) != 0) {
            printf("  %s %zu: %s: %s\n", name, i, grade_names[grade], pool.outcomes[i].why);
        }
    }
    pool_free(&pool);
    printf("%-14s", name);
    for (size_t i = 1; i < GRADES; i++) {
        printf(" %6zu %s", counts[i], grade_names[i]);
    }
    printf("\n");
    fflush(stdout);
}

/* --- the tests --- */

static int setup(void **state)
{
    static struct sample s;
    char path[256];
    struct agreement agreement;
    s = (struct sample){.seed = place_seed()};
    place_make(&s.place);
    run_workload(&s);
    snprintf(path, sizeof(path), "%s/ledger", s.place.path);
    s.ledger = ledger_load(path);
    snprintf(path, sizeof(path), "%s/disk/older", s.place.path);
    s.older = slurp(path, &s.older_len);
    snprintf(path, sizeof(path), "%s/disk/store", s.place.path);
    if (!agree_at(path, &agreement)) {
        print_error("%s\n", agreement.why);
        fail();
    }
    s.header = agreement.header;
    snprintf(path, sizeof(path), "%s/disk/store/data", s.place.path);
    s.data = slurp(path, &s.len);
    snprintf(path, sizeof(path), "%s/disk/store/witness", s.place.path);
    s.witness = slurp(path, &s.witness_len);
    s.prints = calloc(s.ledger->token_count, sizeof(*s.prints));
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct sample *s = *state;
    place_remove(&s->place);
    free(s->ledger);
    free(s->data);
    free(s->older);
    free(s->witness);
    free(s->prints);
    return 0;
}

/* Reads what every token is undamaged, and sees that there is something of each kind. */
static void the_store_is_of_known_content(void **state)
{
    struct sample *s = *state;
    static struct asking a;
    struct assay_error error = {0};
    char dir[256];
    size_t fates[4] = {0};
    size_t kinds[ASSAY_CUTOFF_KINDS] = {0};
    snprintf(dir, sizeof(dir), "%s/disk/store", s->place.path);
    a = (struct asking){.sample = s, .grade = GRADE_UNCHANGED};
    struct assay_lmdb_options options = {
        .path = dir, .map_size = (uint64_t)8 << 30, .loop = &a.loop.loop};
    test_loop_init(&a.loop);
    assert_ok(assay_lmdb_open(&options, &a.store, &error), &error);
    assert_ok(assay_digester_open(&a.digester, &error), &error);
    for (uint32_t i = 0; i < s->ledger->token_count; i++) {
        s->prints[i] = ask(&a, &s->ledger->tokens[i]).print;
        fates[ledger_fate_of(&s->ledger->tokens[i], &s->header, s->ledger->now_s)]++;
    }
    for (uint32_t i = 0; i < s->ledger->cutoff_count; i++) {
        kinds[s->ledger->cutoffs[i].kind]++;
    }
    ask_everything(&a);
    a.store->ops->close(a.store);
    assay_digester_close(a.digester);
    assert_int_equal(a.grade, GRADE_UNCHANGED);
    printf("%zu pages; tokens: %zu live, %zu ended, %zu expired; %u cutoffs\n", pages_of(s),
           fates[LEDGER_LIVES], fates[LEDGER_ENDED], fates[LEDGER_EXPIRED],
           s->ledger->cutoff_count);
    assert_true(pages_of(s) >= 60);
    assert_true(fates[LEDGER_LIVES] > 20 && fates[LEDGER_ENDED] > 20 && fates[LEDGER_EXPIRED] > 0);
    for (size_t i = 0; i < ASSAY_CUTOFF_KINDS; i++) {
        assert_true(kinds[i] > 0);
    }
}

#ifndef CRASH_UNCHECKED
/* A lost token is a wrong answer, too, but a safe one; noticing it takes a walk of every tree. */
static void check_harmless(const size_t counts[GRADES])
{
    assert_int_equal(counts[GRADE_WRONG], 0);
    assert_int_equal(counts[GRADE_LOST_CUTOFF], 0);
    assert_int_equal(counts[GRADE_CRASH], 0);
    assert_int_equal(counts[GRADE_HANG], 0);
}

/* F-28 */
static void no_flipped_bit_makes_a_dead_token_live(void **state)
{
    size_t counts[GRADES];
    size_t times =
        (size_t)place_setting("ASSAY_CRASH_FLIPS", place_is_deep() ? 6000 : CRASH_FLIPS) / 2;
    count_grades(*state, "one bit", MANNER_BIT, times, counts);
    check_harmless(counts);
    count_grades(*state, "one byte", MANNER_BYTE, times, counts);
    check_harmless(counts);
}

/* F-28: where LMDB keeps which state is the newest, each bit. */
static void no_bit_of_the_first_pages_shows_an_older_state(void **state)
{
    size_t counts[GRADES];
    count_grades(*state, "first pages", MANNER_META_BIT, 2 * META_BITS, counts);
    check_harmless(counts);
}

/* F-29, F-30 */
static void no_damaged_page_makes_a_dead_token_live(void **state)
{
    struct sample *s = *state;
    size_t counts[GRADES];
    count_grades(s, "page zeroed", MANNER_ZERO_PAGE, pages_of(s), counts);
    check_harmless(counts);
    count_grades(s, "its neighbour", MANNER_NEIGHBOUR, pages_of(s), counts);
    check_harmless(counts);
    count_grades(s, "its older self", MANNER_OLDER, pages_of(s), counts);
    check_harmless(counts);
    count_grades(s, "first pages 0", MANNER_META, 2, counts);
    assert_int_equal(counts[GRADE_REFUSED], 2);
}
#else
/* The control: without the check of its own that every record carries, flipped bits are believed.
 */
static void without_the_check_flipped_bits_are_believed(void **state)
{
    size_t counts[GRADES];
    count_grades(*state, "unchecked", MANNER_BIT, 2000, counts);
    assert_true(counts[GRADE_WRONG] > 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_is_of_known_content),
#ifndef CRASH_UNCHECKED
        cmocka_unit_test(no_flipped_bit_makes_a_dead_token_live),
        cmocka_unit_test(no_bit_of_the_first_pages_shows_an_older_state),
        cmocka_unit_test(no_damaged_page_makes_a_dead_token_live),
#else
        cmocka_unit_test(without_the_check_flipped_bits_are_believed),
#endif
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
