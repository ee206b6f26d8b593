#include "json/reader.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

struct assay_json {
    json_t *root;
};

/* Deepest nesting of brackets outside strings; jansson recurses, so this is looked at before it
 * does. */
static size_t depth_of(struct assay_slice text)
{
    size_t depth = 0;
    size_t deepest = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (quoted) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                quoted = false;
            }
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

enum assay_status assay_json_open(struct assay_slice text, size_t max_depth,
                                  struct assay_json **ret, struct assay_error *reterr)
{
    if (depth_of(text) > max_depth) {
        return assay_fail(ASSAY_ERR_LIMIT, "JSON is nested too deeply", reterr);
    }
    json_error_t error;
    const char *data = text.len == 0 ? "" : (const char *)text.data;
    json_t *root = json_loadb(data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        bool parsed = root != NULL;
        json_decref(root);
        enum assay_status status =
            assay_fail(ASSAY_ERR_SYNTAX, parsed ? "JSON is not an object" : "bad JSON", reterr);
        if (!parsed && reterr != NULL && error.position > 0) {
            reterr->offset = (size_t)error.position;
        }
        return status;
    }
    struct assay_json *json = malloc(sizeof(*json));
    if (json == NULL) {
        json_decref(root);
        return assay_fail(ASSAY_ERR_SYSTEM, "no memory for JSON", reterr);
    }
    json->root = root;
    *ret = json;
    return ASSAY_OK;
}

void assay_json_close(struct assay_json *json)
{
    if (json != NULL) {
        json_decref(json->root);
        free(json);
    }
}

static const json_t *inner(const struct assay_json_value *value)
{
    return (const json_t *)(const void *)value;
}

static const struct assay_json_value *outer(const json_t *value)
{
    return (const struct assay_json_value *)(const void *)value;
}

static json_t *member_of(const struct assay_json *json, struct assay_slice name)
{
    return json_object_getn(json->root, (const char *)name.data, name.len);
}

static enum assay_json_type type_of(const json_t *value)
{
    if (value == NULL) {
        return ASSAY_JSON_ABSENT;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return ASSAY_JSON_OBJECT;
    case JSON_ARRAY:
        return ASSAY_JSON_ARRAY;
    case JSON_STRING:
        return ASSAY_JSON_STRING;
    case JSON_INTEGER:
        return ASSAY_JSON_INTEGER;
    case JSON_REAL:
        return ASSAY_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return ASSAY_JSON_BOOL;
    case JSON_NULL:
        return ASSAY_JSON_NULL;
    }
    return ASSAY_JSON_ABSENT;
}

enum assay_json_type assay_json_type(const struct assay_json *json, struct assay_slice name)
{
    return type_of(member_of(json, name));
}

bool assay_json_get_string(const struct assay_json *json, struct assay_slice name,
                           struct assay_slice *ret)
{
    return assay_json_value_string(outer(member_of(json, name)), ret);
}

bool assay_json_get_i64(const struct assay_json *json, struct assay_slice name, int64_t *ret)
{
    return assay_json_value_i64(outer(member_of(json, name)), ret);
}

bool assay_json_get_bool(const struct assay_json *json, struct assay_slice name, bool *ret)
{
    const json_t *value = member_of(json, name);
    if (!json_is_boolean(value)) {
        return false;
    }
    *ret = json_is_true(value);
    return true;
}

/* Bytes that the items take when joined by spaces, SIZE_MAX when one is no item of a list. */
static size_t joined_len(const json_t *array)
{
    size_t len = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        const char *text = json_string_value(item);
        size_t item_len = json_string_length(item);
        if (text == NULL || item_len == 0 || memchr(text, ' ', item_len) != NULL) {
            return SIZE_MAX;
        }
        len += item_len + (i == 0 ? 0 : 1);
    }
    return len;
}

bool assay_json_get_list(const struct assay_json *json, struct assay_slice name,
                         struct assay_arena *arena, struct assay_slice *ret)
{
    const json_t *array = member_of(json, name);
    if (!json_is_array(array)) {
        return false;
    }
    size_t len = joined_len(array);
    uint8_t *out = len == SIZE_MAX ? NULL : assay_arena_take(arena, len, 1);
    if (out == NULL) {
        return false;
    }
    *ret = assay_slice_of(out, len);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (i != 0) {
            *out++ = ' ';
        }
        memcpy(out, json_string_value(item), json_string_length(item));
        out += json_string_length(item);
    }
    return true;
}

static bool dump(const json_t *value, struct assay_arena *arena, struct assay_slice *ret)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    size_t len = value == NULL ? 0 : json_dumpb(value, NULL, 0, flags);
    char *out = len == 0 ? NULL : assay_arena_take(arena, len, 1);
    if (out == NULL) {
        return false;
    }
    if (json_dumpb(value, out, len, flags) != len) {
        return false;
    }
    *ret = assay_slice_of(out, len);
    return true;
}

