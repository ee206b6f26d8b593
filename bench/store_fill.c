/* A store with N live access tokens of two lifetimes, and the texts of some of them.
 *
 *   store_fill STORE COUNT TEXTS SAMPLE                     makes the store
 *   store_fill --more STORE COUNT TEXTS SAMPLE CLIENT_ID    issues more, in a store that is there
 *
 * Prints {"caller":"ID:SECRET"}: a resource server that may ask about them. */
#include "fill.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int64_t lifetimes[] = {30 * 86400, 60 * 86400};

int main(int argc, char **argv)
{
    bool more = argc == 7 && strcmp(argv[1], "--more") == 0;
    if (argc != 5 && !more) {
        fprintf(stderr, "usage: store_fill [--more] STORE COUNT TEXTS SAMPLE [CLIENT_ID]\n");
        return 2;
    }
    char **args = more ? argv + 2 : argv + 1;
    uint64_t count = strtoull(args[1], NULL, 10);
    uint64_t sample = strtoull(args[3], NULL, 10);
    FILE *texts = fopen(args[2], "w");
    if (texts == NULL || count == 0 || sample == 0 || sample > count) {
        fprintf(stderr, "store_fill: bad count, sample or file\n");
        return 2;
    }
    static const char client[] = "bench0client0of0tokens";
    static const char caller[] = "bench0resource0server0";
    static const char secret[] = "bench0secret0bench0secret0bench0secret0bench0";
    struct fill *fill = fill_open(args[0], !more, (int64_t)time(NULL));
    if (!more) {
        fill_add_client(fill, client, secret, false);
        fill_add_client(fill, caller, secret, true);
    }
    fill_issue(fill, more ? args[4] : client, count, lifetimes, 2, count / sample, texts);
    fill_close(fill);
    if (fclose(texts) != 0) {
        fprintf(stderr, "store_fill: cannot write %s\n", args[2]);
        return 1;
    }
    printf("{\"caller\":\"%s:%s\"}\n", caller, secret);
    return 0;
}
