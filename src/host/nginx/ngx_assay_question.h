/* Inside the asker: questions, and the worker's hold on each provider. */
#ifndef ASSAY_HOST_NGX_ASSAY_QUESTION_H
#define ASSAY_HOST_NGX_ASSAY_QUESTION_H

#include "fetch/fetch.h"
#include "guard/assertion.h"
#include "host/nginx/ngx_assay_asker.h"
#include "host/nginx/ngx_assay_event.h"
#include "jose/jwks.h"

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
    ngx_uint_t endpoint; /* of asker->urls */
    ngx_uint_t unasked;  /* endpoints that this question has not come to yet */
    ngx_uint_t retries;  /* of endpoints that it had come to */
    struct ngx_assay_timer timer;
    struct assay_fetch fetch;
    struct sockaddr_storage address; /* of the client that made it */
    socklen_t address_len;
    u_char *token; /* a copy: whoever brought it may leave */
    size_t token_len;
    u_char *letter; /* body and Authorization value, while it is ASKING */
    size_t letter_size;
};

/* Lines about trouble of one kind, which come no more often than once a second. */
struct ngx_assay_trouble_log {
    int64_t last_us;
    ngx_uint_t unlogged; /* since */
};

/* What a worker holds of an issuer's keys. */
struct ngx_assay_keys {
    struct ngx_assay_keyrings *rings; /* shared */
    struct ngx_assay_keyring *ring;   /* the issuer's; NULL: no token is judged here */
    uint8_t issuer[ASSAY_SHA256_LEN]; /* what it is found by */
    char url[ASSAY_URL_MAX];          /* empty: not discovered yet */
    uint64_t version;                 /* of what follows; 0: there are none */
    struct assay_jwks jwks;
    struct assay_arena arena;
    void *memory;
    int64_t asked_us; /* when `fetch` began */
    struct assay_fetch fetch;
    ngx_queue_t waiting; /* of struct ngx_assay_waiter */
    struct ngx_assay_timer look;
    struct ngx_assay_timer poll;
};

/* What a worker holds of a provider. */
struct ngx_assay_asker {
    struct ngx_assay_provider *provider;
    struct assay_fetcher *fetcher;
    char urls[ASSAY_MAX_ENDPOINTS][ASSAY_URL_MAX];
    ngx_uint_t url_count; /* 0: not discovered yet */
    ngx_uint_t good;      /* where questions begin: the one that answered last, or the next to it */
    ngx_queue_t table[256];
    ngx_queue_t line; /* of questions that are QUEUED */
    ngx_uint_t count; /* of questions */
    ngx_uint_t asking;
    ngx_uint_t failures; /* in a row */
    ngx_uint_t budget;   /* tenths of retries that may be spent */
    bool told_too_large; /* that answers do not fit is said once */
    int64_t pause_until_us;
    struct ngx_assay_trouble_log rejected; /* of our credentials */
    struct ngx_assay_trouble_log troubled;
    struct ngx_assay_keys keys;
    struct assay_assertion_key own_key; /* the guard's; signer NULL: it needs none */
    struct assay_arena own_arena;
    void *own_memory;
    /* discovery */
    uint8_t issuer[ASSAY_SHA256_LEN]; /* its digest */
    bool discovering;                 /* the metadata is on its way */
    bool discovered;
    struct assay_fetch discovery;
    struct ngx_assay_timer discover_again;
    ngx_uint_t discovery_place;
    ngx_uint_t discovery_failures;
    char discovery_url[ASSAY_URL_MAX];
};

/* --- ngx_assay_asker.c: when a question is sent --- */

bool ngx_assay_asker_open(struct ngx_assay_asker *asker, struct ngx_assay_provider *provider);
void ngx_assay_asker_close(struct ngx_assay_asker *asker);

/* Sends what waits in line, as far as it may. */
void ngx_assay_asker_pump(struct ngx_assay_asker *asker);

/* Has `q` asked, here or by another worker. It is in the table, and somebody waits for it. */
void ngx_assay_question_begin(struct ngx_assay_question *q);

void ngx_assay_question_on_timer(ngx_event_t *event);

/* --- ngx_assay_question.c: who waits, and what they are told --- */

struct ngx_assay_question *ngx_assay_question_find(struct ngx_assay_asker *asker,
                                                   const uint8_t *key);

/* A question about what `waiter` wants to know, in the table, its owner waiting. NULL: no memory.
 */
struct ngx_assay_question *ngx_assay_question_make(struct ngx_assay_asker *asker,
                                                   struct ngx_assay_waiter *waiter);

/* Lets `waiter` wait, too. */
void ngx_assay_question_join(struct ngx_assay_question *q, struct ngx_assay_waiter *waiter);
void ngx_assay_question_leave(struct ngx_assay_waiter *waiter);

/* Hands out what was told, or why nothing was. The question is gone afterwards, or begun anew for
 * those that came too late for this answer. */
void ngx_assay_question_answer(struct ngx_assay_question *q, const struct assay_kept *kept);
void ngx_assay_question_fail(struct ngx_assay_question *q, enum assay_reason why);

/* Looks whether another worker has got an answer; who is content with it is answered. False: nobody
 * waits any more, and the question is gone. */
bool ngx_assay_question_look(struct ngx_assay_question *q);

/* Takes it away; those who wait are told nothing. */
void ngx_assay_question_discard(struct ngx_assay_question *q);

/* --- ngx_assay_sending.c: one question on its way --- */

void ngx_assay_question_send(struct ngx_assay_question *q);

/* The question's time is over while it is on its way. */
void ngx_assay_question_give_up(struct ngx_assay_question *q);

/* Trouble that is known at once: handed out behind the events of this turn, never from inside. */
void ngx_assay_question_fail_soon(struct ngx_assay_question *q, enum assay_reason why,
                                  const char *what);

/* Frees what was sent, which holds secrets. */
void ngx_assay_question_drop_letter(struct ngx_assay_question *q);

/* --- ngx_assay_trouble.c: when the authorization server fails --- */

/* `what` is constant text. */
void ngx_assay_trouble_say(struct ngx_assay_asker *asker, enum assay_reason why, const char *what);

/* A question got no answer. `reached`: the server gave one, if none that can be used. */
void ngx_assay_trouble_failed(struct ngx_assay_asker *asker, bool reached, int64_t retry_after_s);
void ngx_assay_trouble_over(struct ngx_assay_asker *asker, ngx_uint_t endpoint);

/* `endpoint` fails: questions begin at the next one. */
void ngx_assay_trouble_at(struct ngx_assay_asker *asker, ngx_uint_t endpoint);

/* Is the server left alone for now? */
bool ngx_assay_trouble_paused(const struct ngx_assay_asker *asker);

/* May an endpoint that was asked in vain be asked once more? That is paid for by the questions that
 * are asked: ten for each. */
bool ngx_assay_trouble_may_retry(struct ngx_assay_asker *asker);
void ngx_assay_trouble_earn_retry(struct ngx_assay_asker *asker);

/* --- ngx_assay_discovery.c: finds endpoints and keys by the issuer, and goes on doing so --- */

/* Is there something to be found? */
bool ngx_assay_discovery_is_wanted(const struct assay_provider *provider);

/* False, logged: OpenSSL could not work. */
bool ngx_assay_discovery_begin(struct ngx_assay_asker *asker);
void ngx_assay_discovery_end(struct ngx_assay_asker *asker);

#endif
