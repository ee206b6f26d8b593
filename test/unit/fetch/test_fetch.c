#include "fetch/fetch.h"

#include "support/check.h"
#include "tool/loop_poll.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server of one connection and one answer. */
struct peer {
    int listening;
    uint16_t port;
    const char *answer;
    pthread_t thread;
    char seen[8192];
};

static void *serve(void *context)
{
    struct peer *peer = context;
    int fd = accept(peer->listening, NULL, NULL);
    if (fd >= 0) {
        ssize_t got = read(fd, peer->seen, sizeof(peer->seen) - 1);
        peer->seen[got > 0 ? got : 0] = '\0';
        ssize_t sent = write(fd, peer->answer, strlen(peer->answer));
        (void)sent;
        close(fd);
    }
    return NULL;
}

static void peer_open(struct peer *peer, const char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    *peer = (struct peer){.answer = answer};
    peer->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listening, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(peer->listening, 8), 0);
    assert_int_equal(getsockname(peer->listening, (struct sockaddr *)&address, &len), 0);
    peer->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&peer->thread, NULL, serve, peer), 0);
}

static void peer_close(struct peer *peer)
{
    shutdown(peer->listening, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listening);
}

struct outcome {
    struct assay_fetch fetch;
    char url[64];
    char answer[4096];
    size_t answer_len;
    unsigned done;
};

static void on_done(struct assay_fetch *fetch)
{
    struct outcome *outcome = fetch->context;
    outcome->done++;
    outcome->answer_len = fetch->answer.len;
    if (fetch->answer.len != 0) {
        memcpy(outcome->answer, fetch->answer.data, fetch->answer.len);
    }
}

static void prepare(struct outcome *outcome, uint16_t port)
{
    *outcome = (struct outcome){0};
    assert_true(snprintf(outcome->url, sizeof(outcome->url), "http://127.0.0.1:%u/x", port) > 0);
    outcome->fetch = (struct assay_fetch){
        .url = outcome->url,
        .timeout_ms = 2000,
        .content_type = "application/x-www-form-urlencoded",
        .accept = "application/json",
        .authorization = "Basic abc",
        .header = "Assay-Guard: 1",
        .body = ASSAY_SLICE("token=t"),
        .done = on_done,
        .context = outcome,
    };
}

static struct assay_fetcher *open_fetcher(struct assay_poll *poll, size_t max_body)
{
    struct assay_fetcher *fetcher = NULL;
    struct assay_error error = {0};
    struct assay_fetch_options options = {.connect_ms = 1000, .max_body = max_body};
    assay_poll_init(poll);
    assert_ok(assay_fetcher_open(&poll->loop, &options, &fetcher, &error), &error);
    return fetcher;
}

static void fetched(struct outcome *outcome, const char *answer)
{
    struct peer peer;
    struct assay_poll poll;
    struct assay_error error = {0};
    peer_open(&peer, answer);
    struct assay_fetcher *fetcher = open_fetcher(&poll, sizeof(outcome->answer));
    prepare(outcome, peer.port);
    assert_ok(assay_fetch_start(fetcher, &outcome->fetch, &error), &error);
    assert_int_equal(outcome->done, 0); /* never from inside */
    while (outcome->done == 0) {
        assert_ok(assay_poll_once(&poll, 100, &error), &error);
    }
    assert_int_equal(outcome->done, 1);
    assay_fetcher_close(fetcher);
    peer_close(&peer);
    assert_non_null(strstr(peer.seen, "POST /x HTTP/1.1\r\n"));
    assert_non_null(strstr(peer.seen, "\r\nAuthorization: Basic abc\r\n"));
    assert_non_null(strstr(peer.seen, "\r\nAssay-Guard: 1\r\n"));
    assert_null(strstr(peer.seen, "Expect"));
    assert_null(strstr(peer.seen, "Accept-Encoding"));
    assert_non_null(strstr(peer.seen, "\r\n\r\ntoken=t"));
}

