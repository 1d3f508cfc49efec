#define _GNU_SOURCE
#include "protocols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- monkeytown.1, as docs/reference/wire.md has it ----

enum { JOIN_GAME = 0x02, PLAYER_INPUT = 0x04, ACK = 0x07, GAME_STATE = 0x43, PRIVATE = 0x44, FIRST_NUMBERED = 0x45, LAST_NUMBERED = 0x48 };
enum { SNAPSHOT = 1, WITH_INPUT = 1 };

static int put_varint(unsigned char *out, uint64_t value) {
    int n = 0;
    for (; value > 127; value >>= 7) out[n++] = 0x80 | (value & 127);
    out[n++] = (unsigned char)value;
    return n;
}

// Moves `at` behind the number; false if it does not end before `end`.
static int get_varint(const unsigned char **at, const unsigned char *end, uint64_t *value) {
    *value = 0;
    for (int shift = 0; *at < end && shift < 63; shift += 7) {
        unsigned char byte = *(*at)++;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return 1;
    }
    return 0;
}

static int join_game(const Options *options, Client *client) {
    unsigned char message[64] = {JOIN_GAME, 0x81, 0xa6, 'g', 'a', 'm', 'e', 'I', 'd'};
    size_t length = strlen(options->game);
    message[9] = 0xa0 | length;
    memcpy(message + 10, options->game, length);
    return frame_send(client->fd, BINARY, message, 10 + length);
}

int protocol_acknowledge(Client *client) {
    unsigned char message[32] = {ACK};
    int n = 1 + put_varint(message + 1, client->epoch);
    n += put_varint(message + n, client->tick);
    n += put_varint(message + n, client->newest_message);
    return frame_send(client->fd, BINARY, message, n);
}

static int player_input(const Options *options, Client *client, double now) {
    unsigned char message[32 + MAX_INPUT_BYTES] = {PLAYER_INPUT, options->input_hash & 255, options->input_hash >> 8};
    int form = client->inputs % options->input_forms, n = 3;
    n += put_varint(message + n, client->inputs + 1);
    n += put_varint(message + n, client->tick);
    memcpy(message + n, options->inputs[form], options->input_lengths[form]);
    if (!frame_send(client->fd, BINARY, message, n + options->input_lengths[form])) return 0;
    if (!client->sent_at) client->sent_at = calloc(SENT_INPUTS, sizeof *client->sent_at);
    client->sent_at[++client->inputs % SENT_INPUTS] = now;
    return 1;
}

// Every input up to `number` has been seen.
static int inputs_seen(Client *client, uint64_t number, double now, Durations *round_trips) {
    if (number > client->inputs) return 0;
    for (uint32_t n = client->inputs_seen + 1; n <= number; n++)
        if (round_trips && client->inputs - n < SENT_INPUTS) durations_add(round_trips, now - client->sent_at[n % SENT_INPUTS]);
    if (number > client->inputs_seen) client->inputs_seen = (uint32_t)number;
    return 1;
}

static Meaning read_monkeytown(Client *client, const Frame *frame, double now, Durations *round_trips) {
    const unsigned char *at = frame->kept, *end = at + frame->kept_length;
    if (frame->opcode != BINARY || end - at < 2) return WRONG;
    int kind = *at++;
    uint64_t number;
    if (kind == GAME_STATE) {
        uint64_t epoch, tick;
        int snapshot = *at++ & SNAPSHOT, first = !client->tick;
        if (!get_varint(&at, end, &epoch) || !get_varint(&at, end, &tick)) return WRONG;
        if (!snapshot && (first || epoch != client->epoch || tick <= client->tick)) return WRONG;
        client->epoch = (uint32_t)epoch, client->tick = tick;
        if (snapshot && !protocol_acknowledge(client)) return WRONG;
        return first ? JOINING : STATE;
    }
    if (kind == PRIVATE) {
        if (!(*at++ & WITH_INPUT)) return OTHER;
        return get_varint(&at, end, &number) && inputs_seen(client, number, now, round_trips) ? OTHER : WRONG;
    }
    if (kind >= FIRST_NUMBERED && kind <= LAST_NUMBERED) {
        if (!get_varint(&at, end, &number) || number != client->newest_message + 1) return WRONG;
        client->newest_message = (uint32_t)number;
    }
    return OTHER;
}

// ---- Socket.IO 4 over a WebSocket: Engine.IO packets are frames, the first digit is their type ----

