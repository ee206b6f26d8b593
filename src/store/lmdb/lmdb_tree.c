#include "store/lmdb/lmdb_tree.h"

#include <assert.h>
#include <string.h>

/* Of <lmdb.h>'s implementation, as of MDB_DATA_VERSION 1. Every page starts with its number (8
 * bytes), 2 bytes of padding, 2 of flags, and the bounds of its free room (2 and 2); overflow pages
 * have their count in place of the bounds. Then 2 bytes for each node: where in the page it is. */
#define PAGE_HEAD 16
#define FLAGS_AT 10
#define LOWER_AT 12
#define UPPER_AT 14
#define PAGE_BRANCH 0x01u
#define PAGE_LEAF 0x02u
#define PAGE_OVERFLOW 0x04u
#define PAGE_KINDS 0x6Fu /* all flags but "dirty" */

/* A node: the size of its value in two halves (a branch: the page number, in three), flags, the
 * size of its key, the key, the value. */
#define NODE_HEAD 8
#define NODE_FLAGS_AT 4
#define NODE_KEY_SIZE_AT 6
#define NODE_BIG 0x01u /* the value is the number of an overflow page */
#define KEY_SIZE 8

/* The record of a named database. */
#define TREE_RECORD 48
#define TREE_DEPTH_AT 6
#define TREE_ENTRIES_AT 32
#define TREE_ROOT_AT 40
#define MAX_DEPTH 32

#define META_AT PAGE_HEAD
#define META_MAGIC 0xBEEFC0DEu
#define META_VERSION 1u

static_assert(sizeof(size_t) == 8, "LMDB's page numbers are read as 8 bytes");

static uint16_t read_u16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint32_t read_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint64_t read_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

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

/* Where `number` would be if the keys between two indices were evenly spread, as numbers are that
 * are given out one after the other. */
static size_t guess(uint64_t number, size_t low, uint64_t low_key, size_t high, uint64_t high_key)
{
    double share = (double)(number - low_key) / (double)(high_key - low_key);
    return low + (size_t)(share * (double)(high - low));
}

/* The last index whose key is not above `number`. The first is taken without a look: a branch has
 * no key there. */
