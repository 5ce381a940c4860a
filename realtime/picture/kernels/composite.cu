// The full-resolution chain in one pass: upsample the pairs of matte_filters.cu bilinearly, alpha = a * gray + b, blend
// with the background, and pack: BGR, or I420 so that BGR is never written.
//
// A block makes one row, or a part of it, a thread 16 of its pixels: with 16-byte reads and writes where rows allow it
// (width a multiple of 16), else byte by byte. Pairs are first interpolated down to the block's part of the row, in
// shared memory, while the pixels are on their way. Alpha is held in 1/65536: whole pixels stay exact, and the rest is
// within a grey level of float. I420 is OpenCV's BGR2YUV_I420, bit for bit: chroma is that of the upper left pixel of
// each four.

// Cells of the small row lie in shared memory with a gap after every 16: threads read them 4 apart where the frame has
// four times the network's width, and would wait for each other otherwise.
__device__ inline int cell(int i) {
    return i + (i >> 4);
}

// Pixel x lies at (x + 0.5) * step + 0.5 of the small row with its first and last cell once more beyond the ends.
__device__ inline float place(int x, float step) {
    return (x + 0.5f) * step + 0.5f;
}

// The cells first .. last of that row, at the height of row y.
__device__ inline void pairs_of_row(const float2 *pairs, int small_width, int small_height, int y, float step_y,
                                    int first, int last, float2 *row) {
    const int MANY = 4; // reads under way at once
    const float at = fminf(fmaxf((y + 0.5f) * step_y - 0.5f, 0.0f), small_height - 1.0f);
    const int upper = int(at), lower = min(upper + 1, small_height - 1);
    const float below = at - upper;
    for (int begin = first + int(threadIdx.x); begin <= last; begin += MANY * blockDim.x) {
        float2 p[MANY], q[MANY];
#pragma unroll
        for (int j = 0; j < MANY; j++) {
            const int x = clamped(begin + j * int(blockDim.x) - 1, 0, small_width - 1);
            p[j] = pairs[upper * small_width + x];
            q[j] = pairs[lower * small_width + x];
        }
#pragma unroll
        for (int j = 0; j < MANY; j++) {
            const int i = begin + j * int(blockDim.x);
            if (i <= last)
                row[cell(i - first)] =
                    make_float2(p[j].x + below * (q[j].x - p[j].x), p[j].y + below * (q[j].y - p[j].y));
        }
    }
}

// Walks along a row: what lies between two cells is read once, since several pixels share it.
struct PairWalk {
    const float2 *row;
    int first, held;
    float step;
    float2 left, rise;

    __device__ PairWalk(const float2 *row, int first, float step) : row(row), first(first), held(-1), step(step) {}

