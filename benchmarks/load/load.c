// The load: many clients from one thread. They connect, join, say what their protocol wants said, and read what comes; what
// they see is counted and printed as one JSON object. Frames are not decoded beyond their headers.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "protocols.h"

enum { SMALL_RECEIVE_BUFFER = 4096, READ_BYTES = 1 << 18 };
static const double SLOW_STEP = 0.1;  // seconds from one look of a slow reader to the next

static Options options;
static Client *clients;
static Counters counters;
static Durations gaps, round_trips, joins;
static int epoll, measuring, opened, waiting, in, lost[3], lost_early;
static double started, slowly_read;
static unsigned char buffer[READ_BYTES];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void fail(const char *why) {
    fprintf(stderr, "load: %s\n", why);
    exit(1);
}

// ---- one client ----

// Spreads a share of the clients evenly over all: true for those.
static int among(double share, int number) { return (int)((number + 1) * share) > (int)(number * share); }

// Who reads slowly and who reads nothing are never the same.
static Appetite appetite(int number) {
    double apart = options.slow + options.stalled;
    if (!among(apart, number)) return READS_ALL;
    return among(options.stalled / apart, (int)(number * apart)) ? READS_NOTHING : READS_SLOWLY;
}

static void watch(Client *client, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)(client - clients)};
    epoll_ctl(epoll, operation, client->fd, &event);
}

static void lose(Client *client, const char *why) {
    fprintf(stderr, "load: lost a client: %s\n", why);
    if (client->stage < JOINED) waiting--, lost_early++;
    lost[client->appetite]++;
    client->stage = CLOSED;
    close(client->fd);
    client->fd = -1;
}

static void open_next(void) {
    Client *client = &clients[opened];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    int one = 1, small = SMALL_RECEIVE_BUFFER;
    inet_pton(AF_INET, options.host, &address.sin_addr);
    client->appetite = appetite(opened);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0) fail("no more sockets (ulimit -n)");
    if (client->appetite == READS_SLOWLY) setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    client->begun = now();
    if (connect(client->fd, (void *)&address, sizeof address) && errno != EINPROGRESS) fail(strerror(errno));
    watch(client, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    opened++, waiting++;
}

static void upgrade(Client *client) {
    char request[2048];
    const char *path = options.paths[options.path_count > 1 ? client - clients : 0];
    int n = upgrade_request(request, sizeof request, path, options.host, options.port, options.subprotocol);
    if (send(client->fd, request, n, MSG_NOSIGNAL) != n) {
        lose(client, "the request to upgrade could not be sent");
        return;
    }
    client->stage = UPGRADING;
    watch(client, EPOLL_CTL_MOD, EPOLLIN);
}

static void joined(Client *client, double t) {
    client->stage = JOINED, client->joined_at = t;
    waiting--, in++;
    durations_add(&joins, t - client->begun);
    // Who reads slowly is looked at now and then, who reads nothing not at all; that a connection is gone is told all the same.
    if (client->appetite != READS_ALL) watch(client, EPOLL_CTL_MOD, EPOLLRDHUP);
}

static void count(Client *client, const Frame *frame, Meaning meaning, double t) {
    if (client->appetite != READS_ALL) {
        counters.slow_states += meaning == STATE;
        counters.slow_bytes += frame->length + frame->header_length;
        return;
    }
    counters.payload += frame->length, counters.headers += frame->header_length;
    if (meaning != STATE) {
        counters.others++;
        return;
    }
    counters.states++;
    if (client->last_state > 0) durations_add(&gaps, t - client->last_state);
    client->last_state = t;
}

// The answer to the upgrade; moves `at` behind it once it is whole.
static void read_response(Client *client, const unsigned char **at, const unsigned char *end) {
    while (*at < end && client->stage == UPGRADING) {
        client->response[client->response_length++] = (char)*(*at)++;
        if (client->response_length == (int)sizeof client->response) fail("an endless answer to the upgrade");
        if (client->response_length < 4 || memcmp(client->response + client->response_length - 4, "\r\n\r\n", 4)) continue;
        if (strncmp(client->response, "HTTP/1.1 101", 12)) {
            fprintf(stderr, "load: refused: %.*s\n", client->response_length, client->response);
            exit(1);
        }
        client->stage = UPGRADED;
        if (!protocol_greet(&options, client)) lose(client, "its first message could not be sent");
    }
}

static void read_some(Client *client, size_t most) {
    ssize_t got = recv(client->fd, buffer, most, 0);
    double t = now();
    if (got <= 0) {
        if (!got || errno != EAGAIN) lose(client, got ? strerror(errno) : "the server closed the connection");
        return;
    }
    client->budget -= (int)got;
    const unsigned char *at = buffer, *end = buffer + got;
    if (client->stage == UPGRADING) read_response(client, &at, end);
    Frame frame;
    for (int read; client->stage != CLOSED && (read = frame_next(&client->reader, &at, end, &frame));) {
        Meaning meaning = read < 0 ? WRONG : protocol_read(&options, client, &frame, t, measuring ? &round_trips : NULL);
        if (meaning == WRONG) {
            lose(client, "the server broke the protocol");
        } else {
            if (measuring) count(client, &frame, meaning, t);
            if (meaning == JOINING && client->stage < JOINED) joined(client, t);
        }
    }
}

