// Compositing at full resolution in one pass: the coefficients (a, b) of the temporal or guided filter are upsampled
// bilinearly, alpha = a * gray + b, the person is blended with the background, and the result is packed as BGR, or as
// I420 without writing BGR first.
//
// A block computes one row or a part of it, each thread UNIT_PX of its pixels: with 16-byte reads and writes where rows
// allow it (width a multiple of 16), otherwise byte by byte. The coefficients are first interpolated down to the
// block's part of the row, in shared memory, while the pixels are being loaded. Alpha has 16 fractional bits: alpha 0
// and 1 are exact, and the rest is within a grey level of float. I420 is exactly OpenCV's BGR2YUV_I420: chroma is that
// of the upper left pixel of each four.

// The index in shared memory of cell i of the small row: with a gap after every 16, which avoids bank conflicts when
// the frame has four times the network's width and threads read cells 4 apart.
__device__ inline int cell(int i) {
    return i + (i >> 4);
}

// The position of pixel x on the small row, which is extended by one cell at either end: (x + 0.5) * step + 0.5.
__device__ inline float row_position(int x, float step) {
    return (x + 0.5f) * step + 0.5f;
}

// Cells first .. last of the extended row, interpolated to the height of pixel row y.
__device__ inline void coefficients_of_row(const float2 *coefficients, int small_width, int small_height, int y,
                                           float step_y, int first, int last, float2 *row) {
    const int READS = 4; // in progress at once
    const float at = fminf(fmaxf((y + 0.5f) * step_y - 0.5f, 0.0f), small_height - 1.0f);
    const int upper = int(at), lower = min(upper + 1, small_height - 1);
    const float below = at - upper;
    for (int begin = first + int(threadIdx.x); begin <= last; begin += READS * blockDim.x) {
        float2 p[READS], q[READS];
#pragma unroll
        for (int j = 0; j < READS; j++) {
            const int x = clamped(begin + j * int(blockDim.x) - 1, 0, small_width - 1);
            p[j] = coefficients[upper * small_width + x];
            q[j] = coefficients[lower * small_width + x];
        }
#pragma unroll
        for (int j = 0; j < READS; j++) {
            const int i = begin + j * int(blockDim.x);
            if (i <= last)
                row[cell(i - first)] =
                    make_float2(p[j].x + below * (q[j].x - p[j].x), p[j].y + below * (q[j].y - p[j].y));
        }
    }
}

// Interpolates along a row. Two neighbouring cells are read once, because several pixels in a row lie between them.
struct RowSampler {
    const float2 *row;
    int first, held;
    float step;
    float2 left, rise;

    __device__ RowSampler(const float2 *row, int first, float step) : row(row), first(first), held(-1), step(step) {}

    __device__ float2 at_pixel(int x) {
        const float at = row_position(x, step);
        const int now = int(at);
        if (now != held) {
            held = now;
            left = row[cell(now - first)];
            const float2 right = row[cell(now - first + 1)];
            rise = make_float2(right.x - left.x, right.y - left.y);
        }
        const float beside = at - now;
        return make_float2(left.x + beside * rise.x, left.y + beside * rise.y);
    }
};

// a * gray + b, from 0 to 1.
__device__ inline float alpha_of(Pixel frame, float2 coefficients) {
    return __saturatef(coefficients.x * gray(frame) + coefficients.y);
}

// Grey levels with 16 fractional bits: the level is byte 2.
__device__ inline Pixel blend(Pixel person, Pixel background, float alpha) {
    const int weight = __float2int_rn(alpha * 65536.0f), rest = 65536 - weight;
    return {person.b * weight + (background.b * rest + 32768), person.g * weight + (background.g * rest + 32768),
            person.r * weight + (background.r * rest + 32768)};
}

// Composites with the frame's own colours.
struct FrameColours {
    __device__ Pixel composite(Pixel frame, Pixel background, float alpha, int x, int y) const {
        return blend(frame, background, alpha);
    }
};

__device__ inline int fixed(float level) {
    return __float2int_rn(fminf(fmaxf(level, 0.0f), 255.0f) * 65536.0f) + 32768;
}

// Composites with estimated foreground colours: the blur fusion of picture/foreground.py, then despill. colours: planes
// of the person's and the room's smooth colours from foreground.cu. limits: of despill.cu, with cells of twice the
// side.
struct ForegroundColours {
    const float4 *colours;
    const float2 *limits;
    int cell_px, columns, rows, limit_columns, limit_rows;
    Tint tint;

    __device__ Pixel composite(Pixel frame, Pixel background, float alpha, int x, int y) const {
        const int weight = __float2int_rn(alpha * 65536.0f);
        if (weight == 0 || (weight == 65536 && !(tint.strength > 0.0f)))
            return blend(frame, background, weight ? 1.0f : 0.0f);
        return estimated(frame, background, alpha, weight < 65536, x, y);
    }

