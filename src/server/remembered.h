/* Which scrypt secrets were verified lately, in memory it is given, which processes may share.
 * Holds a keyed hash of (client, version, secret), never a secret. */
#ifndef ASSAY_SERVER_REMEMBERED_H
#define ASSAY_SERVER_REMEMBERED_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assay_remembered;

size_t assay_remembered_size(size_t entries);
struct assay_remembered *assay_remembered_init(void *memory, size_t size, const uint8_t key[32]);

/* Was `secret` verified against `hash` (the stored scrypt output, which changes when the secret
 * does)? */
bool assay_remembered_knows(struct assay_remembered *remembered, struct assay_slice client_id,
                            const uint8_t hash[32], struct assay_slice secret);
void assay_remembered_add(struct assay_remembered *remembered, struct assay_slice client_id,
                          const uint8_t hash[32], struct assay_slice secret);

#endif
