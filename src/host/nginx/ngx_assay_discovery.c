#include "host/nginx/ngx_assay_question.h"

#include "guard/discovery.h"
#include "host/nginx/ngx_assay_found.h"
#include "host/nginx/ngx_assay_guard_worker.h"
#include "host/nginx/ngx_assay_setting.h"

#define REFRESH_MS 3600000 /* what is known is looked up again */
#define AGAIN_MS 1000      /* what is not, first after this, then ever longer, up to */
#define AGAIN_MAX_MS 30000

static void begin(struct ngx_assay_asker *asker);

static void on_again(ngx_event_t *event)
{
    begin(ngx_assay_timer_context(event));
}

static void again(struct ngx_assay_asker *asker, int64_t delay_ms)
{
    ngx_add_timer(&asker->discover_again.event, (ngx_msec_t)delay_ms);
}

static void fail(struct ngx_assay_asker *asker, const char *what)
{
    int64_t delay = AGAIN_MS;
    ngx_uint_t rounds = asker->discovery_failures / ASSAY_DISCOVERY_PLACES;
    asker->discovery_place = (asker->discovery_place + 1) % ASSAY_DISCOVERY_PLACES;
    asker->discovery_failures++;
    if (asker->discovery_place != 0) {
        begin(asker); /* the other place, at once */
        return;
    }
    for (; rounds > 0 && delay < AGAIN_MAX_MS; rounds--) {
        delay *= 2;
    }
    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "assay: provider \"%V\": no metadata at %s: %s%s",
                  &asker->provider->name, asker->discovery_url, what,
                  asker->url_count == 0 ? "" : "; the endpoint that was last found stays in use");
    again(asker, ngx_min(delay, AGAIN_MAX_MS));
}

/* Reads the endpoint into `url`. NULL, or what is wrong with what came. */
static const char *read_endpoint(const struct ngx_assay_asker *asker,
                                 const struct assay_fetch *fetch, char url[ASSAY_URL_MAX])
{
    uint8_t room[ASSAY_URL_MAX];
    struct assay_arena arena;
    struct assay_slice endpoint = {0};
    struct assay_error error = {0};
    if (fetch->result != ASSAY_FETCH_OK) {
        return fetch->what;
    }
    if (fetch->http_status != 200) {
        return "the status is not 200";
    }
    assay_arena_init(&arena, room, sizeof(room) - 1);
    if (assay_discovery_read(fetch->answer, asker->provider->core.issuer, &arena, &endpoint,
                             &error) == ASSAY_OK) {
        ngx_memcpy(url, endpoint.data, endpoint.len);
        url[endpoint.len] = '\0';
        error.what = assay_fetch_url_allowed(url, asker->provider->allow_cleartext)
                         ? NULL
                         : "the introspection_endpoint is neither https nor http to this machine";
    }
    assay_arena_release(&arena);
    return error.what;
}

/* What was known stays known, whatever comes instead of metadata; it is said loudly. */
static void on_done(struct assay_fetch *fetch)
{
    struct ngx_assay_asker *asker = fetch->context;
    char url[ASSAY_URL_MAX];
    const char *fault = read_endpoint(asker, fetch, url);
    if (fault != NULL) {
        fail(asker, fault);
        return;
    }
    ngx_memcpy(asker->urls[0], url, sizeof(url));
    asker->url_count = 1;
    ngx_assay_found_put(ngx_assay_guard_worker()->zone->found, asker->issuer, url);
    asker->discovery_failures = 0;
    again(asker, REFRESH_MS);
    ngx_assay_asker_pump(asker);
}

static void begin(struct ngx_assay_asker *asker)
{
    struct assay_buf url;
    struct assay_error error = {0};
    assay_buf_init(&url, asker->discovery_url, sizeof(asker->discovery_url) - 1);
    assay_discovery_url(asker->provider->core.issuer,
                        (enum assay_discovery_place)asker->discovery_place, &url);
    asker->discovery_url[url.len] = '\0';
    asker->discovery = (struct assay_fetch){
        .url = asker->discovery_url,
        .timeout_ms = asker->provider->whole_ms,
        .accept = "application/json",
        .done = on_done,
        .context = asker,
    };
    if (assay_fetch_start(asker->fetcher, &asker->discovery, &error) != ASSAY_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "assay: provider \"%V\": no metadata: %s",
                      &asker->provider->name, error.what);
        again(asker, AGAIN_MAX_MS);
    }
}

/* What workers of an older configuration knew, if this one allows it. */
static void remember(struct ngx_assay_asker *asker)
{
    const struct ngx_assay_guard_worker *worker = ngx_assay_guard_worker();
    char *url = asker->urls[0];
    if (ngx_assay_found_get(worker->zone->found, asker->issuer, url) &&
        assay_fetch_url_allowed(url, asker->provider->allow_cleartext)) {
        asker->url_count = 1;
    }
}

bool ngx_assay_discovery_begin(struct ngx_assay_asker *asker)
{
    struct assay_error error = {0};
    if (assay_sha256(ngx_assay_guard_worker()->digester, asker->provider->core.issuer,
                     asker->issuer, &error) != ASSAY_OK) {
        ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0, "assay: provider \"%V\": %s",
                      &asker->provider->name, error.what);
        return false;
    }
    remember(asker);
    ngx_assay_timer_init(&asker->discover_again, on_again, asker);
    asker->discover_again.event.cancelable = 1;
    begin(asker);
    return true;
}

void ngx_assay_discovery_end(struct ngx_assay_asker *asker)
{
    assay_fetch_cancel(&asker->discovery);
    if (asker->discover_again.event.timer_set) {
        ngx_del_timer(&asker->discover_again.event);
    }
}