// The number behind `key`, or -1 if it is not among the first bytes of the frame.
static int64_t kept_number(const Frame *frame, const char *key) {
    const char *at = memmem(frame->kept, frame->kept_length, key, strlen(key));
    return at && at + strlen(key) < (const char *)frame->kept + frame->kept_length ? atoll(at + strlen(key)) : -1;
}

// A state of Monkeytown as an event; it must continue the one before.
static Meaning read_event(Client *client, const Frame *frame) {
    static const char STATE_EVENT[] = "42[\"game_state\",";
    if ((size_t)frame->kept_length < sizeof STATE_EVENT || memcmp(frame->kept, STATE_EVENT, sizeof STATE_EVENT - 1)) return OTHER;
    int64_t tick = kept_number(frame, "\"tick\":"), base = kept_number(frame, "\"base\":");
    int snapshot = memmem(frame->kept, frame->kept_length, "\"base\":null", 11) != NULL;
    if (tick < 0 || (!snapshot && (!client->tick || base != (int64_t)client->tick))) return WRONG;
    int first = !client->tick;
    client->tick = tick;
    return first ? JOINING : STATE;
}

static int join_by_event(const Options *options, Client *client) {
    char message[96];
    int length = snprintf(message, sizeof message, "42[\"join_game\",{\"gameId\":\"%s\"}]", options->game);
    return frame_send(client->fd, TEXT, (const unsigned char *)message, length);
}

static Meaning read_socketio(const Options *options, Client *client, const Frame *frame) {
    const unsigned char *p = frame->kept;
    if (frame->opcode == BINARY) {
        if (!client->attachments) return WRONG;
        return --client->attachments ? OTHER : STATE;
    }
    if (frame->opcode != TEXT || !frame->kept_length) return WRONG;
    if (p[0] == '0') return frame_send(client->fd, TEXT, "40", 2) ? OTHER : WRONG;  // open: connect to the namespace
    if (p[0] == '2') return frame_send(client->fd, TEXT, "3", 1) ? OTHER : WRONG;   // ping
    if (p[0] != '4' || frame->kept_length < 2 || p[1] == '4') return WRONG;
    if (*options->game && p[1] == '0') return join_by_event(options, client) ? OTHER : WRONG;
    if (*options->game) return read_event(client, frame);
    if (p[1] == '5') client->attachments = atoi((const char *)p + 2);  // an event whose binary parts follow
    return p[1] == '2' ? STATE : OTHER;
}

// ---- Colyseus 0.18 ----

enum { CODE = 0x3f, TIMED = 0x80, JOIN_ROOM = 10, ROOM_STATE = 14, ROOM_STATE_PATCH = 15 };

static Meaning read_colyseus(Client *client, const Frame *frame) {
    static const unsigned char joined = JOIN_ROOM;
    if (frame->opcode != BINARY || !frame->kept_length) return WRONG;
    switch (frame->kept[0] & CODE) {
        case JOIN_ROOM: return frame_send(client->fd, BINARY, &joined, 1) ? OTHER : WRONG;
        case ROOM_STATE: return JOINING;
        case ROOM_STATE_PATCH: return STATE;
        default: return OTHER;
    }
}

// ---- all of them ----

int protocol_greet(const Options *options, Client *client) {
    return options->protocol == MONKEYTOWN ? join_game(options, client) : 1;
}

Meaning protocol_read(const Options *options, Client *client, const Frame *frame, double now, Durations *round_trips) {
    if (frame->opcode == PING) return frame_send(client->fd, PONG, frame->kept, frame->length) ? OTHER : WRONG;
    if (frame->opcode == PONG) return OTHER;
    if (frame->opcode == CLOSE) return WRONG;
    if (frame->opcode == CONTINUATION) return options->protocol == MONKEYTOWN ? WRONG : OTHER;
    Meaning meaning = options->protocol == MONKEYTOWN ? read_monkeytown(client, frame, now, round_trips)
                    : options->protocol == SOCKETIO   ? read_socketio(options, client, frame)
                    : options->protocol == COLYSEUS   ? read_colyseus(client, frame)
                                                      : STATE;
    return meaning == STATE && client->stage < JOINED ? JOINING : meaning;
}

int protocol_input(const Options *options, Client *client, double now) {
    if (options->protocol == MONKEYTOWN) return player_input(options, client, now);
    int form = client->inputs++ % options->input_forms;
    int opcode = options->protocol == SOCKETIO ? TEXT : BINARY;
    return frame_send(client->fd, opcode, options->inputs[form], options->input_lengths[form]);
}
