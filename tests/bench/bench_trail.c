// What the trail and the store cost, each alone: a record, a flush in each mode, a delivery, a start with a journal
// full of events, a commit, a scan. Usage: bench_trail FOLDER [EVENTS] (an empty
// folder on the disk in question; how many events to deliver, 200,000 if not given).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/store/store.h"
#include "common/trail/deliver.h"
#include "common/trail/journal.h"
#include "common/trail/record.h"

static char why[512];
static const char *folder;

static void require(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static const char *under(const char *name)
{
    static char path[8][512];
    static int i;
    char *p = path[i++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *what, int64_t *ns, size_t n)
{
    qsort(ns, n, sizeof *ns, by_size);
    printf("%-44s min %8.1f us   median %8.1f us   p99 %8.1f us\n", what, (double)ns[0] / 1e3, (double)ns[n / 2] / 1e3,
           (double)ns[n * 99 / 100] / 1e3);
}

static void write_request(struct json_write *w, void *arg)
{
    (void)arg;
    json_obj_begin(w);
    json_kcstr(w, "keySpec", "AES_256");
    json_kcstr(w, "keyId", "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    json_key(w, "encryptionContext");
    json_obj_begin(w);
    json_kcstr(w, "aws:dynamodb:tableName", "Music");
    json_kcstr(w, "aws:dynamodb:subscriberId", "111122223333");
    json_obj_end(w);
    json_obj_end(w);
}

static void write_additional(struct json_write *w, void *arg)
{
    (void)arg;
    json_obj_begin(w);
    json_kcstr(w, "keyMaterialId", "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0");
    json_obj_end(w);
}

static struct trail_event example(void)
{
    static const struct trail_resource key = {
        "111122223333", "AWS::KMS::Key", "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"};
    return (struct trail_event){
        .identity = {.type = TRAIL_IAM_USER,
                     .principal_id = "AIDAEXAMPLEALICE00001",
                     .arn = "arn:aws:iam::111122223333:user/alice",
                     .account_id = "111122223333",
                     .access_key_id = "AKIAEXAMPLEALICE",
                     .user_name = "alice"},
        .time_ns = INT64_C(1552305600) * NS_PER_S,
        .source = "kms.amazonaws.com",
        .name = "GenerateDataKey",
        .region = "us-east-1",
        .source_ip = "127.0.0.1",
        .user_agent = SPAN("Boto3/1.34.0 md/Botocore#1.34.0 ua/2.0 os/linux lang/python#3.11 cfg/retry-mode#legacy"),
        .write_request = write_request,
        .write_additional = write_additional,
        .request_id = "11111111-2222-4333-8444-555555555555",
        .event_id = "66666666-7777-4888-8999-aaaaaaaaaaaa",
        .read_only = true,
        .resources = &key,
        .resources_n = 1,
        .has_resources = true,
        .management = true,
        .recipient_account = "111122223333",
        .client_host = "127.0.0.1:4599",
    };
}

static void bench_record(struct buf *json)
{
    struct trail_event e = example();
    static int64_t ns[50];
    int n = 10000;
    for (int round = 0; round < 50; round++) {
        int64_t start = clock_monotonic_ns();
        for (int i = 0; i < n; i++) {
            e.time_ns += NS_PER_S / 100;
            buf_reset(json, 1 << 20);
            require(trail_record_write(json, &e), "record");
        }
        ns[round] = (clock_monotonic_ns() - start) / n;
    }
    qsort(ns, 50, sizeof *ns, by_size);
    printf("%-44s min %d ns, median %d ns (%zu bytes)\n", "record", (int)ns[0], (int)ns[25], json->len);
}

static void append(struct journal_writer *w, struct span json, int64_t time_ns)
{
    struct journal_entry e = {.account = "111122223333", .region = "us-east-1", .time_ns = time_ns, .json = json};
    require(journal_reserve(w) && journal_append(w, &e), "append");
}

static void bench_append(struct span json)
{
    struct journal *j = journal_open(under("append"), TRAIL_SYNC_NEVER, why, sizeof why);
    require(j, "journal");
    struct journal_writer *w = journal_writer_new(j, "w0", why, sizeof why);
    int n = 200000;
    int64_t start = clock_monotonic_ns(), reserve = 0;
    for (int i = 0; i < n; i++) {
        append(w, json, i);
        if (i % 64 == 63)
            require(journal_flush(w), "flush");
    }
    printf("%-44s %.0f ns\n", "reserve, append, 1/64 flush, never synced", (double)(clock_monotonic_ns() - start) / n);
    start = clock_monotonic_ns();
    for (int i = 0; i < n; i++) {
        require(journal_reserve(w), "reserve");
        if (i % 16 == 0)
            require(journal_flush(w), "flush");
    }
    reserve = clock_monotonic_ns() - start;
    printf("%-44s %.0f ns\n", "reserve when there is room", (double)reserve / n);
    journal_writer_free(w);
    journal_close(j);
}

static void bench_flush(struct span json, enum trail_sync sync, const char *mode, int records)
{
    char what[80];
    static int64_t ns[1000];
    struct journal *j = journal_open(under(mode), sync, why, sizeof why);
    require(j, "journal");
    struct journal_writer *w = journal_writer_new(j, "w0", why, sizeof why);
    for (size_t i = 0; i < 1000; i++) {
        for (int k = 0; k < records; k++)
            append(w, json, (int64_t)i);
        int64_t start = clock_monotonic_ns();
        require(journal_flush(w), "flush");
        ns[i] = clock_monotonic_ns() - start;
    }
    snprintf(what, sizeof what, "flush of %d, %s", records, mode);
    print_times(what, ns, 1000);
    journal_writer_free(w);
    journal_close(j);
}

static void bench_delivery(struct span json, int n)
{
    struct journal *j = journal_open(under("many"), TRAIL_SYNC_NEVER, why, sizeof why);
    require(j, "journal");
    struct journal_writer *w = journal_writer_new(j, "w0", why, sizeof why);
    for (int i = 0; i < n; i++) {
        append(w, json, i);
        if (i % 64 == 63)
            require(journal_flush(w), "flush");
    }
    require(journal_flush(w), "flush");
    journal_writer_free(w);
    journal_close(j);

    int64_t start = clock_monotonic_ns();
    j = journal_open(under("many"), TRAIL_SYNC_NEVER, why, sizeof why);
    require(j, "journal");
    printf("%-44s %.0f ms\n", "start with that many events", (double)(clock_monotonic_ns() - start) / 1e6);
    struct rng *rng = rng_new("bench");
    struct deliver *d = deliver_new(j, folder, under("trail"), rng, why, sizeof why);
    require(d, "deliver");
    start = clock_monotonic_ns();
    require(deliver_run(d, start, why, sizeof why), "deliver");
    double seconds = (double)(clock_monotonic_ns() - start) / 1e9, mb = (double)json.n * n / 1e6;
    struct deliver_stats stats = deliver_stats(d);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%-44s %d events, %.0f MB in %.2f s: %.0f MB/s, %d files; peak resident %ld MiB\n", "delivery", n, mb,
           seconds, mb / seconds, (int)stats.files, usage.ru_maxrss / 1024);
    deliver_free(d);
    journal_close(j);
    rng_free(rng);
}

static void put_key(struct store *s, int i, struct span value)
{
    char key[64];
    int n = snprintf(key, sizeof key, "111122223333/us-east-1/%08d", i);
    store_put(s, "keys", (struct span){key, (size_t)n}, value);
}

static void bench_commit(enum store_sync sync, const char *mode)
{
    static const char *const tables[] = {"keys", NULL};
    static int64_t ns[1000];
    char value[600], what[64];
    memset(value, 'v', sizeof value);
    struct store *s = store_open(under(mode), tables, sync, why, sizeof why);
    require(s, "store");
    for (int i = 0; i < 1000; i++) {
        put_key(s, i, (struct span){value, sizeof value});
        int64_t start = clock_monotonic_ns();
        require(store_commit(s, why, sizeof why), "commit");
        ns[i] = clock_monotonic_ns() - start;
    }
    snprintf(what, sizeof what, "store commit of 1 change, %s", mode);
    print_times(what, ns, 1000);
    store_close(s);
}

static bool touch(void *arg, struct span key, struct span value)
{
    *(size_t *)arg += key.n + value.n;
    return true;
}

static void bench_scan(int n)
{
    static const char *const tables[] = {"keys", NULL};
    char value[600];
    memset(value, 'v', sizeof value);
    struct store *s = store_open(under("scan"), tables, STORE_SYNC_FULL, why, sizeof why);
    require(s, "store");
    for (int i = 0; i < n; i++)
        put_key(s, i, (struct span){value, sizeof value});
    int64_t start = clock_monotonic_ns();
    require(store_commit(s, why, sizeof why), "commit");
    printf("%-44s %.0f ms\n", "store commit of them all", (double)(clock_monotonic_ns() - start) / 1e6);
    store_close(s);
    start = clock_monotonic_ns();
    s = store_open(under("scan"), tables, STORE_SYNC_FULL, why, sizeof why);
    require(s, "store");
    printf("%-44s %.0f ms\n", "store open", (double)(clock_monotonic_ns() - start) / 1e6);
    size_t bytes = 0;
    start = clock_monotonic_ns();
    require(store_scan(s, "keys", touch, &bytes, why, sizeof why), "scan");
    printf("%-44s %.0f ms (%d records, %zu MB)\n", "store scan", (double)(clock_monotonic_ns() - start) / 1e6, n,
           bytes / 1000000);
    store_close(s);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s FOLDER [EVENTS]\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    struct buf json;
    buf_init(&json, 1 << 20);
    bench_record(&json);
    bench_append(buf_span(&json));
    for (int records = 1; records <= 64; records *= 8) {
        bench_flush(buf_span(&json), TRAIL_SYNC_ALWAYS, "always", records);
        bench_flush(buf_span(&json), TRAIL_SYNC_INTERVAL, "interval", records);
    }
    bench_delivery(buf_span(&json), argc == 3 ? (int)strtol(argv[2], NULL, 10) : 200000);
    bench_commit(STORE_SYNC_FULL, "FULL");
    bench_commit(STORE_SYNC_NORMAL, "NORMAL");
    bench_scan(100000);
    buf_done(&json);
    return 0;
}
