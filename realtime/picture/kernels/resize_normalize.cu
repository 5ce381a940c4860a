// A packed frame to the network's input in one pass: area-averaged resize, rounding, normalization, planes.
//
// Output pixel (X, Y) is the mean of the source rectangle that it covers, as OpenCV's INTER_AREA: with w x h the size
// of the input, source pixel x spans [x w, (x + 1) w) and output pixel X spans [X W, (X + 1) W) on one axis of
// integers, so that each weight, the overlap, is exact. The mean is rounded to a whole grey level, as the CPU path's
// resize returns bytes. A block computes `tile` pixels of one output row: sums down the columns, then along the row.
//
// scale0..2, shift0..2: the normalization of plane 0..2. flip: plane 0 is red. luma: (h, w), the rounded pixel's grey
// level. seen: (h, w), its b, g, r in a word.

__device__ inline int overlap(int at, int from, int to, int unit) {
    return min((at + 1) * unit, to) - max(at * unit, from);
}

template <class Value> struct Normalize {
    Value *input;
    float *luma;
    unsigned *seen;
    int width, height;
    float scale0, scale1, scale2, shift0, shift1, shift2;
    int flip;

    __device__ void put(int x, int y, float b, float g, float r) const {
        const Pixel p = {__float2int_rn(b), __float2int_rn(g), __float2int_rn(r)};
        const int area = width * height, at = y * width + x;
        store(input + at, (flip ? p.r : p.b) * scale0 + shift0);
        store(input + area + at, p.g * scale1 + shift1);
        store(input + 2 * area + at, (flip ? p.b : p.r) * scale2 + shift2);
        luma[at] = gray(p);
        seen[at] = unsigned(p.b) | unsigned(p.g) << 8 | unsigned(p.r) << 16;
    }
};

// The index in shared memory of value i of the column sums. Each thread writes one step, four floats at a time. With
// gaps after every 16 values there are no bank conflicts; with steps of 12 values there are none anyway.
template <class Layout> __device__ inline int slot(int i) {
    return Layout::VALUES == 16 ? i + (i >> 4) * 4 : i;
}

// Sums of VALUES columns over the rows of one output row, to shared memory. Eight reads are in progress at once.
template <class Layout>
__device__ void sum_columns(const unsigned char *frame, int width, int height, int step, int from, int to, int unit,
                            float4 *sums) {
    const int ROWS = 8;
    int total[Layout::VALUES] = {};
    const int last = (to - 1) / unit;
    for (int y = from / unit; y <= last; y += ROWS) {
        unsigned words[ROWS][Layout::STEP_WORDS];
#pragma unroll
        for (int i = 0; i < ROWS; i++)
            if (y + i <= last)
                Layout::load_step(frame, width, height, step, y + i, words[i]);
#pragma unroll
        for (int i = 0; i < ROWS; i++)
            if (y + i <= last) {
                const int weight = overlap(y + i, from, to, unit);
                int values[Layout::VALUES];
                Layout::expand(words[i], values);
#pragma unroll
                for (int j = 0; j < Layout::VALUES; j++)
                    total[j] += weight * values[j];
            }
    }
#pragma unroll
    for (int j = 0; j < Layout::VALUES; j += 4)
        sums[j / 4] = make_float4(total[j], total[j + 1], total[j + 2], total[j + 3]);
}

