#include "tool/demo.h"

#include "base/limits.h"
#include "json/reader.h"
#include "tool/local.h"
#include "tool/path.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_DEPTH 8

static bool fail(const char *what)
{
    fprintf(stderr, "assay: the demonstration could not be prepared: %s\n", what);
    return false;
}

static bool take_member(struct assay_slice answer, struct assay_slice member, char *out,
                        size_t size)
{
    struct assay_json *json = NULL;
    struct assay_error error = {0};
    struct assay_slice text = {0};
    if (assay_json_open(answer, ANSWER_DEPTH, &json, &error) != ASSAY_OK) {
        return fail("an answer was no JSON");
    }
    bool ok = assay_json_get_string(json, member, &text) && text.len < size;
    if (ok) {
        memcpy(out, text.data, text.len);
        out[text.len] = '\0';
    }
    assay_json_close(json);
    return ok ? true : fail("an answer was incomplete");
}

static bool ask(struct assay_local *local, const char *path, const char *body,
                unsigned *ret_http_status, struct assay_slice *ret_answer)
{
    struct assay_error error = {0};
    if (assay_local_send(local, path, assay_slice_of_text(body), ret_http_status, ret_answer,
                         &error) != ASSAY_OK) {
        return fail(error.what);
    }
    return true;
}

/* The client of `add`, or, when it is there from an earlier run, a new secret for it. */
static bool make_client(struct assay_local *local, const char *add, const char *rotate,
                        char *secret, size_t size)
{
    unsigned http_status = 0;
    struct assay_slice answer = {0};
    if (!ask(local, "/admin/client/add", add, &http_status, &answer)) {
        return false;
    }
    if (http_status == 409 &&
        !ask(local, "/admin/client/rotate-secret", rotate, &http_status, &answer)) {
        return false;
    }
    if (http_status != 200) {
        return fail("a client was refused");
    }
    return take_member(answer, ASSAY_SLICE("client_secret"), secret, size);
}

static bool make_all(struct assay_local *local, struct assay_demo *made)
{
    static const char gateway[] = "{\"client_id\":\"gateway\",\"resource_server\":true,"
                                  "\"audience\":[\"" ASSAY_DEMO_AUDIENCE "\"]}";
    static const char robot[] =
        "{\"client_id\":\"robot\",\"grant_types\":[\"client_credentials\",\"refresh_token\"],"
        "\"scope\":\"read write\",\"audience\":[\"" ASSAY_DEMO_AUDIENCE "\"]}";
    static const char token[] =
        "{\"client_id\":\"robot\",\"subject\":\"alice\",\"username\":\"alice@example.com\","
        "\"scope\":\"read write\"}";
    unsigned http_status = 0;
    struct assay_slice answer = {0};
    if (!make_client(local, gateway, "{\"client_id\":\"gateway\",\"overlap\":0}",
                     made->gateway_secret, sizeof made->gateway_secret) ||
        !make_client(local, robot, "{\"client_id\":\"robot\",\"overlap\":0}", made->robot_secret,
                     sizeof made->robot_secret) ||
        !ask(local, "/admin/token/issue", token, &http_status, &answer)) {
        return false;
    }
    if (http_status != 200) {
        return fail("a token was refused");
    }
    return take_member(answer, ASSAY_SLICE("access_token"), made->access_token,
                       sizeof made->access_token);
}

bool assay_demo_make(const struct assay_serving *s, struct assay_demo *ret)
{
    struct assay_local *local = NULL;
    struct assay_error error = {0};
    const char *prefix = s->token_prefix != NULL ? s->token_prefix : ASSAY_DEFAULT_TOKEN_PREFIX;
    if (assay_local_open(s->store, prefix, false, &local, &error) != ASSAY_OK) {
        return fail(error.what);
    }
    bool ok = make_all(local, ret);
    assay_local_close(local);
    return ok &&
           assay_path_write(s->gateway_secret, 0600, assay_slice_of_text(ret->gateway_secret));
}
