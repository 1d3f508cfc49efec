#include "statistics.h"

void durations_add(Durations *durations, double seconds) {
    double bucket = seconds * 1e5;
    durations->buckets[bucket < 0 ? 0 : bucket > BUCKETS ? BUCKETS : (int)bucket]++;
    durations->count++;
    if (seconds > durations->longest) durations->longest = seconds;
}

double durations_quantile(const Durations *durations, double share) {
    uint64_t seen = 0;
    for (int i = 0; i <= BUCKETS && durations->count; i++) {
        seen += durations->buckets[i];
        if (seen && seen >= share * durations->count) {
            double edge = (i + 1) / 100.0, longest = durations->longest * 1e3;
            return edge < longest ? edge : longest;
        }
    }
    return 0;
}

void durations_json(const Durations *durations, FILE *out) {
    if (!durations->count) {
        fprintf(out, "null");
        return;
    }
    fprintf(out, "{\"p50\": %.2f, \"p95\": %.2f, \"p99\": %.2f, \"p999\": %.2f, \"max\": %.2f}",
            durations_quantile(durations, 0.5), durations_quantile(durations, 0.95), durations_quantile(durations, 0.99),
            durations_quantile(durations, 0.999), durations->longest * 1e3);
}

int durations_csv(const Durations *durations, const char *file) {
    FILE *out = fopen(file, "w");
    if (!out) return -1;
    fprintf(out, "from_us,count\n");
    for (int i = 0; i <= BUCKETS; i++)
        if (durations->buckets[i]) fprintf(out, "%d,%u\n", i * 10, durations->buckets[i]);
    return fclose(out);
}
