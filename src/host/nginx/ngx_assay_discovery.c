#include "host/nginx/ngx_assay_question.h"

#include "guard/discovery.h"
#include "host/nginx/ngx_assay_found.h"
#include "host/nginx/ngx_assay_guard_worker.h"
#include "host/nginx/ngx_assay_keys.h"
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
                  asker->discovered ? "; what was last found stays in use" : "");
    again(asker, ngx_min(delay, AGAIN_MAX_MS));
}

static bool wants_endpoint(const struct assay_provider *provider)
{
    return provider->endpoint_count == 0 && provider->may_ask;
}

static bool wants_keys(const struct assay_provider *provider)
{
    return provider->mode != ASSAY_GUARD_MODE_OPAQUE && provider->jwks_uri.len == 0;
}

bool ngx_assay_discovery_is_wanted(const struct assay_provider *provider)
{
    return wants_endpoint(provider) || wants_keys(provider);
}

static bool shows_certificate(const struct ngx_assay_asker *asker)
{
    return asker->provider->certificate.len != 0;
}

/* May `url`, which the metadata names `name`, be used? NULL, or what is wrong. */
static const char *check_url(const struct ngx_assay_asker *asker, struct assay_slice url,
                             const char *absent, const char *refused, char ret[ASSAY_URL_MAX])
{
    if (url.len == 0 || url.len >= ASSAY_URL_MAX) {
        return absent;
    }
    ngx_memcpy(ret, url.data, url.len);
    ret[url.len] = '\0';
    return assay_fetch_url_allowed(ret, asker->provider->allow_cleartext) ? NULL : refused;
}

static const char *check_urls(const struct ngx_assay_asker *asker,
                              const struct assay_discovered *said, struct ngx_assay_found_urls *ret)
{
    const struct assay_provider *core = &asker->provider->core;
    const char *fault = NULL;
    bool aliased = shows_certificate(asker) && said->mtls_introspection_endpoint.len != 0;
    if (wants_endpoint(core)) {
        fault = check_url(
            asker, aliased ? said->mtls_introspection_endpoint : said->introspection_endpoint,
            "the metadata names no introspection_endpoint",
            "the introspection_endpoint is neither https nor http to this machine", ret->endpoint);
    }
    if (fault == NULL && wants_keys(core)) {
        fault = check_url(asker, said->jwks_uri, "the metadata names no jwks_uri",
                          "the jwks_uri is neither https nor http to this machine", ret->jwks);
    }
    return fault;
}

/* Reads what is wanted of the metadata. NULL, or what is wrong with what came. */
static const char *read_urls(const struct ngx_assay_asker *asker, const struct assay_fetch *fetch,
                             struct ngx_assay_found_urls *ret)
{
    uint8_t room[3 * ASSAY_URL_MAX];
    struct assay_arena arena;
    struct assay_discovered said = {0};
    struct assay_error error = {0};
    if (fetch->result != ASSAY_FETCH_OK) {
        return fetch->what;
    }
    if (fetch->http_status != 200) {
        return "the status is not 200";
    }
    assay_arena_init(&arena, room, sizeof(room));
    if (assay_discovery_read(fetch->answer, asker->provider->core.issuer, &arena, &said, &error) ==
        ASSAY_OK) {
        error.what = check_urls(asker, &said, ret);
    }
    assay_arena_release(&arena);
    return error.what;
}

static void use(struct ngx_assay_asker *asker, const struct ngx_assay_found_urls *urls)
{
    const struct assay_provider *core = &asker->provider->core;
    if (wants_endpoint(core)) {
        ngx_memcpy(asker->urls[0], urls->endpoint, ASSAY_URL_MAX);
        asker->url_count = 1;
    }
    if (wants_keys(core)) {
        ngx_assay_keys_found(asker, urls->jwks);
    }
    asker->discovered = true;
}

/* What was known stays known, whatever comes instead of metadata; it is said loudly. */
static void on_done(struct assay_fetch *fetch)
{
    struct ngx_assay_asker *asker = fetch->context;
    struct ngx_assay_found_urls urls = {0};
    const char *fault = read_urls(asker, fetch, &urls);
    asker->discovering = false;
    if (fault != NULL) {
        fail(asker, fault);
        return;
    }
    use(asker, &urls);
    ngx_assay_found_put(ngx_assay_guard_worker()->zone->found, asker->issuer, &urls);
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
        return;
    }
    asker->discovering = true;
}

/* What workers of an older configuration knew, if this one wants no more and allows it. */
static void remember(struct ngx_assay_asker *asker)
{
    struct ngx_assay_found_urls urls;
    struct ngx_assay_found_urls good = {0};
    if (!ngx_assay_found_get(ngx_assay_guard_worker()->zone->found, asker->issuer, &urls)) {
        return;
    }
    struct assay_discovered said = {
        .introspection_endpoint = assay_slice_of_text(urls.endpoint),
        .jwks_uri = assay_slice_of_text(urls.jwks),
    };
    if (check_urls(asker, &said, &good) == NULL) {
        use(asker, &good);
    }
}

/* What is found is remembered by the issuer and by what of its metadata is wanted. */
static enum assay_status name_issuer(struct ngx_assay_asker *asker, struct assay_error *error)
{
    uint8_t room[ASSAY_URL_MAX];
    struct assay_buf buf;
    const struct assay_provider *core = &asker->provider->core;
    unsigned wants = (wants_endpoint(core) ? 1U : 0U) | (wants_keys(core) ? 2U : 0U) |
                     (shows_certificate(asker) ? 4U : 0U);
    assay_buf_init(&buf, room, sizeof(room));
    assay_buf_append_byte(&buf, (uint8_t)wants);
    assay_buf_append(&buf, core->issuer);
    return buf.spent ? assay_fail(ASSAY_ERR_LIMIT, "the issuer is too long", error)
                     : assay_sha256(ngx_assay_guard_worker()->digester, assay_buf_slice(&buf),
                                    asker->issuer, error);
}

bool ngx_assay_discovery_begin(struct ngx_assay_asker *asker)
{
    struct assay_error error = {0};
    if (name_issuer(asker, &error) != ASSAY_OK) {
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
