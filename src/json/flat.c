#include "json/flat.h"

#include "base/utf8.h"

#include <string.h>

/* --- plain text --- */

/* Where the reading is. It is over, and nothing is known, once `at` cannot go on. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

static void skip_space(struct cursor *c)
{
    while (c->at < c->end &&
           (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t')) {
        c->at++;
    }
}

/* Goes over `byte` and the white space behind it. */
static bool take(struct cursor *c, uint8_t byte)
{
    if (c->at == c->end || *c->at != byte) {
        return false;
    }
    c->at++;
    skip_space(c);
    return true;
}

/* Length of the character that is next, 0 for one that ends plain text. */
static size_t plain_len(const struct cursor *c)
{
    if (*c->at < 0x80) {
        return *c->at >= 0x20 && *c->at != '"' && *c->at != '\\' ? 1 : 0;
    }
    return assay_utf8_first(assay_slice_of(c->at, (size_t)(c->end - c->at)));
}

/* Goes over a string and the white space behind it. */
static bool take_string(struct cursor *c, struct assay_slice *ret)
{
    if (c->at == c->end || *c->at != '"') {
        return false;
    }
    const uint8_t *start = ++c->at;
    size_t len = 1;
    while (c->at < c->end && len != 0) {
        len = plain_len(c);
        c->at += len;
    }
    *ret = assay_slice_of(start, (size_t)(c->at - start));
    return take(c, '"');
}

#define MAX_DIGITS 15 /* below 2^53, so that a double has every one of them */

static bool take_integer(struct cursor *c, struct assay_slice *ret)
{
    const uint8_t *start = c->at;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
        c->at++;
    }
    *ret = assay_slice_of(start, (size_t)(c->at - start));
    skip_space(c);
    return ret->len != 0 && ret->len <= MAX_DIGITS && (ret->len == 1 || start[0] != '0');
}

static bool take_word(struct cursor *c, const char *word, struct assay_slice *ret)
{
    size_t len = strlen(word);
    if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0) {
        return false;
    }
    *ret = assay_slice_of(c->at, len);
    c->at += len;
    skip_space(c);
    return true;
}

/* A value that has nothing inside. */
static bool take_scalar(struct cursor *c, struct assay_json_flat_member *member)
{
    if (c->at == c->end) {
        return false;
    }
    switch (*c->at) {
    case '"':
        member->type = ASSAY_JSON_STRING;
        return take_string(c, &member->text);
    case 't':
        member->type = ASSAY_JSON_BOOL;
        return take_word(c, "true", &member->text);
    case 'f':
        member->type = ASSAY_JSON_BOOL;
        return take_word(c, "false", &member->text);
    case 'n':
        member->type = ASSAY_JSON_NULL;
        return take_word(c, "null", &member->text);
    default:
        member->type = ASSAY_JSON_INTEGER;
        return take_integer(c, &member->text);
    }
}

/* --- what is inside a member: gone over, to be read when somebody asks for it --- */

#define MAX_LEVELS 16
#define MAX_NAMES 32 /* of the objects that are open at one time; more are not plain */

/* The arrays and objects that are open, and the names that those objects have had. */
struct inside {
    size_t max_depth;
    size_t depth;
    bool is_object[MAX_LEVELS];
    size_t first_name[MAX_LEVELS];
    struct assay_slice names[MAX_NAMES];
    size_t count;
};

/* A name and its colon; one that was there already is not plain. */
static bool take_name(struct cursor *c, struct inside *in)
{
    struct assay_slice name;
    if (!take_string(c, &name) || !take(c, ':') || in->count == MAX_NAMES) {
        return false;
    }
    for (size_t i = in->first_name[in->depth - 1]; i < in->count; i++) {
        if (assay_slice_equal(in->names[i], name)) {
            return false;
        }
    }
    in->names[in->count++] = name;
    return true;
}

