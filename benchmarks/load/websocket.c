#include "websocket.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int finished(FrameReader *reader, Frame *frame) {
    *frame = (Frame){reader->header[0] & 15, reader->header_length, reader->kept_length, reader->payload_length, reader->kept};
    reader->header_length = reader->kept_length = 0;
    return 1;
}

int frame_next(FrameReader *reader, const unsigned char **at, const unsigned char *end, Frame *frame) {
    const unsigned char *p = *at;
    while (p < end) {
        if (reader->payload_left) {
            uint64_t part = (uint64_t)(end - p) < reader->payload_left ? (uint64_t)(end - p) : reader->payload_left;
            uint64_t keep = (uint64_t)(KEPT - reader->kept_length);
            if (keep > part) keep = part;
            memcpy(reader->kept + reader->kept_length, p, keep);
            reader->kept_length += (int)keep;
            p += part;
            reader->payload_left -= part;
            *at = p;
            if (!reader->payload_left) return finished(reader, frame);
            continue;
        }
        reader->header[reader->header_length++] = *p++;
        *at = p;
        if (reader->header_length < 2) continue;
        if (reader->header[0] & 0x70 || reader->header[1] & 0x80) return -1;  // an extension, a mask
        int length = reader->header[1] & 127, need = length == 126 ? 4 : length == 127 ? 10 : 2;
        if (reader->header_length < need) continue;
        uint64_t whole = need == 2 ? (uint64_t)length : 0;
        for (int i = 2; i < need; i++) whole = whole << 8 | reader->header[i];
        reader->payload_length = reader->payload_left = whole;
        if (!whole) return finished(reader, frame);
    }
    return 0;
}

int frame_send(int fd, int opcode, const void *payload, size_t length) {
    static uint32_t key = 2463534242u;
    unsigned char out[6 + 125];
    if (length > 125) return 0;
    key ^= key << 13, key ^= key >> 17, key ^= key << 5;
    out[0] = 0x80 | opcode;
    out[1] = 0x80 | length;
    memcpy(out + 2, &key, 4);
    for (size_t i = 0; i < length; i++) out[6 + i] = ((const unsigned char *)payload)[i] ^ out[2 + (i & 3)];
    return send(fd, out, 6 + length, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)(6 + length);
}

int upgrade_request(char *out, size_t size, const char *path, const char *host, int port, const char *subprotocol) {
    return snprintf(out, size,
                    "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                    path, host, port, *subprotocol ? "Sec-WebSocket-Protocol: " : "", subprotocol,
                    *subprotocol ? "\r\n" : "");
}
