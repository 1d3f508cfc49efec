// Durations in buckets of 10 us, and the quantiles of what is in them.
#pragma once
#include <stdint.h>
#include <stdio.h>

enum { BUCKETS = 1000000 /* of 10 us: ten seconds; what is longer is in the last */ };

typedef struct {
    uint64_t count;
    double longest;  // seconds
    uint32_t buckets[BUCKETS + 1];
} Durations;

void durations_add(Durations *durations, double seconds);

// The duration in ms that a share (0 ... 1) of all does not exceed, to the upper edge of its bucket; 0 if there are none.
double durations_quantile(const Durations *durations, double share);

// {"p50": ..., "p95": ..., "p99": ..., "p999": ..., "max": ...} in ms, or null if there are none.
void durations_json(const Durations *durations, FILE *out);

// CSV: the lower edge of each bucket that is not empty, in us, and how many are in it.
int durations_csv(const Durations *durations, const char *file);
