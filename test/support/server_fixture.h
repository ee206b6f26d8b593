/* One exchange against answers written by the test: no store, a fixed clock. */
#ifndef ASSAY_TEST_SUPPORT_SERVER_FIXTURE_H
#define ASSAY_TEST_SUPPORT_SERVER_FIXTURE_H

#include "server/exchange.h"

#define FIXTURE_NOW 1000000
#define FIXTURE_ISSUER "https://auth.example.com"

struct server_fixture {
    struct assay_server server;
    struct assay_exchange exchange;
    int64_t now_s; /* FIXTURE_NOW */
    struct assay_arena arena;
    struct assay_client_record caller; /* of the secret "secret"; a resource server for AUDIENCE */
    struct assay_token_record token;   /* live, for AUDIENCE; its text is fixture->text */
    uint8_t text[ASSAY_MAX_TOKEN_TEXT];
    struct assay_slice token_text;
    bool caller_exists;
    bool token_exists;
    enum assay_status find_status;
    enum assay_status change_status;
    enum assay_change_outcome outcome;
    size_t changes;                               /* asked for */
    void (*meanwhile)(struct server_fixture *fx); /* runs before a change is done; may be NULL */
    uint8_t memory[131072];
};

#define FIXTURE_AUDIENCE "https://api.example.com"

struct server_fixture *server_fixture_open(void);
void server_fixture_close(struct server_fixture *fx);

/* A POST of `body` to `path` over TLS, with Basic credentials caller:secret unless `authorization`
 * says otherwise (NULL: those; "": none). Fields of fx->exchange.request set by `adjust` (may be
 * NULL) come last. */
struct assay_reply server_fixture_post(struct server_fixture *fx, const char *path,
                                       const char *body, const char *authorization,
                                       void (*adjust)(struct assay_request *request));

#endif
