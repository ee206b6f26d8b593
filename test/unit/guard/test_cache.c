#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "guard/cache.h"

#include "support/cached.h"
#include "support/check.h"

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#define SIZE ((size_t)1 << 20)

static struct assay_cache *cache;
static void *memory;
static uint32_t dead; /* the process that is taken for gone; 0: none */

static bool alive(uint32_t id)
{
    return id != dead;
}

static const struct assay_process me = {.id = 7, .alive = alive};

static void open_size(size_t size)
{
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    cache = assay_cache_init(memory, size);
    assert_non_null(cache);
    dead = 0;
}

static int open_cache(void **state)
{
    (void)state;
    open_size(SIZE);
    return 0;
}

static int close_cache(void **state)
{
    (void)state;
    munmap(memory, SIZE);
    return 0;
}

static struct assay_cached entry_of(uint64_t n, int64_t asked_us)
{
    return cached_entry(n, assay_cache_generation(cache), asked_us);
}

static void put(uint64_t n, int64_t asked_us)
{
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    struct assay_cached e = entry_of(n, asked_us);
    cached_key(n, key);
    assay_cache_put(cache, key, &e, &me);
}

static bool found(uint64_t n, struct assay_cached *ret)
{
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    cached_key(n, key);
    return assay_cache_find(cache, key, ret);
}

static bool finds(uint64_t n)
{
    struct assay_cached e;
    bool hit = found(n, &e);
    assert_true(!hit || cached_is_entry(&e, n));
    return hit;
}

static uint64_t flush(struct assay_flush flush)
{
    while (assay_flush_step(cache, &flush, &me)) {
    }
    return flush.ended;
}

/* --- one process --- */

static void what_was_put_is_found_whole(void **state)
{
    (void)state;
    assert_false(finds(1));
    for (uint64_t n = 0; n < 400; n++) {
        put(n, 1000);
        assert_true(finds(n));
    }
}

/* A-GW-21: the same set, the same tag, another key. */
static void keys_that_differ_in_their_last_byte_are_two(void **state)
{
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    struct assay_cached e = entry_of(3, 10);
    (void)state;
    cached_key(3, key);
    assay_cache_put(cache, key, &e, &me);
    key[ASSAY_CACHE_KEY_LEN - 1] ^= 1;
    assert_false(assay_cache_find(cache, key, &e));
}

static void an_older_answer_replaces_no_newer_one(void **state)
{
    struct assay_cached e;
    (void)state;
    put(1, 2000);
    put(1, 1000);
    assert_true(found(1, &e));
    assert_int_equal(e.asked_us, 2000);
    put(1, 3000);
    assert_true(found(1, &e));
    assert_int_equal(e.asked_us, 3000);
}

static void an_inactive_answer_ends_what_was_known_as_active(void **state)
{
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    int64_t asked_us = 0;
    (void)state;
    put(1, 1000);
    cached_key(1, key);
    assay_cache_put_inactive(cache, key, assay_cache_generation(cache), 999, &me);
    assert_true(finds(1)); /* it was asked for before */
    assay_cache_put_inactive(cache, key, assay_cache_generation(cache), 1001, &me);
    assert_false(finds(1));
    assert_true(assay_cache_find_inactive(cache, key, &asked_us));
    assert_int_equal(asked_us, 1001);
}

static void put_inactive(uint64_t n, uint64_t generation, int64_t asked_us)
{
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    cached_key(n, key);
    assay_cache_put_inactive(cache, key, generation, asked_us, &me);
}

static int64_t inactive_since(uint64_t n)
{
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    int64_t asked_us = 0;
    cached_key(n, key);
    return assay_cache_find_inactive(cache, key, &asked_us) ? asked_us : 0;
}

/* The later question counts, whichever answer comes first. */
static void a_late_active_answer_revives_nothing(void **state)
{
    struct assay_cached e;
    struct assay_cache_counts counts;
    (void)state;
    put_inactive(1, 1, 2000);
    put(1, 1000);
    assert_false(finds(1));
    put(1, 2000);
    assert_false(finds(1));
    assay_cache_count(cache, &counts);
    assert_int_equal(counts.refused, 2);
    assert_int_equal(inactive_since(1), 2000);
    put(1, 2001);
    assert_true(found(1, &e));
    assert_int_equal(e.asked_us, 2001);
}

