#include "guard/cache.h"

#include "guard/inactive.h"

#include <assert.h>
#include <string.h>

#define WAYS 8
#define KEY_WORDS 2
#define FLUSH_STEP 256 /* sets looked at in one step of a flush */
#define TURNS 16       /* of the hand, two for each place: then it takes what comes */
#define TRIES 4        /* places tried for an answer, where others hold the first ones */

/* Whoever stores an answer holds the claim meanwhile, which is also what tells a reader that nobody
 * wrote while it read. To end one takes no claim, but raises `ended_us`: so a writer that is
 * stopped keeps nothing alive. What was asked up to then does not count, whatever is written around
 * it; that may be more than was meant when the entry changed hands, and is then asked again.
 *
 * One process learns that a token is inactive while another, whose question was earlier, stores
 * that it is active. The one writes the inactive answer, then looks for the active one to end it;
 * the other writes key and tag, then, before it gives the claim back, looks for the inactive one.
 * Both are sequentially consistent, so one of them sees the other. */
struct entry {
    assay_claim claim;
    _Atomic uint64_t key[KEY_WORDS];
    _Atomic uint64_t generation;
    _Atomic int64_t asked_us;
    _Atomic int64_t ended_us; /* never lowered */
    _Atomic int64_t dies_us;
    _Atomic int64_t expires_at_s;
    _Atomic int64_t not_before_s;
    _Atomic uint64_t log;
    _Atomic uint64_t as_of;
    _Atomic uint64_t keys[ASSAY_FRESHNESS_KINDS];
    _Atomic uint64_t subject;
    _Atomic uint64_t client;
    _Atomic uint64_t len; /* and flags */
    _Atomic uint64_t payload[ASSAY_CACHE_PAYLOAD / 8];
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

struct assay_cache {
    size_t sets;
    size_t set_offset; /* bytes from here, as the memory may be mapped anywhere */
    size_t entry_offset;
    size_t inactive_offset;
    _Atomic uint64_t generation;
    struct assay_flushed flushed;
    _Atomic uint64_t stored;
    _Atomic uint64_t evicted;
    _Atomic uint64_t taken_over;
    _Atomic uint64_t refused;
    _Atomic uint64_t ended; /* by flushes */
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
    size_t inactive_sets = size / 16 / (assay_inactive_size(2) - assay_inactive_size(1));
    size_t left = size - head - assay_inactive_size(inactive_sets);
    cache->sets = left / (sizeof(struct set) + WAYS * sizeof(struct entry));
    cache->set_offset = head;
    cache->entry_offset = cache->set_offset + cache->sets * sizeof(struct set);
    cache->inactive_offset = cache->entry_offset + cache->sets * WAYS * sizeof(struct entry);
    (void)assay_inactive_init((uint8_t *)memory + cache->inactive_offset, inactive_sets);
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

static struct assay_inactive *inactive_of(struct assay_cache *cache)
{
    return (struct assay_inactive *)(void *)((uint8_t *)cache + cache->inactive_offset);
}

/* A key, taken apart: every bit of it is as good as another. */
struct place {
    uint64_t key[KEY_WORDS];
    size_t set;
    uint32_t tag; /* never 0 */
};

static struct place place_of(const struct assay_cache *cache,
                             const uint8_t key[ASSAY_CACHE_KEY_LEN])
{
    struct place place;
    memcpy(place.key, key, ASSAY_CACHE_KEY_LEN);
    place.set = (size_t)((place.key[0] >> 32) * cache->sets >> 32);
    place.tag = (uint32_t)place.key[1] | 1;
    return place;
}

/* --- words --- */

/* Reads are acquire loads: none of them is done after the claim is looked at again. */
static uint64_t get(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static int64_t get_time(const _Atomic int64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

/* A word of an entry changes only behind its claim: each is a release store, so none shows before.
 */
static void set(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static void set_time(_Atomic int64_t *word, int64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static bool has_key(const struct entry *entry, const struct place *place)
{
    for (size_t i = 0; i < KEY_WORDS; i++) {
        if (atomic_load_explicit(&entry->key[i], memory_order_seq_cst) != place->key[i]) {
            return false;
        }
    }
    return true;
}

static bool has_tag(const struct set *set, size_t way, const struct place *place)
{
    return atomic_load_explicit(&set->tags[way], memory_order_seq_cst) == place->tag;
}

/* --- what still counts --- */

uint64_t assay_cache_generation(struct assay_cache *cache)
{
    return atomic_load_explicit(&cache->generation, memory_order_acquire);
}

static bool holds(struct assay_cache *cache, const struct place *place,
                  const struct assay_cached *entry)
{
    struct assay_flushable what = {place->key[0], entry->subject, entry->client};
    return entry->generation == assay_cache_generation(cache) &&
           !assay_flushed_has(&cache->flushed, &what, entry->asked_us);
}

bool assay_cache_may_use(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                         const struct assay_cached *entry)
{
    struct place place = place_of(cache, key);
    return holds(cache, &place, entry);
}

/* --- finding --- */

static void read_entry(const struct entry *entry, struct assay_cached *ret)
{
    ret->generation = get(&entry->generation);
    ret->asked_us = get_time(&entry->asked_us);
    ret->dies_us = get_time(&entry->dies_us);
    ret->expires_at_s = get_time(&entry->expires_at_s);
    ret->not_before_s = get_time(&entry->not_before_s);
    ret->log = get(&entry->log);
    ret->as_of = get(&entry->as_of);
    for (size_t i = 0; i < ASSAY_FRESHNESS_KINDS; i++) {
        ret->keys[i] = get(&entry->keys[i]);
    }
    ret->subject = get(&entry->subject);
    ret->client = get(&entry->client);
    uint64_t len = get(&entry->len);
    ret->flags = (uint32_t)(len >> 16) & 0xFFFF;
    ret->len = (uint16_t)(len & 0xFFFF);
    ret->len = ret->len > ASSAY_CACHE_PAYLOAD ? ASSAY_CACHE_PAYLOAD : ret->len;
    for (size_t i = 0; i * 8 < ret->len; i++) {
        uint64_t word = get(&entry->payload[i]);
        memcpy(ret->payload + i * 8, &word, 8);
    }
}

/* The time is read last: what was ended before this look is not used. */
static bool read_if_whole(const struct entry *entry, const struct place *place,
                          struct assay_cached *ret)
{
    uint64_t before = get(&entry->claim);
    if (assay_claim_is_held(before) || !has_key(entry, place)) {
        return false;
    }
    read_entry(entry, ret);
    return get(&entry->claim) == before && ret->asked_us > get_time(&entry->ended_us);
}

/* When the answer in that entry was asked for; 0 if there is none that counts. */
static int64_t asked_if_good(const struct entry *entry, const struct place *place,
                             uint64_t generation)
{
    int64_t asked_us = get_time(&entry->asked_us);
    bool good = !assay_claim_is_held(get(&entry->claim)) && has_key(entry, place) &&
                get(&entry->generation) == generation && asked_us > get_time(&entry->ended_us);
    return good ? asked_us : 0;
}

/* Two processes that stored at once may have put one token in two places: the later one counts.
 * WAYS: there is none. */
static size_t latest_way(struct assay_cache *cache, const struct place *place)
{
    const struct set *set = set_at(cache, place->set);
    uint64_t generation = assay_cache_generation(cache);
    int64_t latest_us = 0;
    size_t latest = WAYS;
    for (size_t way = 0; way < WAYS; way++) {
        if (atomic_load_explicit(&set->tags[way], memory_order_relaxed) == place->tag) {
            int64_t asked_us = asked_if_good(entry_at(cache, place->set, way), place, generation);
            latest = asked_us > latest_us ? way : latest;
            latest_us = asked_us > latest_us ? asked_us : latest_us;
        }
    }
    return latest;
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
    size_t way = latest_way(cache, &place);
    if (way == WAYS || !read_if_whole(entry_at(cache, place.set, way), &place, ret)) {
        return false;
    }
    touch(set_at(cache, place.set), way);
    return holds(cache, &place, ret);
}

/* --- storing --- */

/* Key and tag come first, for whoever looks for something to end. */
static void write_entry(struct assay_cache *cache, const struct place *place, size_t way,
                        const struct assay_cached *from)
{
    struct entry *entry = entry_at(cache, place->set, way);
    for (size_t i = 0; i < KEY_WORDS; i++) {
        atomic_store_explicit(&entry->key[i], place->key[i], memory_order_seq_cst);
    }
    atomic_store_explicit(&set_at(cache, place->set)->tags[way], place->tag, memory_order_seq_cst);
    set(&entry->generation, from->generation);
    set_time(&entry->asked_us, from->asked_us);
    set_time(&entry->dies_us, from->dies_us);
    set_time(&entry->expires_at_s, from->expires_at_s);
    set_time(&entry->not_before_s, from->not_before_s);
    set(&entry->log, from->log);
    set(&entry->as_of, from->as_of);
    for (size_t i = 0; i < ASSAY_FRESHNESS_KINDS; i++) {
        set(&entry->keys[i], from->keys[i]);
    }
    set(&entry->subject, from->subject);
    set(&entry->client, from->client);
    set(&entry->len, (uint64_t)(from->flags & 0xFFFF) << 16 | from->len);
    for (size_t i = 0; i * 8 < from->len; i++) {
        uint64_t word;
        memcpy(&word, from->payload + i * 8, 8);
        set(&entry->payload[i], word);
    }
}

/* One that was never used; else the next that nobody read since the hand was here last. What has
 * just been stored has not been read either: so tokens that come once make room for each other. */
static size_t way_to_evict(struct assay_cache *cache, const struct place *place, unsigned tried)
{
    struct set *set = set_at(cache, place->set);
    for (size_t way = 0; way < WAYS; way++) {
        if (atomic_load_explicit(&set->tags[way], memory_order_relaxed) == 0 &&
            (tried >> way & 1) == 0) {
            return way;
        }
    }
    for (size_t i = 0;; i++) {
        uint32_t at = atomic_fetch_add_explicit(&set->hand, 1, memory_order_relaxed) % WAYS;
        uint32_t bit = UINT32_C(1) << at;
        uint32_t referenced =
            atomic_fetch_and_explicit(&set->referenced, ~bit, memory_order_relaxed);
        if (((referenced & bit) == 0 && (tried & bit) == 0) || i == TURNS) {
            return at;
        }
    }
}

/* A place for `place`, its claim taken: where it lies, else where something makes room. WAYS:
 * others hold all that were tried. */
static size_t take_way(struct assay_cache *cache, const struct place *place,
                       const struct assay_process *me, bool *ret_inherited)
{
    const struct set *set = set_at(cache, place->set);
    unsigned tried = 0;
    for (size_t i = 0; i < TRIES; i++) {
        size_t way = 0;
        while (way < WAYS && !((tried >> way & 1) == 0 && has_tag(set, way, place) &&
                               has_key(entry_at(cache, place->set, way), place))) {
            way++;
        }
        bool known = way < WAYS;
        way = known ? way : way_to_evict(cache, place, tried);
        bool used = atomic_load_explicit(&set->tags[way], memory_order_relaxed) != 0;
        enum assay_claim_result result =
            assay_claim_take(&entry_at(cache, place->set, way)->claim, me);
        if (result != ASSAY_CLAIM_BUSY) {
            if (!known && used) {
                count(&cache->evicted);
            }
            *ret_inherited = result == ASSAY_CLAIM_INHERITED;
            return way;
        }
        tried |= 1u << way;
    }
    return WAYS;
}

static bool is_later(const struct entry *there, const struct place *place,
                     const struct assay_cached *entry)
{
    return has_key(there, place) && get(&there->generation) == entry->generation &&
           get_time(&there->asked_us) > entry->asked_us;
}

/* Was its token said to be inactive by an answer that was asked for no earlier? */
static bool is_outdated(struct assay_cache *cache, const struct place *place,
                        const struct assay_cached *entry, int64_t *ret_asked_us)
{
    *ret_asked_us = assay_inactive_latest(inactive_of(cache), place->key, entry->generation);
    return *ret_asked_us >= entry->asked_us;
}

static void store(struct assay_cache *cache, const struct place *place, size_t way,
                  const struct assay_cached *entry)
{
    int64_t inactive_us = 0;
    write_entry(cache, place, way, entry);
    if (is_outdated(cache, place, entry, &inactive_us)) {
        assay_raise(&entry_at(cache, place->set, way)->ended_us, inactive_us);
        count(&cache->refused);
    } else {
        count(&cache->stored);
    }
}

void assay_cache_put(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                     const struct assay_cached *entry, const struct assay_process *me)
{
    struct place place = place_of(cache, key);
    bool inherited = false;
    if (!holds(cache, &place, entry)) {
        count(&cache->refused);
        return;
    }
    size_t way = take_way(cache, &place, me, &inherited);
    if (way == WAYS) {
        return; /* then this answer is asked for again */
    }
    struct entry *there = entry_at(cache, place.set, way);
    if (inherited) { /* nobody knows which of its words belong together */
        count(&cache->taken_over);
        set(&there->generation, 0);
    }
    if (!is_later(there, &place, entry)) {
        store(cache, &place, way, entry);
    }
    assay_claim_give(&there->claim);
}

/* --- inactive answers --- */

bool assay_cache_find_inactive(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                               int64_t *ret_asked_us)
{
    struct place place = place_of(cache, key);
    struct assay_flushable what = {.token = place.key[0]};
    int64_t asked_us = 0;
    if (!assay_inactive_find(inactive_of(cache), place.key, assay_cache_generation(cache),
                             &asked_us) ||
        assay_flushed_has(&cache->flushed, &what, asked_us)) {
        return false;
    }
    *ret_asked_us = asked_us;
    return true;
}

/* What is known as active, and was asked about no later, is known no more, wherever it lies. */
static void end_active(struct assay_cache *cache, const struct place *place, int64_t asked_us)
{
    for (size_t way = 0; way < WAYS; way++) {
        struct entry *entry = entry_at(cache, place->set, way);
        if (has_tag(set_at(cache, place->set), way, place) && has_key(entry, place)) {
            assay_raise(&entry->ended_us, asked_us);
        }
    }
}

/* Ended before, so that a death in between leaves nothing alive, and behind, for what was being
 * stored. */
void assay_cache_put_inactive(struct assay_cache *cache, const uint8_t key[ASSAY_CACHE_KEY_LEN],
                              uint64_t generation, int64_t asked_us, const struct assay_process *me)
{
    struct place place = place_of(cache, key);
    end_active(cache, &place, asked_us);
    assay_inactive_put(inactive_of(cache), place.key, generation, asked_us, me);
    end_active(cache, &place, asked_us);
}

/* --- flushing --- */

static void begin(struct assay_cache *cache, const struct assay_flush *flush,
                  const struct assay_process *me)
{
    uint64_t value = flush->mark;
    if (flush->kind == ASSAY_FLUSH_EVERYTHING) {
        atomic_fetch_add_explicit(&cache->generation, 1, memory_order_acq_rel);
        return;
    }
    if (flush->kind == ASSAY_FLUSH_TOKEN) {
        memcpy(&value, flush->key, sizeof(value));
    }
    assay_flushed_mark(&cache->flushed, flush->kind, value, flush->now_us, me);
}

static bool is_meant(const struct entry *entry, const struct assay_flush *flush,
                     const struct place *place)
{
    switch (flush->kind) {
    case ASSAY_FLUSH_TOKEN:
        return has_key(entry, place);
    case ASSAY_FLUSH_SUBJECT:
        return get(&entry->subject) == flush->mark;
    case ASSAY_FLUSH_CLIENT:
        return get(&entry->client) == flush->mark;
    case ASSAY_FLUSH_EVERYTHING:
        break;
    }
    return false;
}

/* The mark is what keeps it from being used: this makes room, and counts. */
static void end_entry(struct assay_cache *cache, struct entry *entry, struct assay_flush *flush,
                      const struct place *place)
{
    int64_t asked_us = get_time(&entry->asked_us);
    bool counts = get(&entry->generation) == assay_cache_generation(cache) &&
                  asked_us > get_time(&entry->ended_us) && asked_us <= flush->now_us;
    if (counts && is_meant(entry, flush, place)) {
        assay_raise(&entry->ended_us, flush->now_us);
        count(&cache->ended);
        flush->ended++;
    }
}

bool assay_flush_step(struct assay_cache *cache, struct assay_flush *flush,
                      const struct assay_process *me)
{
    struct place place = place_of(cache, flush->key);
    if (!flush->begun) {
        begin(cache, flush, me);
        flush->begun = true;
        flush->next = flush->kind == ASSAY_FLUSH_TOKEN ? place.set : 0;
    }
    if (flush->kind == ASSAY_FLUSH_EVERYTHING) {
        return false;
    }
    size_t end = flush->kind == ASSAY_FLUSH_TOKEN ? place.set + 1 : cache->sets;
    for (size_t i = 0; i < FLUSH_STEP && flush->next < end; i++, flush->next++) {
        for (size_t way = 0; way < WAYS; way++) {
            end_entry(cache, entry_at(cache, flush->next, way), flush, &place);
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
        .flushed = atomic_load_explicit(&cache->ended, memory_order_relaxed),
    };
}