static size_t search(const struct page *page, uint64_t number)
{
    size_t low = 1;
    size_t high = page->nodes - 1;
    if (high < low || number < key_at(page, low)) {
        return 0;
    }
    uint64_t high_key = key_at(page, high);
    if (number >= high_key) {
        return high;
    }
    /* From here on the key at `low` is not above the number, and that at `high` is. */
    size_t probe = guess(number, low, key_at(page, low), high, high_key);
    for (size_t step = 1; high - low > 1; step *= 2) {
        probe = probe <= low ? low + 1 : probe >= high ? high - 1 : probe;
        if (key_at(page, probe) <= number) {
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

/* The page below branch `at` that `number` would be in; LMDB_NO_PAGE where `at` is damaged. */
static uint64_t child_of(const struct lmdb_tree *tree, uint64_t at, uint64_t number)
{
    struct page page;
    if (!open_page(&tree->pages, at, &page) || page.leaf) {
        return LMDB_NO_PAGE;
    }
    const uint8_t *node = node_at(&page, search(&page, number));
    return node == NULL ? LMDB_NO_PAGE
                        : (uint64_t)read_u16(node) | (uint64_t)read_u16(node + 2) << 16 |
                              (uint64_t)read_u16(node + NODE_FLAGS_AT) << 32;
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
static enum assay_status get_in(const struct lmdb_tree *tree, const struct page *page,
                                uint64_t number, struct assay_slice *ret,
                                struct assay_error *reterr)
{
    size_t index = search(page, number);
    if (key_at(page, index) != number) {
        return assay_fail(ASSAY_ERR_ABSENT, "no such entry", reterr);
    }
    const uint8_t *node = node_at(page, index);
    if (node == NULL || read_u16(node + NODE_KEY_SIZE_AT) != KEY_SIZE ||
        (size_t)(page->bytes + page->size - node) < NODE_HEAD + KEY_SIZE) {
        return damaged(reterr);
    }
    return value_of(tree, page, node, ret, reterr);
}

enum assay_status lmdb_tree_get(const struct lmdb_tree *tree, uint64_t number,
                                struct assay_slice *ret, struct assay_error *reterr)
{
    struct page page;
    uint64_t at = tree->root;
    if (tree->root == LMDB_NO_PAGE) {
        return assay_fail(ASSAY_ERR_ABSENT, "no such entry", reterr);
    }
    for (unsigned level = 1; level < tree->depth; level++) {
        at = child_of(tree, at, number);
    }
    if (!open_page(&tree->pages, at, &page) || !page.leaf) {
        return damaged(reterr);
    }
    return get_in(tree, &page, number, ret, reterr);
}

enum assay_status lmdb_tree_get_ahead(const struct lmdb_ahead *ahead, struct assay_slice *ret,
                                      struct assay_error *reterr)
{
    const struct lmdb_tree *tree = ahead->tree;
    struct page page;
    if (tree->root == LMDB_NO_PAGE || !open_page(&tree->pages, ahead->page, &page) || !page.leaf) {
        return lmdb_tree_get(tree, ahead->number, ret, reterr);
    }
    return get_in(tree, &page, ahead->number, ret, reterr);
}

/* --- looking ahead */

#define LINE 64 /* bytes that memory gives at once */

static void fetch(const uint8_t *at)
{
    __builtin_prefetch(at);
}

/* The line of a node's head and key, and those behind it that hold its value. */
static void fetch_node(const struct page *page, size_t index, size_t lines)
{
    const uint8_t *node = node_at(page, index);
    for (size_t i = 0; node != NULL && i < lines; i++) {
        fetch(node + i * LINE);
    }
}

/* Goes down the upper levels, which are few pages and always near, to the last branch above the
 * leaves. */
static void go_near(struct lmdb_ahead *ahead)
{
    const struct lmdb_tree *tree = ahead->tree;
    ahead->page = tree == NULL ? LMDB_NO_PAGE : tree->root;
    for (unsigned level = 2; tree != NULL && level < tree->depth; level++) {
        ahead->page = child_of(tree, ahead->page, ahead->number);
    }
}

static bool is_deep(const struct lmdb_ahead *ahead)
{
    return ahead->tree != NULL && ahead->tree->depth > 1;
}

/* The first lines of a page: its head, and where its nodes are. A branch is full of small ones. */
static void fetch_page(const struct lmdb_ahead *ahead, size_t lines)
{
    const uint8_t *page = ahead->tree == NULL ? NULL : page_bytes(&ahead->tree->pages, ahead->page);
    for (size_t i = 0; page != NULL && i < lines; i++) {
        fetch(page + i * LINE);
    }
}

static bool open_ahead(const struct lmdb_ahead *ahead, struct page *ret)
{
    return ahead->tree != NULL && open_page(&ahead->tree->pages, ahead->page, ret);
}

/* The keys that a page's guess is made from. */
static void fetch_ends(const struct lmdb_ahead *ahead)
{
    struct page page;
    if (open_ahead(ahead, &page)) {
        fetch_node(&page, page.nodes > 1 ? 1 : 0, 1);
        fetch_node(&page, page.nodes - 1, 1);
    }
}

/* The node itself, as far as the ends of the page tell. */
static void fetch_guess(const struct lmdb_ahead *ahead)
{
    static const size_t lines_of_record = 4;
    struct page page;
    if (!open_ahead(ahead, &page)) {
        return;
    }
    size_t last = page.nodes - 1;
    uint64_t low_key = last == 0 ? 0 : key_at(&page, 1);
    uint64_t high_key = key_at(&page, last);
    size_t index = ahead->number >= high_key ? last : 0;
    if (ahead->number > low_key && ahead->number < high_key) {
        index = guess(ahead->number, 1, low_key, last, high_key);
    }
    fetch_node(&page, index, page.leaf ? lines_of_record : 1);
}

void lmdb_tree_look_ahead(struct lmdb_ahead *ahead, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        go_near(&ahead[i]);
        fetch_page(&ahead[i], 8);
    }
    for (size_t i = 0; i < count; i++) {
        fetch_ends(&ahead[i]);
    }
    for (size_t i = 0; i < count; i++) {
        fetch_guess(&ahead[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (is_deep(&ahead[i])) {
            ahead[i].page = child_of(ahead[i].tree, ahead[i].page, ahead[i].number);
            fetch_page(&ahead[i], 1);
        }
    }
    for (size_t i = 0; i < count; i++) {
        fetch_ends(&ahead[i]);
    }
    for (size_t i = 0; i < count; i++) {
        fetch_guess(&ahead[i]);
    }
}