    // Few pixels need this, and 16 inlined copies would be long.
    __device__ __noinline__ Pixel estimated(Pixel frame, Pixel background, float alpha, bool soft, int x, int y) const {
        float b = frame.b, g = frame.g, r = frame.r;
        if (soft) {
            const Bilinear cell((x + 0.5f) / cell_px - 0.5f, (y + 0.5f) / cell_px - 0.5f, columns, rows);
            const float4 person = cell.of(colours), room = cell.of(colours + columns * rows);
            b = fused(b, person.x, room.x, alpha);
            g = fused(g, person.y, room.y, alpha);
            r = fused(r, person.z, room.z, alpha);
        }
        if (tint.strength > 0.0f) {
            const float limit_px = 2.0f * cell_px;
            const Bilinear cell((x + 0.5f) / limit_px - 0.5f, (y + 0.5f) / limit_px - 0.5f, limit_columns, limit_rows);
            despill(b, g, r, tint, cell.of(limits));
        }
        return {fixed(background.b + alpha * (b - background.b)), fixed(background.g + alpha * (g - background.g)),
                fixed(background.r + alpha * (r - background.r))};
    }

    __device__ static float fused(float frame, float person, float room, float alpha) {
        return fminf(fmaxf(person + alpha * (frame - (room + alpha * (person - room))), 0.0f), 255.0f);
    }
};

__device__ inline Pixel whole(Pixel p) {
    return {p.b >> 16, p.g >> 16, p.r >> 16};
}

// OpenCV's limited-range Y, U and V with 24 fractional bits instead of its 20, so that the level is byte 3. Products
// overflow an int, so this is unsigned; every sum is below 2^32.
__device__ inline unsigned yuv24(Pixel p, int b, int g, int r, unsigned zero) {
    return unsigned(16 * b) * p.b + unsigned(16 * g) * p.g + unsigned(16 * r) * p.r + (zero << 24) + (1u << 23);
}
__device__ inline unsigned luma24(Pixel p) {
    return yuv24(p, 102760, 528482, 269484, 16);
}
__device__ inline unsigned u24(Pixel p) {
    return yuv24(p, 460324, -305135, -155188, 128);
}
__device__ inline unsigned v24(Pixel p) {
    return yuv24(p, -74448, -385875, 460324, 128);
}

// An output defines `put`, which writes one pixel of whole levels, and `Row`, which takes UNIT_PX pixels from a
// multiple of UNIT_PX on, four at a time and with 16 fractional bits, and `store`s them.
struct ToBgr {
    struct Row {
        unsigned words[12];

        __device__ void take(int four, bool chroma, const Pixel *p) {
            words[3 * four] = pack(2, p[0].b, p[0].g, p[0].r, p[1].b);
            words[3 * four + 1] = pack(2, p[1].g, p[1].r, p[2].b, p[2].g);
            words[3 * four + 2] = pack(2, p[2].r, p[3].b, p[3].g, p[3].r);
        }

        __device__ void store(unsigned char *out, int width, int height, int x, int y) const {
            unsigned char *at = out + (size_t(y) * width + x) * 3;
            store16(at, words[0], words[1], words[2], words[3]);
            store16(at + 16, words[4], words[5], words[6], words[7]);
            store16(at + 32, words[8], words[9], words[10], words[11]);
        }
    };

    __device__ static void put(unsigned char *out, int width, int height, int x, int y, Pixel p) {
        unsigned char *at = out + (size_t(y) * width + x) * 3;
        at[0] = p.b;
        at[1] = p.g;
        at[2] = p.r;
    }
};

struct ToI420 {
    struct Row {
        // chroma: two bytes of each four pixels, in even rows only.
        unsigned luma[4], u[4], v[4];

        __device__ void take(int four, bool chroma, const Pixel *p) {
            const Pixel a = whole(p[0]), b = whole(p[1]), c = whole(p[2]), d = whole(p[3]);
            luma[four] = pack(3, luma24(a), luma24(b), luma24(c), luma24(d));
            if (chroma) {
                u[four] = __byte_perm(u24(a), u24(c), 0x73);
                v[four] = __byte_perm(v24(a), v24(c), 0x73);
            }
        }

        __device__ void store(unsigned char *out, int width, int height, int x, int y) const {
            const size_t area = size_t(width) * height;
            store16(out + size_t(y) * width + x, luma[0], luma[1], luma[2], luma[3]);
            if (y & 1)
                return;
            unsigned char *at = out + area + size_t(y >> 1) * (width >> 1) + (x >> 1);
            *reinterpret_cast<uint2 *>(at) =
                make_uint2(__byte_perm(u[0], u[1], 0x5410), __byte_perm(u[2], u[3], 0x5410));
            *reinterpret_cast<uint2 *>(at + area / 4) =
                make_uint2(__byte_perm(v[0], v[1], 0x5410), __byte_perm(v[2], v[3], 0x5410));
        }
    };

    __device__ static void put(unsigned char *out, int width, int height, int x, int y, Pixel p) {
        const size_t area = size_t(width) * height;
        out[size_t(y) * width + x] = luma24(p) >> 24;
        if (((x | y) & 1) == 0) {
            unsigned char *at = out + area + size_t(y >> 1) * (width >> 1) + (x >> 1);
            at[0] = u24(p) >> 24;
            at[area / 4] = v24(p) >> 24;
        }
    }
};

