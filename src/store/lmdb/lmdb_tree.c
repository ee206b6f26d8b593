#include "store/lmdb/lmdb_tree.h"

#include "store/lmdb/lmdb_page.h"

#include <string.h>

#define KEY_SIZE 8

static enum assay_status damaged(struct assay_error *reterr)
{
    return assay_fail(ASSAY_ERR_CORRUPT,
                      "a page of the store is damaged; put a backup in place with: assay store "
                      "restore",
                      reterr);
}

enum assay_status lmdb_pages_find(struct assay_slice value, size_t page_size, uint64_t count,
                                  struct lmdb_pages *ret, struct assay_error *reterr)
{
    uintptr_t in_page = (uintptr_t)value.data & (page_size - 1);
    const uint8_t *page = value.data - in_page;
    uint64_t number = read_u64(page);
    if (number >= count || (read_u16(page + FLAGS_AT) & PAGE_KINDS) != PAGE_LEAF) {
        return damaged(reterr);
    }
    const uint8_t *base = page - number * page_size;
    if (read_u32(base + META_AT) != META_MAGIC || read_u32(base + META_AT + 4) != META_VERSION) {
        return damaged(reterr);
    }
    *ret = (struct lmdb_pages){.base = base, .page_size = page_size, .count = count};
    return ASSAY_OK;
}

enum assay_status lmdb_tree_parse(const struct lmdb_pages *pages, struct assay_slice record,
                                  struct lmdb_tree *ret, struct assay_error *reterr)
{
    if (record.len != TREE_RECORD) {
        return damaged(reterr);
    }
    *ret = (struct lmdb_tree){
        .pages = *pages,
        .root = read_u64(record.data + TREE_ROOT_AT),
        .entries = read_u64(record.data + TREE_ENTRIES_AT),
        .depth = read_u16(record.data + TREE_DEPTH_AT),
    };
    uint64_t branches = read_u64(record.data + TREE_BRANCHES_AT);
    ret->fanout = branches == 0 ? 1 : read_u64(record.data + TREE_LEAVES_AT) / branches + 1;
    return ret->depth <= MAX_DEPTH ? ASSAY_OK : damaged(reterr);
}

/* A page with nodes; what is in it lies within its bounds. */
struct page {
    const uint8_t *bytes;
    size_t size;
    size_t nodes;
    bool leaf;
};

static bool open_page(const struct lmdb_pages *pages, uint64_t number, struct page *ret)
{
    if (number >= pages->count) {
        return false;
    }
    const uint8_t *bytes = pages->base + number * pages->page_size;
    unsigned kind = read_u16(bytes + FLAGS_AT) & PAGE_KINDS;
    size_t lower = read_u16(bytes + LOWER_AT);
    size_t upper = read_u16(bytes + UPPER_AT);
    *ret = (struct page){
        .bytes = bytes,
        .size = pages->page_size,
        .nodes = (lower - PAGE_HEAD) / 2,
        .leaf = kind == PAGE_LEAF,
    };
    return read_u64(bytes) == number && (kind == PAGE_LEAF || kind == PAGE_BRANCH) &&
           lower > PAGE_HEAD && lower <= upper && upper <= pages->page_size;
}

/* The node at `index`, with its head inside the page; NULL when it is not. */
static const uint8_t *node_at(const struct page *page, size_t index)
{
    size_t at = read_u16(page->bytes + PAGE_HEAD + 2 * index);
    return at >= PAGE_HEAD && at <= page->size - NODE_HEAD ? page->bytes + at : NULL;
}

/* A key; 0, which is nobody's number, where there is none. */
static uint64_t key_at(const struct page *page, size_t index)
{
    size_t at = read_u16(page->bytes + PAGE_HEAD + 2 * index);
    if (at < PAGE_HEAD || at > page->size - NODE_HEAD - KEY_SIZE) {
        return 0;
    }
    return read_u64(page->bytes + at + NODE_HEAD);
}

static const struct lmdb_range unknown = {.low = 0, .high = UINT64_MAX};

/* Where `number` would be among `nodes` if keys were spread evenly over `range`, as numbers are
 * that are given out one after the other. At most the last. */
static size_t guess(uint64_t number, struct lmdb_range range, size_t nodes)
{
    if (number <= range.low) {
        return 0;
    }
    if (number >= range.high) {
        return nodes - 1;
    }
    double share = (double)(number - range.low) / (double)(range.high - range.low);
    size_t index = (size_t)(share * (double)nodes);
    return index < nodes ? index : nodes - 1;
}

