// What the clients say, protocol by protocol, and which frames are states.
#pragma once
#include "client.h"
#include "statistics.h"

// What a frame was to its client. JOINING: the first state, with which the client is in.
typedef enum { OTHER, STATE, JOINING, WRONG } Meaning;

// Says the first word, once upgraded; false if it could not be sent.
int protocol_greet(const Options *options, Client *client);

// Reads a frame and answers it where the protocol wants an answer. `round_trips` gets the inputs that are now known to have been seen;
// NULL while nothing is measured.
Meaning protocol_read(const Options *options, Client *client, const Frame *frame, double now, Durations *round_trips);

// The next input of a client; false if it could not be sent.
int protocol_input(const Options *options, Client *client, double now);

// monkeytown: acknowledges what has been read; false if it could not be sent.
int protocol_acknowledge(Client *client);