template <class Layout, class Value>
__device__ void area_row(const unsigned char *frame, int width, int height, int tile, const Normalize<Value> &out) {
    DYNAMIC_SHARED(shared);
    float *sums = shared;
    const int Y = blockIdx.y, first = blockIdx.x * tile, end = min(first + tile, out.width);
    const int top = Y * height, bottom = top + height;
    const int left = first * width / out.width, right = (end * width - 1) / out.width + 1;
    if (Layout::fast(width)) {
        const int step0 = left * 3 / Layout::VALUES, steps = (right * 3 - 1) / Layout::VALUES + 1 - step0;
        for (int i = threadIdx.x; i < steps; i += blockDim.x)
            sum_columns<Layout>(frame, width, height, step0 + i, top, bottom, out.height,
                                reinterpret_cast<float4 *>(sums + slot<Layout>(i * Layout::VALUES)));
    } else {
        for (int x = left + threadIdx.x; x < right; x += blockDim.x) {
            int b = 0, g = 0, r = 0;
            for (int y = top / out.height; y <= (bottom - 1) / out.height; y++) {
                const int weight = overlap(y, top, bottom, out.height);
                const Pixel p = Layout::pixel(frame, width, height, x, y);
                b += weight * p.b;
                g += weight * p.g;
                r += weight * p.r;
            }
            sums[slot<Layout>((x - left) * 3)] = float(b);
            sums[slot<Layout>((x - left) * 3 + 1)] = float(g);
            sums[slot<Layout>((x - left) * 3 + 2)] = float(r);
        }
    }
    __syncthreads();
    // Where the column sums begin: at the step that contains `left`, or at `left` itself.
    const int origin = Layout::fast(width) ? left * 3 / Layout::VALUES * Layout::VALUES : left * 3;
    const float share = 1.0f / (float(width) * float(height));
    for (int X = first + threadIdx.x; X < end; X += blockDim.x) {
        const int from = X * width, to = from + width;
        float b = 0, g = 0, r = 0;
        for (int x = from / out.width; x <= (to - 1) / out.width; x++) {
            const float weight = float(overlap(x, from, to, out.width));
            const int at = x * 3 - origin;
            b += weight * sums[slot<Layout>(at)];
            g += weight * sums[slot<Layout>(at + 1)];
            r += weight * sums[slot<Layout>(at + 2)];
        }
        out.put(X, Y, b * share, g * share, r * share);
    }
}

// For a frame smaller than the input on a side: bilinear, like the CPU path's resize. A thread computes one pixel.
template <class Layout, class Value>
__device__ void linear_pixel(const unsigned char *frame, int width, int height, const Normalize<Value> &out) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= out.width * out.height)
        return;
    const int X = at % out.width, Y = at / out.width;
    const float x = fminf(fmaxf((X + 0.5f) * width / out.width - 0.5f, 0.0f), width - 1.0f);
    const float y = fminf(fmaxf((Y + 0.5f) * height / out.height - 0.5f, 0.0f), height - 1.0f);
    const int x0 = int(x), y0 = int(y), x1 = min(x0 + 1, width - 1), y1 = min(y0 + 1, height - 1);
    const float u = x - x0, v = y - y0;
    const Pixel p = Layout::pixel(frame, width, height, x0, y0), q = Layout::pixel(frame, width, height, x1, y0);
    const Pixel s = Layout::pixel(frame, width, height, x0, y1), t = Layout::pixel(frame, width, height, x1, y1);
    const float w00 = (1 - u) * (1 - v), w01 = u * (1 - v), w10 = (1 - u) * v, w11 = u * v;
    out.put(X, Y, p.b * w00 + q.b * w01 + s.b * w10 + t.b * w11, p.g * w00 + q.g * w01 + s.g * w10 + t.g * w11,
            p.r * w00 + q.r * w01 + s.r * w10 + t.r * w11);
}

#define RESIZE_NORMALIZE(LAYOUT, NAME, TYPE, VALUE)                                                                    \
    extern "C" __global__ void resize_area_##NAME##_##TYPE(                                                            \
        const unsigned char *frame, int width, int height, VALUE *input, float *luma, unsigned *seen, int out_width,   \
        int out_height, float scale0, float scale1, float scale2, float shift0, float shift1, float shift2, int flip,  \
        int tile) {                                                                                                    \
        area_row<LAYOUT>(frame, width, height, tile,                                                                   \
                         Normalize<VALUE>{input, luma, seen, out_width, out_height, scale0, scale1, scale2, shift0,    \
                                          shift1, shift2, flip});                                                      \
    }                                                                                                                  \
    extern "C" __global__ void resize_linear_##NAME##_##TYPE(const unsigned char *frame, int width, int height,        \
                                                             VALUE *input, float *luma, unsigned *seen, int out_width, \
                                                             int out_height, float scale0, float scale1, float scale2, \
                                                             float shift0, float shift1, float shift2, int flip) {     \
        linear_pixel<LAYOUT>(frame, width, height,                                                                     \
                             Normalize<VALUE>{input, luma, seen, out_width, out_height, scale0, scale1, scale2,        \
                                              shift0, shift1, shift2, flip});                                          \
    }

RESIZE_NORMALIZE(Bgr, bgr, f16, Half)
RESIZE_NORMALIZE(Bgr, bgr, f32, float)
RESIZE_NORMALIZE(Nv12, nv12, f16, Half)
RESIZE_NORMALIZE(Nv12, nv12, f32, float)
RESIZE_NORMALIZE(Yuyv, yuyv, f16, Half)
RESIZE_NORMALIZE(Yuyv, yuyv, f32, float)
