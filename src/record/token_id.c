#include "record/token_id.h"

#include "base/limits.h"

#include <assert.h>

bool assay_token_id_equal(struct assay_token_id a, struct assay_token_id b)
{
    return a.seq == b.seq && a.lifetime_class == b.lifetime_class;
}

/* Four classes an octave: the octave is the position of the highest bit, the quarter the two bits
 * behind it. Ten years take 29 octaves, so classes stay below 116. */
uint8_t assay_lifetime_class(int64_t lifetime_s)
{
    assert(lifetime_s >= ASSAY_MIN_LIFETIME_S && lifetime_s <= ASSAY_MAX_LIFETIME_S);
    uint64_t lifetime = (uint64_t)lifetime_s
                        << 2; /* two bits more, so that octave 0 has quarters too */
    uint64_t octave = 0;
    while (lifetime >> octave > 7) {
        octave++;
    }
    return (uint8_t)(octave * 4 + ((lifetime >> octave) & 3));
}
