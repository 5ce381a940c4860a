// Shared by all kernels: half floats, clamping, and the three layouts of a frame on the GPU.
//
// No CUDA header is included, so that NVRTC needs none and the tests' host build only its own small one. The constants
// in capitals that are not defined here come from source.py. Frames are packed, without padding: BGR rows of 3 W bytes;
// NV12 a W x H luma plane, then rows of U V pairs (W and H even); YUYV rows of 2 W bytes (W even). YUV is BT.601,
// limited range, and is converted to BGR exactly as OpenCV does, so that the GPU and the CPU path start from the same
// picture.

struct Half {
    unsigned short bits;
};

__device__ inline float value(float x) {
    return x;
}

#ifdef BGCAM_HOST
HALF_FOR_HOST
#else
#define DYNAMIC_SHARED(name) extern __shared__ __align__(16) float name[]
__device__ inline float value(Half x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}
__device__ inline void store(Half *at, float x) {
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(at->bits) : "f"(x));
}
#endif
__device__ inline void store(float *at, float x) {
    *at = x;
}

__device__ inline int clamped(int x, int low, int high) {
    return min(max(x, low), high);
}

// Byte `at` (0 is the lowest) of a little-endian word.
__device__ inline int byte_of(unsigned word, int at) {
    return (word >> (8 * at)) & 0xFF;
}

struct Pixel {
    int b, g, r;
};

// OpenCV's fixed-point conversion with 20 fractional bits.
__device__ inline Pixel from_yuv(int y, int u, int v) {
    const int HALF = 1 << 19;
    y = max(y - 16, 0) * 1220542 + HALF;
    u -= 128;
    v -= 128;
    return {clamped((y + 2116026 * u) >> 20, 0, 255), clamped((y - 852492 * v - 409993 * u) >> 20, 0, 255),
            clamped((y + 1673527 * v) >> 20, 0, 255)};
}

// The luma of OpenCV's BGR2GRAY, a whole grey level: full range, unlike the limited-range Y of I420.
__device__ inline int gray(Pixel p) {
    return (3735 * p.b + 19235 * p.g + 9798 * p.r + (1 << 14)) >> 15;
}

// Byte `at` of each of four words as one word, the first lowest.
__device__ inline unsigned pack(int at, unsigned a, unsigned b, unsigned c, unsigned d) {
    const unsigned both = at | (at + 4) << 4;
    return __byte_perm(__byte_perm(a, b, both), __byte_perm(c, d, both), 0x5410);
}

__device__ inline void load16(const unsigned char *from, unsigned *words) {
    const uint4 got = *reinterpret_cast<const uint4 *>(from);
    words[0] = got.x;
    words[1] = got.y;
    words[2] = got.z;
    words[3] = got.w;
}

__device__ inline void store16(unsigned char *to, unsigned a, unsigned b, unsigned c, unsigned d) {
    *reinterpret_cast<uint4 *>(to) = make_uint4(a, b, c, d);
}

// A layout defines: `pixel`, which reads any pixel; `fast`, whether rows allow 16-byte accesses; `load_row`, which
// reads the WORDS words that contain UNIT_PX pixels of a row, and `pixel_in`, which extracts one of them. For sums over
// columns, a step is VALUES neighbouring bytes of BGR: `load_step` reads the STEP_WORDS words that contain them, and
// `expand` turns these into numbers. Data stays packed until it is used, so that several reads are in progress at once
// in few registers.
struct Bgr {
    static const int WORDS = 12, VALUES = BGR_STEP_VALUES, STEP_WORDS = VALUES / 4;

    __device__ static bool fast(int width) {
        return width % 16 == 0;
    }

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

    // Pixel i is bytes 3i .. 3i + 2.
    __device__ static Pixel pixel_in(const unsigned *words, int i) {
        return {byte_of(words[(3 * i) >> 2], (3 * i) & 3), byte_of(words[(3 * i + 1) >> 2], (3 * i + 1) & 3),
                byte_of(words[(3 * i + 2) >> 2], (3 * i + 2) & 3)};
    }

