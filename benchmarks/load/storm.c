// The storm: players who arrive evenly over a time, upgrade, join, and read whatever comes; says how long each took to be in.
// Of the protocol it knows the kind of a state: who has got one is in.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { KIND_STATE = 0x43 };
enum { NOTHING, ASKED, UPGRADED, IN, LOST };

typedef struct {
    int fd, stage, header_length, response_length, at_kind;
    uint64_t payload_left;
    double began;
    unsigned char header[10];
    char response[1024];
} Client;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static int from_hex(const char *hex, unsigned char *out) {
    int n = 0;
    for (unsigned byte; hex[0] && hex[1] && sscanf(hex, "%2x", &byte) == 1; hex += 2) out[n++] = byte;
    return n;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Whether the bytes hold the beginning of a state.
static int holds_state(Client *c, unsigned char *p, unsigned char *end) {
    while (p < end) {
        if (c->at_kind) {
            if (*p == KIND_STATE) return 1;
            c->at_kind = 0;
        } else if (c->payload_left) {
            uint64_t part = (uint64_t)(end - p) < c->payload_left ? (uint64_t)(end - p) : c->payload_left;
            p += part, c->payload_left -= part;
        } else {
            c->header[c->header_length++] = *p++;
            if (c->header_length < 2) continue;
            int short_length = c->header[1] & 127, need = short_length == 126 ? 4 : short_length == 127 ? 10 : 2;
            if (c->header_length < need) continue;
            uint64_t length = need == 2 ? (uint64_t)short_length : 0;
            for (int j = 2; j < need; j++) length = length << 8 | c->header[j];
            c->payload_left = length, c->header_length = 0, c->at_kind = length > 0;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 9) {
        fprintf(stderr, "usage: storm HOST PORT PATH CLIENTS ARRIVE_SECONDS STAY_SECONDS SUBPROTOCOL JOIN_HEX\n");
        return 2;
    }
    const char *host = argv[1], *path = argv[3], *subprotocol = argv[7];
    int port = atoi(argv[2]), total = atoi(argv[4]), one = 1, opened = 0, in = 0, lost = 0;
    double arrive = atof(argv[5]), stay = atof(argv[6]), all_in = 0;
    unsigned char join[4096];
    int join_length = from_hex(argv[8], join);
    Client *clients = calloc(total, sizeof *clients);
    double *took = calloc(total, sizeof *took);
    static unsigned char buffer[1 << 18];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    char request[2048];
    int request_length = snprintf(request, sizeof request,
                                  "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Protocol: %s\r\n\r\n",
                                  path, host, port, subprotocol);
    int epoll = epoll_create1(0);
    struct epoll_event events[1024];
    double begun = now(), t = begun;
    while (!all_in || t < all_in + stay) {
        for (; opened < total && t >= begun + arrive * opened / total; opened++) {
            Client *c = &clients[opened];
            c->began = t;
            c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            if (connect(c->fd, (void *)&address, sizeof address) && errno != EINPROGRESS) {
                perror("connect");
                return 1;
            }
            struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.u32 = opened};
            epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
        }
        int ready = epoll_wait(epoll, events, 1024, opened < total ? 1 : 100);
        t = now();
        for (int i = 0; i < ready; i++) {
            Client *c = &clients[events[i].data.u32];
            if (c->stage == NOTHING && events[i].events & EPOLLOUT) {
                struct epoll_event event = {.events = EPOLLIN, .data.u32 = events[i].data.u32};
                epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
                c->stage = ASKED;
                if (write(c->fd, request, request_length) != request_length) perror("write");
            }
            if (!(events[i].events & ~EPOLLOUT)) continue;
            ssize_t got = read(c->fd, buffer, sizeof buffer);
            if (got < 0 && errno == EAGAIN) continue;
            if (got <= 0) {
                close(c->fd);
                c->stage = LOST, lost++;
                continue;
            }
            unsigned char *p = buffer, *end = buffer + got;
            if (c->stage == ASKED) {
                int room = (int)sizeof c->response - 1 - c->response_length, take = got < room ? (int)got : room;
                memcpy(c->response + c->response_length, p, take);
                c->response_length += take;
                c->response[c->response_length] = 0;
                char *body = strstr(c->response, "\r\n\r\n");
                if (!body) continue;
                if (strncmp(c->response, "HTTP/1.1 101", 12)) {
                    close(c->fd);
                    c->stage = LOST, lost++;
                    continue;
                }
                p += body + 4 - c->response - (c->response_length - take);
                c->stage = UPGRADED;
                if (write(c->fd, join, join_length) != join_length) perror("join");
            }
            if (c->stage == UPGRADED && holds_state(c, p, end)) {
                c->stage = IN;
                took[in++] = t - c->began;
            }
        }
        if (!all_in && opened == total && in + lost >= total) all_in = t;
        if (!all_in && t > begun + arrive + 30) break;
    }
    qsort(took, in, sizeof *took, by_size);
    printf("clients %d in %d lost %d after-s %.2f ms p50 %.1f p99 %.1f max %.1f\n", total, in, lost,
           (all_in ? all_in : t) - begun, in ? took[in / 2] * 1e3 : 0, in ? took[(int)((in - 1) * 0.99)] * 1e3 : 0,
           in ? took[in - 1] * 1e3 : 0);
    return 0;
}
