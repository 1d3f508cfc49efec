// What a run is told: addresses, how many clients, how they behave.
#pragma once
#include <stdint.h>

enum { MAX_INPUT_FORMS = 256, MAX_INPUT_BYTES = 64 };

typedef enum { PLAIN, MONKEYTOWN, SOCKETIO, COLYSEUS } Protocol;

typedef struct {
    const char *host, *subprotocol, *game, *gaps_file;
    const char **paths;  // one for all, or one a client
    int port, path_count, clients, in_flight, slow_rate;
    Protocol protocol;
    double seconds, settle, join_timeout, rate, input_hz, ack_hz, slow, stalled;
    uint16_t input_hash;
    int input_forms, input_lengths[MAX_INPUT_FORMS];
    unsigned char inputs[MAX_INPUT_FORMS][MAX_INPUT_BYTES];  // fields of player_input, or whole messages of a plain client
} Options;

// Reads the command line; ends the program with what is wrong.
void options_read(Options *options, int argc, char **argv);