template <class Layout, class Out, class Colours>
__device__ void composite(const unsigned char *frame, const unsigned char *background, const float2 *coefficients,
                          unsigned char *out, int width, int height, int small_width, int small_height,
                          const Colours &colours) {
    DYNAMIC_SHARED(shared);
    float2 *row = reinterpret_cast<float2 *>(shared);
    const int begin = blockIdx.x * blockDim.x * UNIT_PX, x = begin + threadIdx.x * UNIT_PX, y = blockIdx.y;
    const float step = float(small_width) / width;
    const bool fast = Layout::fast(width) && x < width;
    unsigned frame_words[Layout::WORDS], background_words[Bgr::WORDS];
    if (fast) {
        Layout::load_row(frame, width, height, x, y, frame_words);
        Bgr::load_row(background, width, height, x, y, background_words);
    }
    const int first = int(row_position(begin, step)),
              last = int(row_position(min(begin + int(blockDim.x) * UNIT_PX, width) - 1, step)) + 1;
    coefficients_of_row(coefficients, small_width, small_height, y, float(small_height) / height, first, last, row);
    __syncthreads();
    RowSampler sampler(row, first, step);
    if (fast) {
        typename Out::Row done;
#pragma unroll
        for (int four = 0; four < 4; four++) {
            Pixel p[4];
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const int i = 4 * four + j;
                const Pixel pixel = Layout::pixel_in(frame_words, i), other = Bgr::pixel_in(background_words, i);
                p[j] = colours.composite(pixel, other, alpha_of(pixel, sampler.at_pixel(x + i)), x + i, y);
            }
            done.take(four, (y & 1) == 0, p);
        }
        done.store(out, width, height, x, y);
        return;
    }
    for (int at = x; at < min(x + UNIT_PX, width); at++) {
        const Pixel pixel = Layout::pixel(frame, width, height, at, y),
                    other = Bgr::pixel(background, width, height, at, y);
        const float alpha = alpha_of(pixel, sampler.at_pixel(at));
        Out::put(out, width, height, at, y, whole(colours.composite(pixel, other, alpha, at, y)));
    }
}

#define COMPOSITE(LAYOUT, NAME, OUT, TO)                                                                               \
    extern "C" __global__ void composite_##NAME##_##TO(const unsigned char *frame, const unsigned char *background,    \
                                                       const float2 *coefficients, unsigned char *out, int width,      \
                                                       int height, int small_width, int small_height) {                \
        composite<LAYOUT, OUT>(frame, background, coefficients, out, width, height, small_width, small_height,         \
                               FrameColours());                                                                        \
    }

COMPOSITE(Bgr, bgr, ToBgr, bgr)
COMPOSITE(Bgr, bgr, ToI420, i420)
COMPOSITE(Nv12, nv12, ToBgr, bgr)
COMPOSITE(Nv12, nv12, ToI420, i420)
COMPOSITE(Yuyv, yuyv, ToBgr, bgr)
COMPOSITE(Yuyv, yuyv, ToI420, i420)

// Sources deliver BGR: other layouts would only lengthen the compilation.
#define COMPOSITE_FOREGROUND(LAYOUT, NAME, OUT, TO)                                                                    \
    extern "C" __global__ void composite_foreground_##NAME##_##TO(                                                     \
        const unsigned char *frame, const unsigned char *background, const float2 *coefficients, unsigned char *out,   \
        int width, int height, int small_width, int small_height, const float4 *colours, const float2 *limits,         \
        const float *sums, int cell_px, int columns, int rows, int limit_columns, int limit_rows, float from,          \
        float to) {                                                                                                    \
        composite<LAYOUT, OUT>(frame, background, coefficients, out, width, height, small_width, small_height,         \
                               ForegroundColours{colours, limits, cell_px, columns, rows, limit_columns, limit_rows,   \
                                                 Tint(sums, from, to)});                                               \
    }

COMPOSITE_FOREGROUND(Bgr, bgr, ToBgr, bgr)
COMPOSITE_FOREGROUND(Bgr, bgr, ToI420, i420)

// BGR to I420, for pictures that were composited elsewhere. Both sides are even.
extern "C" __global__ void to_i420(const unsigned char *bgr, unsigned char *out, int width, int height) {
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * UNIT_PX, y = blockIdx.y;
    if (Bgr::fast(width) && x < width) {
        unsigned words[Bgr::WORDS];
        Bgr::load_row(bgr, width, height, x, y, words);
        ToI420::Row done;
#pragma unroll
        for (int four = 0; four < 4; four++) {
            Pixel p[4];
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const Pixel level = Bgr::pixel_in(words, 4 * four + j);
                p[j] = {level.b << 16, level.g << 16, level.r << 16};
            }
            done.take(four, (y & 1) == 0, p);
        }
        done.store(out, width, height, x, y);
        return;
    }
    for (int at = x; at < min(x + UNIT_PX, width); at++)
        ToI420::put(out, width, height, at, y, Bgr::pixel(bgr, width, height, at, y));
}