static void a_late_inactive_answer_hides_no_later_one(void **state)
{
    (void)state;
    put_inactive(1, 1, 3000);
    put_inactive(1, 1, 1000);
    assert_int_equal(inactive_since(1), 3000);
    put(1, 2000);
    assert_false(finds(1));
}

static void an_inactive_answer_of_an_earlier_generation_hides_no_later_one(void **state)
{
    (void)state;
    (void)flush((struct assay_flush){.kind = ASSAY_FLUSH_EVERYTHING});
    put_inactive(1, 2, 3000);
    put_inactive(1, 1, 4000);
    assert_int_equal(inactive_since(1), 3000);
    put(1, 2500);
    assert_false(finds(1));
}

static void a_flush_of_a_token_forgets_that_it_was_inactive(void **state)
{
    struct assay_flush token = {.kind = ASSAY_FLUSH_TOKEN, .now_us = 2000};
    (void)state;
    put_inactive(1, 1, 2000);
    put_inactive(2, 1, 2000);
    cached_key(1, token.key);
    (void)flush(token);
    assert_int_equal(inactive_since(1), 0);
    assert_int_equal(inactive_since(2), 2000);
    put_inactive(1, 1, 2001);
    assert_int_equal(inactive_since(1), 2001);
}

/* --- a process that was stopped, or died, while it stored --- */

static const struct assay_process other = {.id = 8, .alive = alive};

/* The claim of the entry about token `n` that lies first: it stands before the key. */
static assay_claim *claim_of(uint64_t n)
{
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    uint8_t *at = memory;
    cached_key(n, key);
    while (memcmp(at, key, sizeof(key)) != 0) {
        at += 8;
        assert_true(at < (uint8_t *)memory + SIZE - sizeof(key));
    }
    return (assay_claim *)(void *)(at - sizeof(assay_claim));
}

/* REL-06: nobody waits for it; the answer finds another place, and of two the later one counts. */
static void a_place_that_a_stopped_process_holds_is_gone_round(void **state)
{
    struct assay_cached e;
    (void)state;
    put(1, 1000);
    assay_claim *claim = claim_of(1);
    assert_int_equal(assay_claim_take(claim, &other), ASSAY_CLAIM_TAKEN);
    assert_false(finds(1));
    put(1, 2000);
    assert_true(finds(1));
    assay_claim_give(claim);
    assert_true(found(1, &e));
    assert_int_equal(e.asked_us, 2000);
    put(1, 3000);
    assert_true(found(1, &e));
    assert_int_equal(e.asked_us, 3000);
    put_inactive(1, 1, 3000); /* ends both */
    assert_false(finds(1));
}

/* REL-06: what a stopped process is about to store is ended under its hands. */
static void to_end_an_answer_takes_no_claim(void **state)
{
    struct assay_flush token = {.kind = ASSAY_FLUSH_TOKEN, .now_us = 2000};
    (void)state;
    put(1, 1000);
    put(2, 1000);
    assay_claim *one = claim_of(1);
    assay_claim *two = claim_of(2);
    assert_int_equal(assay_claim_take(one, &other), ASSAY_CLAIM_TAKEN);
    assert_int_equal(assay_claim_take(two, &other), ASSAY_CLAIM_TAKEN);
    put_inactive(1, 1, 2000);
    cached_key(2, token.key);
    (void)flush(token);
    assay_claim_give(one);
    assay_claim_give(two);
    assert_false(finds(1));
    assert_false(finds(2));
}

/* F-01: of what a dead process wrote nobody knows which words belong together. */
static void what_a_dead_process_was_writing_is_not_believed(void **state)
{
    struct assay_cache_counts counts;
    struct assay_cached e;
    (void)state;
    put(1, 9000);
    assay_claim *claim = claim_of(1);
    assert_int_equal(assay_claim_take(claim, &other), ASSAY_CLAIM_TAKEN);
    claim[7] ^= 1; /* a word of it */
    dead = other.id;
    assert_false(finds(1));
    put(1, 5000);
    assert_true(found(1, &e));
    assert_true(cached_is_entry(&e, 1));
    assert_int_equal(e.asked_us, 5000);
    assay_cache_count(cache, &counts);
    assert_int_equal(counts.taken_over, 1);
}

