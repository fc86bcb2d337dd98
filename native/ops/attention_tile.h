// One tile of attention: some query tokens of a segment, for one key/value head with all its query heads stacked. All
// score matrices are kept transposed, [keys, columns]: keys and values are then read as they lie, a column is one query
// head of one token, and the softmax runs over columns side by side.
#pragma once
#include "core/forest.h"
#include "ops/block_gemm.h"

namespace vsgrpo {

struct AttentionShape {
  int64_t heads, kv_heads, dim;
  int64_t group() const { return heads / kv_heads; }
  int64_t q_stride() const { return heads * dim; }
  int64_t kv_stride() const { return kv_heads * dim; }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(dim)); }
};

struct Tile {
  int64_t segment, first, count;
};

// What every tile of a call reads: k and v [rows, KV, D], and k_t and v_t, which are the same as [KV * D, t_stride]. q, and
// what a tile writes, begin with the forest's row `first_row`.
template <typename T>
struct AttentionInputs {
  AttentionShape shape;
  const Forest& forest;
  bool causal;
  const T *q, *k, *v, *k_t, *v_t;
  int64_t rows, t_stride, first_row = 0;
};

// Everything that the tiles of one thread use again.
template <typename T>
struct TileScratch {
  std::vector<float> scores, d_scores, top, sum, out_t, lse, delta, block;
  std::vector<T> q_t, probabilities, q_n, d_out_t, d_out_n, rounded;
};

// out [N, H * D]; lse [N, H], in nats of the scaled scores.
template <typename T>
void attend_tile(const AttentionInputs<T>& in, const Tile& tile, int64_t kv, T* out, float* lse, TileScratch<T>& scratch);

// What the gradient of a tile reads and where it goes; dk and dv are fp32 and `+=`.
template <typename T>
struct TileGradients {
  const T *out, *d_out;
  const float* lse;
  T* dq;
  float *dk, *dv;
};

template <typename T>
void attend_tile_backward(const AttentionInputs<T>& in, const Tile& tile, int64_t kv, const TileGradients<T>& grads, TileScratch<T>& scratch);

// Decoding rows [first, first + count) of q, which share the prompt that ends in `segment`. The rows' own keys and
// values [steps, KV, D] begin at suffix_k + suffix[i], suffix_v + suffix[i].
template <typename T>
struct DecodeTile {
  int64_t segment, first, count, steps;
  const T *suffix_k, *suffix_v;
  const std::vector<int64_t>& suffix;
};

// out [A, H * D]
template <typename T>
void attend_decode_tile(const AttentionInputs<T>& in, const DecodeTile<T>& tile, int64_t kv, T* out, TileScratch<T>& scratch);

// Tokens of a tile: about 64 columns.
inline int64_t tile_tokens(const AttentionShape& shape) { return std::max<int64_t>(1, 64 / shape.group()); }

}  // namespace vsgrpo
