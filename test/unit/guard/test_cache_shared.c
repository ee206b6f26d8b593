#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "guard/cache.h"

#include "support/cached.h"
#include "support/check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Several workers on one small cache, each of which does all that workers do: it asks and stores
 * late, learns that tokens are inactive, flushes and finds. What one of them has been told is done
 * is in force for all: that is noted beside the cache, as it is done, and held against whatever is
 * found later. */

#define SIZE ((size_t)1 << 20)
#define WORKERS 4
#define SETS 12 /* of eight places, in which the tokens lie */
#define TOKENS 160

static struct shared {
    _Atomic int64_t clock;
    _Atomic int64_t inactive_us[TOKENS]; /* put_inactive() has returned */
    _Atomic int64_t token_us[TOKENS];    /* a flush has, as what follows */
    _Atomic int64_t subject_us[17];
    _Atomic int64_t client_us[5];
    _Atomic uint64_t generation;
    _Atomic uint64_t found;
    _Atomic uint64_t missed;
    _Atomic int wrong; /* a line of this file */
} * shared;
static struct assay_cache *cache;
static pid_t pids[WORKERS];

static bool lives(uint32_t id)
{
    return kill((pid_t)id, 0) == 0;
}

static bool all_live(uint32_t id)
{
    (void)id;
    return true;
}

