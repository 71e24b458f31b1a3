// The yardstick of the benchmarks: libevent's own HTTP server, which does nothing but answer every request with a small
// fixed JSON body. One thread. Usage: evhttp_baseline PORT
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void answer(struct evhttp_request *request, void *arg)
{
    static const char body[] = "{\"hello\":\"world\"}";
    (void)arg;
    struct evbuffer *out = evbuffer_new();
    if (!out)
        return;
    evbuffer_add(out, body, sizeof body - 1);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "application/x-amz-json-1.1");
    evhttp_send_reply(request, 200, "OK", out);
    evbuffer_free(out);
}

static void stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(arg);
}

int main(int argc, char **argv)
{
    long port = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    struct event_base *base = event_base_new();
    struct evhttp *http = base ? evhttp_new(base) : NULL;
    struct event *term = base ? evsignal_new(base, SIGTERM, stop, base) : NULL;
    if (!http || !term || port < 1 || port > 65535 ||
        evhttp_bind_socket(http, "127.0.0.1", (unsigned short)port) != 0) {
        fprintf(stderr, "usage: evhttp_baseline PORT (a free one)\n");
        return 2;
    }
    event_add(term, NULL);
    evhttp_set_gencb(http, answer, NULL);
    event_base_dispatch(base);
    evhttp_free(http);
    event_free(term);
    event_base_free(base);
    return 0;
}
