// What all kernels share: half floats, clamping, and the three layouts in which a camera's frame can lie on the GPU.
//
// No header of CUDA is included: NVRTC then needs none, and the host build of the tests only its own small one.
// Frames are packed, without padding: BGR rows of 3 W bytes; NV12 a W x H luma plane, then rows of U V pairs (W and H
// even); YUYV rows of 2 W bytes (W even). YUV is BT.601, limited range, and becomes BGR with OpenCV's integers, bit for
// bit, so that the GPU and the CPU path start from the same picture.

struct Half {
    unsigned short bits;
};

__device__ inline float value(float x) { return x; }

#ifdef BGCAM_HOST
HALF_FOR_HOST
#else
#define DYNAMIC_SHARED(name) extern __shared__ float name[]
__device__ inline float value(Half x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}
__device__ inline void store(Half *at, float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(at->bits) : "f"(x)); }
#endif
__device__ inline void store(float *at, float x) { *at = x; }

__device__ inline int clamped(int x, int low, int high) { return min(max(x, low), high); }

// Byte `at` (0 is the lowest) of a little-endian word.
__device__ inline int byte_of(unsigned word, int at) { return (word >> (8 * at)) & 0xFF; }

struct Pixel {
    int b, g, r;
};

// OpenCV's fixed point with 20 bits after the point.
__device__ inline Pixel from_yuv(int y, int u, int v) {
    const int HALF = 1 << 19;
    y = max(y - 16, 0) * 1220542 + HALF;
    u -= 128;
    v -= 128;
    return {clamped((y + 2116026 * u) >> 20, 0, 255), clamped((y - 852492 * v - 409993 * u) >> 20, 0, 255),
            clamped((y + 1673527 * v) >> 20, 0, 255)};
}

// The luma of OpenCV's BGR2GRAY, a whole grey level: full range, not the limited Y of I420.
__device__ inline int gray(Pixel p) { return (3735 * p.b + 19235 * p.g + 9798 * p.r + (1 << 14)) >> 15; }

// Four words hold 16 bytes, twelve the 48 bytes of 16 BGR pixels: pixel i is bytes 3i .. 3i + 2.
__device__ inline void put_byte(unsigned *words, int at, int x) { words[at >> 2] |= unsigned(x) << (8 * (at & 3)); }

__device__ inline Pixel pixel_of(const unsigned *words, int i) {
    return {byte_of(words[(3 * i) >> 2], (3 * i) & 3), byte_of(words[(3 * i + 1) >> 2], (3 * i + 1) & 3),
            byte_of(words[(3 * i + 2) >> 2], (3 * i + 2) & 3)};
}

__device__ inline void put_pixel(unsigned *words, int i, Pixel p) {
    put_byte(words, 3 * i, p.b);
    put_byte(words, 3 * i + 1, p.g);
    put_byte(words, 3 * i + 2, p.r);
}

__device__ inline void load16(const unsigned char *from, unsigned *words) {
    const uint4 got = *reinterpret_cast<const uint4 *>(from);
    words[0] = got.x;
    words[1] = got.y;
    words[2] = got.z;
    words[3] = got.w;
}

__device__ inline void store16(unsigned char *to, const unsigned *words) {
    *reinterpret_cast<uint4 *>(to) = make_uint4(words[0], words[1], words[2], words[3]);
}

// A layout tells: `pixel`, any one; `fast`, whether rows allow 16-byte accesses; `load_row`, 16 pixels of a row as
// BGR bytes; and for sums over columns, `VALUES` neighbouring bytes of BGR a step: `load_step` reads what holds them
// (in registers, so that several reads are under way at once), `expand` turns that into numbers.
struct Bgr {
    static const int VALUES = 16;

    __device__ static bool fast(int width) { return width % 16 == 0; }

    __device__ static Pixel pixel(const unsigned char *frame, int width, int height, int x, int y) {
        const unsigned char *at = frame + (size_t(y) * width + x) * 3;
        return {at[0], at[1], at[2]};
    }

    __device__ static void load_row(const unsigned char *frame, int width, int height, int x, int y, unsigned *words) {
        const unsigned char *at = frame + (size_t(y) * width + x) * 3;
        load16(at, words);
        load16(at + 16, words + 4);
        load16(at + 32, words + 8);
    }

