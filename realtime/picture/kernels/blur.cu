// The blurred room without the person: picture/blur.py, whose constants are passed in. Cells are those of
// foreground.cu. The result is a full-size background, like an uploaded one.

// What the network saw, (h, w), weighted by 1 - edge * (the largest alpha of the 3 x 3 pixels around), at least 0.
extern "C" __global__ void blur_known(const unsigned *seen, const float *alpha, float4 *known, int width, int height,
                                      float edge) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= width * height)
        return;
    float most = 0.0f;
    for (int j = -1; j <= 1; j++)
        for (int i = -1; i <= 1; i++)
            most = fmaxf(most,
                         alpha[clamped(at / width + j, 0, height - 1) * width + clamped(at % width + i, 0, width - 1)]);
    known[at] = times(colour_of(seen[at]), __saturatef(1.0f - edge * most));
}

// Means over the rectangles that the new cells cover. There are no more new cells than old ones.
extern "C" __global__ void blur_resize(const float4 *cells, float4 *out, int columns, int rows, int new_columns,
                                       int new_rows) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= new_columns * new_rows)
        return;
    const int left = at % new_columns * columns, right = left + columns, top = at / new_columns * rows,
              bottom = top + rows;
    float4 sum = make_float4(0, 0, 0, 0);
    for (int y = top / new_rows; y <= (bottom - 1) / new_rows; y++)
        for (int x = left / new_columns; x <= (right - 1) / new_columns; x++) {
            const int weight = overlap(x, left, right, new_columns) * overlap(y, top, bottom, new_rows);
            sum = plus(sum, times(cells[y * columns + x], float(weight)));
        }
    out[at] = times(sum, 1.0f / (float(columns) * float(rows)));
}

// The room without holes: known + (1 - weight) * filled, where `filled` has a size of its own.
extern "C" __global__ void blur_join(const float4 *known, const float4 *filled, float4 *whole, int columns, int rows,
                                     int filled_columns, int filled_rows) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= columns * rows)
        return;
    const Bilinear cell((at % columns + 0.5f) * filled_columns / columns - 0.5f,
                        (at / columns + 0.5f) * filled_rows / rows - 0.5f, filled_columns, filled_rows);
    whole[at] = plus(known[at], times(cell.of(filled), 1.0f - known[at].w));
}

// One direction of a Gaussian, borders repeated. down: 0 along rows, 1 along columns.
extern "C" __global__ void blur_gaussian(const float4 *cells, float4 *out, int columns, int rows, int down, int radius,
                                         float sigma) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= columns * rows)
        return;
    const int x = at % columns, y = at / columns;
    const float fall = -0.5f / (sigma * sigma);
    float4 sum = make_float4(0, 0, 0, 0);
    float weights = 0.0f;
    for (int i = -radius; i <= radius; i++) {
        const float weight = expf(fall * float(i * i));
        const int from =
            down ? clamped(y + i, 0, rows - 1) * columns + x : y * columns + clamped(x + i, 0, columns - 1);
        sum = plus(sum, times(cells[from], weight));
        weights += weight;
    }
    out[at] = times(sum, 1.0f / weights);
}

__device__ inline float4 rounded(float4 colour) {
    return make_float4(clamped(__float2int_rn(colour.x), 0, 255), clamped(__float2int_rn(colour.y), 0, 255),
                       clamped(__float2int_rn(colour.z), 0, 255), 0.0f);
}

// Cells to (H, W, 3) bytes, bilinear. A thread writes four pixels of a row: as three words where rows are aligned.
extern "C" __global__ void blur_enlarge(const float4 *cells, unsigned char *out, int columns, int rows, int width,
                                        int height) {
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * 4, y = blockIdx.y;
    if (x >= width)
        return;
    const float position_y = (y + 0.5f) * rows / height - 0.5f, step = float(columns) / width;
    int bytes[12];
    for (int i = 0; i < 4; i++) {
        const Bilinear cell((x + i + 0.5f) * step - 0.5f, position_y, columns, rows);
        const float4 made = rounded(cell.mean(rounded(cells[cell.upper_left]), rounded(cells[cell.upper_right]),
                                              rounded(cells[cell.lower_left]), rounded(cells[cell.lower_right])));
        bytes[3 * i] = int(made.x);
        bytes[3 * i + 1] = int(made.y);
        bytes[3 * i + 2] = int(made.z);
    }
    unsigned char *at = out + (size_t(y) * width + x) * 3;
    if (width % 4 == 0) {
        unsigned *words = reinterpret_cast<unsigned *>(at);
        for (int i = 0; i < 3; i++)
            words[i] = bytes[4 * i] | bytes[4 * i + 1] << 8 | bytes[4 * i + 2] << 16 | unsigned(bytes[4 * i + 3]) << 24;
        return;
    }
    for (int i = 0; i < 3 * min(4, width - x); i++)
        at[i] = bytes[i];
}