/* The range, from the page itself as far as it is not known. */
static struct lmdb_range range_of(const struct page *page, struct lmdb_range known)
{
    size_t first = page->leaf ? 0 : 1; /* a branch has no key at its first */
    if (page->nodes > first && known.low == 0) {
        known.low = key_at(page, first);
    }
    if (page->nodes > first && known.high == UINT64_MAX) {
        known.high = key_at(page, page->nodes - 1) + 1;
    }
    return known;
}

/* The last index whose key is not above `number`; the first is taken without a look. Starts at a
 * guess and steps from there, further each time. */
static size_t search(const struct page *page, uint64_t number, struct lmdb_range known)
{
    size_t low = 0;
    size_t high = page->nodes; /* that key is above, or there is none */
    size_t probe = high > 1 ? guess(number, range_of(page, known), high) : 0;
    for (size_t step = 1; high - low > 1; step *= 2) {
        probe = probe <= low ? low + 1 : probe >= high ? high - 1 : probe;
        uint64_t key = key_at(page, probe);
        if (key == number) {
            return probe;
        }
        if (key < number) {
            low = probe;
            probe = high - low > step ? low + step : low + (high - low) / 2;
        } else {
            high = probe;
            probe = high - low > step ? high - step : low + (high - low) / 2;
        }
    }
    return low;
}

static const uint8_t *page_bytes(const struct lmdb_pages *pages, uint64_t number)
{
    return number < pages->count ? pages->base + number * pages->page_size : NULL;
}

/* One level down, to where `number` would be. */
static struct lmdb_place child_of(const struct lmdb_pages *pages, struct lmdb_place at,
                                  uint64_t number)
{
    struct page page;
    struct lmdb_place child = {.page = LMDB_NO_PAGE, .range = at.range};
    if (!open_page(pages, at.page, &page) || page.leaf) {
        return child;
    }
    size_t index = search(&page, number, at.range);
    const uint8_t *node = node_at(&page, index);
    if (node == NULL) {
        return child;
    }
    child.page = (uint64_t)read_u16(node) | (uint64_t)read_u16(node + 2) << 16 |
                 (uint64_t)read_u16(node + NODE_FLAGS_AT) << 32;
    child.range.low = index == 0 ? at.range.low : key_at(&page, index);
    child.range.high = index + 1 == page.nodes ? at.range.high : key_at(&page, index + 1);
    return child;
}

static struct lmdb_place root_of(const struct lmdb_tree *tree)
{
    return (struct lmdb_place){.page = tree->root, .range = unknown};
}

/* The value of a leaf's node: inside the page, or on pages of its own. */
static enum assay_status value_of(const struct lmdb_tree *tree, const struct page *page,
                                  const uint8_t *node, struct assay_slice *ret,
                                  struct assay_error *reterr)
{
    size_t len = (size_t)read_u16(node) | (size_t)read_u16(node + 2) << 16;
    const uint8_t *value = node + NODE_HEAD + KEY_SIZE;
    size_t room = (size_t)(page->bytes + page->size - value);
    if (read_u16(node + NODE_FLAGS_AT) == 0 && len <= room) {
        *ret = assay_slice_of(value, len);
        return ASSAY_OK;
    }
    if (read_u16(node + NODE_FLAGS_AT) != NODE_BIG || room < sizeof(uint64_t)) {
        return damaged(reterr);
    }
    uint64_t number = read_u64(value);
    const uint8_t *big = page_bytes(&tree->pages, number);
    if (big == NULL || read_u64(big) != number ||
        (read_u16(big + FLAGS_AT) & PAGE_KINDS) != PAGE_OVERFLOW) {
        return damaged(reterr);
    }
    uint64_t pages = read_u32(big + LOWER_AT);
    if (pages > tree->pages.count - number || len > pages * tree->pages.page_size - PAGE_HEAD) {
        return damaged(reterr);
    }
    *ret = assay_slice_of(big + PAGE_HEAD, len);
    return ASSAY_OK;
}

/* The value of `number` in the leaf that it would be in. */
static enum assay_status get_at(const struct lmdb_tree *tree, struct lmdb_place at, uint64_t number,
                                struct assay_slice *ret, struct assay_error *reterr)
{
    struct page page;
    if (tree->root == LMDB_NO_PAGE) {
        return assay_fail(ASSAY_ERR_ABSENT, "no such entry", reterr);
    }
    if (!open_page(&tree->pages, at.page, &page) || !page.leaf) {
        return damaged(reterr);
    }
    size_t index = search(&page, number, at.range);
    if (key_at(&page, index) != number) {
        return assay_fail(ASSAY_ERR_ABSENT, "no such entry", reterr);
    }
    const uint8_t *node = node_at(&page, index);
    if (node == NULL || read_u16(node + NODE_KEY_SIZE_AT) != KEY_SIZE ||
        (size_t)(page.bytes + page.size - node) < NODE_HEAD + KEY_SIZE) {
        return damaged(reterr);
    }
    return value_of(tree, &page, node, ret, reterr);
}

