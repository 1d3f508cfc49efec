#define _GNU_SOURCE
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "usage: load --port PORT --clients N --seconds S [--host 127.0.0.1]\n"
    "  --path /ws|@FILE        the path to upgrade; @FILE has one for each client\n"
    "  --subprotocol NAME      Sec-WebSocket-Protocol\n"
    "  --protocol plain|monkeytown|socketio|colyseus\n"
    "  --game ID               monkeytown, socketio: what join_game names\n"
    "  --rate N                connections begun a second (0: as fast as --in-flight allows)\n"
    "  --in-flight N           connections at most that have no answer yet (64)\n"
    "  --settle S              from the last join to the measurement (1.5)\n"
    "  --join-timeout S        until all are in (60)\n"
    "  --input-hz N            inputs a second of each client\n"
    "  --input HEX[,HEX...]    monkeytown: field bytes; others: whole messages; taken in turn\n"
    "  --input-hash N          monkeytown: hash of the schema's input\n"
    "  --ack-hz N              monkeytown: acknowledgements a second of each client (5)\n"
    "  --slow SHARE --slow-rate BYTES   so many clients read so many bytes a second\n"
    "  --stalled SHARE         so many clients read nothing once they have joined\n"
    "  --gaps FILE             writes the gaps between states as CSV: from_us,count\n";

static void refuse(const char *why, const char *what) {
    fprintf(stderr, "load: %s %s\n%s", why, what, USAGE);
    exit(2);
}

static void read_paths(Options *options, const char *file) {
    FILE *f = fopen(file, "r");
    char line[1024];
    if (!f) refuse("cannot read", file);
    options->paths = NULL;
    options->path_count = 0;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\r\n")] = 0;
        options->paths = realloc(options->paths, (options->path_count + 1) * sizeof *options->paths);
        options->paths[options->path_count++] = strdup(line);
    }
    fclose(f);
}

static void read_inputs(Options *options, const char *hex) {
    options->input_forms = 1;
    for (unsigned byte; *hex; hex += 2) {
        int form = options->input_forms - 1;
        if (*hex == ',') {
            if (++options->input_forms > MAX_INPUT_FORMS) refuse("too many", "--input");
            hex -= 1;
            continue;
        }
        if (!hex[1] || sscanf(hex, "%2x", &byte) != 1 || options->input_lengths[form] == MAX_INPUT_BYTES)
            refuse("cannot read", "--input");
        options->inputs[form][options->input_lengths[form]++] = byte;
    }
}

static Protocol read_protocol(const char *name) {
    static const char *NAMES[] = {"plain", "monkeytown", "socketio", "colyseus"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(name, NAMES[i])) return (Protocol)i;
    refuse("no protocol", name);
    return PLAIN;
}

void options_read(Options *o, int argc, char **argv) {
    static const char *every_path[] = {"/"};
    static const struct option known[] = {
        {"host", 1, 0, 'h'},      {"port", 1, 0, 'p'},         {"path", 1, 0, 'P'},    {"subprotocol", 1, 0, 'w'},
        {"protocol", 1, 0, 'x'},  {"game", 1, 0, 'g'},         {"clients", 1, 0, 'c'}, {"seconds", 1, 0, 's'},
        {"rate", 1, 0, 'r'},      {"in-flight", 1, 0, 'f'},    {"settle", 1, 0, 'e'},  {"join-timeout", 1, 0, 'j'},
        {"input-hz", 1, 0, 'i'},  {"input", 1, 0, 'I'},        {"ack-hz", 1, 0, 'a'},  {"input-hash", 1, 0, 'H'},
        {"slow", 1, 0, 'l'},      {"slow-rate", 1, 0, 'L'},    {"stalled", 1, 0, 't'}, {"gaps", 1, 0, 'G'},
        {0, 0, 0, 0},
    };
    *o = (Options){.host = "127.0.0.1", .paths = every_path, .path_count = 1, .in_flight = 64, .settle = 1.5,
                   .join_timeout = 60, .ack_hz = 5, .slow_rate = 1024, .game = "", .subprotocol = ""};
    for (int letter; (letter = getopt_long_only(argc, argv, "", known, NULL)) != -1;) switch (letter) {
            case 'h': o->host = optarg; break;
            case 'p': o->port = atoi(optarg); break;
            case 'w': o->subprotocol = optarg; break;
            case 'x': o->protocol = read_protocol(optarg); break;
            case 'g': o->game = optarg; break;
            case 'c': o->clients = atoi(optarg); break;
            case 's': o->seconds = atof(optarg); break;
            case 'r': o->rate = atof(optarg); break;
            case 'f': o->in_flight = atoi(optarg); break;
            case 'e': o->settle = atof(optarg); break;
            case 'j': o->join_timeout = atof(optarg); break;
            case 'i': o->input_hz = atof(optarg); break;
            case 'I': read_inputs(o, optarg); break;
            case 'a': o->ack_hz = atof(optarg); break;
            case 'H': o->input_hash = (uint16_t)strtoul(optarg, NULL, 0); break;
            case 'l': o->slow = atof(optarg); break;
            case 'L': o->slow_rate = atoi(optarg); break;
            case 't': o->stalled = atof(optarg); break;
            case 'G': o->gaps_file = optarg; break;
            case 'P':
                if (*optarg == '@') {
                    read_paths(o, optarg + 1);
                } else {
                    every_path[0] = optarg;
                }
                break;
            default: refuse("see", "below");
        }
    if (optind < argc) refuse("not understood:", argv[optind]);
    if (!o->port || o->clients <= 0 || o->seconds <= 0 || o->in_flight <= 0) refuse("wanted:", "--port --clients --seconds");
    if (o->path_count > 1 && o->path_count < o->clients) refuse("too few lines in", "--path");
    if (o->input_hz > 0 && !o->input_forms) refuse("wanted:", "--input");
    if (strlen(o->game) > 31 || (o->protocol == MONKEYTOWN && !*o->game)) refuse("wanted:", "--game, of at most 31 bytes");
}
