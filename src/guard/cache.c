#include "guard/cache.h"

#include <assert.h>
#include <string.h>

#define WAYS 8
#define WORDS (ASSAY_CACHE_ENTRY / 8)
#define KEY_WORDS 2
#define INACTIVE_WAYS 4
#define MARKS 64
#define FLUSH_STEP 256 /* sets looked at in one step of a flush */
#define TRIES 16       /* at an entry that another process is writing */

/* Words of an entry, behind the claim and the key. */
enum word {
    WORD_GENERATION = 1 + KEY_WORDS,
    WORD_ASKED,
    WORD_DIES,
    WORD_EXPIRES,
    WORD_NOT_BEFORE,
    WORD_LOG,
    WORD_AS_OF,
    WORD_KEYS,
    WORD_SUBJECT = WORD_KEYS + ASSAY_FRESHNESS_KINDS,
    WORD_CLIENT,
    WORD_LEN, /* flags and length */
    WORD_PAYLOAD,
};
static_assert((WORDS - WORD_PAYLOAD) * 8 == ASSAY_CACHE_PAYLOAD, "an entry has 512 bytes");

/* The claim is also what tells a reader that nobody wrote while it read. */
struct entry {
    assay_claim claim;
    _Atomic uint64_t words[WORDS - 1]; /* word n of the enum at n - 1 */
};
static_assert(sizeof(struct entry) == ASSAY_CACHE_ENTRY, "an entry has 512 bytes");

/* What finds the entries of a set. Tags are hints: the entry's own key decides. */
struct set {
    _Atomic uint32_t tags[WAYS]; /* 0: never used */
    _Atomic uint32_t referenced; /* a bit for each way, cleared by the hand */
    _Atomic uint32_t hand;
    uint8_t rest[24];
};
static_assert(sizeof(struct set) == 64, "a set's tags are one cache line");

struct inactive {
    assay_claim claim;
    _Atomic uint64_t key[KEY_WORDS];
    _Atomic uint64_t generation;
    _Atomic int64_t asked_us;
    uint64_t rest[3];
};
static_assert(sizeof(struct inactive) == 64, "an inactive answer is one cache line");

/* Something was flushed at a time: what was asked up to then is not to be stored, nor used. That
 * holds from the moment the mark is set; walking through the entries makes room. */
struct mark {
    _Atomic int64_t at_us;
    _Atomic uint64_t kind;
    _Atomic uint64_t value;
};

struct assay_cache {
    size_t sets;
    size_t inactive_sets;
    size_t set_offset; /* bytes from here, as the memory may be mapped anywhere */
    size_t entry_offset;
    size_t inactive_offset;
    _Atomic uint64_t generation;
    _Atomic uint64_t next_mark;
    _Atomic int64_t last_mark_us; /* what was asked later than this needs no look at the marks */
    struct mark marks[MARKS];
    _Atomic uint64_t stored;
    _Atomic uint64_t evicted;
    _Atomic uint64_t taken_over;
    _Atomic uint64_t refused;
    _Atomic uint64_t flushed;
};

/* --- places --- */

#define SMALLEST ((size_t)65536)

