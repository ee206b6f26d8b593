/* Tells what a closed store holds, for tests that talk to it from outside. Reads token texts, one a
 * line, and prints:  agrees yes|WHY · seq N · one `event SEQ KIND ID` each · and for each text
 * `token SEQ live|dead CUTOFF`, or `token -` where there is none. */
#include "base/secret.h"
#include "crash/agree.h"
#include "support/test_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct inspection {
    struct test_loop loop;
    struct assay_store *store;
    struct assay_digester *digester;
    int64_t now_s;
    struct assay_slice text;
};

static void die(const char *what)
{
    fprintf(stderr, "inspect: %s\n", what);
    exit(2);
}

static bool print_event(struct assay_query *query)
{
    printf("event %llu %d ", (unsigned long long)query->event.seq, (int)query->event.kind);
    for (size_t i = 0; i < query->event.id.len; i++) {
        printf("%02x", query->event.id.data[i]);
    }
    printf("\n");
    query->after = query->event.seq;
    return true;
}

static void listed(struct assay_store_list *list)
{
    if (list->status != ASSAY_OK) {
        die(list->error.what);
    }
}

static void print_events(struct inspection *in)
{
    struct assay_query query = {.verb = ASSAY_QUERY_EVENTS, .row = print_event};
    struct assay_store_list list = {.query = &query, .done = listed};
    do {
        in->store->ops->list(in->store, &list);
    } while (query.more);
}

static void looked(struct assay_store_find *find)
{
    const struct inspection *in = find->context;
    const struct assay_lookup *lookup = find->lookup;
    uint8_t hash[ASSAY_SHA256_LEN];
    struct assay_error error;
    if (find->status != ASSAY_OK) {
        printf("token ! %s\n", find->error.what);
        return;
    }
    if (lookup->token == NULL) {
        printf("token -\n");
        return;
    }
    bool own = assay_sha256(in->digester, in->text, hash, &error) == ASSAY_OK &&
               assay_secret_equal(assay_slice_of(hash, sizeof(hash)),
                                  assay_slice_of(lookup->token->text_sha256, sizeof(hash)));
    printf("token %llu %s %llu\n", (unsigned long long)lookup->token->id.seq,
           own && assay_lookup_judge(lookup, in->now_s) == ASSAY_LIVE ? "live" : "dead",
           (unsigned long long)(lookup->cut ? lookup->cutoff.seq : 0));
}

static void print_token(struct inspection *in, const char *line)
{
    struct assay_token_text text;
    in->text = assay_slice_of(line, strcspn(line, "\n"));
    if (!assay_token_text_parse(in->text, ASSAY_SLICE("assay"), &text)) {
        die("a line is no token");
    }
    struct assay_lookup lookup = {.want_token = true, .address = text.address};
    struct assay_store_find find = {.lookup = &lookup, .done = looked, .context = in};
    in->store->ops->find(in->store, &find);
    test_loop_run_task(&in->loop);
}

int main(int argc, char **argv)
{
    struct assay_error error = {0};
    struct agreement agreement;
    struct inspection in = {.now_s = argc == 3 ? strtoll(argv[2], NULL, 10) : 0};
    char line[512];
    if (argc != 3) {
        die("usage: crash_inspect STORE NOW <texts");
    }
    struct assay_lmdb_options options = {.path = argv[1], .loop = &in.loop.loop};
    test_loop_init(&in.loop);
    bool good = agree_at(argv[1], &agreement);
    printf("agrees %s\nseq %llu\n", good ? "yes" : agreement.why,
           (unsigned long long)agreement.header.seq);
    if (assay_lmdb_open(&options, &in.store, &error) != ASSAY_OK ||
        assay_digester_open(&in.digester, &error) != ASSAY_OK) {
        die(error.what);
    }
    print_events(&in);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        print_token(&in, line);
    }
    in.store->ops->close(in.store);
    assay_digester_close(in.digester);
    return 0;
}