enum assay_status lmdb_tree_get(const struct lmdb_tree *tree, uint64_t number,
                                struct assay_slice *ret, struct assay_error *reterr)
{
    struct lmdb_place at = root_of(tree);
    for (unsigned level = 1; level < tree->depth; level++) {
        at = child_of(&tree->pages, at, number);
    }
    return get_at(tree, at, number, ret, reterr);
}

/* --- looking ahead
 *
 * A page that no cache knows takes a third of a microsecond to come, most of it to find out where
 * it is; but many can come at once, if they are asked for close together. So the addresses are
 * worked out first, for all look-ups, and then read in one short loop. */

#define LINE 64        /* bytes that memory gives at once */
#define BRANCH_NODE 16 /* bytes of a branch's node with a key of 8 */
#define RECORD_LINES 4 /* of a usual value, with what is before it */

struct wanted {
    const uint8_t *at[LMDB_AHEAD * RECORD_LINES];
    size_t count;
};

static void want(struct wanted *wanted, const uint8_t *at)
{
    wanted->at[wanted->count++] = at;
}

static void touch(struct wanted *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        (void)*(const volatile uint8_t *)wanted->at[i];
    }
    wanted->count = 0;
}

/* Most branches have as many nodes as the next, filled in from the page's end in their order: so
 * the guess tells where in the page the node is, and where its place is noted. */
static void want_branch(const struct lmdb_ahead *ahead, struct wanted *wanted)
{
    const struct lmdb_pages *pages = &ahead->tree->pages;
    const uint8_t *page = page_bytes(pages, ahead->place.page);
    size_t most = (pages->page_size - PAGE_HEAD) / (BRANCH_NODE + 2);
    size_t fanout = ahead->tree->fanout < most ? (size_t)ahead->tree->fanout : most;
    if (page != NULL) {
        size_t index = guess(ahead->number, ahead->place.range, fanout);
        want(wanted, page);
        want(wanted, page + PAGE_HEAD + 2 * index);
        want(wanted, page + pages->page_size - NODE_HEAD - BRANCH_NODE * index);
    }
}

/* The head of a leaf, with the places of its nodes. */
static void want_leaf(const struct lmdb_ahead *ahead, struct wanted *wanted)
{
    const uint8_t *page = page_bytes(&ahead->tree->pages, ahead->place.page);
    if (page != NULL) {
        want(wanted, page);
    }
}

static void want_record(const struct lmdb_ahead *ahead, struct wanted *wanted)
{
    struct page page;
    if (!open_page(&ahead->tree->pages, ahead->place.page, &page)) {
        return;
    }
    struct lmdb_range range = range_of(&page, ahead->place.range);
    const uint8_t *node = node_at(&page, guess(ahead->number, range, page.nodes));
    const uint8_t *end = page.bytes + page.size;
    for (size_t i = 0; node != NULL && i < RECORD_LINES && node < end; i++) {
        want(wanted, node);
        node = (size_t)(end - node) > LINE ? node + LINE : end;
    }
}

/* Down the upper levels, which are few pages and always near, to the last branch above the leaves,
 * or to the leaf that is the whole tree. */
static void go_near(struct lmdb_ahead *ahead)
{
    ahead->place = root_of(ahead->tree);
    for (unsigned level = 2; level < ahead->tree->depth; level++) {
        ahead->place = child_of(&ahead->tree->pages, ahead->place, ahead->number);
    }
}

void lmdb_tree_look_ahead(struct lmdb_ahead *ahead, size_t count)
{
    struct wanted wanted = {.count = 0};
    assert(count <= LMDB_AHEAD);
    for (size_t i = 0; i < count; i++) {
        go_near(&ahead[i]);
        want_branch(&ahead[i], &wanted);
    }
    touch(&wanted);
    for (size_t i = 0; i < count; i++) {
        if (ahead[i].tree->depth > 1) {
            ahead[i].place = child_of(&ahead[i].tree->pages, ahead[i].place, ahead[i].number);
        }
        want_leaf(&ahead[i], &wanted);
    }
    touch(&wanted);
    for (size_t i = 0; i < count; i++) {
        want_record(&ahead[i], &wanted);
    }
    touch(&wanted);
}

enum assay_status lmdb_tree_get_ahead(const struct lmdb_ahead *ahead, struct assay_slice *ret,
                                      struct assay_error *reterr)
{
    return get_at(ahead->tree, ahead->place, ahead->number, ret, reterr);
}
