/* What the machine gives: commits of one small record a second, each synced, by plain LMDB in one
 * thread. The figure that issue_durable is held against.
 *
 *   synced_commits DIR SECONDS   prints {"per_second":X} */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lmdb.h>

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void need(int rc, const char *what)
{
    if (rc != 0) {
        fprintf(stderr, "synced_commits: %s: %s\n", what, mdb_strerror(rc));
        exit(1);
    }
}

static void commit_one(MDB_env *env, MDB_dbi dbi, uint64_t number)
{
    char record[160] = {0};
    MDB_val key = {sizeof(number), &number};
    MDB_val value = {sizeof(record), record};
    MDB_txn *txn;
    need(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    need(mdb_put(txn, dbi, &key, &value, MDB_APPEND), "put");
    need(mdb_txn_commit(txn), "commit");
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: synced_commits DIR SECONDS\n");
        return 2;
    }
    char path[4096];
    snprintf(path, sizeof(path), "%s/synced_commits.mdb", argv[1]);
    MDB_env *env;
    need(mdb_env_create(&env), "env");
    need(mdb_env_set_mapsize(env, (size_t)1 << 30), "map");
    need(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), "open");
    MDB_txn *txn;
    MDB_dbi dbi;
    need(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    need(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi), "dbi");
    need(mdb_txn_commit(txn), "commit");

    double start = now_s();
    double end = start + strtod(argv[2], NULL);
    uint64_t count = 0;
    while (now_s() < end) {
        commit_one(env, dbi, ++count);
    }
    printf("{\"per_second\":%.1f}\n", (double)count / (now_s() - start));
    mdb_env_close(env);
    unlink(path);
    snprintf(path, sizeof(path), "%s/synced_commits.mdb-lock", argv[1]);
    unlink(path);
    return 0;
}
