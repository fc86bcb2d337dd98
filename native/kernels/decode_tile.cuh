// One piece of decode attention: the queries of some rows, for the heads that share one key head, over at most
// VSGRPO_DECODE_KEYS keys. In bfloat16 on the tensor cores, straight from global memory to registers; in float32 with plain
// arithmetic.
#pragma once
#include "kernels/device.cuh"
#include "kernels/mma.cuh"

namespace vsgrpo::kernels {

constexpr int kDecodeThreads = 256;
constexpr int kDecodeWarps = kDecodeThreads / static_cast<int>(kWarp);
constexpr int kWarpKeys = VSGRPO_DECODE_KEYS / kDecodeWarps;  // keys of one warp: 32
static_assert(kWarpKeys == 32);

struct DecodeShape {
  int64_t rows;
  int heads, kv_heads;
};

// Keys and values of one key head; tokens follow each other kv_heads * head_dim apart.
template <typename T>
struct DecodeWork {
  int first_row, rows, part, keys;
  const T *k, *v;
};

// What the pieces leave behind: [parts, rows, heads, head_dim], and the base-2 logarithm of the sums [parts, rows, heads].
struct DecodePieces {
  float *values, *lse;
};

// The queries of a piece, one after the other: all heads of the first row that share the key head, then the next row's.
struct Queries {
  DecodeShape shape;
  int first_row, kv_head, count;

  __device__ int group() const { return shape.heads / shape.kv_heads; }
  __device__ int64_t index(int query) const {
    return static_cast<int64_t>(first_row + query / group()) * shape.heads + kv_head * group() + query % group();
  }
  __device__ int64_t place(int query, int part) const { return part * shape.rows * shape.heads + index(query); }
};

template <typename T>
__device__ Queries queries_of(const DecodeWork<T>& work, const DecodeShape& shape, int kv_head) {
  return {shape, work.first_row, kv_head, work.rows * (shape.heads / shape.kv_heads)};
}

// Scores are kept in base 2: e^(q k / sqrt(D)) = 2^(score).
template <int kDim>
__device__ float score_scale() {
  return kLog2e / sqrtf(static_cast<float>(kDim));
}

// float32: a warp for each query, key after key.
template <int kDim>
__device__ void attend_piece(const float* q, const DecodeWork<float>& work, const DecodeShape& shape, int kv_head, const DecodePieces& pieces) {
  constexpr int kOwn = (kDim + 31) / 32;
  const Queries queries = queries_of(work, shape, kv_head);
  const int lane = static_cast<int>(threadIdx.x % kWarp), warp = static_cast<int>(threadIdx.x / kWarp);
  const int64_t stride = static_cast<int64_t>(shape.kv_heads) * kDim;
  const auto value = [&](const float* row, int j) { return lane + 32 * j < kDim ? row[lane + 32 * j] : 0.0f; };
  for (int query = warp; query < queries.count; query += kDecodeWarps) {
    float x[kOwn], sums[kOwn] = {}, top = -INFINITY, sum = 0;
    for (int j = 0; j < kOwn; ++j) x[j] = value(q + queries.index(query) * kDim, j);
    for (int key = 0; key < work.keys; ++key) {
      float dot = 0;
      for (int j = 0; j < kOwn; ++j) dot += x[j] * value(work.k + key * stride, j);
      const float score = warp_reduce(dot, Sum()) * score_scale<kDim>(), higher = fmaxf(top, score);
      const float shrink = exp2f(top - higher), weight = exp2f(score - higher);
      top = higher;
      sum = sum * shrink + weight;
      for (int j = 0; j < kOwn; ++j) sums[j] = sums[j] * shrink + weight * value(work.v + key * stride, j);
    }
    const int64_t place = queries.place(query, work.part);
    for (int j = 0; j < kOwn; ++j) {
      if (lane + 32 * j < kDim) pieces.values[place * kDim + lane + 32 * j] = sums[j] / sum;
    }
    if (lane == 0) pieces.lse[place] = top + log2f(sum);
  }
}

// bfloat16: 16 queries at a time; each warp computes them over its own 32 keys. A lane is 4 g + t, as in mma.cuh. Sums over
// the head's dimensions and over keys may be taken in any order, so each lane reads 16 bytes in a row and the products are
// told a fitting order of dimensions.
template <int kDim>
class DecodeTile {
  static_assert(kDim % 16 == 0);
  static constexpr int kGroups = kDim / 32, kRest = kDim % 32;         // of q and k: 32 dimensions = 16 bytes a lane; 16 = 8 bytes
  static constexpr int kBlocks = kDim / 64, kNarrow = kDim % 64 / 16;  // of v: 64 dimensions = 16 bytes a lane; 16 = 4 bytes
  static constexpr int kTiles = kDim / 8;  // products beside each other in the output

 public:
  struct Shared {
    float tops[kDecodeWarps][16], sums[kDecodeWarps][16];
    float values[kDecodeWarps][8][4][kWarp];  // of 64 dimensions: [warp][tile][register][lane]
  };

