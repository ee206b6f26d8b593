/* What is registered of a client, from the members of a request and as the members of a reply. */
#ifndef ASSAY_ADMIN_CLIENT_JSON_H
#define ASSAY_ADMIN_CLIENT_JSON_H

#include "admin/input.h"
#include "base/arena.h"
#include "base/attr.h"
#include "json/writer.h"
#include "record/client_record.h"

#include <stdbool.h>

/* Puts what was given in place of what `record` says. `record` then borrows from the input. False
 * with the fault when a value is none of those allowed, or the whole makes no sense. */
ASSAY_MUST_USE bool assay_admin_client_apply(const struct assay_admin_input *input,
                                             struct assay_client_record *record,
                                             struct assay_admin_fault *ret_fault);

/* Is it an id that an operator may choose: letters, digits, '-', '.', '_', the first a letter or
 * digit? Every client sends such an id alike, encoded or not. */
bool assay_admin_client_id_valid(struct assay_slice client_id);

/* The members of `record`, its secrets left out but for when they were made and end; `secret`, when
 * it is not empty, is one that has just been made. */
void assay_admin_client_write(struct assay_json_writer *w, const struct assay_client_record *record,
                              struct assay_slice secret);

/* A copy of `record` that borrows from the arena alone. */
ASSAY_MUST_USE bool assay_admin_client_copy(const struct assay_client_record *record,
                                            struct assay_arena *arena,
                                            struct assay_client_record *ret);

#endif