static void an_answer_comes_whole_with_what_its_head_says(void **state)
{
    struct outcome outcome;
    (void)state;
    fetched(&outcome, "HTTP/1.1 429 X\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\nRetry-After: 7\r\n"
                      "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    assert_int_equal(outcome.fetch.result, ASSAY_FETCH_OK);
    assert_int_equal(outcome.fetch.http_status, 429);
    assert_int_equal(outcome.fetch.retry_after_s, 7);
    assert_int_equal(outcome.fetch.date_s, 1700000000);
    assert_int_equal(outcome.answer_len, 2);
}

/* F-64 F-65 F-66 */
static void what_is_no_answer_is_none(void **state)
{
    static const struct {
        const char *answer;
        enum assay_fetch_result result;
        bool nothing;
    } cases[] = {
        {"", ASSAY_FETCH_FAILED, true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", ASSAY_FETCH_FAILED, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", ASSAY_FETCH_REFUSED,
         false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0"
         "\r\n\r\n",
         ASSAY_FETCH_REFUSED, false},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
         ASSAY_FETCH_REFUSED, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
         ASSAY_FETCH_REFUSED, false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n{}", ASSAY_FETCH_REFUSED, false},
        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", ASSAY_FETCH_FAILED, false},
        {"HTTP/1.1 200 OK", ASSAY_FETCH_FAILED, false},
        {"HTTP/1.1 100 Continue\r\n\r\n", ASSAY_FETCH_FAILED, false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", ASSAY_FETCH_FAILED, false},
        {"{\"active\":true}", ASSAY_FETCH_REFUSED, true},
    };
    struct outcome outcome;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fetched(&outcome, cases[i].answer);
        if (outcome.fetch.result != cases[i].result) {
            fail_msg("case %zu: %d", i, (int)outcome.fetch.result);
        }
        assert_int_equal(outcome.answer_len, 0);
        assert_non_null(outcome.fetch.what);
        assert_true(!cases[i].nothing || outcome.fetch.may_repeat ||
                    outcome.fetch.result == ASSAY_FETCH_REFUSED);
    }
}

/* Each message has a framing of its own, and a trailer is none. */
static void interim_answers_and_trailers_are_no_second_length(void **state)
{
    struct outcome outcome;
    (void)state;
    fetched(&outcome, "HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n"
                      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
                      "X-Trailer: x\r\n\r\n");
    assert_int_equal(outcome.fetch.result, ASSAY_FETCH_OK);
    assert_int_equal(outcome.fetch.http_status, 200);
    assert_int_equal(outcome.answer_len, 2);
}

/* F-63 */
static void a_redirect_is_an_answer_and_not_a_way(void **state)
{
    struct outcome outcome;
    (void)state;
    fetched(&outcome,
            "HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(outcome.fetch.result, ASSAY_FETCH_OK);
    assert_int_equal(outcome.fetch.http_status, 307);
}

/* F-78: at once, whatever it waits for, and done() is not called. */
static void what_is_cancelled_is_over(void **state)
{
    struct peer peer;
    struct assay_poll poll;
    struct outcome outcome;
    struct assay_error error = {0};
    (void)state;
    for (unsigned turns = 0; turns < 6; turns++) {
        peer_open(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        struct assay_fetcher *fetcher = open_fetcher(&poll, 4096);
        prepare(&outcome, peer.port);
        assert_ok(assay_fetch_start(fetcher, &outcome.fetch, &error), &error);
        for (unsigned i = 0; i < turns && outcome.done == 0; i++) {
            assert_ok(assay_poll_once(&poll, 10, &error), &error);
        }
        unsigned before = outcome.done;
        assay_fetch_cancel(&outcome.fetch);
        assay_fetch_cancel(&outcome.fetch);
        assert_ok(assay_poll_once(&poll, 10, &error), &error);
        assert_int_equal(outcome.done, before);
        assay_fetcher_close(fetcher);
        peer_close(&peer);
    }
}

static void closing_cancels_what_is_under_way(void **state)
{
    struct peer peer;
    struct assay_poll poll;
    struct outcome outcome;
    struct assay_error error = {0};
    (void)state;
    peer_open(&peer, "");
    struct assay_fetcher *fetcher = open_fetcher(&poll, 4096);
    prepare(&outcome, peer.port);
    assert_ok(assay_fetch_start(fetcher, &outcome.fetch, &error), &error);
    assay_fetcher_close(fetcher);
    assert_int_equal(outcome.done, 0);
    assert_int_equal(poll.watch_count, 0);
    assert_int_equal(poll.timer_count, 0);
    peer_close(&peer);
}

static void run(struct assay_poll *poll, const struct outcome *outcome)
{
    struct assay_error error = {0};
    while (outcome->done == 0) {
        assert_ok(assay_poll_once(poll, 100, &error), &error);
    }
}

/* F-60: only what hangs counts against the bound. */
static void names_that_do_not_exist_hang_nobody(void **state)
{
    struct assay_poll poll;
    struct outcome outcome;
    struct assay_error error = {0};
    (void)state;
    struct assay_fetcher *fetcher = open_fetcher(&poll, 4096);
    for (int i = 0; i < 40; i++) {
        prepare(&outcome, 0);
        outcome.fetch.url = "https://-x.invalid/"; /* which no resolver even asks for */
        assert_ok(assay_fetch_start(fetcher, &outcome.fetch, &error), &error);
        run(&poll, &outcome);
        assert_int_equal(outcome.fetch.result, ASSAY_FETCH_FAILED);
        assert_true(outcome.fetch.may_repeat);
    }
    assay_fetcher_close(fetcher);
}

/* A loop that can watch nothing for a while. */
static bool refuses;
static enum assay_status (*real_watch)(struct assay_loop *loop, struct assay_watch *watch,
                                       struct assay_error *reterr);

static enum assay_status watch_or_refuse(struct assay_loop *loop, struct assay_watch *watch,
                                         struct assay_error *reterr)
{
    return refuses ? assay_fail(ASSAY_ERR_SYSTEM, "no room", reterr)
                   : real_watch(loop, watch, reterr);
}

/* F-11: what cannot be watched fails alone, and what comes later goes on. */
static void a_descriptor_that_cannot_be_watched_ends_its_own_exchange_alone(void **state)
{
    struct peer peer;
    struct assay_poll poll;
    struct outcome outcome;
    struct assay_error error = {0};
    (void)state;
    struct assay_fetcher *fetcher = open_fetcher(&poll, 4096);
    real_watch = poll.loop.watch;
    poll.loop.watch = watch_or_refuse;
    peer_open(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    refuses = true;
    prepare(&outcome, peer.port);
    outcome.fetch.timeout_ms = 200;
    assert_ok(assay_fetch_start(fetcher, &outcome.fetch, &error), &error);
    run(&poll, &outcome);
    assert_int_equal(outcome.fetch.result, ASSAY_FETCH_FAILED);
    peer_close(&peer);
    refuses = false;
    peer_open(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    prepare(&outcome, peer.port);
    assert_ok(assay_fetch_start(fetcher, &outcome.fetch, &error), &error);
    run(&poll, &outcome);
    assert_int_equal(outcome.fetch.result, ASSAY_FETCH_OK);
    assay_fetcher_close(fetcher);
    peer_close(&peer);
}

static void cleartext_never_leaves_the_machine_unasked(void **state)
{
    static const char *const good[] = {"https://as.example.com/i", "https://as.example.com:8443",
                                       "http://localhost/i",       "http://127.0.0.1:9/i",
                                       "http://[::1]:9/i",         "https://[2001:db8::1]/i"};
    static const char *const bad[] = {
        "",
        "as.example.com",
        "ftp://as.example.com",
        "file:///etc/passwd",
        "HTTP://as.example.com",
        "http://as.example.com/i",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://localhost@as.example.com/",
        "https://user@as.example.com/",
        "https://user:secret@as.example.com/",
        "https:///i",
        "http://",
        "https://",
        "http://[::1].example.com/",
        "http://[::2]/",
        "javascript:alert(1)",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!assay_fetch_url_allowed(good[i], false)) {
            fail_msg("%s", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (assay_fetch_url_allowed(bad[i], false)) {
            fail_msg("%s", bad[i]);
        }
    }
    assert_true(assay_fetch_url_allowed("http://as.example.com/i", true));
    assert_false(assay_fetch_url_allowed("http://a@as.example.com/i", true));
    assert_false(assay_fetch_url_allowed("ftp://as.example.com/i", true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_whole_with_what_its_head_says),
        cmocka_unit_test(what_is_no_answer_is_none),
        cmocka_unit_test(interim_answers_and_trailers_are_no_second_length),
        cmocka_unit_test(names_that_do_not_exist_hang_nobody),
        cmocka_unit_test(a_descriptor_that_cannot_be_watched_ends_its_own_exchange_alone),
        cmocka_unit_test(a_redirect_is_an_answer_and_not_a_way),
        cmocka_unit_test(what_is_cancelled_is_over),
        cmocka_unit_test(closing_cancels_what_is_under_way),
        cmocka_unit_test(cleartext_never_leaves_the_machine_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
