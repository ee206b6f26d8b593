#include "tool/remote.h"

#include "base/limits.h"
#include "base/secret.h"
#include "http/authorization.h"
#include "tool/http.h"
#include "tool/secret_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX 2048

struct assay_remote {
    const char *url;
    const char *client_id;
    const char *ca_file;
    char secret[ASSAY_MAX_CLIENT_SECRET + 3]; /* room for CR LF and NUL */
    uint8_t authorization[2 * (ASSAY_MAX_CLIENT_ID + ASSAY_MAX_CLIENT_SECRET) + 16];
    struct assay_buf answer;
    uint8_t room[ASSAY_MAX_REPLY + 1024];
};

static enum assay_status read_secret(struct assay_remote *remote, const char *secret_file,
                                     struct assay_error *reterr)
{
    struct assay_slice secret;
    const char *why = NULL;
    if (!assay_secret_file_read(secret_file, (uint8_t *)remote->secret, sizeof remote->secret - 1,
                                &secret, &why)) {
        fprintf(stderr, "assay: the secret file: %s\n", why);
        return assay_fail(ASSAY_ERR_SYNTAX, "no secret to authenticate with", reterr);
    }
    remote->secret[secret.len] = '\0';
    return ASSAY_OK;
}

enum assay_status assay_remote_open(const char *url, const char *client_id, const char *secret_file,
                                    const char *ca_file, struct assay_remote **ret,
                                    struct assay_error *reterr)
{
    struct assay_remote *remote = calloc(1, sizeof *remote);
    if (remote == NULL) {
        return assay_fail(ASSAY_ERR_SYSTEM, "out of memory", reterr);
    }
    remote->url = url;
    remote->client_id = client_id;
    remote->ca_file = ca_file;
    enum assay_status status = read_secret(remote, secret_file, reterr);
    if (status != ASSAY_OK) {
        assay_remote_close(remote);
        return status;
    }
    *ret = remote;
    return ASSAY_OK;
}

void assay_remote_close(struct assay_remote *remote)
{
    if (remote != NULL) {
        assay_secret_wipe(remote, sizeof *remote);
        free(remote);
    }
}

/* The server's URL without its trailing slashes, then the path. */
static bool write_url(const struct assay_remote *remote, const char *path, char *out, size_t size)
{
    size_t len = strlen(remote->url);
    while (len > 0 && remote->url[len - 1] == '/') {
        len--;
    }
    if (len > INT16_MAX) {
        return false;
    }
    int written = snprintf(out, size, "%.*s%s", (int)len, remote->url, path);
    return written > 0 && (size_t)written < size;
}

enum assay_status assay_remote_send(struct assay_remote *remote, const char *path,
                                    struct assay_slice body, unsigned *ret_http_status,
                                    struct assay_slice *ret_body, struct assay_error *reterr)
{
    char url[URL_MAX];
    if (!write_url(remote, path, url, sizeof url)) {
        return assay_fail(ASSAY_ERR_LIMIT, "the server's URL is too long", reterr);
    }
    struct assay_buf authorization;
    assay_buf_init(&authorization, remote->authorization, sizeof remote->authorization - 1);
    assay_basic_write(assay_slice_of_text(remote->client_id), assay_slice_of_text(remote->secret),
                      &authorization);
    remote->authorization[authorization.len] = '\0';
    if (authorization.spent) {
        return assay_fail(ASSAY_ERR_LIMIT, "the client id is too long", reterr);
    }
    struct assay_http http = {
        .url = url,
        .authorization = (const char *)remote->authorization,
        .ca_file = remote->ca_file,
        .content_type = "application/json",
        .body = body,
    };
    assay_buf_init(&remote->answer, remote->room, sizeof remote->room);
    enum assay_status status = assay_http_run(&http, &remote->answer, ret_http_status, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    *ret_body = assay_buf_slice(&remote->answer);
    return ASSAY_OK;
}
