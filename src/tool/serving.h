/* What `assay serve` runs: where it listens, on which store, from which directory. */
#ifndef ASSAY_TOOL_SERVING_H
#define ASSAY_TOOL_SERVING_H

#include "base/attr.h"
#include "tool/path.h"
#include "tool/tool.h"

#include <stdbool.h>
#include <stdio.h>

struct assay_serving {
    char store[ASSAY_PATH_ROOM]; /* absolute */
    bool store_chosen;           /* somebody named it; the default one is made when missing */
    bool store_made;
    char listen[128];             /* "127.0.0.1:8443" */
    char issuer[ASSAY_PATH_ROOM]; /* without a trailing slash, unless it was given so */
    char run_dir[ASSAY_PATH_ROOM];
    char module[ASSAY_PATH_ROOM];
    char guard_module[ASSAY_PATH_ROOM];
    bool demo;                            /* with clients, a token, and a guarded sample API */
    char gateway_secret[ASSAY_PATH_ROOM]; /* file */
    char certificate[ASSAY_PATH_ROOM];    /* empty: no TLS */
    char key[ASSAY_PATH_ROOM];
    bool development_certificate; /* made by us */
    bool allow_cleartext;
    const char *token_prefix; /* NULL: the default */
    const char *user;         /* whom workers run as, when root starts them; NULL: the caller */
};

/* Fills `*ret` from the options without touching anything. False after a line on stderr, with the
 * exit code. */
ASSAY_MUST_USE bool assay_serving_plan(const struct assay_tool *tool, struct assay_serving *ret,
                                       int *ret_exit);

/* Makes what is missing: the runtime directory (0700; taken for this process alone), the
 * development certificate, the default store. Before that it looks whether the address is free,
 * and refuses a store that is a third user's. False after a line on stderr. */
ASSAY_MUST_USE bool assay_serving_prepare(struct assay_serving *serving);

/* Gives root's store to the workers' user; after everything that writes to it. As above. */
ASSAY_MUST_USE bool assay_serving_give_away(const struct assay_serving *serving);

/* Writes nginx.conf to `out`. False after a line on stderr. */
ASSAY_MUST_USE bool assay_serving_print_config(const struct assay_serving *serving, FILE *out);

/* Writes nginx.conf and lets nginx read it, with all that it names. As above. */
ASSAY_MUST_USE bool assay_serving_test(const struct assay_serving *serving);

/* Becomes nginx. Returns only if that fails, with the exit code, after a line on stderr. */
int assay_serving_run(const struct assay_serving *serving);

#endif
