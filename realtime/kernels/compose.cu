// The full-resolution chain in one pass: upsample the pairs of alpha.cu bilinearly, alpha = a * gray + b, blend with the
// background, and pack: BGR, or I420 so that BGR is never written.
//
// A thread makes 16 pixels of two rows: 16-byte reads and writes where rows allow it (width a multiple of 16), single
// bytes otherwise. Alpha is held in 1/65536: whole pixels stay exact, and the rest is within a grey level of float.
// I420 is OpenCV's BGR2YUV_I420, bit for bit: chroma is that of the upper left pixel of each four. Odd sides: BGR only.

// Walks one row of the small picture from left to right, a bilinear sample a step. Where the picture grows, neighbours
// share their columns, so most steps read nothing.
struct Walk {
    const float2 *upper, *lower;
    float below;
    int width, column;
    float2 left, right;

    __device__ Walk(const float2 *pairs, int small_width, int small_height, int y, float step_y) {
        const float at = fminf(fmaxf((y + 0.5f) * step_y - 0.5f, 0.0f), small_height - 1.0f);
        const int row = int(at);
        below = at - row;
        upper = pairs + row * small_width;
        lower = pairs + min(row + 1, small_height - 1) * small_width;
        width = small_width;
        column = -2;
        left = right = make_float2(0.0f, 0.0f);
    }

    __device__ float2 read(int x) const {
        const int at = min(x, width - 1);
        const float2 p = upper[at], q = lower[at];
        return make_float2(p.x + below * (q.x - p.x), p.y + below * (q.y - p.y));
    }

    __device__ float2 sample(int x, float step_x) {
        const float at = fminf(fmaxf((x + 0.5f) * step_x - 0.5f, 0.0f), width - 1.0f);
        const int now = int(at);
        if (now != column) {
            left = now == column + 1 ? right : read(now);
            right = read(now + 1);
            column = now;
        }
        const float beside = at - now;
        return make_float2(left.x + beside * (right.x - left.x), left.y + beside * (right.y - left.y));
    }
};

__device__ inline Pixel blend(Pixel person, Pixel behind, float2 pair) {
    const float alpha = fminf(fmaxf(pair.x * gray(person) + pair.y, 0.0f), 1.0f);
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

__device__ inline void blend_row(unsigned *person, const unsigned *behind, Walk walk, int x, float step_x) {
    unsigned done[12] = {};
#pragma unroll
    for (int i = 0; i < 16; i++)
        put_pixel(done, i, blend(pixel_of(person, i), pixel_of(behind, i), walk.sample(x + i, step_x)));
#pragma unroll
    for (int i = 0; i < 12; i++)
        person[i] = done[i];
}

template <class Layout, class Out>
__device__ void compose(const unsigned char *frame, const unsigned char *background, const float2 *pairs,
                        unsigned char *out, int width, int height, int small_width, int small_height) {
    const int across = (width + 15) / 16, unit = blockIdx.x * blockDim.x + threadIdx.x;
    const int x = unit % across * 16, y = unit / across * 2;
    if (y >= height)
        return;
    const float step_x = float(small_width) / width, step_y = float(small_height) / height;
    if (Layout::fast(width) && y + 1 < height) {
        unsigned person[2][12], behind[2][12];
        Layout::load_unit(frame, width, height, x, y, person[0], person[1]);
        Bgr::load_unit(background, width, height, x, y, behind[0], behind[1]);
#pragma unroll
        for (int row = 0; row < 2; row++) {
            blend_row(person[row], behind[row], Walk(pairs, small_width, small_height, y + row, step_y), x, step_x);
            Out::put_row(out, width, height, x, y + row, person[row]);
        }
        return;
    }
    for (int row = y; row < min(y + 2, height); row++) {
        Walk walk(pairs, small_width, small_height, row, step_y);
        for (int at = x; at < min(x + 16, width); at++) {
            const Pixel person = Layout::pixel(frame, width, height, at, row);
            const Pixel behind = Bgr::pixel(background, width, height, at, row);
            Out::put(out, width, height, at, row, blend(person, behind, walk.sample(at, step_x)));
        }
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
    const int across = (width + 15) / 16, unit = blockIdx.x * blockDim.x + threadIdx.x;
    const int x = unit % across * 16, y = unit / across * 2;
    if (y >= height)
        return;
    if (Bgr::fast(width)) {
        unsigned words[2][12];
        Bgr::load_unit(bgr, width, height, x, y, words[0], words[1]);
        ToI420::put_row(out, width, height, x, y, words[0]);
        ToI420::put_row(out, width, height, x, y + 1, words[1]);
        return;
    }
    for (int row = y; row < y + 2; row++)
        for (int at = x; at < min(x + 16, width); at++)
            ToI420::put(out, width, height, at, row, Bgr::pixel(bgr, width, height, at, row));
}
