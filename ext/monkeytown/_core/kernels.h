/* The loops over whole columns, written so that a compiler turns them into vector instructions.
 *
 * They know arrays and numbers only: no Python, no tables, no wire. Each takes `n` rows of one column. Arrays never overlap
 * (restrict). On x86-64 with glibc every loop is built twice and the better build is chosen when the module is loaded.
 */
#ifndef MONKEYTOWN_KERNELS_H
#define MONKEYTOWN_KERNELS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && !defined(MONKEYTOWN_SANITIZE)
#define MT_KERNEL __attribute__((target_clones("avx2", "default"), optimize("O3"))) static
#else
#define MT_KERNEL static
#endif

/* Adding it to a double below 2^51 leaves the nearest integer (ties to even) in the low bits of the sum's mantissa. */
#define MT_ROUNDER 6755399441055744.0
/* Angles beyond it are reduced before they are rounded. */
#define MT_ROUND_LIMIT 1125899906842624.0 /* 2^50 */

#define MT_BLOCK 256

static inline int32_t mt_round(double value) {
    double sum = value + MT_ROUNDER;
    int64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return (int32_t)bits;
}

/* Sign-extends the low `bits` bits of a value. */
static inline int32_t mt_wrap(uint32_t value, unsigned bits) {
    return (int32_t)(value << (32 - bits)) >> (32 - bits);
}

static inline uint32_t mt_zigzag(int32_t value) { return ((uint32_t)value << 1) ^ (uint32_t)(value >> 31); }

static inline int32_t mt_unzigzag(uint32_t value) { return (int32_t)((value >> 1) ^ (0u - (value & 1))); }

/* Without a branch for zero: the lowest bit of twice the value plus one is always set. */
static inline unsigned mt_bit_length(uint32_t value) { return 63u - (unsigned)__builtin_clzll((uint64_t)value << 1 | 1); }

/* ---- quantise: game values to wire values; returns nonzero if some value was out of range or not a number ---- */

/* The tests are counted in integers as wide as the values, or the loop is not vectorised. */
MT_KERNEL int mt_quantise_fixed(const double *restrict game, int32_t *restrict wire, ptrdiff_t n, double lo, double scale,
                                double limit) {
    int64_t inside = -1;
    for (ptrdiff_t i = 0; i < n; i++) {
        double value = (game[i] - lo) * scale;
        double clamped = value < limit ? value : limit;
        clamped = clamped > 0.0 ? clamped : 0.0;
        inside &= value == clamped ? -1 : 0;
        wire[i] = mt_round(clamped);
    }
    return !inside;
}

MT_KERNEL int mt_quantise_angle(const double *restrict game, int32_t *restrict wire, ptrdiff_t n, double scale, int32_t mask) {
    int64_t inside = -1;
    for (ptrdiff_t i = 0; i < n; i++) {
        double value = game[i] * scale;
        inside &= fabs(value) < MT_ROUND_LIMIT ? -1 : 0;
        wire[i] = mt_round(value) & mask;
    }
    return !inside;
}

MT_KERNEL int mt_quantise_integer(const int64_t *restrict game, int32_t *restrict wire, ptrdiff_t n, int64_t lo, int64_t hi) {
    int outside = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        int64_t value = game[i];
        outside |= (value < lo) | (value > hi);
        value = value < hi ? value : hi;
        value = value > lo ? value : lo;
        wire[i] = (int32_t)(uint32_t)value;
    }
    return outside;
}

MT_KERNEL int mt_quantise_byte(const uint8_t *restrict game, int32_t *restrict wire, ptrdiff_t n, uint8_t largest) {
    int outside = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        uint8_t value = game[i];
        outside |= value > largest;
        wire[i] = value < largest ? value : largest;
    }
    return outside;
}

/* ---- compare: the quantised values with their prediction ----
 * `fresh` are this tick's wire values; `wire`, `step` are last tick's and become this tick's. `alive` is -1 for rows that
 * count and 0 for others. `residual` gets value minus prediction; where it is not zero, `stamp` gets the tick and `dirty`
 * the row's mark. Returns nonzero if anything differed; *motion collects the steps. */

