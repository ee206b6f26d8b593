/* Strict reading of JSON objects on jansson: repeated names refused, size and depth bounded,
 * nothing behind the end, UTF-8 only. */
#ifndef ASSAY_JSON_READER_H
#define ASSAY_JSON_READER_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A parsed object; owns jansson's memory. Close with assay_json_close. */
struct assay_json;

/* Reads `text`, whose top level must be an object at most `max_depth` deep. ASSAY_ERR_SYNTAX with
 * the offset when it is not (a repeated name included), ASSAY_ERR_LIMIT for depth, ASSAY_ERR_SYSTEM
 * when there is no memory; what jansson itself lacks looks like bad text. */
ASSAY_MUST_USE enum assay_status assay_json_open(struct assay_slice text, size_t max_depth,
                                                 struct assay_json **ret,
                                                 struct assay_error *reterr);
void assay_json_close(struct assay_json *json);

enum assay_json_type {
    ASSAY_JSON_ABSENT = 0,
    ASSAY_JSON_NULL,
    ASSAY_JSON_BOOL,
    ASSAY_JSON_INTEGER,
    ASSAY_JSON_REAL,
    ASSAY_JSON_STRING,
    ASSAY_JSON_ARRAY,
    ASSAY_JSON_OBJECT,
};

enum assay_json_type assay_json_type(const struct assay_json *json, struct assay_slice name);

/* The member `name`, when it is of that type (false otherwise: `*ret` is then left alone). Strings
 * borrow from `json`. */
bool assay_json_get_string(const struct assay_json *json, struct assay_slice name,
                           struct assay_slice *ret);
bool assay_json_get_i64(const struct assay_json *json, struct assay_slice name, int64_t *ret);
bool assay_json_get_bool(const struct assay_json *json, struct assay_slice name, bool *ret);

/* An array of strings, joined by single spaces into the arena. False when it is not one, when a
 * string is empty or holds a space, or when the arena is spent. */
bool assay_json_get_list(const struct assay_json *json, struct assay_slice name,
                         struct assay_arena *arena, struct assay_slice *ret);

/* The member `name` (any type) written out as compact JSON into the arena; false when absent or the
 * arena is spent. */
bool assay_json_get_raw(const struct assay_json *json, struct assay_slice name,
                        struct assay_arena *arena, struct assay_slice *ret);

/* Calls `member` for each member in order until it returns false. Returns false if it did. */
bool assay_json_each(const struct assay_json *json,
                     bool (*member)(void *context, struct assay_slice name,
                                    enum assay_json_type type),
                     void *context);

/* Calls `item` for each object in the array `name`, in order, until it returns false; what it is
 * given ends with the call. Returns false if it did, if `name` is no array, or if something in it
 * is no object. */
bool assay_json_each_item(const struct assay_json *json, struct assay_slice name,
                          bool (*item)(void *context, const struct assay_json *item),
                          void *context);

/* --- values inside --- */

/* A value inside a parsed object, and as long-lived as that. */
struct assay_json_value;

/* The value that `pointer` names (RFC 6901: "/realm_access/roles", with ~1 for '/' and ~0 for '~'
 * in a name), through members of objects alone; NULL when there is none. */
const struct assay_json_value *assay_json_point(const struct assay_json *json,
                                                struct assay_slice pointer);

/* The object itself, and a member of an object; NULL when there is none. */
const struct assay_json_value *assay_json_root(const struct assay_json *json);
const struct assay_json_value *assay_json_value_member(const struct assay_json_value *object,
                                                       struct assay_slice name);

/* NULL is absent. */
enum assay_json_type assay_json_value_type(const struct assay_json_value *value);

/* As their namesakes above. */
bool assay_json_value_string(const struct assay_json_value *value, struct assay_slice *ret);
bool assay_json_value_i64(const struct assay_json_value *value, int64_t *ret);
/* An integer or a real number, always finite; false for what is none. An integer above 2^53 is
 * rounded. */
bool assay_json_value_number(const struct assay_json_value *value, double *ret);
bool assay_json_value_raw(const struct assay_json_value *value, struct assay_arena *arena,
                          struct assay_slice *ret);

/* The items of an array; 0 when it is none. */
size_t assay_json_value_count(const struct assay_json_value *value);
const struct assay_json_value *assay_json_value_item(const struct assay_json_value *value,
                                                     size_t index);

/* How many members an object has; 0 when it is none. */
size_t assay_json_value_members(const struct assay_json_value *value);

/* Is `pointer` one that assay_json_point understands? */
bool assay_json_pointer_valid(struct assay_slice pointer);

#endif
