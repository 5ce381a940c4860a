// `move_edge` and `sharpen_edge` of picture/edges.py, one step: alpha (h, w) is mixed with the largest (grows) or
// smallest of itself and its four neighbours, then made steeper around one half.
extern "C" __global__ void move_edge(const float *alpha, float *moved, int width, int height, int grows, float share,
                                     float steeper) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= width * height)
        return;
    const int x = at % width, y = at / width;
    const float here = alpha[at], left = alpha[at - (x > 0)], right = alpha[at + (x + 1 < width)];
    const float up = alpha[at - (y > 0 ? width : 0)], down = alpha[at + (y + 1 < height ? width : 0)];
    const float most = fmaxf(fmaxf(fmaxf(left, right), fmaxf(up, down)), here);
    const float least = fminf(fminf(fminf(left, right), fminf(up, down)), here);
    const float mixed = here + share * ((grows ? most : least) - here);
    moved[at] = steeper == 1.0f ? mixed : __saturatef((mixed - 0.5f) * steeper + 0.5f);
}