static inline void mt_stamp_block(const int32_t *restrict residual, int32_t *restrict stamp, int32_t *restrict dirty,
                                  ptrdiff_t n, int32_t tick) {
    for (ptrdiff_t i = 0; i < n; i++) {
        stamp[i] = residual[i] ? tick : stamp[i];
        dirty[i] |= residual[i];
    }
}

MT_KERNEL int32_t mt_compare_hold(const int32_t *restrict fresh, int32_t *restrict wire, int32_t *restrict residual,
                                  int32_t *restrict stamp, int32_t *restrict dirty, const int32_t *restrict alive,
                                  ptrdiff_t n, int32_t tick, unsigned bits) {
    int32_t changed = 0;
    for (ptrdiff_t start = 0; start < n; start += MT_BLOCK) {
        ptrdiff_t end = start + MT_BLOCK < n ? start + MT_BLOCK : n;
        int32_t any = 0;
        for (ptrdiff_t i = start; i < end; i++) {
            uint32_t difference = ((uint32_t)fresh[i] - (uint32_t)wire[i]) & (uint32_t)alive[i];
            int32_t r = mt_wrap(difference, bits);
            wire[i] = fresh[i];
            residual[i] = r;
            any |= r;
        }
        if (any) mt_stamp_block(residual + start, stamp + start, dirty + start, end - start, tick);
        changed |= any;
    }
    return changed;
}

MT_KERNEL int32_t mt_compare_linear(const int32_t *restrict fresh, int32_t *restrict wire, int32_t *restrict step,
                                    int32_t *restrict residual, int32_t *restrict stamp, int32_t *restrict dirty,
                                    const int32_t *restrict alive, ptrdiff_t n, int32_t tick, unsigned bits,
                                    int32_t *motion) {
    int32_t changed = 0, moving = 0;
    for (ptrdiff_t start = 0; start < n; start += MT_BLOCK) {
        ptrdiff_t end = start + MT_BLOCK < n ? start + MT_BLOCK : n;
        int32_t any = 0;
        for (ptrdiff_t i = start; i < end; i++) {
            uint32_t moved = ((uint32_t)fresh[i] - (uint32_t)wire[i]) & (uint32_t)alive[i];
            int32_t r = mt_wrap((moved - (uint32_t)step[i]) & (uint32_t)alive[i], bits);
            int32_t s = mt_wrap(moved, bits);
            wire[i] = fresh[i];
            step[i] = s;
            residual[i] = r;
            any |= r;
            moving |= s;
        }
        if (any) mt_stamp_block(residual + start, stamp + start, dirty + start, end - start, tick);
        changed |= any;
    }
    *motion |= moving;
    return changed;
}

/* ---- rows ---- */

/* The slots whose mark is set, in order; returns how many. `out` has room for n. */
static inline ptrdiff_t mt_marked(const int32_t *restrict mark, ptrdiff_t n, int32_t *restrict out) {
    ptrdiff_t count = 0, i = 0;
    for (; i + 2 <= n; i += 2) {
        uint64_t pair;
        memcpy(&pair, mark + i, sizeof pair);
        if (!pair) continue;
        out[count] = (int32_t)i;
        count += mark[i] != 0;
        out[count] = (int32_t)(i + 1);
        count += mark[i + 1] != 0;
    }
    for (; i < n; i++)
        if (mark[i]) out[count++] = (int32_t)i;
    return count;
}

/* How many marks are set. */
MT_KERNEL int32_t mt_count_marked(const int32_t *restrict mark, ptrdiff_t n) {
    int32_t count = 0;
    for (ptrdiff_t i = 0; i < n; i++) count += mark[i] != 0;
    return count;
}

