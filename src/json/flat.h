/* The members of a JSON object by name, for objects that nearly always are a few plain members: the
 * header and the claims of a signed token. Such text is understood where it lies; whatever else is
 * JSON goes to json/reader.h, which decides alone what is refused. */
#ifndef ASSAY_JSON_FLAT_H
#define ASSAY_JSON_FLAT_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "json/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASSAY_JSON_FLAT_MEMBERS 32 /* more are not plain */

/* A member of a plain object. Plain are strings without escapes, integers of at most 15 digits
 * without a sign, true, false, null, and arrays and objects of what is plain. */
struct assay_json_flat_member {
    struct assay_slice name;
    enum assay_json_type type;
    struct assay_slice text; /* of a string what it says; of anything else how it is written */
};

/* An object; borrows from its text. Plain while `json` is NULL. */
struct assay_json_flat {
    struct assay_slice text;
    size_t max_depth;
    struct assay_json *json; /* owned */
    size_t count;
    struct assay_json_flat_member members[ASSAY_JSON_FLAT_MEMBERS];
};

/* Reads `text`; fails as assay_json_open does. Close with assay_json_flat_close. */
ASSAY_MUST_USE enum assay_status assay_json_flat_open(struct assay_slice text, size_t max_depth,
                                                      struct assay_json_flat *ret,
                                                      struct assay_error *reterr);
void assay_json_flat_close(struct assay_json_flat *flat);

/* As their namesakes in json/reader.h: false, and `*ret` left alone, for a member that is absent or
 * of another type. A list is an array of strings that are not empty and have no space in them. */
enum assay_json_type assay_json_flat_type(const struct assay_json_flat *flat,
                                          struct assay_slice name);
bool assay_json_flat_string(const struct assay_json_flat *flat, struct assay_slice name,
                            struct assay_slice *ret);
bool assay_json_flat_number(const struct assay_json_flat *flat, struct assay_slice name,
                            double *ret);
bool assay_json_flat_bool(const struct assay_json_flat *flat, struct assay_slice name, bool *ret);
bool assay_json_flat_list(const struct assay_json_flat *flat, struct assay_slice name,
                          struct assay_arena *arena, struct assay_slice *ret);

/* All of it, for members by pointer: read when first asked for, and owned by `flat`. What was
 * borrowed before stays good. Fails as assay_json_open does. */
ASSAY_MUST_USE enum assay_status assay_json_flat_whole(struct assay_json_flat *flat,
                                                       const struct assay_json **ret,
                                                       struct assay_error *reterr);

#endif