static size_t align_up(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

struct assay_cache *assay_cache_init(void *memory, size_t size)
{
    struct assay_cache *cache = memory;
    size_t head = align_up(sizeof(*cache));
    if (size < SMALLEST || ((uintptr_t)memory & 63) != 0) {
        return NULL;
    }
    size_t inactive = size / 16 / (INACTIVE_WAYS * sizeof(struct inactive));
    size_t left = size - head - inactive * INACTIVE_WAYS * sizeof(struct inactive);
    cache->inactive_sets = inactive;
    cache->sets = left / (sizeof(struct set) + WAYS * sizeof(struct entry));
    cache->set_offset = head;
    cache->entry_offset = cache->set_offset + cache->sets * sizeof(struct set);
    cache->inactive_offset = cache->entry_offset + cache->sets * WAYS * sizeof(struct entry);
    atomic_init(&cache->generation, 1);
    return cache;
}

size_t assay_cache_room(const struct assay_cache *cache)
{
    return cache->sets * WAYS;
}

static struct set *set_at(struct assay_cache *cache, size_t at)
{
    return (struct set *)(void *)((uint8_t *)cache + cache->set_offset) + at;
}

static struct entry *entry_at(struct assay_cache *cache, size_t set, size_t way)
{
    return (struct entry *)(void *)((uint8_t *)cache + cache->entry_offset) + set * WAYS + way;
}

static struct inactive *inactive_at(struct assay_cache *cache, size_t set)
{
    return (struct inactive *)(void *)((uint8_t *)cache + cache->inactive_offset) +
           set * INACTIVE_WAYS;
}

/* A key, taken apart: every bit of it is as good as another. */
struct place {
    uint64_t key[KEY_WORDS];
    size_t set;
    uint32_t tag; /* never 0 */
};

static size_t scaled(uint64_t word, size_t count)
{
    return (size_t)((word >> 32) * count >> 32);
}

static struct place place_of(const struct assay_cache *cache,
                             const uint8_t key[ASSAY_CACHE_KEY_LEN])
{
    struct place place;
    memcpy(place.key, key, ASSAY_CACHE_KEY_LEN);
    place.set = scaled(place.key[0], cache->sets);
    place.tag = (uint32_t)place.key[1] | 1;
    return place;
}

static uint64_t read_word(const struct entry *entry, size_t word)
{
    return atomic_load_explicit(&entry->words[word - 1], memory_order_acquire);
}

static void write_word(struct entry *entry, size_t word, uint64_t value)
{
    atomic_store_explicit(&entry->words[word - 1], value, memory_order_release);
}

static bool has_key(const struct entry *entry, const uint64_t key[KEY_WORDS])
{
    for (size_t i = 0; i < KEY_WORDS; i++) {
        if (read_word(entry, 1 + i) != key[i]) {
            return false;
        }
    }
    return true;
}

/* --- what was flushed --- */

static bool marks_forbid(struct assay_cache *cache, const struct place *place, int64_t asked_us,
                         uint64_t subject, uint64_t client)
{
    size_t later = 0;
    if (atomic_load_explicit(&cache->last_mark_us, memory_order_acquire) < asked_us) {
        return false;
    }
    for (size_t i = 0; i < MARKS; i++) {
        const struct mark *mark = &cache->marks[i];
        uint64_t kind = atomic_load_explicit(&mark->kind, memory_order_acquire);
        if (kind == 0 || atomic_load_explicit(&mark->at_us, memory_order_relaxed) < asked_us) {
            continue;
        }
        uint64_t value = atomic_load_explicit(&mark->value, memory_order_relaxed);
        if ((kind == ASSAY_FLUSH_TOKEN && value == place->key[0]) ||
            (kind == ASSAY_FLUSH_SUBJECT && value == subject) ||
            (kind == ASSAY_FLUSH_CLIENT && value == client)) {
            return true;
        }
        later++;
    }
    return later == MARKS; /* there were more than are remembered: it may have been any */
}

uint64_t assay_cache_generation(struct assay_cache *cache)
{
    return atomic_load_explicit(&cache->generation, memory_order_acquire);
}

static bool holds(struct assay_cache *cache, const struct place *place,
                  const struct assay_cached *entry)
{
    return entry->generation == assay_cache_generation(cache) &&
           !marks_forbid(cache, place, entry->asked_us, entry->subject, entry->client);
}

bool assay_cache_may_use(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                         const struct assay_cached *entry)
{
    struct place place = place_of(cache, key);
    return holds(cache, &place, entry);
}

/* --- finding --- */

/* Reads of the words are acquire loads: none of them is done after the claim is looked at again. */
static void read_entry(const struct entry *entry, struct assay_cached *ret)
{
    ret->generation = read_word(entry, WORD_GENERATION);
    ret->asked_us = (int64_t)read_word(entry, WORD_ASKED);
    ret->dies_us = (int64_t)read_word(entry, WORD_DIES);
    ret->expires_at_s = (int64_t)read_word(entry, WORD_EXPIRES);
    ret->not_before_s = (int64_t)read_word(entry, WORD_NOT_BEFORE);
    ret->log = read_word(entry, WORD_LOG);
    ret->as_of = read_word(entry, WORD_AS_OF);
    for (size_t i = 0; i < ASSAY_FRESHNESS_KINDS; i++) {
        ret->keys[i] = read_word(entry, WORD_KEYS + i);
    }
    ret->subject = read_word(entry, WORD_SUBJECT);
    ret->client = read_word(entry, WORD_CLIENT);
    uint64_t len = read_word(entry, WORD_LEN);
    ret->flags = (uint32_t)(len >> 16) & 0xFFFF;
    ret->len = (uint16_t)(len & 0xFFFF);
    ret->len = ret->len > ASSAY_CACHE_PAYLOAD ? ASSAY_CACHE_PAYLOAD : ret->len;
    for (size_t i = 0; i * 8 < ret->len; i++) {
        uint64_t word = read_word(entry, WORD_PAYLOAD + i);
        memcpy(ret->payload + i * 8, &word, 8);
    }
}

static bool read_if_whole(const struct entry *entry, const struct place *place,
                          struct assay_cached *ret)
{
    uint64_t before = atomic_load_explicit(&entry->claim, memory_order_acquire);
    if (assay_claim_is_held(before) || !has_key(entry, place->key)) {
        return false;
    }
    read_entry(entry, ret);
    return atomic_load_explicit(&entry->claim, memory_order_relaxed) == before;
}

/* A bit that is set already is not written: readers of one token must not take the line from each
 * other. */
static void touch(struct set *set, size_t way)
{
    uint32_t bit = UINT32_C(1) << way;
    if ((atomic_load_explicit(&set->referenced, memory_order_relaxed) & bit) == 0) {
        atomic_fetch_or_explicit(&set->referenced, bit, memory_order_relaxed);
    }
}

bool assay_cache_find(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                      struct assay_cached *ret)
{
    struct place place = place_of(cache, key);
    struct set *set = set_at(cache, place.set);
    for (size_t way = 0; way < WAYS; way++) {
        if (atomic_load_explicit(&set->tags[way], memory_order_relaxed) == place.tag &&
            read_if_whole(entry_at(cache, place.set, way), &place, ret)) {
            touch(set, way);
            return holds(cache, &place, ret);
        }
    }
    return false;
}

/* --- storing --- */

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* A word of the entry changes only behind its claim: each is a release store, so none shows before.
 */
static void write_entry(struct entry *entry, const struct place *place,
                        const struct assay_cached *from)
{
    for (size_t i = 0; i < KEY_WORDS; i++) {
        write_word(entry, 1 + i, place->key[i]);
    }
    write_word(entry, WORD_GENERATION, from->generation);
    write_word(entry, WORD_ASKED, (uint64_t)from->asked_us);
    write_word(entry, WORD_DIES, (uint64_t)from->dies_us);
    write_word(entry, WORD_EXPIRES, (uint64_t)from->expires_at_s);
    write_word(entry, WORD_NOT_BEFORE, (uint64_t)from->not_before_s);
    write_word(entry, WORD_LOG, from->log);
    write_word(entry, WORD_AS_OF, from->as_of);
    for (size_t i = 0; i < ASSAY_FRESHNESS_KINDS; i++) {
        write_word(entry, WORD_KEYS + i, from->keys[i]);
    }
    write_word(entry, WORD_SUBJECT, from->subject);
    write_word(entry, WORD_CLIENT, from->client);
    write_word(entry, WORD_LEN, (uint64_t)(from->flags & 0xFFFF) << 16 | from->len);
    for (size_t i = 0; i * 8 < from->len; i++) {
        uint64_t word;
        memcpy(&word, from->payload + i * 8, 8);
        write_word(entry, WORD_PAYLOAD + i, word);
    }
}

static bool take(struct assay_cache *cache, struct entry *entry, const struct assay_process *me)
{
    for (size_t i = 0; i < TRIES; i++) {
        bool held = assay_claim_is_held(atomic_load_explicit(&entry->claim, memory_order_relaxed));
        if (assay_claim_take(&entry->claim, me)) {
            if (held) { /* its writer died: nobody knows what it had written */
                count(&cache->taken_over);
                for (size_t word = 1; word < WORD_PAYLOAD; word++) {
                    write_word(entry, word, 0);
                }
            }
            return true;
        }
    }
    return false;
}

/* The way that holds `place` or held it; WAYS: none. */
static size_t way_of(struct assay_cache *cache, const struct place *place)
{
    const struct set *set = set_at(cache, place->set);
    size_t way = 0;
    while (way < WAYS &&
           !(atomic_load_explicit(&set->tags[way], memory_order_relaxed) == place->tag &&
             has_key(entry_at(cache, place->set, way), place->key))) {
        way++;
    }
    return way;
}

/* One that was never used; else the next that nobody read since the hand was here last. What has
 * just been stored has not been read either: so tokens that come once make room for each other. */
static size_t way_for(struct assay_cache *cache, const struct place *place)
{
    struct set *set = set_at(cache, place->set);
    for (size_t way = 0; way < WAYS; way++) {
        if (atomic_load_explicit(&set->tags[way], memory_order_relaxed) == 0) {
            return way;
        }
    }
    for (size_t i = 0;; i++) {
        uint32_t at = atomic_fetch_add_explicit(&set->hand, 1, memory_order_relaxed) % WAYS;
        uint32_t bit = UINT32_C(1) << at;
        uint32_t referenced =
            atomic_fetch_and_explicit(&set->referenced, ~bit, memory_order_relaxed);
        if ((referenced & bit) == 0 || i == WAYS) {
            count(&cache->evicted);
            return at;
        }
    }
}

void assay_cache_put(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                     const struct assay_cached *entry, const struct assay_process *me)
{
    struct place place = place_of(cache, key);
    struct set *set = set_at(cache, place.set);
    if (!holds(cache, &place, entry)) {
        count(&cache->refused);
        return;
    }
    size_t way = way_of(cache, &place);
    bool known = way < WAYS;
    way = known ? way : way_for(cache, &place);
    struct entry *there = entry_at(cache, place.set, way);
    if (!take(cache, there, me)) {
        return; /* another process stores here: then this answer is asked for again */
    }
    bool newer_there = has_key(there, place.key) &&
                       read_word(there, WORD_GENERATION) == entry->generation &&
                       (int64_t)read_word(there, WORD_ASKED) > entry->asked_us;
    if (!newer_there) {
        write_entry(there, &place, entry);
        atomic_store_explicit(&set->tags[way], place.tag, memory_order_relaxed);
        count(&cache->stored);
    }
    assay_claim_give(&there->claim);
}

/* --- inactive answers --- */

static bool inactive_has_key(const struct inactive *entry, const uint64_t key[KEY_WORDS])
{
    for (size_t i = 0; i < KEY_WORDS; i++) {
        if (atomic_load_explicit(&entry->key[i], memory_order_acquire) != key[i]) {
            return false;
        }
    }
    return true;
}

static struct inactive *inactive_set(struct assay_cache *cache, const struct place *place)
{
    return inactive_at(cache, scaled(place->key[1], cache->inactive_sets));
}

bool assay_cache_find_inactive(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                               int64_t *ret_asked_us)
{
    struct place place = place_of(cache, key);
    const struct inactive *set = inactive_set(cache, &place);
    for (size_t way = 0; way < INACTIVE_WAYS; way++) {
        uint64_t before = atomic_load_explicit(&set[way].claim, memory_order_acquire);
        if (assay_claim_is_held(before) || !inactive_has_key(&set[way], place.key)) {
            continue;
        }
        uint64_t generation = atomic_load_explicit(&set[way].generation, memory_order_acquire);
        int64_t asked_us = atomic_load_explicit(&set[way].asked_us, memory_order_acquire);
        if (atomic_load_explicit(&set[way].claim, memory_order_relaxed) == before &&
            generation == assay_cache_generation(cache)) {
            *ret_asked_us = asked_us;
            return true;
        }
    }
    return false;
}

/* The entry of that key, or the oldest of the set. */
static struct inactive *inactive_for(struct assay_cache *cache, const struct place *place)
{
    struct inactive *set = inactive_set(cache, place);
    struct inactive *oldest = set;
    for (size_t way = 0; way < INACTIVE_WAYS; way++) {
        if (inactive_has_key(&set[way], place->key)) {
            return &set[way];
        }
        if (atomic_load_explicit(&set[way].asked_us, memory_order_relaxed) <
            atomic_load_explicit(&oldest->asked_us, memory_order_relaxed)) {
            oldest = &set[way];
        }
    }
    return oldest;
}

/* What was known as active, and asked about no later, is known no more. */
static void forget(struct assay_cache *cache, const struct place *place, int64_t asked_us,
                   const struct assay_process *me)
{
    size_t way = way_of(cache, place);
    struct entry *entry = way == WAYS ? NULL : entry_at(cache, place->set, way);
    if (entry == NULL || !take(cache, entry, me)) {
        return;
    }
    if (has_key(entry, place->key) && (int64_t)read_word(entry, WORD_ASKED) <= asked_us) {
        write_word(entry, WORD_GENERATION, 0);
    }
    assay_claim_give(&entry->claim);
}

void assay_cache_put_inactive(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                              uint64_t generation, int64_t asked_us, const struct assay_process *me)
{
    struct place place = place_of(cache, key);
    struct inactive *entry = inactive_for(cache, &place);
    forget(cache, &place, asked_us, me);
    if (!assay_claim_take(&entry->claim, me)) {
        return;
    }
    for (size_t i = 0; i < KEY_WORDS; i++) {
        atomic_store_explicit(&entry->key[i], place.key[i], memory_order_release);
    }
    atomic_store_explicit(&entry->generation, generation, memory_order_release);
    atomic_store_explicit(&entry->asked_us, asked_us, memory_order_release);
    assay_claim_give(&entry->claim);
}

/* --- flushing --- */

static void begin(struct assay_cache *cache, const struct assay_flush *flush)
{
    if (flush->kind == ASSAY_FLUSH_EVERYTHING) {
        atomic_fetch_add_explicit(&cache->generation, 1, memory_order_acq_rel);
        return;
    }
    uint64_t value = flush->mark;
    if (flush->kind == ASSAY_FLUSH_TOKEN) {
        memcpy(&value, flush->key, sizeof(value));
    }
    uint64_t at = atomic_fetch_add_explicit(&cache->next_mark, 1, memory_order_relaxed) % MARKS;
    struct mark *mark = &cache->marks[at];
    atomic_store_explicit(&mark->kind, 0, memory_order_release);
    atomic_store_explicit(&mark->at_us, flush->now_us, memory_order_release);
    atomic_store_explicit(&mark->value, value, memory_order_release);
    atomic_store_explicit(&mark->kind, flush->kind, memory_order_release);
    int64_t last = atomic_load_explicit(&cache->last_mark_us, memory_order_relaxed);
    while (last < flush->now_us &&
           !atomic_compare_exchange_weak_explicit(&cache->last_mark_us, &last, flush->now_us,
                                                  memory_order_release, memory_order_relaxed)) {
    }
}

static bool is_meant(const struct entry *entry, const struct assay_flush *flush,
                     const struct place *place)
{
    if ((int64_t)read_word(entry, WORD_ASKED) > flush->now_us) {
        return false; /* asked for since */
    }
    switch (flush->kind) {
    case ASSAY_FLUSH_TOKEN:
        return has_key(entry, place->key);
    case ASSAY_FLUSH_SUBJECT:
        return read_word(entry, WORD_SUBJECT) == flush->mark;
    case ASSAY_FLUSH_CLIENT:
        return read_word(entry, WORD_CLIENT) == flush->mark;
    case ASSAY_FLUSH_EVERYTHING:
        break;
    }
    return false;
}

static void end_entry(struct assay_cache *cache, struct entry *entry, struct assay_flush *flush,
                      const struct place *place, const struct assay_process *me)
{
    if (!is_meant(entry, flush, place) || !take(cache, entry, me)) {
        return; /* the mark keeps it from being used, whoever writes there now */
    }
    if (is_meant(entry, flush, place) && read_word(entry, WORD_GENERATION) != 0) {
        write_word(entry, WORD_GENERATION, 0);
        count(&cache->flushed);
        flush->ended++;
    }
    assay_claim_give(&entry->claim);
}

bool assay_flush_step(struct assay_cache *cache, struct assay_flush *flush,
                      const struct assay_process *me)
{
    struct place place = place_of(cache, flush->key);
    if (!flush->begun) {
        begin(cache, flush);
        flush->begun = true;
        flush->next = flush->kind == ASSAY_FLUSH_TOKEN ? place.set : 0;
    }
    if (flush->kind == ASSAY_FLUSH_EVERYTHING) {
        return false;
    }
    size_t end = flush->kind == ASSAY_FLUSH_TOKEN ? place.set + 1 : cache->sets;
    for (size_t i = 0; i < FLUSH_STEP && flush->next < end; i++, flush->next++) {
        for (size_t way = 0; way < WAYS; way++) {
            end_entry(cache, entry_at(cache, flush->next, way), flush, &place, me);
        }
    }
    return flush->next < end;
}

void assay_cache_count(struct assay_cache *cache, struct assay_cache_counts *ret)
{
    *ret = (struct assay_cache_counts){
        .stored = atomic_load_explicit(&cache->stored, memory_order_relaxed),
        .evicted = atomic_load_explicit(&cache->evicted, memory_order_relaxed),
        .taken_over = atomic_load_explicit(&cache->taken_over, memory_order_relaxed),
        .refused = atomic_load_explicit(&cache->refused, memory_order_relaxed),
        .flushed = atomic_load_explicit(&cache->flushed, memory_order_relaxed),
    };
}