/* Lowers old stamps by `shift`, not below zero, when the origin that they count from moves up. */
MT_KERNEL void mt_rebase(int32_t *restrict stamp, ptrdiff_t n, int32_t shift) {
    for (ptrdiff_t i = 0; i < n; i++) stamp[i] = stamp[i] > shift ? stamp[i] - shift : 0;
}

/* ---- packing ---- */

MT_KERNEL uint32_t mt_zigzag_all(const int32_t *restrict values, uint32_t *restrict out, ptrdiff_t n) {
    uint32_t all = 0;
    for (ptrdiff_t i = 0; i < n; i++) all |= out[i] = mt_zigzag(values[i]);
    return all;
}

static inline uint32_t mt_zigzag_rows(const int32_t *restrict values, const int32_t *restrict rows, uint32_t *restrict out,
                                      ptrdiff_t n) {
    uint32_t all = 0;
    for (ptrdiff_t i = 0; i < n; i++) all |= out[i] = mt_zigzag(values[rows[i]]);
    return all;
}

static inline uint32_t mt_take_rows(const int32_t *restrict values, const int32_t *restrict rows, uint32_t *restrict out,
                                    ptrdiff_t n) {
    uint32_t all = 0;
    for (ptrdiff_t i = 0; i < n; i++) all |= out[i] = (uint32_t)values[rows[i]];
    return all;
}

/* How many values need more than `width` bits (below 32). */
MT_KERNEL uint32_t mt_count_wider(const uint32_t *restrict values, ptrdiff_t n, unsigned width) {
    uint32_t count = 0;
    for (ptrdiff_t i = 0; i < n; i++) count += values[i] >> width != 0;
    return count;
}

/* The place of the first value from `start` on that needs more than `width` bits (below 32). There must be one. */
static inline ptrdiff_t mt_next_wider(const uint32_t *restrict values, ptrdiff_t start, unsigned width) {
    while (!(values[start] >> width)) start++;
    return start;
}

static inline size_t mt_packed_size(size_t n, unsigned width) { return (n * width + 7) / 8; }

/* Eight values of up to 8 bits fill exactly `width` bytes, eight of up to 16 bits too, so whole groups need no carry. With a
 * constant width the shifts are constants. */
static inline __attribute__((always_inline)) size_t mt_pack_groups(uint8_t *restrict out, const uint32_t *restrict values,
                                                                   size_t groups, unsigned width) {
    for (size_t group = 0; group < groups; group++, values += 8, out += width) {
        uint64_t low = 0, high = 0;
        for (unsigned j = 0; j < 4; j++) {
            low |= (uint64_t)values[j] << (j * width);
            high |= (uint64_t)values[4 + j] << (j * width);
        }
        if (width <= 8) {
            low |= high << (4 * width);
            memcpy(out, &low, 8);
        } else {
            unsigned __int128 both = (unsigned __int128)low | (unsigned __int128)high << (4 * width);
            memcpy(out, &both, 16);
        }
    }
    return groups * width;
}

#define MT_WIDTH(w) \
    case w: return mt_pack_groups(out, values, groups, w)

static inline size_t mt_pack_narrow(uint8_t *restrict out, const uint32_t *restrict values, size_t groups, unsigned width) {
    switch (width) {
        MT_WIDTH(1);
        MT_WIDTH(2);
        MT_WIDTH(3);
        MT_WIDTH(4);
        MT_WIDTH(5);
        MT_WIDTH(6);
        MT_WIDTH(7);
        MT_WIDTH(8);
    }
    return mt_pack_groups(out, values, groups, width);
}

/* Packs n values of `width` bits, lowest bit first. Writes up to 16 bytes past the end: the buffer must have that slack. */
static inline size_t mt_pack(uint8_t *restrict out, const uint32_t *restrict values, size_t n, unsigned width) {
    uint8_t *start = out;
    size_t i = 0;
    if (!width) return 0;
    if (width <= 16) {
        out += mt_pack_narrow(out, values, n / 8, width);
        i = n / 8 * 8;
    }
    uint64_t carry = 0;
    unsigned filled = 0;
    for (; i < n; i++) {
        carry |= (uint64_t)values[i] << filled;
        filled += width;
        while (filled >= 8) {
            *out++ = (uint8_t)carry;
            carry >>= 8;
            filled -= 8;
        }
    }
    if (filled) *out++ = (uint8_t)carry;
    return (size_t)(out - start);
}

