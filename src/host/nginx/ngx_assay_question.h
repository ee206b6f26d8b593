/* Inside the asker: questions, and the worker's hold on each provider. */
#ifndef ASSAY_HOST_NGX_ASSAY_QUESTION_H
#define ASSAY_HOST_NGX_ASSAY_QUESTION_H

#include "fetch/fetch.h"
#include "host/nginx/ngx_assay_asker.h"
#include "host/nginx/ngx_assay_event.h"

#define ASSAY_URL_MAX 2048

enum ngx_assay_question_state {
    NGX_ASSAY_WATCHING, /* another worker asks */
    NGX_ASSAY_QUEUED,   /* too many are under way, or the endpoint is not known yet */
    NGX_ASSAY_ASKING,
    NGX_ASSAY_OVER, /* its answer, or trouble, is being handed out */
};

/* One question about one token, and who waits for its answer. */
struct ngx_assay_question {
    ngx_queue_t in_table;
    ngx_queue_t in_line; /* while it is QUEUED */
    struct ngx_assay_asker *asker;
    enum ngx_assay_question_state state;
    uint8_t key[ASSAY_TOKEN_KEY_LEN];
    ngx_queue_t waiters;
    ngx_queue_t
        later; /* came when it had been sent, and want an answer that was asked after that */
    bool mine; /* in the table of the host, by `turn` */
    struct assay_asking_turn turn;
    bool flushed;              /* asked again already, because of a flush */
    enum assay_reason failure; /* to be handed out behind the events of this turn */
    int64_t since_us;          /* when the first waiter came */
    int64_t until_us;          /* when it is given up */
    int64_t asked_us;
    uint64_t generation;
    ngx_uint_t tries;
    ngx_uint_t endpoint;
    struct ngx_assay_timer timer;
    struct assay_fetch fetch;
    struct sockaddr_storage address; /* of the client that made it */
    socklen_t address_len;
    u_char *token; /* a copy: whoever brought it may leave */
    size_t token_len;
    u_char *letter; /* body and Authorization value, while it is ASKING */
    size_t letter_size;
    struct assay_slice authorization;
};

/* What a worker holds of a provider. */
struct ngx_assay_asker {
    struct ngx_assay_provider *provider;
    struct assay_fetcher *fetcher;
    char urls[ASSAY_MAX_ENDPOINTS][ASSAY_URL_MAX];
    ngx_uint_t url_count; /* 0: not discovered yet */
    ngx_uint_t good;      /* the one that answered last */
    ngx_queue_t table[256];
    ngx_queue_t line; /* of questions that are QUEUED */
    ngx_uint_t count; /* of questions */
    ngx_uint_t asking;
    ngx_uint_t failures; /* in a row */
    bool told_too_large; /* that answers do not fit is said once */
    int64_t pause_until_us;
    int64_t logged_us; /* trouble, last time */
    ngx_uint_t unlogged;
    /* discovery */
    struct assay_fetch discovery;
    struct ngx_assay_timer discover_again;
    ngx_uint_t discovery_place;
    ngx_uint_t discovery_failures;
    char discovery_url[ASSAY_URL_MAX];
};

/* ngx_assay_discovery.c: finds asker->urls by the issuer, and goes on refreshing them. */
void ngx_assay_discovery_begin(struct ngx_assay_asker *asker);
void ngx_assay_discovery_end(struct ngx_assay_asker *asker);

/* Sends what waits in line, as far as it may. */
void ngx_assay_asker_pump(struct ngx_assay_asker *asker);

#endif
