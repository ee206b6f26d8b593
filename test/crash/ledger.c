#include "crash/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct assay_slice ledger_client_id(unsigned client)
{
    static const char *const ids[LEDGER_CLIENTS + 1] = {"client-a", "client-b", "client-c",
                                                        "client-d", "passing"};
    return assay_slice_of_text(ids[client]);
}

struct assay_slice ledger_subject_id(unsigned subject)
{
    static const char *const ids[LEDGER_SUBJECTS + 1] = {"alice", "bob",   "carol", "dave", "erin",
                                                         "frank", "grace", "heidi", ""};
    return assay_slice_of_text(ids[subject]);
}

struct assay_slice ledger_session_id(unsigned session)
{
    static const char *const ids[LEDGER_SESSIONS + 1] = {"sid-1", "sid-2", "sid-3", "sid-4", ""};
    return assay_slice_of_text(ids[session]);
}

static bool concerns(const struct ledger_cutoff *cutoff, const struct ledger_token *token)
{
    uint8_t number[8];
    struct assay_slice id = assay_slice_of(cutoff->id, cutoff->id_len);
    switch ((enum assay_cutoff_kind)cutoff->kind) {
    case ASSAY_CUTOFF_TOKEN:
        return assay_slice_equal(id, assay_cutoff_number_id(token->id.seq, number));
    case ASSAY_CUTOFF_GRANT:
        return token->grant != 0 &&
               assay_slice_equal(id, assay_cutoff_number_id(token->grant, number));
    case ASSAY_CUTOFF_SUBJECT:
        return token->subject < LEDGER_SUBJECTS &&
               assay_slice_equal(id, ledger_subject_id(token->subject));
    case ASSAY_CUTOFF_CLIENT:
        return assay_slice_equal(id, ledger_client_id(token->client));
    case ASSAY_CUTOFF_EVERYTHING:
        return true;
    case ASSAY_CUTOFF_SESSION:
        return token->session < LEDGER_SESSIONS &&
               assay_slice_equal(id, ledger_session_id(token->session));
    case ASSAY_CUTOFF_KEY:
        return false;
    }
    return false;
}

const struct ledger_client *ledger_client_at(const struct ledger *ledger, unsigned client,
                                             uint64_t seq)
{
    const struct ledger_client *newest = NULL;
    for (uint32_t i = 0; i < ledger->client_count; i++) {
        const struct ledger_client *c = &ledger->clients[i];
        if (c->client == client && c->seq <= seq && (newest == NULL || c->seq > newest->seq)) {
            newest = c;
        }
    }
    return newest;
}

void ledger_settle(struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->token_count; i++) {
        struct ledger_token *token = &ledger->tokens[i];
        token->cut_at = UINT64_MAX;
        for (uint32_t j = 0; j < ledger->cutoff_count; j++) {
            const struct ledger_cutoff *c = &ledger->cutoffs[j];
            if (c->seq >= token->id.seq && c->seq < token->cut_at && concerns(c, token)) {
                token->cut_at = c->seq;
            }
        }
    }
}

uint64_t ledger_ended_at(const struct ledger_token *token)
{
    return token->successor != 0 && token->successor < token->cut_at ? token->successor
                                                                     : token->cut_at;
}

enum ledger_fate ledger_fate_of(const struct ledger_token *token,
                                const struct assay_header_record *header, int64_t now_s)
{
    if (token->id.seq > header->seq ||
        token->generation + (uint64_t)ASSAY_MAX_SEAL_KEYS <= header->newest_generation) {
        return LEDGER_UNKNOWN;
    }
    if (token->expires_at_s <= now_s || token->expires_at_s <= header->horizon_s) {
        return LEDGER_EXPIRED;
    }
    return ledger_ended_at(token) <= header->seq ? LEDGER_ENDED : LEDGER_LIVES;
}

uint64_t ledger_seq_at(const struct ledger *ledger, uint32_t ack)
{
    uint64_t seq = 0;
    for (uint32_t i = 0; i < ledger->token_count; i++) {
        const struct ledger_token *t = &ledger->tokens[i];
        seq = t->ack <= ack && t->id.seq > seq ? t->id.seq : seq;
    }
    for (uint32_t i = 0; i < ledger->cutoff_count; i++) {
        const struct ledger_cutoff *c = &ledger->cutoffs[i];
        seq = c->ack <= ack && c->seq > seq ? c->seq : seq;
    }
    for (uint32_t i = 0; i < ledger->client_count; i++) {
        const struct ledger_client *c = &ledger->clients[i];
        seq = c->ack <= ack && c->seq > seq ? c->seq : seq;
    }
    return seq;
}

static void die(const char *what)
{
    perror(what);
    exit(96);
}

void ledger_save(const struct ledger *ledger, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, ledger, sizeof(*ledger)) != (ssize_t)sizeof(*ledger) ||
        close(fd) != 0) {
        die("ledger");
    }
}

struct ledger *ledger_load(const char *path)
{
    struct ledger *ledger = malloc(sizeof(*ledger));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (ledger == NULL || fd < 0 || read(fd, ledger, sizeof(*ledger)) != (ssize_t)sizeof(*ledger)) {
        die("ledger");
    }
    close(fd);
    return ledger;
}

struct dice dice_of(uint64_t seed, uint64_t what)
{
    struct dice dice = {.state = (seed * UINT64_C(0x9E3779B97F4A7C15)) ^
                                 (what * UINT64_C(0xD1B54A32D192ED03)) ^
                                 UINT64_C(0x2545F4914F6CDD1D)};
    for (int i = 0; i < 4; i++) {
        (void)dice_next(&dice);
    }
    return dice;
}

uint64_t dice_next(struct dice *dice)
{
    uint64_t x = dice->state == 0 ? 1 : dice->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    dice->state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

uint64_t dice_below(struct dice *dice, uint64_t bound)
{
    return dice_next(dice) % bound;
}