/* The reverse; reads exactly mt_packed_size(n, width) bytes. Returns the unused bits of the last byte (0 when well formed). */
static inline uint32_t mt_unpack(const uint8_t *restrict in, uint32_t *restrict values, size_t n, unsigned width) {
    uint64_t carry = 0;
    unsigned filled = 0;
    uint64_t mask = width == 32 ? 0xffffffffu : ((uint64_t)1 << width) - 1;
    for (size_t i = 0; i < n; i++) {
        while (filled < width) {
            carry |= (uint64_t)*in++ << filled;
            filled += 8;
        }
        values[i] = (uint32_t)(carry & mask);
        carry >>= width;
        filled -= width;
    }
    return (uint32_t)carry;
}

/* ---- Rice codes: the low bits packed, what is above them (the quotient) in unary ---- */

/* A code is at most so many bits, so that two codes and the bits before them fit a window. */
#define MT_LONGEST_CODE 16

/* The sum of the quotients by 2^width (at most 28) of those values whose code is short enough. */
MT_KERNEL uint64_t mt_sum_quotients(const uint32_t *restrict values, ptrdiff_t n, unsigned width) {
    uint32_t sum = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        uint32_t quotient = values[i] >> width;
        sum += quotient < MT_LONGEST_CODE ? quotient : 0;
    }
    return sum;
}

/* Takes the quotients out of the values. */
MT_KERNEL void mt_split(uint32_t *restrict values, uint32_t *restrict quotients, ptrdiff_t n, unsigned width) {
    uint32_t mask = ((uint32_t)1 << width) - 1;
    for (ptrdiff_t i = 0; i < n; i++) {
        quotients[i] = values[i] >> width;
        values[i] &= mask;
    }
}

/* Each of n quotients as so many zeros and a one, lowest bit first. Writes up to 8 bytes past the end. */
static inline size_t mt_put_unary(uint8_t *restrict out, const uint32_t *restrict quotients, size_t n) {
    uint8_t *start = out;
    uint64_t carry = 0;
    unsigned filled = 0;
    size_t i = 0;
    /* In pairs: each waits for where the one before it ended. */
    for (; i + 2 <= n; i += 2) {
        unsigned first = quotients[i], second = quotients[i + 1];
        carry |= ((uint64_t)1 << first | (uint64_t)2 << first << second) << filled;
        filled += first + second + 2;
        memcpy(out, &carry, sizeof carry);
        out += filled >> 3;
        carry >>= filled & ~7u;
        filled &= 7;
    }
    if (i < n) {
        carry |= (uint64_t)1 << quotients[i] << filled;
        filled += quotients[i] + 1;
    }
    memcpy(out, &carry, sizeof carry);
    return (size_t)(out - start) + (filled + 7) / 8;
}

/* Adds n quotients, shifted to where they belong, to the values. Returns how many of the `left` bytes they took; -1: they
 * end early, or one is too long; -2: unused bits are set. */
static inline ptrdiff_t mt_take_unary(const uint8_t *restrict in, size_t left, uint32_t *restrict values, size_t n,
                                      unsigned width) {
    size_t at = 0;
    uint64_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
        while (have < MT_LONGEST_CODE && at < left) {
            bits |= (uint64_t)in[at++] << have;
            have += 8;
        }
        unsigned quotient = bits ? (unsigned)__builtin_ctzll(bits) : MT_LONGEST_CODE;
        if (quotient >= MT_LONGEST_CODE) return -1;
        values[i] += quotient << width;
        bits >>= quotient + 1;
        have -= quotient + 1;
    }
    at -= have / 8;
    return bits & ((1u << have % 8) - 1) ? -2 : (ptrdiff_t)at;
}

#endif