/* A-GW-22 A-GW-23 F-46: junk lies elsewhere. */
static void a_million_inactive_answers_drive_no_active_one_out(void **state)
{
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    (void)state;
    for (uint64_t n = 0; n < 100; n++) {
        put(n, 1000);
    }
    for (uint64_t n = 1000; n < 1001000; n++) {
        cached_key(n, key);
        assay_cache_put_inactive(cache, key, 1, (int64_t)n, &me);
    }
    for (uint64_t n = 0; n < 100; n++) {
        assert_true(finds(n));
    }
}

/* F-46: a small zone, many tokens: those in use stay. */
static void what_is_read_again_and_again_outlives_what_is_not(void **state)
{
    struct assay_cache_counts counts;
    uint64_t kept = 0;
    (void)state;
    for (uint64_t n = 0; n < 50; n++) {
        put(n, 1000);
    }
    for (uint64_t n = 1000; n < 201000; n++) {
        put(n, 1000);
        for (uint64_t hot = 0; hot < 50 && n % 50 == 0; hot++) {
            (void)finds(hot);
        }
    }
    for (uint64_t hot = 0; hot < 50; hot++) {
        kept += finds(hot) ? 1 : 0;
    }
    assay_cache_count(cache, &counts);
    assert_true(counts.evicted > 100000);
    assert_true(kept >= 48);
}

static void memory_that_is_too_small_is_refused(void **state)
{
    static _Alignas(64) uint8_t small[4096];
    (void)state;
    assert_null(assay_cache_init(small, sizeof(small)));
}

/* --- flushing --- */

static void a_flush_ends_what_it_names_and_nothing_else(void **state)
{
    struct assay_flush token = {.kind = ASSAY_FLUSH_TOKEN, .now_us = 2000};
    (void)state;
    for (uint64_t n = 0; n < 64; n++) {
        put(n, 1000);
    }
    cached_key(5, token.key);
    assert_int_equal(flush(token), 1);
    assert_false(finds(5));
    assert_true(finds(6));
    assert_int_equal(
        flush((struct assay_flush){.kind = ASSAY_FLUSH_SUBJECT, .mark = 3, .now_us = 2000}), 4);
    assert_int_equal(
        flush((struct assay_flush){.kind = ASSAY_FLUSH_CLIENT, .mark = 1, .now_us = 2000}), 16);
    for (uint64_t n = 0; n < 64; n++) {
        assert_int_equal(finds(n), n != 5 && n % 16 != 2 && n % 4 != 0);
    }
    assert_int_equal(flush((struct assay_flush){.kind = ASSAY_FLUSH_EVERYTHING}), 0);
    for (uint64_t n = 0; n < 64; n++) {
        assert_false(finds(n));
    }
}

static void a_flush_is_in_force_with_its_first_step(void **state)
{
    struct assay_flush step = {.kind = ASSAY_FLUSH_SUBJECT, .mark = 3, .now_us = 2000};
    (void)state;
    put(2, 1000);
    put(18, 2000);
    put(34, 2001);
    (void)assay_flush_step(cache, &step, &me);
    assert_false(finds(2));
    assert_false(finds(18)); /* in the same millisecond: nobody knows which came first */
    assert_true(finds(34));
}

static void an_answer_that_was_asked_for_before_a_flush_is_not_stored(void **state)
{
    struct assay_cache_counts counts;
    struct assay_cached e = entry_of(2, 1500);
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    (void)state;
    (void)flush((struct assay_flush){.kind = ASSAY_FLUSH_SUBJECT, .mark = 3, .now_us = 2000});
    cached_key(2, key);
    assert_false(assay_cache_may_use(cache, key, &e));
    put(2, 1500);
    assert_false(finds(2));
    assay_cache_count(cache, &counts);
    assert_int_equal(counts.refused, 1);
    put(3, 1500); /* another subject */
    assert_true(finds(3));
    put(2, 2001);
    assert_true(finds(2));
}

static void an_answer_of_an_earlier_generation_is_not_used(void **state)
{
    struct assay_cached e = entry_of(2, 1500);
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    (void)state;
    (void)flush((struct assay_flush){.kind = ASSAY_FLUSH_EVERYTHING});
    cached_key(2, key);
    assert_false(assay_cache_may_use(cache, key, &e));
    assay_cache_put(cache, key, &e, &me);
    assert_false(finds(2));
}

