// The full-resolution chain in one pass: upsample the pairs of alpha.cu bilinearly, alpha = a * gray + b, blend with the
// background, and pack: BGR, or I420 so that BGR is never written.
//
// A block makes one row, or a part of it, a thread 16 of its pixels: with 16-byte reads and writes where rows allow it
// (width a multiple of 16), else byte by byte. Pairs are first interpolated down to the block's row, in shared memory,
// while the pixels are on their way. Alpha is held in 1/65536: whole pixels stay exact, and the rest is within a grey
// level of float. I420 is OpenCV's BGR2YUV_I420, bit for bit: chroma is that of the upper left pixel of each four.

// The row of pairs at the height of row y, with the first and the last once more beyond the ends.
__device__ inline void pairs_of_row(const float2 *pairs, int small_width, int small_height, int y, float step_y, float2 *row) {
    const float at = fminf(fmaxf((y + 0.5f) * step_y - 0.5f, 0.0f), small_height - 1.0f);
    const int upper = int(at), lower = min(upper + 1, small_height - 1);
    const float below = at - upper;
    for (int i = threadIdx.x; i < small_width + 2; i += blockDim.x) {
        const int x = clamped(i - 1, 0, small_width - 1);
        const float2 p = pairs[upper * small_width + x], q = pairs[lower * small_width + x];
        row[i] = make_float2(p.x + below * (q.x - p.x), p.y + below * (q.y - p.y));
    }
}

// Pixel x lies at (x + 0.5) * step - 0.5 of the small row, which begins at `row + 1`.
__device__ inline float2 pair_at(const float2 *row, int x, float step) {
    const float at = (x + 0.5f) * step + 0.5f;
    const int now = int(at);
    const float beside = at - now;
    const float2 left = row[now], right = row[now + 1];
    return make_float2(left.x + beside * (right.x - left.x), left.y + beside * (right.y - left.y));
}

__device__ inline Pixel blend(Pixel person, Pixel behind, float2 pair) {
    const float alpha = __saturatef(pair.x * gray(person) + pair.y);
    const int weight = __float2int_rn(alpha * 65536.0f);
    return {behind.b + (((person.b - behind.b) * weight + 32768) >> 16),
            behind.g + (((person.g - behind.g) * weight + 32768) >> 16),
            behind.r + (((person.r - behind.r) * weight + 32768) >> 16)};
}

__device__ inline int luma_of(Pixel p) {
    return (102760 * p.b + 528482 * p.g + 269484 * p.r + (16 << 20) + (1 << 19)) >> 20;
}
__device__ inline int u_of(Pixel p) { return (460324 * p.b - 305135 * p.g - 155188 * p.r + (128 << 20) + (1 << 19)) >> 20; }
__device__ inline int v_of(Pixel p) { return (-74448 * p.b - 385875 * p.g + 460324 * p.r + (128 << 20) + (1 << 19)) >> 20; }

struct ToBgr {
    __device__ static void put(unsigned char *out, int width, int height, int x, int y, Pixel p) {
        unsigned char *at = out + (size_t(y) * width + x) * 3;
        at[0] = p.b;
        at[1] = p.g;
        at[2] = p.r;
    }

    __device__ static void put_row(unsigned char *out, int width, int height, int x, int y, const unsigned *words) {
        unsigned char *at = out + (size_t(y) * width + x) * 3;
        store16(at, words);
        store16(at + 16, words + 4);
        store16(at + 32, words + 8);
    }
};

struct ToI420 {
    __device__ static void put(unsigned char *out, int width, int height, int x, int y, Pixel p) {
        const size_t area = size_t(width) * height;
        out[size_t(y) * width + x] = luma_of(p);
        if (((x | y) & 1) == 0) {
            unsigned char *at = out + area + size_t(y >> 1) * (width >> 1) + (x >> 1);
            at[0] = u_of(p);
            at[area / 4] = v_of(p);
        }
    }

    __device__ static void put_row(unsigned char *out, int width, int height, int x, int y, const unsigned *words) {
        const size_t area = size_t(width) * height;
        unsigned luma[4] = {}, u[2] = {}, v[2] = {};
#pragma unroll
        for (int i = 0; i < 16; i++)
            put_byte(luma, i, luma_of(pixel_of(words, i)));
        store16(out + size_t(y) * width + x, luma);
        if (y & 1)
            return;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            put_byte(u, i, u_of(pixel_of(words, 2 * i)));
            put_byte(v, i, v_of(pixel_of(words, 2 * i)));
        }
        unsigned char *at = out + area + size_t(y >> 1) * (width >> 1) + (x >> 1);
        *reinterpret_cast<uint2 *>(at) = make_uint2(u[0], u[1]);
        *reinterpret_cast<uint2 *>(at + area / 4) = make_uint2(v[0], v[1]);
    }
};

template <class Layout, class Out>
__device__ void compose(const unsigned char *frame, const unsigned char *background, const float2 *pairs,
                        unsigned char *out, int width, int height, int small_width, int small_height) {
    DYNAMIC_SHARED(shared);
    float2 *row = reinterpret_cast<float2 *>(shared);
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * 16, y = blockIdx.y;
    const float step = float(small_width) / width;
    const bool fast = Layout::fast(width) && x < width;
    unsigned person[12], behind[12];
    if (fast) {
        Layout::load_row(frame, width, height, x, y, person);
        Bgr::load_row(background, width, height, x, y, behind);
    }
    pairs_of_row(pairs, small_width, small_height, y, float(small_height) / height, row);
    __syncthreads();
    if (fast) {
        unsigned done[12] = {};
#pragma unroll
        for (int i = 0; i < 16; i++)
            put_pixel(done, i, blend(pixel_of(person, i), pixel_of(behind, i), pair_at(row, x + i, step)));
        Out::put_row(out, width, height, x, y, done);
        return;
    }
    for (int at = x; at < min(x + 16, width); at++) {
        const Pixel mine = Layout::pixel(frame, width, height, at, y), other = Bgr::pixel(background, width, height, at, y);
        Out::put(out, width, height, at, y, blend(mine, other, pair_at(row, at, step)));
    }
}

#define COMPOSE(LAYOUT, NAME, OUT, TO)                                                                                 \
    extern "C" __global__ void compose_##NAME##_##TO(const unsigned char *frame, const unsigned char *background,      \
                                                     const float2 *pairs, unsigned char *out, int width, int height,   \
                                                     int small_width, int small_height) {                              \
        compose<LAYOUT, OUT>(frame, background, pairs, out, width, height, small_width, small_height);                 \
    }

COMPOSE(Bgr, bgr, ToBgr, bgr)
COMPOSE(Bgr, bgr, ToI420, i420)
COMPOSE(Nv12, nv12, ToBgr, bgr)
COMPOSE(Nv12, nv12, ToI420, i420)
COMPOSE(Yuyv, yuyv, ToBgr, bgr)
COMPOSE(Yuyv, yuyv, ToI420, i420)

// BGR that is there already to I420: for pictures that no compose made. Even sides.
extern "C" __global__ void to_i420(const unsigned char *bgr, unsigned char *out, int width, int height) {
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * 16, y = blockIdx.y;
    if (Bgr::fast(width) && x < width) {
        unsigned words[12];
        Bgr::load_row(bgr, width, height, x, y, words);
        ToI420::put_row(out, width, height, x, y, words);
        return;
    }
    for (int at = x; at < min(x + 16, width); at++)
        ToI420::put(out, width, height, at, y, Bgr::pixel(bgr, width, height, at, y));
}