static bool take_close(struct cursor *c, struct inside *in)
{
    if (!take(c, in->is_object[in->depth - 1] ? '}' : ']')) {
        return false;
    }
    in->depth--;
    in->count = in->first_name[in->depth];
    return true;
}

/* Behind a value: what is finished is closed, and the next value, if any, made ready. */
static bool go_on(struct cursor *c, struct inside *in)
{
    while (in->depth > 0 && take_close(c, in)) {
    }
    return in->depth == 0 || (take(c, ',') && (!in->is_object[in->depth - 1] || take_name(c, in)));
}

/* Opens an array or object, and goes on to its first value or behind it. */
static bool take_open(struct cursor *c, struct inside *in)
{
    bool object = *c->at == '{';
    if (in->depth == in->max_depth || !take(c, object ? '{' : '[')) {
        return false;
    }
    in->is_object[in->depth] = object;
    in->first_name[in->depth] = in->count;
    in->depth++;
    bool empty = c->at < c->end && *c->at == (object ? '}' : ']');
    return empty ? go_on(c, in) : !object || take_name(c, in);
}

/* An array or object as it is written. */
static bool take_nested(struct cursor *c, size_t max_depth, struct assay_slice *ret)
{
    struct inside in;
    struct assay_json_flat_member scalar;
    const uint8_t *start = c->at;
    in.max_depth = max_depth < MAX_LEVELS ? max_depth : MAX_LEVELS;
    in.depth = 0;
    in.count = 0;
    bool good = true;
    do {
        bool opens = c->at < c->end && (*c->at == '{' || *c->at == '[');
        good = opens ? take_open(c, &in) : take_scalar(c, &scalar) && go_on(c, &in);
    } while (good && in.depth > 0);
    *ret = assay_slice_of(start, (size_t)(c->at - start));
    return good;
}

static bool take_value(struct cursor *c, size_t max_depth, struct assay_json_flat_member *member)
{
    if (c->at < c->end && (*c->at == '{' || *c->at == '[')) {
        member->type = *c->at == '{' ? ASSAY_JSON_OBJECT : ASSAY_JSON_ARRAY;
        return take_nested(c, max_depth, &member->text);
    }
    return take_scalar(c, member);
}

/* --- the object --- */

static const struct assay_json_flat_member *find(const struct assay_json_flat *flat,
                                                 struct assay_slice name)
{
    for (size_t i = 0; i < flat->count; i++) {
        if (assay_slice_equal(flat->members[i].name, name)) {
            return &flat->members[i];
        }
    }
    return NULL;
}

/* A name that was there already is not plain: the reader refuses it. */
static bool take_member(struct cursor *c, struct assay_json_flat *flat)
{
    if (flat->count == ASSAY_JSON_FLAT_MEMBERS) {
        return false;
    }
    struct assay_json_flat_member *member = &flat->members[flat->count];
    if (!take_string(c, &member->name) || !take(c, ':') ||
        !take_value(c, flat->max_depth - 1, member) || find(flat, member->name) != NULL) {
        return false;
    }
    flat->count++;
    return true;
}

/* Is the text a plain object? A part of what JSON is, read as JSON is; so "no" means nothing. */
static bool read_plain(struct assay_json_flat *flat)
{
    struct cursor c = {flat->text.data, flat->text.data + flat->text.len};
    bool good;
    flat->count = 0;
    skip_space(&c);
    if (!take(&c, '{')) {
        return false;
    }
    if (!take(&c, '}')) {
        do {
            good = take_member(&c, flat);
        } while (good && take(&c, ','));
        if (!good || !take(&c, '}')) {
            return false;
        }
    }
    return c.at == c.end;
}

enum assay_status assay_json_flat_open(struct assay_slice text, size_t max_depth,
                                       struct assay_json_flat *ret, struct assay_error *reterr)
{
    ret->text = text;
    ret->max_depth = max_depth;
    ret->json = NULL;
    if (max_depth > 0 && text.len != 0 && read_plain(ret)) {
        return ASSAY_OK;
    }
    ret->count = 0;
    return assay_json_open(text, max_depth, &ret->json, reterr);
}

