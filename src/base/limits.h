/* Every bound of the product, in one place; the tests read this file. Bytes unless the name says
 * otherwise. Each is also documented where it is refused. */
#ifndef ASSAY_BASE_LIMITS_H
#define ASSAY_BASE_LIMITS_H

/* Requests at the server. */
#define ASSAY_MAX_BODY 16384       /* request body: 413 beyond */
#define ASSAY_MAX_FORM_PARAMS 32   /* count: 400 invalid_request beyond */
#define ASSAY_MAX_FORM_NAME 64     /* 400 invalid_request beyond */
#define ASSAY_MAX_TOKEN_PARAM 8192 /* `token` parameter, characters 0x21 to 0x7E */
#define ASSAY_MAX_REPLY 32768      /* reply body */

/* Clients. */
#define ASSAY_MAX_CLIENT_ID 256      /* 401 invalid_client beyond */
#define ASSAY_MAX_CLIENT_SECRET 1024 /* 401 invalid_client beyond */
#define ASSAY_MAX_CLIENT_NAME 128
#define ASSAY_MAX_CLIENT_SECRETS 2    /* live at once, for rotation */
#define ASSAY_MAX_CLIENT_AUDIENCES 16 /* count */
#define ASSAY_MAX_CLIENT_RECORD 8192  /* encoded */

/* What a token carries. */
#define ASSAY_MAX_SCOPE 1024       /* 400 invalid_scope beyond */
#define ASSAY_MAX_SCOPES 64        /* scope tokens in one value */
#define ASSAY_MAX_SCOPE_SERVERS 64 /* of one audience, asked what scopes they understand */
#define ASSAY_MAX_AUDIENCE 512     /* one resource indicator or audience */
#define ASSAY_MAX_AUDIENCES 8      /* of one token */
#define ASSAY_MAX_SUBJECT 255
#define ASSAY_MAX_USERNAME 255
#define ASSAY_MAX_SID 64
#define ASSAY_MAX_CLAIMS 4096 /* extra claims or authorization_details, as JSON text */
#define ASSAY_MAX_JSON_DEPTH 8
#define ASSAY_MAX_TOKEN_RECORD 16384 /* encoded */
#define ASSAY_DEFAULT_TOKEN_PREFIX "assay"
#define ASSAY_DEFAULT_ACCESS_LIFETIME_S 3600
#define ASSAY_DEFAULT_REFRESH_LIFETIME_S 2592000 /* 30 days */
#define ASSAY_MIN_LIFETIME_S 1
#define ASSAY_MAX_LIFETIME_S 315360000 /* ten years */

/* Ids in keys of the store: the engine takes 511 bytes at most. */
#define ASSAY_MAX_CUTOFF_ID 256

/* Sealing keys tried, newest first. */
#define ASSAY_MAX_SEAL_KEYS 4

/* Time. */
#define ASSAY_MAX_WRITE_WAIT_MS 2000 /* write lock and commit: 503 beyond */
#define ASSAY_MAX_READ_MS 100        /* one read transaction */
#define ASSAY_EVENT_KEEP_S 3600      /* event log */
#define ASSAY_CUTOFF_SLACK_S 120     /* a cutoff outlives what it concerns by this */
#define ASSAY_CLOCK_STEP_S 60        /* a jump of more is a clock step */
#define ASSAY_CLOCK_HOLD_S 3600      /* the horizon stands still for this long after one */
#define ASSAY_DEFAULT_REFRESH_WINDOW_S 10
#define ASSAY_MAX_REFRESH_WINDOW_S 300

/* Failed authentications of one client from one source: 429 beyond. */
#define ASSAY_MAX_FAILED_AUTH 20 /* count */
#define ASSAY_FAILED_AUTH_WINDOW_S 60

/* One line of a log, escaped. */
#define ASSAY_MAX_LOG_LINE 2048

/* The guard. */
#define ASSAY_MAX_ANSWER 65536        /* introspection or metadata: 503 beyond */
#define ASSAY_MAX_ANSWER_DEPTH 16     /* its nesting */
#define ASSAY_MAX_KEPT_CLAIMS 64      /* that a configuration may use */
#define ASSAY_MAX_KEPT 8192           /* of one answer, when no entry of the cache is as large */
#define ASSAY_MAX_ENDPOINTS 8         /* of one provider */
#define ASSAY_MAX_PARAMETERS 16       /* sent with each introspection */
#define ASSAY_MAX_QUESTION 32768      /* body of an introspection request */
#define ASSAY_DEFAULT_MAX_AGE_MS 5000 /* of an answer that is used without asking */
#define ASSAY_DEFAULT_INACTIVE_AGE_MS 1000
#define ASSAY_DEFAULT_CONNECT_MS 1000 /* to an authorization server */
#define ASSAY_DEFAULT_ASK_MS 3000     /* a whole question */
#define ASSAY_DEFAULT_KEYS_MAX_AGE_MS                                                              \
    INT64_C(86400000)             /* of an issuer's keys, no new ones coming */
#define ASSAY_MAX_ASKING 64       /* questions at once per worker and provider: 503 beyond */
#define ASSAY_MAX_ASKING_CLIENT 8 /* of which one client address holds at most so many */

/* Signed tokens and the keys that verify them. */
#define ASSAY_MAX_JWS 65536               /* compact text */
#define ASSAY_MAX_JOSE_HEADER 8192        /* of it, still encoded */
#define ASSAY_MAX_JOSE_DEPTH 16           /* nesting of header and claims */
#define ASSAY_MAX_KID 256                 /* a key with a longer one is ignored */
#define ASSAY_MAX_JWKS 65536              /* a key set, as text: the last good one is kept beyond */
#define ASSAY_MAX_JWKS_KEYS 100           /* in it, good or not: likewise */
#define ASSAY_MAX_SKEW_S 300              /* how far the clocks of two servers may be apart */
#define ASSAY_MAX_TIME_S 9007199254740992 /* 2^53, what every JSON reader can tell (RFC 7493) */

/* Rows of one admin answer; the next page starts after its last. */
#define ASSAY_MAX_LIST_ROWS 200

#endif