    __device__ float2 pair_at(int x) {
        const float at = place(x, step);
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

// Grey levels with 16 bits after the point: a level is byte 2.
__device__ inline Pixel blend(Pixel person, Pixel behind, float2 pair) {
    const float alpha = __saturatef(pair.x * gray(person) + pair.y);
    const int weight = __float2int_rn(alpha * 65536.0f), rest = 65536 - weight;
    return {person.b * weight + (behind.b * rest + 32768), person.g * weight + (behind.g * rest + 32768),
            person.r * weight + (behind.r * rest + 32768)};
}

// What a thread lays of a pixel before the background: the frame as it is, or the person's own colours.
struct AsSeen {
    __device__ Pixel lay(Pixel person, Pixel behind, float2 pair, int x, int y) const {
        return blend(person, behind, pair);
    }
};

__device__ inline int fixed(float level) {
    return __float2int_rn(fminf(fmaxf(level, 0.0f), 255.0f) * 65536.0f) + 32768;
}

// The blur fusion of picture/foreground.py, and then the spill of despill.py, with what foreground.cu made: colours,
// the person's and the room's on one grid, and limits on one of cells of twice the side.
struct Own {
    const float4 *colours;
    const float2 *limits;
    int cell_px, columns, rows, limit_columns, limit_rows;
    Tint tint;

    __device__ Pixel lay(Pixel seen, Pixel behind, float2 pair, int x, int y) const {
        const float alpha = __saturatef(pair.x * gray(seen) + pair.y);
        const int weight = __float2int_rn(alpha * 65536.0f);
        if (weight == 0 || (weight == 65536 && !(tint.strength > 0.0f)))
            return blend(seen, behind, make_float2(0.0f, weight ? 1.0f : 0.0f));
        return mixed(seen, behind, alpha, weight < 65536, x, y);
    }

    // Few pixels are so, and 16 copies of it would be long.
    __device__ __noinline__ Pixel mixed(Pixel seen, Pixel behind, float alpha, bool soft, int x, int y) const {
        float b = seen.b, g = seen.g, r = seen.r;
        if (soft) {
            const Spot spot((x + 0.5f) / cell_px - 0.5f, (y + 0.5f) / cell_px - 0.5f, columns, rows);
            const float4 person = spot.of(colours), room = spot.of(colours + columns * rows);
            b = own(b, person.x, room.x, alpha);
            g = own(g, person.y, room.y, alpha);
            r = own(r, person.z, room.z, alpha);
        }
        if (tint.strength > 0.0f) {
            const float limit_px = 2.0f * cell_px;
            const Spot spot((x + 0.5f) / limit_px - 0.5f, (y + 0.5f) / limit_px - 0.5f, limit_columns, limit_rows);
            const float2 limit_near = spot.of(limits);
            const float excess = fmaxf(b * tint.b + g * tint.g + r * tint.r - limit_near.x, 0.0f) * limit_near.y;
            b -= excess * tint.b;
            g -= excess * tint.g;
            r -= excess * tint.r;
        }
        return {fixed(behind.b + alpha * (b - behind.b)), fixed(behind.g + alpha * (g - behind.g)),
                fixed(behind.r + alpha * (r - behind.r))};
    }

    __device__ static float own(float seen, float person, float room, float alpha) {
        return fminf(fmaxf(person + alpha * (seen - (room + alpha * (person - room))), 0.0f), 255.0f);
    }
};

__device__ inline Pixel whole(Pixel p) {
    return {p.b >> 16, p.g >> 16, p.r >> 16};
}

// OpenCV's limited-range Y, U and V, 24 bits after the point instead of its 20: the level is then byte 3. Products
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

// An output tells: `put`, for one pixel of whole levels; and `Row`, which takes 16 pixels from a multiple of 16 on,
// four at a time and with 16 bits after the point, and `store`s them.
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
        // chroma: two bytes of each four pixels, of rows with even numbers alone.
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

template <class Layout, class Out, class Person>
__device__ void composite(const unsigned char *frame, const unsigned char *background, const float2 *pairs,
                          unsigned char *out, int width, int height, int small_width, int small_height,
                          const Person &laid) {
    DYNAMIC_SHARED(shared);
    float2 *row = reinterpret_cast<float2 *>(shared);
    const int begin = blockIdx.x * blockDim.x * 16, x = begin + threadIdx.x * 16, y = blockIdx.y;
    const float step = float(small_width) / width;
    const bool fast = Layout::fast(width) && x < width;
    unsigned person[Layout::WORDS], behind[Bgr::WORDS];
    if (fast) {
        Layout::load_row(frame, width, height, x, y, person);
        Bgr::load_row(background, width, height, x, y, behind);
    }
    const int first = int(place(begin, step)),
              last = int(place(min(begin + int(blockDim.x) * 16, width) - 1, step)) + 1;
    pairs_of_row(pairs, small_width, small_height, y, float(small_height) / height, first, last, row);
    __syncthreads();
    PairWalk walk(row, first, step);
    if (fast) {
        typename Out::Row done;
#pragma unroll
        for (int four = 0; four < 4; four++) {
            Pixel p[4];
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const int i = 4 * four + j;
                p[j] = laid.lay(Layout::pixel_in(person, i), Bgr::pixel_in(behind, i), walk.pair_at(x + i), x + i, y);
            }
            done.take(four, (y & 1) == 0, p);
        }
        done.store(out, width, height, x, y);
        return;
    }
    for (int at = x; at < min(x + 16, width); at++) {
        const Pixel mine = Layout::pixel(frame, width, height, at, y),
                    other = Bgr::pixel(background, width, height, at, y);
        Out::put(out, width, height, at, y, whole(laid.lay(mine, other, walk.pair_at(at), at, y)));
    }
}

#define COMPOSE(LAYOUT, NAME, OUT, TO)                                                                                 \
    extern "C" __global__ void composite_##NAME##_##TO(const unsigned char *frame, const unsigned char *background,    \
                                                       const float2 *pairs, unsigned char *out, int width, int height, \
                                                       int small_width, int small_height) {                            \
        composite<LAYOUT, OUT>(frame, background, pairs, out, width, height, small_width, small_height, AsSeen());     \
    }

COMPOSE(Bgr, bgr, ToBgr, bgr)
COMPOSE(Bgr, bgr, ToI420, i420)
COMPOSE(Nv12, nv12, ToBgr, bgr)
COMPOSE(Nv12, nv12, ToI420, i420)
COMPOSE(Yuyv, yuyv, ToBgr, bgr)
COMPOSE(Yuyv, yuyv, ToI420, i420)

// What sources give is BGR: the others would only lengthen the compiling.
#define COMPOSE_OWN(LAYOUT, NAME, OUT, TO)                                                                             \
    extern "C" __global__ void composite_own_##NAME##_##TO(                                                            \
        const unsigned char *frame, const unsigned char *background, const float2 *pairs, unsigned char *out,          \
        int width, int height, int small_width, int small_height, const float4 *colours, const float2 *limits,         \
        const float *sums, int cell_px, int columns, int rows, int limit_columns, int limit_rows, float from,          \
        float to) {                                                                                                    \
        composite<LAYOUT, OUT>(                                                                                        \
            frame, background, pairs, out, width, height, small_width, small_height,                                   \
            Own{colours, limits, cell_px, columns, rows, limit_columns, limit_rows, Tint(sums, from, to)});            \
    }

COMPOSE_OWN(Bgr, bgr, ToBgr, bgr)
COMPOSE_OWN(Bgr, bgr, ToI420, i420)

// BGR that is there already to I420: for pictures that no compose made. Even sides.
extern "C" __global__ void to_i420(const unsigned char *bgr, unsigned char *out, int width, int height) {
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * 16, y = blockIdx.y;
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
    for (int at = x; at < min(x + 16, width); at++)
        ToI420::put(out, width, height, at, y, Bgr::pixel(bgr, width, height, at, y));
}
