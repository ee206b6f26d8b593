/* One store behind the contract, and the calls that its tests are made of. */
#ifndef ASSAY_TEST_STORE_FIXTURE_H
#define ASSAY_TEST_STORE_FIXTURE_H

#include "engine.h"
#include "record/change.h"
#include "record/lookup.h"
#include "support/test_loop.h"

#define NOW 1000000

struct fixture {
    struct engine_place place;
    struct test_loop loop;
    struct assay_store *store;
    size_t under_way;
};

/* What a look-up said, kept past it. */
struct seen {
    bool found;
    bool cut;
    enum assay_liveness liveness;
    uint64_t as_of;
    struct assay_token_record token; /* texts are gone */
    enum assay_cutoff_kind cut_kind;
    bool caller;
};

int fx_setup(void **state);
int fx_teardown(void **state);
void fx_reopen(struct fixture *fx);
/* One change, which the store must be able to carry out. */
enum assay_change_outcome fx_change(struct fixture *fx, struct assay_change *change);
/* Asks for `count` changes at once; counts them in fx->under_way until they are answered. */
void fx_submit(struct fixture *fx, struct assay_change *changes, struct assay_store_change *ops,
               size_t count);
void fx_wait(struct fixture *fx);
/* Asks for `count` changes at once and waits for all; `ops` tell how each went. */
void fx_change_all(struct fixture *fx, struct assay_change *changes, struct assay_store_change *ops,
                   size_t count);
struct seen fx_look(struct fixture *fx, const struct assay_address *address, int64_t now_s);
void fx_add_client(struct fixture *fx, const char *id);
void fx_draft(struct assay_token_draft *draft, enum assay_token_kind kind, const char *client,
              int64_t now_s, int64_t lifetime_s);
/* The changes that fx_issue and fx_rotate ask for, for who wants something else in them. */
void fx_issuance(const char *client, bool refresh, int64_t now_s, struct assay_change *ret);
void fx_rotation(const char *client, const struct assay_token_draft *parent, int64_t now_s,
                 int64_t window_s, struct assay_change *ret);
enum assay_change_outcome fx_issue(struct fixture *fx, const char *client, bool refresh,
                                   int64_t now_s, struct assay_change *ret);
enum assay_change_outcome fx_rotate(struct fixture *fx, const char *client,
                                    const struct assay_token_draft *parent, int64_t now_s,
                                    int64_t window_s, struct assay_change *ret);
enum assay_change_outcome fx_cut(struct fixture *fx, enum assay_cutoff_kind kind,
                                 struct assay_slice id, int64_t now_s);
struct assay_slice fx_text_of(const struct assay_token_draft *draft);

/* Sweeps until nothing is left to remove; the clock ran as it should. Returns how many entries
 * went. */
size_t fx_sweep(struct fixture *fx, int64_t now_s);
/* One sweep with these clocks; the store's answer in *ret if it is not NULL. */
enum assay_change_outcome fx_sweep_once(struct fixture *fx, int64_t now_s, int64_t steady_s,
                                        uint8_t boot, struct assay_change_sweep *ret);
struct assay_store_stat fx_stat(struct fixture *fx);
/* Is `word` among the reasons of the store's state? */
bool fx_says(struct fixture *fx, const char *word);
/* How many events came after `after`; *ret_last is the last one's number. */
size_t fx_events(struct fixture *fx, uint64_t after, uint64_t *ret_last);
/* Version of a client's record, 0 when there is none. */
uint64_t fx_client_version(struct fixture *fx, const char *id);
struct assay_slice fx_token_id(const struct assay_token_draft *draft, uint8_t out[8]);
struct assay_slice fx_grant_id(const struct assay_token_draft *draft, uint8_t out[8]);

/* For those who look at the status alone. */
void fx_ignore(struct assay_store_find *find);
void fx_ignore_list(struct assay_store_list *list);
bool fx_no_row(struct assay_query *query);

#define FX_TEST(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

#endif
