// One client: its socket, how it reads, and what it must remember of its protocol.
#pragma once
#include <stdint.h>

#include "options.h"
#include "websocket.h"

enum { SENT_INPUTS = 256 /* whose times are kept; more on their way are not measured */ };
typedef enum { READS_ALL, READS_SLOWLY, READS_NOTHING } Appetite;
typedef enum { CONNECTING, UPGRADING, UPGRADED, JOINED, CLOSED } Stage;

typedef struct {
    int fd, response_length, budget;  // budget: bytes a slow reader may read now
    Appetite appetite;
    Stage stage;
    double begun, joined_at, last_state;
    FrameReader reader;
    char response[2048];
    // monkeytown
    uint32_t epoch, inputs, inputs_seen, newest_message;
    uint64_t tick;
    double *sent_at;  // of input n at n % SENT_INPUTS
    // socketio
    int attachments;  // binary frames that still belong to an event
} Client;

// What the clients saw while it was measured. Only clients that read all they get count.
typedef struct {
    uint64_t states, others, payload, headers, inputs, acks, unsent;
    uint64_t slow_states, slow_bytes;
} Counters;