bool assay_json_get_raw(const struct assay_json *json, struct assay_slice name,
                        struct assay_arena *arena, struct assay_slice *ret)
{
    return dump(member_of(json, name), arena, ret);
}

bool assay_json_each(const struct assay_json *json,
                     bool (*member)(void *context, struct assay_slice name,
                                    enum assay_json_type type),
                     void *context)
{
    for (void *at = json_object_iter(json->root); at != NULL;
         at = json_object_iter_next(json->root, at)) {
        struct assay_slice name =
            assay_slice_of(json_object_iter_key(at), json_object_iter_key_len(at));
        if (!member(context, name, type_of(json_object_iter_value(at)))) {
            return false;
        }
    }
    return true;
}

bool assay_json_each_item(const struct assay_json *json, struct assay_slice name,
                          bool (*item)(void *context, const struct assay_json *item), void *context)
{
    const json_t *array = member_of(json, name);
    if (!json_is_array(array)) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct assay_json one = {.root = json_array_get(array, i)};
        if (!json_is_object(one.root) || !item(context, &one)) {
            return false;
        }
    }
    return true;
}

/* --- values inside --- */

/* Compares a member's name with one reference token of a pointer. */
static bool is_named(struct assay_slice name, struct assay_slice escaped)
{
    size_t at = 0;
    for (size_t i = 0; i < escaped.len; i++, at++) {
        uint8_t c = escaped.data[i];
        if (c == '~') {
            i++;
            c = escaped.data[i] == '1' ? '/' : '~';
        }
        if (at == name.len || name.data[at] != c) {
            return false;
        }
    }
    return at == name.len;
}

static const json_t *named_member(const json_t *object, struct assay_slice escaped)
{
    void *at = json_object_iter((json_t *)(uintptr_t)object);
    for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        struct assay_slice name =
            assay_slice_of(json_object_iter_key(at), json_object_iter_key_len(at));
        if (is_named(name, escaped)) {
            return json_object_iter_value(at);
        }
    }
    return NULL;
}

bool assay_json_pointer_valid(struct assay_slice pointer)
{
    for (size_t i = 0; i < pointer.len; i++) {
        if (pointer.data[i] == '~' &&
            (i + 1 == pointer.len || (pointer.data[i + 1] != '0' && pointer.data[i + 1] != '1'))) {
            return false;
        }
    }
    return pointer.len > 1 && pointer.data[0] == '/';
}

const struct assay_json_value *assay_json_point(const struct assay_json *json,
                                                struct assay_slice pointer)
{
    const json_t *at = json->root;
    if (!assay_json_pointer_valid(pointer)) {
        return NULL;
    }
    struct assay_slice rest = assay_slice_from(pointer, 1);
    while (at != NULL && rest.data != NULL) {
        at = named_member(at, assay_slice_cut(&rest, '/'));
    }
    return outer(at);
}

const struct assay_json_value *assay_json_root(const struct assay_json *json)
{
    return outer(json->root);
}

const struct assay_json_value *assay_json_value_member(const struct assay_json_value *object,
                                                       struct assay_slice name)
{
    return outer(json_object_getn(inner(object), (const char *)name.data, name.len));
}

enum assay_json_type assay_json_value_type(const struct assay_json_value *value)
{
    return type_of(inner(value));
}

bool assay_json_value_string(const struct assay_json_value *value, struct assay_slice *ret)
{
    const json_t *text = inner(value);
    if (!json_is_string(text)) {
        return false;
    }
    *ret = assay_slice_of(json_string_value(text), json_string_length(text));
    return true;
}

bool assay_json_value_i64(const struct assay_json_value *value, int64_t *ret)
{
    const json_t *number = inner(value);
    if (!json_is_integer(number)) {
        return false;
    }
    *ret = (int64_t)json_integer_value(number);
    return true;
}

bool assay_json_value_number(const struct assay_json_value *value, double *ret)
{
    const json_t *number = inner(value);
    if (!json_is_number(number)) {
        return false;
    }
    *ret = json_number_value(number);
    return true;
}

bool assay_json_value_raw(const struct assay_json_value *value, struct assay_arena *arena,
                          struct assay_slice *ret)
{
    return dump(inner(value), arena, ret);
}

size_t assay_json_value_count(const struct assay_json_value *value)
{
    return json_array_size(inner(value));
}

size_t assay_json_value_members(const struct assay_json_value *value)
{
    return json_object_size(inner(value));
}

const struct assay_json_value *assay_json_value_item(const struct assay_json_value *value,
                                                     size_t index)
{
    return outer(json_array_get(inner(value), index));
}
