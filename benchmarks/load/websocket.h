// WebSocket as a client speaks it: the upgrade, frames taken out of a stream, masked frames written.
// Of a frame's payload only the beginning is kept: enough for any header, and for a ping.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { KEPT = 128, CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

typedef struct {
    int header_length, kept_length;
    uint64_t payload_length, payload_left;
    unsigned char header[14], kept[KEPT];
} FrameReader;

// One whole frame, once its last byte has been read.
typedef struct {
    int opcode, header_length, kept_length;
    uint64_t length;  // of the payload
    const unsigned char *kept;
} Frame;

// Takes bytes from `at`, moving it; 1: a frame is complete, 0: all is taken, -1: what no server may send.
int frame_next(FrameReader *reader, const unsigned char **at, const unsigned char *end, Frame *frame);

// One send() of a masked frame of at most 125 bytes; true if it went out whole.
int frame_send(int fd, int opcode, const void *payload, size_t length);

// Writes the request into `out`; gives its length.
int upgrade_request(char *out, size_t size, const char *path, const char *host, int port, const char *subprotocol);