static void serve(Client *client, uint32_t events) {
    if (client->stage == CLOSED) return;
    if (client->stage == CONNECTING) {
        if (events & (EPOLLERR | EPOLLHUP)) {
            lose(client, "no connection");
        } else {
            upgrade(client);
        }
        return;
    }
    if (client->stage == JOINED && client->appetite != READS_ALL) {
        if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) lose(client, "the server closed the connection of one who reads slowly");
        return;
    }
    read_some(client, sizeof buffer);
}

// ---- all clients, as time goes ----

static void read_slowly(double t) {
    int each = (int)(options.slow_rate * SLOW_STEP);
    slowly_read = t;
    for (int i = 0; i < opened; i++) {
        Client *client = &clients[i];
        if (client->appetite != READS_SLOWLY || client->stage != JOINED) continue;
        client->budget = client->budget + each > each ? each : client->budget + each;
        if (client->budget > 0) read_some(client, client->budget);
    }
}

// Something that every client does `hz` times a second, spread evenly over clients and time.
typedef struct {
    double hz, next;
    int client;
} Rota;

static Client *rota_next(Rota *rota, double t) {
    if (rota->hz <= 0 || !opened || rota->next > t) return NULL;
    if (rota->next < t - 1) rota->next = t;  // not while connections were opened: what is missed is missed
    rota->next += 1 / (rota->hz * opened);
    rota->client = (rota->client + 1) % opened;
    return &clients[rota->client];
}

static void talk(Rota *inputs, Rota *acks, double t) {
    for (Client *client; (client = rota_next(acks, t));)
        if (client->stage == JOINED && client->appetite != READS_NOTHING) {
            int sent = protocol_acknowledge(client);
            if (measuring) sent ? counters.acks++ : counters.unsent++;
        }
    for (Client *client; (client = rota_next(inputs, t));)
        if (client->stage == JOINED && client->appetite != READS_NOTHING) {
            int sent = protocol_input(&options, client, now());
            if (measuring) sent ? counters.inputs++ : counters.unsent++;
        }
}

static void report(double elapsed) {
    int apart = 0;
    for (int i = 0; i < options.clients; i++) apart += clients[i].appetite != READS_ALL;
    double steady = options.clients - apart, per_client = steady ? 1 / elapsed / steady : 0;
    double bytes = (double)(counters.payload + counters.headers);
    printf("{\"clients\": %d, \"seconds\": %.3f, \"states_per_second\": %.1f, \"states_per_client\": %.3f, "
           "\"payload_per_client\": %.1f, \"bytes_per_client\": %.1f, \"others_per_second\": %.1f, \"inputs_per_second\": %.1f, "
           "\"acks_per_second\": %.1f, \"unsent\": %lu, \"closed\": %d, \"gap_ms\": ",
           options.clients, elapsed, counters.states / elapsed, counters.states * per_client, counters.payload * per_client,
           bytes * per_client, counters.others / elapsed, counters.inputs / elapsed, counters.acks / elapsed, counters.unsent,
           lost[READS_ALL]);
    durations_json(&gaps, stdout);
    printf(", \"round_trip_ms\": ");
    durations_json(&round_trips, stdout);
    printf(", \"join_ms\": ");
    durations_json(&joins, stdout);
    printf(", \"apart\": {\"clients\": %d, \"states_per_second\": %.1f, \"bytes_per_second\": %.1f, \"closed_slow\": %d, "
           "\"closed_stalled\": %d}}\n",
           apart, counters.slow_states / elapsed, counters.slow_bytes / elapsed, lost[READS_SLOWLY], lost[READS_NOTHING]);
}

int main(int argc, char **argv) {
    options_read(&options, argc, argv);
    clients = calloc(options.clients, sizeof *clients);
    epoll = epoll_create1(0);
    double begun = now(), all_in = 0;
    Rota inputs = {options.input_hz, begun, 0}, acks = {options.protocol == MONKEYTOWN ? options.ack_hz : 0, begun, 0};
    struct epoll_event events[1024];
    for (;;) {
        double t = now();
        while (opened < options.clients && waiting < options.in_flight &&
               (options.rate <= 0 || opened < (t - begun) * options.rate))
            open_next();
        int ready = epoll_wait(epoll, events, 1024, 1);
        for (int i = 0; i < ready; i++) serve(&clients[events[i].data.u32], events[i].events);
        t = now();
        talk(&inputs, &acks, t);
        if (options.slow > 0 && t - slowly_read >= SLOW_STEP) read_slowly(t);
        if (lost_early) fail("a connection was lost before its first state");
        if (in < options.clients && t - begun > options.join_timeout) fail("not all clients got a first state in time");
        if (!all_in && in == options.clients) {
            all_in = t;
            fprintf(stderr, "load: %d in after %.2f s\n", in, t - begun);
        }
        if (all_in && !measuring && t - all_in >= options.settle) {
            measuring = 1, started = t;
            printf("START\n");
            fflush(stdout);
        }
        if (measuring && t - started >= options.seconds) break;
    }
    report(now() - started);
    fflush(stdout);
    if (options.gaps_file && durations_csv(&gaps, options.gaps_file)) fail("cannot write the gaps");
    return 0;
}