static void more_flushes_than_are_remembered_end_all_that_was_asked_before(void **state)
{
    (void)state;
    put(2, 1000);
    put(3, 9000);
    for (uint64_t i = 0; i < 70; i++) {
        (void)flush((struct assay_flush){
            .kind = ASSAY_FLUSH_SUBJECT, .mark = 1000 + i, .now_us = 2000 + (int64_t)i});
    }
    assert_false(finds(2));
    assert_true(finds(3));
}

/* --- against a model --- */

#define MODEL 600 /* tokens, more than there is room for in some sets */

/* When the answer that holds about each token was asked for; 0: none does. */
static struct {
    int64_t asked_us;
} model[MODEL];

static void model_flush(uint64_t pick, int64_t now_us)
{
    struct assay_flush f = {.now_us = now_us};
    switch (pick % 40) {
    case 0:
        f.kind = ASSAY_FLUSH_EVERYTHING;
        break;
    case 1:
    case 2:
        f.kind = ASSAY_FLUSH_CLIENT;
        f.mark = pick / 40 % 4 + 1;
        break;
    default:
        f.kind = pick % 2 == 0 ? ASSAY_FLUSH_SUBJECT : ASSAY_FLUSH_TOKEN;
        f.mark = pick / 40 % 16 + 1;
        cached_key(pick / 40 % MODEL, f.key);
    }
    (void)flush(f);
    for (uint64_t n = 0; n < MODEL; n++) {
        bool meant = f.kind == ASSAY_FLUSH_EVERYTHING ||
                     (f.kind == ASSAY_FLUSH_CLIENT && n % 4 + 1 == f.mark) ||
                     (f.kind == ASSAY_FLUSH_SUBJECT && n % 16 + 1 == f.mark) ||
                     (f.kind == ASSAY_FLUSH_TOKEN && n == pick / 40 % MODEL);
        model[n].asked_us = meant ? 0 : model[n].asked_us;
    }
}

static void model_step(uint64_t random, int64_t now_us)
{
    uint64_t n = (random >> 20) % MODEL;
    uint8_t key[ASSAY_CACHE_KEY_LEN];
    cached_key(n, key);
    switch (random % 16) {
    case 0:
        assay_cache_put_inactive(cache, key, assay_cache_generation(cache), now_us, &me);
        model[n].asked_us = 0;
        break;
    case 1:
        if (random >> 8 & 1) {
            model_flush(random >> 30, now_us);
        }
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        put(n, now_us);
        model[n].asked_us = now_us;
        break;
    default: {
        struct assay_cached e;
        if (found(n, &e)) { /* a miss is always allowed */
            assert_true(cached_is_entry(&e, n));
            assert_int_equal(e.asked_us, model[n].asked_us);
        }
    }
    }
}

static void what_is_found_is_what_a_dictionary_would_say(void **state)
{
    struct timespec now;
    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t seed = (uint64_t)now.tv_nsec;
    print_message("seed %llu\n", (unsigned long long)seed);
    memset(model, 0, sizeof(model));
    for (int64_t step = 1; step < 200000; step++) {
        seed = cached_mix(seed + (uint64_t)step);
        model_step(seed, step);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_cache, close_cache)
    const struct CMUnitTest tests[] = {
        T(what_was_put_is_found_whole),
        T(keys_that_differ_in_their_last_byte_are_two),
        T(an_older_answer_replaces_no_newer_one),
        T(an_inactive_answer_ends_what_was_known_as_active),
        T(a_late_active_answer_revives_nothing),
        T(a_late_inactive_answer_hides_no_later_one),
        T(an_inactive_answer_of_an_earlier_generation_hides_no_later_one),
        T(a_flush_of_a_token_forgets_that_it_was_inactive),
        T(a_place_that_a_stopped_process_holds_is_gone_round),
        T(to_end_an_answer_takes_no_claim),
        T(what_a_dead_process_was_writing_is_not_believed),
        T(a_million_inactive_answers_drive_no_active_one_out),
        T(what_is_read_again_and_again_outlives_what_is_not),
        T(memory_that_is_too_small_is_refused),
        T(a_flush_ends_what_it_names_and_nothing_else),
        T(a_flush_is_in_force_with_its_first_step),
        T(an_answer_that_was_asked_for_before_a_flush_is_not_stored),
        T(an_answer_of_an_earlier_generation_is_not_used),
        T(more_flushes_than_are_remembered_end_all_that_was_asked_before),
        T(what_is_found_is_what_a_dictionary_would_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
