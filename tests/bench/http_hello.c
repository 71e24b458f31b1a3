// The same bare reply as evhttp_baseline, from common/http: what the daemons' server costs by itself. One thread.
// Usage: http_hello PORT
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>

#include "common/http/server.h"

static void answer(struct http_exchange *x, void *arg)
{
    (void)arg;
    http_reply_begin(x, 200);
    http_reply_header(x, "Content-Type", SPAN("application/x-amz-json-1.1"));
    http_reply_body(x, SPAN("{\"hello\":\"world\"}"));
}

static void stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    *(bool *)arg = true;
}

int main(int argc, char **argv)
{
    char address[HTTP_ADDRESS_MAX], error[HTTP_ERROR_MAX] = "usage: http_hello PORT";
    bool stopping = false;
    struct http_limits limits = http_limits_default();
    struct event_base *base = event_base_new();
    struct http_server *server = base ? http_server_new(base, &limits, answer, NULL) : NULL;
    struct event *term = base ? evsignal_new(base, SIGTERM, stop, &stopping) : NULL;
    snprintf(address, sizeof address, "127.0.0.1:%s", argc == 2 ? argv[1] : "");
    if (!server || !term || !http_server_listen(server, address, false, error)) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    event_add(term, NULL);
    while (!stopping && event_base_loop(base, EVLOOP_ONCE) >= 0)
        http_server_flush(server);
    http_server_free(server);
    event_free(term);
    event_base_free(base);
    return 0;
}
