#include "store/lmdb/lmdb_walk.h"

#include "store/lmdb/lmdb_page.h"

/* A page on the way down, and the keys that lie on it: from `low`, below `high`; data NULL: no
 * bound. */
struct level {
    const uint8_t *page;
    size_t nodes;
    size_t next;
    bool leaf;
    struct assay_slice low;
    struct assay_slice high;
};

struct descent {
    struct lmdb_walk *walk;
    const struct lmdb_tree *tree;
    struct level levels[MAX_DEPTH];
    unsigned depth; /* levels in use */
    struct assay_slice last;
    uint64_t entries;
};

/* One node, all of it inside its page. */
struct node {
    unsigned flags;
    struct assay_slice key;
    const uint8_t *head;
    const uint8_t *value;
    size_t room; /* bytes from `value` to the end of the page */
};

static bool comes_before(const struct lmdb_walk *walk, struct assay_slice a, struct assay_slice b)
{
    return walk->by_number ? read_u64(a.data) < read_u64(b.data) : assay_slice_compare(a, b) < 0;
}

/* The first node of a branch has no key that counts. */
static bool read_node(const struct descent *d, const struct level *level, size_t index,
                      struct node *ret)
{
    size_t size = d->tree->pages.page_size;
    size_t at = read_u16(level->page + PAGE_HEAD + 2 * index);
    if (at < PAGE_HEAD + 2 * level->nodes || at > size - NODE_HEAD) {
        return false;
    }
    const uint8_t *head = level->page + at;
    size_t key_size = read_u16(head + NODE_KEY_SIZE_AT);
    size_t room = size - at - NODE_HEAD;
    bool counts = level->leaf || index > 0;
    if (key_size > room || (counts && key_size == 0) ||
        (counts && d->walk->by_number && key_size != 8)) {
        return false;
    }
    *ret = (struct node){
        .flags = read_u16(head + NODE_FLAGS_AT),
        .key = assay_slice_of(head + NODE_HEAD, key_size),
        .head = head,
        .value = head + NODE_HEAD + key_size,
        .room = room - key_size,
    };
    return true;
}

/* Goes down to page `number`, whose keys lie between `low` and `high`. */
static bool go_down(struct descent *d, uint64_t number, struct assay_slice low,
                    struct assay_slice high)
{
    const struct lmdb_pages *pages = &d->tree->pages;
    bool leaf = d->depth + 1 == d->tree->depth;
    if (d->depth >= MAX_DEPTH || d->depth >= d->tree->depth || number >= pages->count) {
        return false;
    }
    const uint8_t *page = pages->base + number * pages->page_size;
    size_t lower = read_u16(page + LOWER_AT);
    size_t upper = read_u16(page + UPPER_AT);
    if (read_u64(page) != number ||
        (read_u16(page + FLAGS_AT) & PAGE_KINDS) != (leaf ? PAGE_LEAF : PAGE_BRANCH) ||
        lower <= PAGE_HEAD || lower % 2 != 0 || lower > upper || upper > pages->page_size) {
        return false;
    }
    d->levels[d->depth++] = (struct level){
        .page = page,
        .nodes = (lower - PAGE_HEAD) / 2,
        .leaf = leaf,
        .low = low,
        .high = high,
    };
    return true;
}

static bool see_child(struct descent *d, struct level *level, size_t index)
{
    struct node node;
    struct node next = {.key = level->high};
    if (!read_node(d, level, index, &node) ||
        (index + 1 < level->nodes && !read_node(d, level, index + 1, &next))) {
        return false;
    }
    struct assay_slice low = index == 0 ? level->low : node.key;
    bool ordered =
        low.data == NULL || next.key.data == NULL || comes_before(d->walk, low, next.key);
    uint64_t number = (uint64_t)read_u16(node.head) | (uint64_t)read_u16(node.head + 2) << 16 |
                      (uint64_t)node.flags << 32;
    return ordered && go_down(d, number, low, next.key);
}

/* A value on pages of its own. */
static bool read_big(const struct descent *d, const struct node *node, size_t len,
                     struct assay_slice *ret)
{
    const struct lmdb_pages *pages = &d->tree->pages;
    uint64_t number = node->room < sizeof(number) ? pages->count : read_u64(node->value);
    if (number >= pages->count) {
        return false;
    }
    const uint8_t *page = pages->base + number * pages->page_size;
    uint64_t count = read_u32(page + LOWER_AT);
    if (read_u64(page) != number || (read_u16(page + FLAGS_AT) & PAGE_KINDS) != PAGE_OVERFLOW ||
        count == 0 || count > pages->count - number || len > count * pages->page_size - PAGE_HEAD) {
        return false;
    }
    *ret = assay_slice_of(page + PAGE_HEAD, len);
    return true;
}

static bool see_entry(struct descent *d, const struct level *level, size_t index)
{
    struct node node;
    struct assay_slice value;
    if (!read_node(d, level, index, &node)) {
        return false;
    }
    bool ordered = (d->last.data == NULL || comes_before(d->walk, d->last, node.key)) &&
                   (level->low.data == NULL || !comes_before(d->walk, node.key, level->low)) &&
                   (level->high.data == NULL || comes_before(d->walk, node.key, level->high));
    size_t len = (size_t)read_u16(node.head) | (size_t)read_u16(node.head + 2) << 16;
    bool inside = (node.flags == 0 || node.flags == NODE_NAMED) && len <= node.room;
    if (!ordered || (!inside && (node.flags != NODE_BIG || !read_big(d, &node, len, &value)))) {
        return false;
    }
    if (inside) {
        value = assay_slice_of(node.value, len);
    }
    d->last = node.key;
    d->entries++;
    return d->walk->see(d->walk, node.key, value, node.flags == NODE_NAMED);
}

bool lmdb_walk_tree(struct lmdb_walk *walk, const struct lmdb_tree *tree)
{
    struct descent d = {.walk = walk, .tree = tree};
    if (tree->root == LMDB_NO_PAGE) {
        return tree->entries == 0 && tree->depth == 0;
    }
    bool good = go_down(&d, tree->root, (struct assay_slice){0}, (struct assay_slice){0});
    while (good && d.depth > 0) {
        struct level *level = &d.levels[d.depth - 1];
        if (level->next == level->nodes) {
            d.depth--;
        } else if (level->leaf) {
            good = see_entry(&d, level, level->next++);
        } else {
            good = see_child(&d, level, level->next++);
        }
    }
    return good && d.entries == tree->entries;
}
