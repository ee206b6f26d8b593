/* What the store benchmarks share: a store driven to completion from one thread, and clients and
 * tokens with the claims a busy authorization server writes. */
#ifndef ASSAY_BENCH_FILL_H
#define ASSAY_BENCH_FILL_H

#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FILL_BATCH 256 /* issues under way at once */

/* An open store, its loop, and the issues under way. */
struct fill;

/* Opens the store of directory `path`, made if `create`. Ends the program when it cannot. `now_s`
 * is what the clock says until fill_clock says otherwise. */
struct fill *fill_open(const char *path, bool create, int64_t now_s);
void fill_close(struct fill *fill);
void fill_clock(struct fill *fill, int64_t now_s);
struct assay_store *fill_store(struct fill *fill);

/* Adds a client `client_id` of secret `secret`; a resource server for the audience when asked. */
void fill_add_client(struct fill *fill, const char *client_id, const char *secret,
                     bool resource_server);

/* Issues `count` access tokens to `client_id`, the i-th with lifetime_s[i % lifetimes], and writes
 * the text of every `every`-th to `texts` (NULL: none), a line each. */
void fill_issue(struct fill *fill, const char *client_id, uint64_t count, const int64_t *lifetime_s,
                size_t lifetimes, uint64_t every, FILE *texts);

/* Sweeps until nothing that has expired is left. */
void fill_sweep(struct fill *fill);

void fill_stat(struct fill *fill, struct assay_store_stat *ret);

#endif
