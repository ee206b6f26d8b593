#include "record/narrowing.h"

#include <string.h>

_Static_assert(ASSAY_MAX_SCOPES <= 64, "a bit for each word");

void assay_narrowing_start(struct assay_narrowing *narrowing, struct assay_slice scope)
{
    *narrowing = (struct assay_narrowing){.scope = scope};
}

static uint64_t understood_by(struct assay_slice list, struct assay_slice scope)
{
    uint64_t bits = 0;
    for (size_t i = 0; scope.len > 0 && i < ASSAY_MAX_SCOPES; i++) {
        if (assay_slice_has_word(list, assay_slice_cut(&scope, ' '))) {
            bits |= UINT64_C(1) << i;
        }
    }
    return bits;
}

bool assay_narrowing_show(struct assay_narrowing *narrowing,
                          const struct assay_client_record *client)
{
    if (++narrowing->looked_at > ASSAY_MAX_SCOPE_SERVERS) {
        narrowing->whole = true;
        return false;
    }
    if (!client->resource_server || client->disabled) {
        return true;
    }
    narrowing->spoken_for = true;
    if (client->scope.len == 0) {
        narrowing->whole = true;
    } else {
        narrowing->understood |= understood_by(client->scope, narrowing->scope);
    }
    return !narrowing->whole;
}

void assay_narrowing_next(struct assay_narrowing *narrowing)
{
    narrowing->whole = narrowing->whole || !narrowing->spoken_for;
    narrowing->spoken_for = false;
    narrowing->looked_at = 0;
}

struct assay_slice assay_narrowing_end(const struct assay_narrowing *narrowing,
                                       uint8_t room[ASSAY_MAX_SCOPE])
{
    struct assay_slice rest = narrowing->scope;
    size_t len = 0;
    if (narrowing->whole || rest.len > ASSAY_MAX_SCOPE) {
        return rest;
    }
    for (size_t i = 0; rest.len > 0 && i < ASSAY_MAX_SCOPES; i++) {
        struct assay_slice word = assay_slice_cut(&rest, ' ');
        if ((narrowing->understood >> i & 1) == 0) {
            continue;
        }
        if (len > 0) {
            room[len++] = ' ';
        }
        memmove(room + len, word.data, word.len); /* the scope may lie in `room` already */
        len += word.len;
    }
    return assay_slice_of(room, len);
}
