// Server and client with the n-th allocation failing, for every n: calls may fail, nothing else may; and once there is
// memory again, everything works. Linked with --wrap for malloc, calloc and realloc.
#include "tests/unit/common/http_harness.h"

#include <event2/event.h>
#include <stdlib.h>

static long countdown; // 0: none fails

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails_now(void)
{
    return countdown > 0 && --countdown == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails_now() ? NULL : __real_realloc(p, n);
}

struct outcome {
    int calls;
    enum http_client_failure failure;
};

static void on_reply(void *arg, const struct http_client_reply *reply, enum http_client_failure failure)
{
    (void)reply;
    *(struct outcome *)arg = (struct outcome){1, failure};
}

static void mirror(struct http_exchange *x, void *arg)
{
    (void)arg;
    http_reply_begin(x, 200);
    http_reply_header(x, "X-Target", http_exchange_request(x)->target);
    http_reply_body(x, http_exchange_request(x)->body);
}

// A call with a body of n bytes; whether it was answered.
static bool try_call(struct rig *rig, struct http_client *client, size_t n)
{
    static char body[100000];
    struct outcome o = {0};
    if (!http_client_call(client, "POST", SPAN("/"), NULL, 0, (struct span){body, n}, 0, on_reply, &o))
        return false;
    RIG_UNTIL(rig, o.calls == 1);
    return o.failure == HTTP_CLIENT_OK;
}

// Returns whether the failing allocation was reached.
static bool run(long n)
{
    struct http_limits limits = http_limits_default();
    struct http_client_limits client_limits = http_client_limits_default();
    char error[HTTP_ERROR_MAX], url[HTTP_ADDRESS_MAX + 8] = "http://";
    struct rig rig = {.base = event_base_new()};
    struct http_client *client = NULL;
    assert_non_null(rig.base);
    countdown = n;
    rig.server = http_server_new(rig.base, &limits, mirror, NULL);
    if (rig.server && http_server_listen(rig.server, "127.0.0.1:0", false, error) &&
        http_server_address(rig.server, 0, url + 7))
        client = http_client_new(rig.base, url, &client_limits, error);
    if (client) {
        try_call(&rig, client, 5);
        try_call(&rig, client, 100000);
        try_call(&rig, client, 5);
    }
    bool reached = countdown == 0;
    countdown = 0;
    if (client)
        assert_true(try_call(&rig, client, 5));
    else
        assert_true(reached);
    http_client_free(client);
    http_server_free(rig.server);
    event_base_free(rig.base);
    return reached;
}

static void test_every_allocation_fails(void **state)
{
    (void)state;
    long n = 1;
    while (run(n))
        n++;
    assert_true(n > 15); // it does allocate
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