  __device__ DecodeTile(const DecodeWork<bf16>& work, const Queries& queries, Shared& shared)
      : work_(work), queries_(queries), shared_(shared), lane_(threadIdx.x % kWarp), warp_(threadIdx.x / kWarp) {
    if (first_key() < work_.keys) load_values();
  }

  // Queries [first, first + 16) into their pieces.
  __device__ void run(const bf16* q, int first, const DecodePieces& pieces) {
    float s[4][4], o[kTiles][4] = {};
    scores(q, first, s);
    weigh(s);
    if (first_key() < work_.keys) add_values(s, o);
#pragma unroll
    for (int block = 0; block < kBlocks; ++block) write<8>(o, block * 8, block * 64, first, pieces);
#pragma unroll
    for (int i = 0; i < kNarrow; ++i) write<2>(o, kBlocks * 8 + i * 2, kBlocks * 64 + i * 16, first, pieces);
  }

 private:
  __device__ int g() const { return static_cast<int>(lane_ / 4); }
  __device__ int t() const { return static_cast<int>(lane_ % 4); }
  __device__ int first_key() const { return static_cast<int>(warp_) * kWarpKeys; }
  __device__ int64_t stride() const { return static_cast<int64_t>(queries_.shape.kv_heads) * kDim; }
  // A row of k or v; keys past the end read the last one, and count for nothing.
  __device__ const bf16* key_row(const bf16* rows, int key) const { return rows + (key < work_.keys ? key : work_.keys - 1) * stride(); }

  template <typename Word>
  __device__ static Word read(const bf16* from) {
    return *reinterpret_cast<const Word*>(from);
  }

  // s = scaled q k^T: two queries (g, g + 8) of the lane at keys 8 n + 2 t and the next; -infinity where there is no key.
  __device__ void scores(const bf16* q, int first, float (&s)[4][4]) const {
    for (int n = 0; n < 4; ++n) {
      for (int i = 0; i < 4; ++i) s[n][i] = 0;
    }
    if (first_key() < work_.keys) {
      const bf16 *low = query_row(q, first + g()), *high = query_row(q, first + g() + 8);
#pragma unroll
      for (int group = 0; group < kGroups; ++group) {
        const int at = group * 32 + t() * 8;
        const uint4 a = read<uint4>(low + at), b = read<uint4>(high + at);
        const uint32_t left[4] = {a.x, b.x, a.y, b.y}, right[4] = {a.z, b.z, a.w, b.w};
#pragma unroll
        for (int n = 0; n < 4; ++n) {
          const uint4 k = read<uint4>(key_row(work_.k, first_key() + 8 * n + g()) + at);
          mma(s[n], left, {k.x, k.y});
          mma(s[n], right, {k.z, k.w});
        }
      }
      if constexpr (kRest > 0) {
        const int at = kGroups * 32 + t() * 4;
        const uint2 a = read<uint2>(low + at), b = read<uint2>(high + at);
#pragma unroll
        for (int n = 0; n < 4; ++n) {
          const uint2 k = read<uint2>(key_row(work_.k, first_key() + 8 * n + g()) + at);
          mma(s[n], {a.x, b.x, a.y, b.y}, {k.x, k.y});
        }
      }
    }
#pragma unroll
    for (int n = 0; n < 4; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const bool there = first_key() + 8 * n + 2 * t() + i % 2 < work_.keys;
        s[n][i] = there ? s[n][i] * score_scale<kDim>() : -INFINITY;
      }
    }
  }

  // Queries past the end repeat the last one; nothing is written for them.
  __device__ const bf16* query_row(const bf16* q, int query) const {
    return q + queries_.index(query < queries_.count ? query : queries_.count - 1) * kDim;
  }

