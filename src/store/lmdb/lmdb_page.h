/* How LMDB lays out its pages (<lmdb.h>'s implementation, as of MDB_DATA_VERSION 1), for those who
 * read them without it: to be faster (lmdb_tree.h), or to believe nothing (lmdb_walk.h). */
#ifndef ASSAY_STORE_LMDB_LMDB_PAGE_H
#define ASSAY_STORE_LMDB_LMDB_PAGE_H

#include <stdint.h>
#include <string.h>

/* Every page starts with its number (8 bytes), 2 bytes of padding, 2 of flags, and the bounds of
 * its free room (2 and 2); overflow pages have their count in place of the bounds. Then 2 bytes for
 * each node: where in the page it is. */
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
#define NODE_BIG 0x01u   /* the value is the number of an overflow page */
#define NODE_NAMED 0x02u /* the value is the record of a named database */

/* The record of a database. */
#define TREE_RECORD 48
#define TREE_FLAGS_AT 4
#define TREE_DEPTH_AT 6
#define TREE_BRANCHES_AT 8
#define TREE_LEAVES_AT 16
#define TREE_ENTRIES_AT 32
#define TREE_ROOT_AT 40
#define TREE_BY_NUMBER 0x08u /* flag: its keys are integers */
#define MAX_DEPTH 32

/* One of the first two pages, behind its head: magic and version, address and size of the map (8
 * and 8), the records of the free and of the unnamed database, the last page, the transaction. */
#define META_AT PAGE_HEAD
#define META_MAGIC 0xBEEFC0DEu
#define META_VERSION 1u
#define META_FREE_AT (META_AT + 24)
#define META_MAIN_AT (META_FREE_AT + TREE_RECORD)
#define META_LAST_AT (META_MAIN_AT + TREE_RECORD)
#define META_TXN_AT (META_LAST_AT + 8)
#define META_END (META_TXN_AT + 8)

_Static_assert(sizeof(size_t) == 8, "LMDB's page numbers are read as 8 bytes");

static inline uint16_t read_u16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static inline uint32_t read_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static inline uint64_t read_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

#endif