static int open_shared(void **state)
{
    (void)state;
    void *memory = mmap(NULL, SIZE + sizeof(*shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    cache = assay_cache_init(memory, SIZE);
    assert_non_null(cache);
    shared = (struct shared *)(void *)((uint8_t *)memory + SIZE);
    atomic_store(&shared->clock, 1000);
    memset(pids, 0, sizeof(pids));
    return 0;
}

static void end(size_t worker)
{
    if (pids[worker] != 0) {
        int status = 0;
        kill(pids[worker], SIGKILL);
        (void)waitpid(pids[worker], &status, 0);
        pids[worker] = 0;
    }
}

static int close_shared(void **state)
{
    (void)state;
    for (size_t i = 0; i < WORKERS; i++) {
        end(i);
    }
    munmap(cache, SIZE + sizeof(*shared));
    return 0;
}

/* Tokens make room for each other where they are active, and not where they are inactive: an
 * inactive answer that had to go can be followed by an active one that comes late. */
static void key_of(uint64_t n, uint8_t key[ASSAY_CACHE_KEY_LEN])
{
    uint64_t word;
    cached_key(n, key);
    memcpy(&word, key, sizeof(word));
    word = (word & UINT32_MAX) | (n % SETS * (UINT32_MAX / SETS)) << 32;
    memcpy(key, &word, sizeof(word));
}

/* --- one worker --- */

static int64_t tick(void)
{
    return atomic_fetch_add(&shared->clock, 1);
}

#define WRONG_IF(condition)                                                                        \
    do {                                                                                           \
        if (condition) {                                                                           \
            atomic_store(&shared->wrong, __LINE__);                                                \
        }                                                                                          \
    } while (0)

/* Whatever was in force before the look is heeded by it. */
static void look(uint64_t n)
{
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    struct assay_cached e;
    int64_t inactive_us = atomic_load(&shared->inactive_us[n]);
    int64_t token_us = atomic_load(&shared->token_us[n]);
    int64_t subject_us = atomic_load(&shared->subject_us[n % 16 + 1]);
    int64_t client_us = atomic_load(&shared->client_us[n % 4 + 1]);
    uint64_t generation = atomic_load(&shared->generation);
    key_of(n, key);
    if (!assay_cache_find(cache, key, &e)) {
        atomic_fetch_add(&shared->missed, 1);
        return;
    }
    atomic_fetch_add(&shared->found, 1);
    WRONG_IF(!cached_is_entry(&e, n));
    WRONG_IF(e.asked_us <= inactive_us);
    WRONG_IF(e.asked_us <= token_us);
    WRONG_IF(e.asked_us <= subject_us);
    WRONG_IF(e.asked_us <= client_us);
    WRONG_IF(e.generation < generation);
}

static void flush(uint64_t n, uint64_t random, const struct assay_process *me)
{
    static const enum assay_flush_kind kinds[] = {ASSAY_FLUSH_TOKEN, ASSAY_FLUSH_SUBJECT,
                                                  ASSAY_FLUSH_CLIENT, ASSAY_FLUSH_SUBJECT};
    struct assay_flush op = {.kind = kinds[random % 4], .now_us = tick()};
    key_of(n, op.key);
    op.mark = op.kind == ASSAY_FLUSH_SUBJECT ? n % 16 + 1 : n % 4 + 1;
    if (random % 97 == 0) {
        op.kind = ASSAY_FLUSH_EVERYTHING;
    }
    bool more = assay_flush_step(cache, &op, me); /* in force, whatever is left to do */
    switch (op.kind) {
    case ASSAY_FLUSH_TOKEN:
        assay_raise(&shared->token_us[n], op.now_us);
        break;
    case ASSAY_FLUSH_SUBJECT:
        assay_raise(&shared->subject_us[op.mark], op.now_us);
        break;
    case ASSAY_FLUSH_CLIENT:
        assay_raise(&shared->client_us[op.mark], op.now_us);
        break;
    case ASSAY_FLUSH_EVERYTHING:
        atomic_fetch_add(&shared->generation, 1); /* there have been as many, or more by the dead */
        break;
    }
    while (more) {
        more = assay_flush_step(cache, &op, me);
    }
}

/* A question that is under way. */
struct question {
    uint64_t n;
    uint64_t generation;
    int64_t asked_us; /* 0: none */
};
#define UNDER_WAY 8

static void ask(struct question *q, uint64_t n)
{
    q->n = n;
    q->generation = assay_cache_generation(cache);
    q->asked_us = tick();
}

static void answer(const struct question *q, bool active, const struct assay_process *me)
{
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    key_of(q->n, key);
    if (active) {
        struct assay_cached e = cached_entry(q->n, q->generation, q->asked_us);
        assay_cache_put(cache, key, &e, me);
    } else {
        assay_cache_put_inactive(cache, key, q->generation, q->asked_us, me);
        if (assay_cache_generation(cache) == q->generation) { /* else it ended nothing */
            assay_raise(&shared->inactive_us[q->n], q->asked_us);
        }
    }
}

/* Answers come in any order, and some of them late. */
static void work(uint64_t seed, uint64_t rounds, const struct assay_process *me)
{
    struct question questions[UNDER_WAY] = {0};
    for (uint64_t i = 1; i <= rounds; i++) {
        seed = cached_mix(seed + i);
        uint64_t n = seed % TOKENS;
        struct question *q = &questions[(seed >> 20) % UNDER_WAY];
        if ((seed >> 40) % 200 == 0) {
            flush(n, seed >> 20, me);
        } else if ((seed >> 50 & 1) == 0) {
            look(n);
        } else if (q->asked_us == 0) {
            ask(q, n);
        } else {
            answer(q, (seed >> 28 & 3) != 0, me);
            q->asked_us = 0;
        }
    }
}

/* --- processes --- */

static void begin(size_t worker, uint64_t seed)
{
    pids[worker] = fork();
    assert_true(pids[worker] >= 0);
    if (pids[worker] == 0) {
        struct assay_process me = {.id = (uint32_t)getpid(), .alive = lives};
        work(seed, UINT64_MAX, &me);
        _exit(0);
    }
}

static void pause_for(uint64_t random)
{
    struct timespec pause = {.tv_nsec = (long)(random % 2000000)};
    nanosleep(&pause, NULL);
}

/* As many finds as that, from now on. */
static void wait_for_finds(uint64_t count)
{
    uint64_t goal = atomic_load(&shared->found) + count;
    for (int i = 0; i < 20000 && atomic_load(&shared->found) < goal; i++) {
        pause_for(1000000);
    }
    assert_true(atomic_load(&shared->found) >= goal);
}

static void check_nothing_is_locked(void)
{
    struct assay_process me = {.id = (uint32_t)getpid(), .alive = lives};
    for (uint64_t n = 0; n < TOKENS; n++) {
        uint8_t key[ASSAY_CACHE_KEY_LEN];
        struct assay_cached e =
            cached_entry(n, assay_cache_generation(cache), atomic_load(&shared->clock) + 100000);
        key_of(n, key);
        assay_cache_put(cache, key, &e, &me);
        assert_true(assay_cache_find(cache, key, &e));
    }
}

/* F-01 REL-06: workers that die at any instruction leave nothing torn, locked, revived or taken out
 * of force, and the living go on. */
static void no_death_does_any_harm(void **state)
{
    uint64_t deaths = getenv("ASSAY_DEEP") != NULL ? 6000 : 300;
    struct assay_cache_counts counts;
    (void)state;
    for (size_t i = 0; i < WORKERS; i++) {
        begin(i, i + 1);
    }
    for (uint64_t round = 0; round < deaths; round++) {
        size_t victim = cached_mix(round + 77) % WORKERS;
        pause_for(cached_mix(round));
        end(victim);
        begin(victim, round + 1000);
        assert_int_equal(atomic_load(&shared->wrong), 0);
    }
    wait_for_finds(1000);
    for (size_t i = 0; i < WORKERS; i++) {
        end(i);
    }
    assay_cache_count(cache, &counts);
    print_message("%llu found, %llu missed, %llu stored, %llu refused, %llu taken over\n",
                  (unsigned long long)shared->found, (unsigned long long)shared->missed,
                  (unsigned long long)counts.stored, (unsigned long long)counts.refused,
                  (unsigned long long)counts.taken_over);
    assert_int_equal(atomic_load(&shared->wrong), 0);
    assert_true(counts.taken_over > 0); /* some were caught in the act */
    assert_true(counts.refused > 0);
    check_nothing_is_locked();
}

/* REL-06: the same of workers that are stopped, and go on later: others do not wait for them, and
 * what they write when they go on is judged by what has been said meanwhile. */
static void no_stop_does_any_harm(void **state)
{
    uint64_t stops = getenv("ASSAY_DEEP") != NULL ? 4000 : 300;
    (void)state;
    for (size_t i = 0; i < WORKERS; i++) {
        begin(i, i + 1);
    }
    for (uint64_t round = 0; round < stops; round++) {
        size_t victim = cached_mix(round + 99) % WORKERS;
        assert_int_equal(kill(pids[victim], SIGSTOP), 0);
        if (round % 50 == 0) {
            wait_for_finds(100); /* of the others */
        }
        pause_for(cached_mix(round));
        assert_int_equal(kill(pids[victim], round % 10 == 9 ? SIGKILL : SIGCONT), 0);
        if (round % 10 == 9) {
            end(victim);
            begin(victim, round + 1000);
        }
        assert_int_equal(atomic_load(&shared->wrong), 0);
    }
    wait_for_finds(1000);
    for (size_t i = 0; i < WORKERS; i++) {
        end(i);
    }
    assert_int_equal(atomic_load(&shared->wrong), 0);
    check_nothing_is_locked();
}

/* --- threads, for who looks for races --- */

static void *work_as(void *context)
{
    struct assay_process me = {.id = *(const uint32_t *)context, .alive = all_live};
    work(me.id, getenv("ASSAY_DEEP") != NULL ? 3000000 : 150000, &me);
    return NULL;
}

static void threads_agree(void **state)
{
    pthread_t threads[WORKERS];
    uint32_t ids[WORKERS];
    (void)state;
    for (uint32_t i = 0; i < WORKERS; i++) {
        ids[i] = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, work_as, &ids[i]), 0);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&shared->wrong), 0);
    assert_true(atomic_load(&shared->found) > 1000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_shared, close_shared)
    const struct CMUnitTest tests[] = {
        T(no_death_does_any_harm),
        T(no_stop_does_any_harm),
        T(threads_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