    __device__ static void load_step(const unsigned char *frame, int width, int height, int step, int y, unsigned *raw) {
        load16(frame + size_t(y) * width * 3 + step * 16, raw);
    }

    __device__ static void expand(const unsigned *raw, int *values) {
#pragma unroll
        for (int i = 0; i < VALUES; i++)
            values[i] = byte_of(raw[i >> 2], i & 3);
    }
};

struct Nv12 {
    static const int VALUES = 24;

    __device__ static bool fast(int width) { return width % 16 == 0; }

    __device__ static Pixel pixel(const unsigned char *frame, int width, int height, int x, int y) {
        const unsigned char *uv = frame + size_t(width) * height + size_t(y >> 1) * width + (x & ~1);
        return from_yuv(frame[size_t(y) * width + x], uv[0], uv[1]);
    }

    __device__ static void load_row(const unsigned char *frame, int width, int height, int x, int y, unsigned *words) {
        unsigned luma[4], uv[4];
        load16(frame + size_t(y) * width + x, luma);
        load16(frame + size_t(width) * height + size_t(y >> 1) * width + x, uv);
#pragma unroll
        for (int i = 0; i < 12; i++)
            words[i] = 0;
#pragma unroll
        for (int i = 0; i < 16; i++)
            put_pixel(words, i,
                      from_yuv(byte_of(luma[i >> 2], i & 3), byte_of(uv[i >> 2], i & 2), byte_of(uv[i >> 2], (i & 2) + 1)));
    }

    __device__ static void load_step(const unsigned char *frame, int width, int height, int step, int y, unsigned *raw) {
        const unsigned char *uv = frame + size_t(width) * height + size_t(y >> 1) * width;
        const uint2 a = reinterpret_cast<const uint2 *>(frame + size_t(y) * width)[step];
        const uint2 b = reinterpret_cast<const uint2 *>(uv)[step];
        raw[0] = a.x;
        raw[1] = a.y;
        raw[2] = b.x;
        raw[3] = b.y;
    }

    __device__ static void expand(const unsigned *raw, int *values) {
#pragma unroll
        for (int i = 0; i < 8; i++) {
            const unsigned uv = raw[2 + (i >> 2)];
            const Pixel p = from_yuv(byte_of(raw[i >> 2], i & 3), byte_of(uv, i & 2), byte_of(uv, (i & 2) + 1));
            values[3 * i] = p.b;
            values[3 * i + 1] = p.g;
            values[3 * i + 2] = p.r;
        }
    }
};

struct Yuyv {
    static const int VALUES = 24;

    __device__ static bool fast(int width) { return width % 16 == 0; }

    __device__ static Pixel pixel(const unsigned char *frame, int width, int height, int x, int y) {
        const unsigned char *row = frame + size_t(y) * width * 2, *pair = row + (x & ~1) * 2;
        return from_yuv(row[2 * x], pair[1], pair[3]);
    }

    __device__ static Pixel pixel_in(const unsigned *raw, int i) {
        const unsigned pair = raw[i >> 1];
        return from_yuv(byte_of(pair, (i & 1) * 2), byte_of(pair, 1), byte_of(pair, 3));
    }

    __device__ static void load_row(const unsigned char *frame, int width, int height, int x, int y, unsigned *words) {
        const unsigned char *at = frame + (size_t(y) * width + x) * 2;
        unsigned raw[8];
        load16(at, raw);
        load16(at + 16, raw + 4);
#pragma unroll
        for (int i = 0; i < 12; i++)
            words[i] = 0;
#pragma unroll
        for (int i = 0; i < 16; i++)
            put_pixel(words, i, pixel_in(raw, i));
    }

    __device__ static void load_step(const unsigned char *frame, int width, int height, int step, int y, unsigned *raw) {
        load16(frame + size_t(y) * width * 2 + step * 16, raw);
    }

    __device__ static void expand(const unsigned *raw, int *values) {
#pragma unroll
        for (int i = 0; i < 8; i++) {
            const Pixel p = pixel_in(raw, i);
            values[3 * i] = p.b;
            values[3 * i + 1] = p.g;
            values[3 * i + 2] = p.r;
        }
    }
};
