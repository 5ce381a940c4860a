// Enough of CUDA to compile the kernels for the host: g++ -x c++ -include cuda_host.h. A test's tool, not a simulator:
// blocks run one after the other, and the threads of a block are coroutines that give way at __syncthreads.
#pragma once
#define BGCAM_HOST 1
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

using std::max;
using std::min;

#define __global__
#define __device__
#define __launch_bounds__(...)
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __restrict__

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
    return {x, y, z, w};
}
inline uint2 make_uint2(unsigned x, unsigned y) {
    return {x, y};
}
inline float2 make_float2(float x, float y) {
    return {x, y};
}
inline float4 make_float4(float x, float y, float z, float w) {
    return {x, y, z, w};
}
inline float __saturatef(float x) {
    return x > 0 ? std::min(x, 1.0f) : 0.0f;
}
template <class Value> inline Value atomicAdd(Value *at, Value x) {
    const Value before = *at;
    *at += x;
    return before;
}
// Byte i of the result is byte (selector >> 4i) & 7 of the eight, x's first.
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
    const uint64_t both = x | uint64_t(y) << 32;
    unsigned made = 0;
    for (int i = 0; i < 4; i++)
        made |= unsigned(both >> 8 * (selector >> 4 * i & 7) & 0xFF) << 8 * i;
    return made;
}
inline int __float2int_rn(float x) {
    return int(std::nearbyint(x));
}

struct Index {
    unsigned x, y, z;
};
inline Index threadIdx, blockIdx, blockDim, gridDim;

const int SHARED_FLOATS = 57 * 1024; // 228 KiB, what an H100's multiprocessor has
alignas(16) inline float shared_memory[SHARED_FLOATS];
#define DYNAMIC_SHARED(name) float *name = shared_memory

// One coroutine a thread; `barriers` counts, a thread, the barriers that it has reached.
namespace host {
inline ucontext_t scheduler;
inline std::vector<ucontext_t> threads;
inline std::vector<std::vector<char>> stacks;
inline std::vector<int> barriers;
inline std::vector<int> votes; // a barrier
inline std::vector<char> ended;
inline unsigned running;
inline int misuse; // 1: not every thread reached a barrier; 2: shared memory was written beyond what was asked for
inline void (*body)(void *);
inline void *body_arguments;

inline void enter() {
    body(body_arguments);
    ended[running] = 1;
    swapcontext(&threads[running], &scheduler);
}

inline void together(unsigned size) {
    threads.resize(size);
    stacks.resize(size);
    barriers.assign(size, 0);
    votes.clear();
    ended.assign(size, 0);
    for (unsigned i = 0; i < size; i++) {
        stacks[i].resize(64 * 1024);
        getcontext(&threads[i]);
        threads[i].uc_stack.ss_sp = stacks[i].data();
        threads[i].uc_stack.ss_size = stacks[i].size();
        threads[i].uc_link = &scheduler;
        makecontext(&threads[i], enter, 0);
    }
    for (unsigned left = size; left > 0;) {
        left = 0;
        for (unsigned i = 0; i < size; i++) {
            if (ended[i])
                continue;
            running = threadIdx.x = i;
            swapcontext(&scheduler, &threads[i]);
            left += !ended[i];
        }
        for (unsigned i = 1; i < size; i++)
            misuse |= barriers[i] != barriers[0];
    }
}

// Threads of a block that shares nothing need not wait for each other.
inline void block(unsigned size, int shared_bytes) {
    std::fill(shared_memory, shared_memory + (shared_bytes + 3) / 4, NAN);
    if (shared_bytes > 0)
        together(size);
    else
        for (threadIdx.x = 0; threadIdx.x < size; threadIdx.x++)
            body(body_arguments);
}

template <class... Arguments, std::size_t... At>
void call(void (*kernel)(Arguments...), void **values, std::index_sequence<At...>) {
    kernel(*static_cast<Arguments *>(values[At])...);
}

// As cuLaunchKernel: `values` points to each argument. Threads are numbered on one axis, blocks on two.
template <class... Arguments>
int launch(void (*kernel)(Arguments...), unsigned across, unsigned down, unsigned size, void **values,
           int shared_bytes) {
    static void (*chosen)(Arguments...);
    chosen = kernel;
    body = [](void *given) { call(chosen, static_cast<void **>(given), std::index_sequence_for<Arguments...>()); };
    body_arguments = values;
    misuse = 0;
    std::fill(shared_memory, shared_memory + SHARED_FLOATS, NAN);
    blockDim = {size, 1, 1};
    gridDim = {across, down, 1};
    for (unsigned y = 0; y < down; y++)
        for (unsigned x = 0; x < across; x++) {
            blockIdx = {x, y, 0};
            block(size, shared_bytes);
        }
    for (int i = (shared_bytes + 3) / 4; i < SHARED_FLOATS; i++)
        misuse |= std::isnan(shared_memory[i]) ? 0 : 2;
    return misuse;
}
} // namespace host

inline void __syncthreads() {
    const unsigned self = host::running;
    host::barriers[self]++;
    swapcontext(&host::threads[self], &host::scheduler);
    threadIdx.x = self;
}

inline int __syncthreads_count(bool vote) {
    const std::size_t barrier = host::barriers[host::running];
    if (host::votes.size() <= barrier)
        host::votes.resize(barrier + 1);
    host::votes[barrier] += vote;
    __syncthreads();
    return host::votes[barrier];
}

struct Half;
float value(Half x);
void store(Half *at, float x);

inline float half_to_float(uint16_t bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float x = exponent == 31 ? (fraction ? NAN : INFINITY)
        : exponent           ? std::ldexp(float(1024 + fraction), exponent - 25)
                             : std::ldexp(float(fraction), -24);
    return bits >> 15 ? -x : x;
}

inline uint16_t float_to_half(float x) {
    const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
    const float size = std::fabs(x);
    if (std::isnan(x))
        return sign | 0x7E00;
    if (size >= 65520.0f)
        return sign | 0x7C00;
    int exponent;
    std::frexp(size, &exponent);                   // size = m 2^exponent, m in [0.5, 1)
    const int unit = std::max(exponent, -13) - 11; // the weight of the last place
    const int digits = int(std::nearbyint(std::ldexp(size, -unit)));
    return sign | (size == 0 ? 0 : digits + ((std::max(exponent, -13) + 13) << 10));
}
#define HALF_FOR_HOST                                                                                                  \
    inline float value(Half x) {                                                                                       \
        return half_to_float(x.bits);                                                                                  \
    }                                                                                                                  \
    inline void store(Half *at, float x) {                                                                             \
        at->bits = float_to_half(x);                                                                                   \
    }
