/* Where a request may carry a token: the Authorization value, the cookies and the query, split at
 * the first two line ends. */
#include "fuzz.h"

#include "base/limits.h"
#include "http/bearer.h"

#include <string.h>

static struct assay_slice part(struct assay_slice *rest)
{
    struct assay_slice line = assay_slice_cut(rest, '\n');
    return line;
}

static void look(const struct assay_bearer_request *request,
                 const struct assay_bearer_sources *sources)
{
    static uint8_t memory[1 << 18];
    struct assay_arena arena;
    struct assay_slice token = {0};
    assay_arena_init(&arena, memory, sizeof(memory));
    enum assay_bearer_result result = assay_bearer_find(request, sources, &arena, &token);
    if (result == ASSAY_BEARER_ONE) {
        must(token.len >= 1 && token.len <= ASSAY_MAX_TOKEN_PARAM);
        for (size_t i = 0; i < token.len; i++) {
            must(token.data[i] > 0x20 && token.data[i] < 0x7F && token.data[i] != ',' &&
                 token.data[i] != '"' && token.data[i] != ';');
        }
    } else {
        must(token.len == 0);
    }
    if (sources->cookie.len == 0 && sources->query.len == 0 && result == ASSAY_BEARER_ONE) {
        must(request->authorization_count == 1 && request->authorization.len > token.len);
    }
    assay_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_slice rest = {data, size};
    struct assay_bearer_request request = {.authorization = part(&rest)};
    request.authorization_count = request.authorization.len == 0 ? 0 : 1;
    request.cookies = part(&rest);
    request.query = rest;
    look(&request, &(struct assay_bearer_sources){0});
    look(&request, &(struct assay_bearer_sources){.cookie = ASSAY_SLICE("t")});
    look(&request, &(struct assay_bearer_sources){.query = ASSAY_SLICE("t")});
    return 0;
}