  // Scores to weights under the largest of all warps; leaves tops and sums in shared memory.
  __device__ void weigh(float (&s)[4][4]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float top = -INFINITY;
      for (int n = 0; n < 4; ++n) top = fmaxf(top, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
      top = warp_reduce<4>(top, Larger());
      if (t() == 0) shared_.tops[warp_][g() + 8 * half] = top;
    }
    __syncthreads();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float top = top_of(g() + 8 * half);
      float sum = 0;
      for (int n = 0; n < 4; ++n) {
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          s[n][i] = exp2f(s[n][i] - top);
          sum += s[n][i];
        }
      }
      sum = warp_reduce<4>(sum, Sum());
      if (t() == 0) shared_.sums[warp_][g() + 8 * half] = sum;
    }
  }

  __device__ float top_of(int query) const {
    float top = shared_.tops[0][query];
    for (int warp = 1; warp < kDecodeWarps; ++warp) top = fmaxf(top, shared_.tops[warp][query]);
    return top;
  }
  __device__ float sum_of(int query) const {
    float sum = 0;
    for (int warp = 0; warp < kDecodeWarps; ++warp) sum += shared_.sums[warp][query];
    return sum;
  }

  __device__ static uint32_t pair(float x, float y) {
    const __nv_bfloat162 both = __floats2bfloat162_rn(x, y);
    uint32_t bits;
    memcpy(&bits, &both, sizeof(bits));
    return bits;
  }
  // The low or high halves of two words, the first below.
  template <int kHigh>
  __device__ static uint32_t zip(uint32_t a, uint32_t b) {
    return __byte_perm(a, b, kHigh ? 0x7632 : 0x5410);
  }

  // The lane's part of the warp's values: asked for before anything else, they are there when the scores are.
  __device__ void load_values() {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const bf16* row = key_row(work_.v, first_key() + 16 * half + 2 * t() + i / 2 * 8 + i % 2);
#pragma unroll
        for (int block = 0; block < kBlocks; ++block) wide_[half][block][i] = read<uint4>(row + block * 64 + g() * 8);
#pragma unroll
        for (int j = 0; j < kNarrow; ++j) narrow_[half][j][i] = read<uint32_t>(row + kBlocks * 64 + j * 16 + g() * 2);
      }
    }
  }

  // o += weights v, 16 keys at a time. Tile j of a block of dimensions holds every 8th (narrow: every 2nd) of them.
  __device__ void add_values(const float (&s)[4][4], float (&o)[kTiles][4]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const auto &x = s[2 * half], &y = s[2 * half + 1];
      const uint32_t a[4] = {pair(x[0], x[1]), pair(x[2], x[3]), pair(y[0], y[1]), pair(y[2], y[3])};
#pragma unroll
      for (int block = 0; block < kBlocks; ++block) {
        const uint4(&v)[4] = wide_[half][block];
        add_two(o, block * 8, a, {v[0].x, v[1].x, v[2].x, v[3].x});
        add_two(o, block * 8 + 2, a, {v[0].y, v[1].y, v[2].y, v[3].y});
        add_two(o, block * 8 + 4, a, {v[0].z, v[1].z, v[2].z, v[3].z});
        add_two(o, block * 8 + 6, a, {v[0].w, v[1].w, v[2].w, v[3].w});
      }
#pragma unroll
      for (int i = 0; i < kNarrow; ++i) add_two(o, kBlocks * 8 + i * 2, a, narrow_[half][i]);
    }
  }

  // Two neighbouring dimensions of four keys: one product each.
  __device__ static void add_two(float (&o)[kTiles][4], int tile, const uint32_t (&a)[4], const uint32_t (&v)[4]) {
    mma(o[tile], a, {zip<0>(v[0], v[1]), zip<0>(v[2], v[3])});
    mma(o[tile + 1], a, {zip<1>(v[0], v[1]), zip<1>(v[2], v[3])});
  }

  // Adds the warps' parts of dimensions [dim, dim + 8 kOwn) and writes them. A lane's column c of tile j is dimension
  // dim + c kOwn + j, so the kOwn tiles of one register are neighbours; each thread takes half of them.
  template <int kOwn>
  __device__ void write(const float (&o)[kTiles][4], int tile, int dim, int first, const DecodePieces& pieces) const {
    __syncthreads();
#pragma unroll
    for (int j = 0; j < kOwn; ++j) {
#pragma unroll
      for (int i = 0; i < 4; ++i) shared_.values[warp_][j][i][lane_] = o[tile + j][i];
    }
    __syncthreads();
    const int i = static_cast<int>(warp_ % 4), half = static_cast<int>(warp_ / 4), query = g() + i / 2 * 8, column = 2 * t() + i % 2;
    if (first + query >= queries_.count) return;
    const float sum = sum_of(query);
    const int64_t place = queries_.place(first + query, work_.part);
    Piece<float, kOwn / 2> out;
#pragma unroll
    for (int j = 0; j < kOwn / 2; ++j) {
      float value = 0;
      for (int warp = 0; warp < kDecodeWarps; ++warp) value += shared_.values[warp][half * (kOwn / 2) + j][i][lane_];
      out.values[j] = value / sum;
    }
    store(pieces.values + place * kDim + dim + column * kOwn + half * (kOwn / 2), out);
    if (dim == 0 && column == 0 && half == 0) pieces.lse[place] = top_of(query) + log2f(sum);
  }

  DecodeWork<bf16> work_;
  Queries queries_;
  Shared& shared_;
  unsigned lane_, warp_;
  uint4 wide_[2][kBlocks > 0 ? kBlocks : 1][4] = {};
  uint32_t narrow_[2][kNarrow > 0 ? kNarrow : 1][4] = {};
};

template <int kDim>
__device__ void attend_piece(const bf16* q, const DecodeWork<bf16>& work, const DecodeShape& shape, int kv_head, const DecodePieces& pieces) {
  __shared__ typename DecodeTile<kDim>::Shared shared;
  const Queries queries = queries_of(work, shape, kv_head);
  DecodeTile<kDim> tile(work, queries, shared);
  for (int first = 0; first < queries.count; first += 16) {
    tile.run(q, first, pieces);
    __syncthreads();
  }
}

}  // namespace vsgrpo::kernels
