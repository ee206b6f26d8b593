#include "http/challenge.h"

#include <stdbool.h>

/* RFC 6750 section 3: %x20-21 / %x23-5B / %x5D-7E, which nothing has to be escaped in. */
static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c <= 0x7E && c != '"' && c != '\\';
}

/* RFC 9110 section 5.6.4, without the bytes that are obsolete there. */
static bool may_be_quoted(uint8_t c)
{
    return c >= 0x20 && c <= 0x7E;
}

static void write_name(struct assay_buf *out, struct assay_slice name, bool *first)
{
    assay_buf_append(out, *first ? ASSAY_SLICE(" ") : ASSAY_SLICE(", "));
    assay_buf_append(out, name);
    assay_buf_append(out, ASSAY_SLICE("=\""));
    *first = false;
}

static void write_quoted(struct assay_buf *out, struct assay_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!may_be_quoted(value.data[i])) {
            continue;
        }
        if (!is_plain(value.data[i])) {
            assay_buf_append_byte(out, '\\');
        }
        assay_buf_append_byte(out, value.data[i]);
    }
    assay_buf_append_byte(out, '"');
}

static void write_plain(struct assay_buf *out, struct assay_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (is_plain(value.data[i])) {
            assay_buf_append_byte(out, value.data[i]);
        }
    }
    assay_buf_append_byte(out, '"');
}

static struct assay_slice code_of(enum assay_challenge_error error)
{
    switch (error) {
    case ASSAY_CHALLENGE_NONE:
        break;
    case ASSAY_CHALLENGE_INVALID_REQUEST:
        return ASSAY_SLICE("invalid_request");
    case ASSAY_CHALLENGE_INVALID_TOKEN:
        return ASSAY_SLICE("invalid_token");
    case ASSAY_CHALLENGE_INSUFFICIENT_SCOPE:
        return ASSAY_SLICE("insufficient_scope");
    case ASSAY_CHALLENGE_STEP_UP:
        return ASSAY_SLICE("insufficient_user_authentication");
    }
    return (struct assay_slice){0};
}

unsigned assay_challenge_status(enum assay_challenge_error error)
{
    switch (error) {
    case ASSAY_CHALLENGE_INVALID_REQUEST:
        return 400;
    case ASSAY_CHALLENGE_NONE:
    case ASSAY_CHALLENGE_INVALID_TOKEN:
    case ASSAY_CHALLENGE_STEP_UP:
        break;
    case ASSAY_CHALLENGE_INSUFFICIENT_SCOPE:
        return 403;
    }
    return 401;
}

void assay_challenge_write(const struct assay_challenge *challenge, struct assay_buf *out)
{
    bool first = true;
    struct assay_slice code = code_of(challenge->error);
    assay_buf_append(out, ASSAY_SLICE("Bearer"));
    write_name(out, ASSAY_SLICE("realm"), &first);
    write_quoted(out, challenge->realm);
    if (code.len == 0) {
        return; /* who sent no token is told nothing (RFC 6750 section 3.1) */
    }
    write_name(out, ASSAY_SLICE("error"), &first);
    write_plain(out, code);
    if (challenge->description.len != 0) {
        write_name(out, ASSAY_SLICE("error_description"), &first);
        write_plain(out, challenge->description);
    }
    if (challenge->scope.len != 0) {
        write_name(out, ASSAY_SLICE("scope"), &first);
        write_plain(out, challenge->scope);
    }
    if (challenge->acr_values.len != 0) {
        write_name(out, ASSAY_SLICE("acr_values"), &first);
        write_plain(out, challenge->acr_values);
    }
    if (challenge->max_age_s != 0) {
        write_name(out, ASSAY_SLICE("max_age"), &first);
        assay_buf_append_u64(out, (uint64_t)challenge->max_age_s);
        assay_buf_append_byte(out, '"');
    }
}