void assay_json_flat_close(struct assay_json_flat *flat)
{
    assay_json_close(flat->json);
    flat->json = NULL;
    flat->count = 0;
}

/* --- members --- */

static bool is_whole(const struct assay_json_flat *flat)
{
    return flat->json != NULL;
}

enum assay_json_type assay_json_flat_type(const struct assay_json_flat *flat,
                                          struct assay_slice name)
{
    if (is_whole(flat)) {
        return assay_json_type(flat->json, name);
    }
    const struct assay_json_flat_member *member = find(flat, name);
    return member == NULL ? ASSAY_JSON_ABSENT : member->type;
}

bool assay_json_flat_string(const struct assay_json_flat *flat, struct assay_slice name,
                            struct assay_slice *ret)
{
    if (is_whole(flat)) {
        return assay_json_get_string(flat->json, name, ret);
    }
    const struct assay_json_flat_member *member = find(flat, name);
    if (member == NULL || member->type != ASSAY_JSON_STRING) {
        return false;
    }
    *ret = member->text;
    return true;
}

bool assay_json_flat_number(const struct assay_json_flat *flat, struct assay_slice name,
                            double *ret)
{
    if (is_whole(flat)) {
        return assay_json_value_number(assay_json_value_member(assay_json_root(flat->json), name),
                                       ret);
    }
    const struct assay_json_flat_member *member = find(flat, name);
    if (member == NULL || member->type != ASSAY_JSON_INTEGER) {
        return false;
    }
    int64_t number = 0;
    for (size_t i = 0; i < member->text.len; i++) {
        number = number * 10 + (member->text.data[i] - '0');
    }
    *ret = (double)number;
    return true;
}

bool assay_json_flat_bool(const struct assay_json_flat *flat, struct assay_slice name, bool *ret)
{
    if (is_whole(flat)) {
        return assay_json_get_bool(flat->json, name, ret);
    }
    const struct assay_json_flat_member *member = find(flat, name);
    if (member == NULL || member->type != ASSAY_JSON_BOOL) {
        return false;
    }
    *ret = member->text.data[0] == 't';
    return true;
}

/* Its items joined; that is shorter than the array as it is written. */
static bool join(struct assay_slice array, struct assay_arena *arena, struct assay_slice *ret)
{
    struct cursor c = {array.data, array.data + array.len};
    struct assay_slice item = {0};
    uint8_t *room = assay_arena_take(arena, array.len, 1);
    size_t len = 0;
    bool more = take(&c, '[') && !take(&c, ']');
    while (room != NULL && more) {
        if (!take_string(&c, &item) || item.len == 0 || memchr(item.data, ' ', item.len) != NULL) {
            return false;
        }
        memcpy(room + len, item.data, item.len);
        len += item.len;
        more = take(&c, ',');
        if (more) {
            room[len++] = ' ';
        }
    }
    *ret = room == NULL ? *ret : assay_slice_of(room, len);
    return room != NULL;
}

bool assay_json_flat_list(const struct assay_json_flat *flat, struct assay_slice name,
                          struct assay_arena *arena, struct assay_slice *ret)
{
    if (is_whole(flat)) {
        return assay_json_get_list(flat->json, name, arena, ret);
    }
    const struct assay_json_flat_member *member = find(flat, name);
    return member != NULL && member->type == ASSAY_JSON_ARRAY && join(member->text, arena, ret);
}

enum assay_status assay_json_flat_whole(struct assay_json_flat *flat, const struct assay_json **ret,
                                        struct assay_error *reterr)
{
    enum assay_status status = ASSAY_OK;
    if (!is_whole(flat)) {
        status = assay_json_open(flat->text, flat->max_depth, &flat->json, reterr);
    }
    if (status == ASSAY_OK) {
        *ret = flat->json;
    }
    return status;
}