    __device__ static void load_step(const unsigned char *frame, int width, int height, int step, int y,
                                     unsigned *words) {
        load16(frame + size_t(y) * width * 3 + step * 16, words);
    }

    __device__ static void expand(const unsigned *words, int *values) {
#pragma unroll
        for (int i = 0; i < VALUES; i++)
            values[i] = byte_of(words[i >> 2], i & 3);
    }
};

// The four pixels of a YUV step, as numbers.
template <class Layout> __device__ inline void expand_four(Layout, const unsigned *words, int *values) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const Pixel p = Layout::step_pixel(words, i);
        values[3 * i] = p.b;
        values[3 * i + 1] = p.g;
        values[3 * i + 2] = p.r;
    }
}

struct Nv12 {
    static const int WORDS = 8, VALUES = YUV_STEP_VALUES, STEP_WORDS = 2;

    __device__ static bool fast(int width) {
        return width % 16 == 0;
    }

    __device__ static const unsigned char *chroma(const unsigned char *frame, int width, int height, int y) {
        return frame + size_t(width) * height + size_t(y >> 1) * width;
    }

    __device__ static Pixel pixel(const unsigned char *frame, int width, int height, int x, int y) {
        const unsigned char *uv = chroma(frame, width, height, y) + (x & ~1);
        return from_yuv(frame[size_t(y) * width + x], uv[0], uv[1]);
    }

    __device__ static void load_row(const unsigned char *frame, int width, int height, int x, int y, unsigned *words) {
        load16(frame + size_t(y) * width + x, words);
        load16(chroma(frame, width, height, y) + x, words + 4);
    }

    // words: of luma, followed from index `chroma_at` on by the chroma of the same pixels.
    __device__ static Pixel pixel_of(const unsigned *words, int chroma_at, int i) {
        const unsigned uv = words[chroma_at + (i >> 2)];
        return from_yuv(byte_of(words[i >> 2], i & 3), byte_of(uv, i & 2), byte_of(uv, (i & 2) + 1));
    }

    __device__ static Pixel pixel_in(const unsigned *words, int i) {
        return pixel_of(words, 4, i);
    }
    __device__ static Pixel step_pixel(const unsigned *words, int i) {
        return pixel_of(words, 1, i);
    }

    __device__ static void load_step(const unsigned char *frame, int width, int height, int step, int y,
                                     unsigned *words) {
        words[0] = reinterpret_cast<const unsigned *>(frame + size_t(y) * width)[step];
        words[1] = reinterpret_cast<const unsigned *>(chroma(frame, width, height, y))[step];
    }

    __device__ static void expand(const unsigned *words, int *values) {
        expand_four(Nv12(), words, values);
    }
};

struct Yuyv {
    static const int WORDS = 8, VALUES = YUV_STEP_VALUES, STEP_WORDS = 2;

    __device__ static bool fast(int width) {
        return width % 16 == 0;
    }

    __device__ static Pixel pixel(const unsigned char *frame, int width, int height, int x, int y) {
        const unsigned char *row = frame + size_t(y) * width * 2, *pair = row + (x & ~1) * 2;
        return from_yuv(row[2 * x], pair[1], pair[3]);
    }

    __device__ static void load_row(const unsigned char *frame, int width, int height, int x, int y, unsigned *words) {
        const unsigned char *at = frame + (size_t(y) * width + x) * 2;
        load16(at, words);
        load16(at + 16, words + 4);
    }

    __device__ static Pixel pixel_in(const unsigned *words, int i) {
        const unsigned pair = words[i >> 1];
        return from_yuv(byte_of(pair, (i & 1) * 2), byte_of(pair, 1), byte_of(pair, 3));
    }
    __device__ static Pixel step_pixel(const unsigned *words, int i) {
        return pixel_in(words, i);
    }

    __device__ static void load_step(const unsigned char *frame, int width, int height, int step, int y,
                                     unsigned *words) {
        const uint2 got = reinterpret_cast<const uint2 *>(frame + size_t(y) * width * 2)[step];
        words[0] = got.x;
        words[1] = got.y;
    }

    __device__ static void expand(const unsigned *words, int *values) {
        expand_four(Yuyv(), words, values);
    }
};
