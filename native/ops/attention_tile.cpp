#include "ops/attention_tile.h"

#include "core/fast_math.h"
#include "core/rounding.h"

namespace vsgrpo {
namespace {

constexpr int64_t kKeyBlock = 128;
constexpr int64_t kUnit = 16;  // columns and inner lengths are padded to it: few shapes, so few compiled kernels

int64_t padded(int64_t n) { return rounded_up(n, kUnit); }

// A run of keys that the tile reads; `column` is where it begins in the tile's (padded) score matrix.
struct Span {
  int64_t row, length, column;
  bool own;  // the tile's own segment
};

template <typename T>
std::vector<Span> spans_of(const AttentionInputs<T>& in, const Tile& tile) {
  std::vector<Span> spans;
  int64_t column = 0;
  for (const int64_t s : in.forest.chain(tile.segment)) {
    const bool own = s == tile.segment;
    const int64_t visible = own && in.causal ? tile.first + tile.count : in.forest.length(s);
    if (visible > 0) spans.push_back({in.forest.begin(s), visible, column, own});
    column += padded(visible);
  }
  return spans;
}

// The columns of a tile: query head c % group of token c / group, padded. `row` counts from the first that has a query.
struct Columns {
  int64_t row, group, count, padded;
  int64_t offset(const AttentionShape& shape, int64_t kv, int64_t c) const {
    return (row + c / group) * shape.q_stride() + (kv * group + c % group) * shape.dim;
  }
};

template <typename T>
Columns columns_of(const AttentionInputs<T>& in, const Tile& tile) {
  const int64_t count = tile.count * in.shape.group();
  return {in.forest.begin(tile.segment) + tile.first - in.first_row, in.shape.group(), count, padded(count)};
}

// x's columns as B: value d of column c goes to index(c, d).
template <typename T, typename Index>
void pack(const T* x, const AttentionShape& shape, int64_t kv, const Columns& columns, std::vector<T>& out, const Index& index) {
  out.assign(static_cast<size_t>(shape.dim * columns.padded), T(0.0f));
  for (int64_t c = 0; c < columns.count; ++c) {
    const T* from = x + columns.offset(shape, kv, c);
    for (int64_t d = 0; d < shape.dim; ++d) out[static_cast<size_t>(index(c, d))] = from[d];
  }
}

// As B [dim, columns].
template <typename T>
void pack_columns(const T* x, const AttentionShape& shape, int64_t kv, const Columns& columns, std::vector<T>& out) {
  pack(x, shape, kv, columns, out, [n = columns.padded](int64_t c, int64_t d) { return packed_index<T>(d, c, n); });
}

// As B [columns, dim].
template <typename T>
void pack_rows(const T* x, const AttentionShape& shape, int64_t kv, const Columns& columns, std::vector<T>& out) {
  pack(x, shape, kv, columns, out, [dim = shape.dim](int64_t c, int64_t d) { return packed_index<T>(c, d, dim); });
}

// The first column that may read key `key` of a span.
template <typename T>
int64_t first_visible(const AttentionInputs<T>& in, const Tile& tile, const Span& span, int64_t key) {
  return span.own && in.causal ? std::max<int64_t>(0, key - tile.first) * in.shape.group() : 0;
}

// Rows [first, first + count) of x (keys or values) times B [dim, columns]. Where x goes on, a block is rounded up to whole
// units: what comes behind `count` is for the caller to overwrite.
template <typename T>
void times_columns(const AttentionInputs<T>& in, const T* x, int64_t kv, int64_t first, int64_t count, const std::vector<T>& b, int64_t columns,
                   float* c) {
  const AttentionShape& shape = in.shape;
  for (int64_t i = 0; i < count; i += kKeyBlock) {
    const int64_t exact = std::min(kKeyBlock, count - i), rows = first + i + padded(exact) <= in.rows ? padded(exact) : exact;
    block_gemm({rows, columns, shape.dim}, x + (first + i) * shape.kv_stride() + kv * shape.dim, shape.kv_stride(), b.data(), false,
               c + i * columns, columns);
  }
}

// e^(scale (s - top)) of the visible scores, 0 of the others; top and sum by column.
template <typename T>
void softmax_columns(const AttentionInputs<T>& in, const Tile& tile, const std::vector<Span>& spans, int64_t columns, TileScratch<T>& s) {
  const float scale = in.shape.scale();
  s.top.assign(static_cast<size_t>(columns), -std::numeric_limits<float>::infinity());
  s.sum.assign(static_cast<size_t>(columns), 0.0f);
  float *top = s.top.data(), *sum = s.sum.data();
  for (const Span& span : spans) {
    for (int64_t i = 0; i < span.length; ++i) {
      const float* row = s.scores.data() + (span.column + i) * columns;
#pragma omp simd
      for (int64_t c = first_visible(in, tile, span, i); c < columns; ++c) top[c] = std::max(top[c], row[c]);
    }
  }
  for (const Span& span : spans) {
    for (int64_t i = 0; i < span.length; ++i) {
      float* row = s.scores.data() + (span.column + i) * columns;
      const int64_t begin = first_visible(in, tile, span, i);
      std::fill(row, row + begin, 0.0f);
#pragma omp simd
      for (int64_t c = begin; c < columns; ++c) {
        row[c] = fast_exp(scale * (row[c] - top[c]));
        sum[c] += row[c];
      }
    }
    float* end = s.scores.data() + (span.column + span.length) * columns;
    std::fill(end, end + (padded(span.length) - span.length) * columns, 0.0f);
  }
}

// Rows [0, count) of x [count, columns] as B; count is a multiple of kUnit.
template <typename T>
void pack_matrix(const float* x, int64_t count, int64_t columns, T* out) {
  if constexpr (kInnerPack<T> == 1) {
    std::copy_n(x, count * columns, out);
  } else {
    for (int64_t k = 0; k < count; k += 2, x += 2 * columns, out += 2 * columns) {
      for (int64_t c = 0; c < columns; ++c) {
        out[2 * c] = T(x[c]);
        out[2 * c + 1] = T(x[columns + c]);
      }
    }
  }
}

// p = e^(scale s - lse), ds = scale p (dp - delta) for one block of keys, in place of s and dp.
template <typename T>
void gradient_block(const AttentionInputs<T>& in, const Tile& tile, const Span& span, int64_t first, int64_t count, int64_t columns,
                    TileScratch<T>& s) {
  const float scale = in.shape.scale(), *lse = s.lse.data(), *delta = s.delta.data();
  for (int64_t i = 0; i < count; ++i) {
    float *p = s.scores.data() + i * columns, *ds = s.d_scores.data() + i * columns;
    const int64_t begin = first_visible(in, tile, span, first + i);
    std::fill(p, p + begin, 0.0f);
    std::fill(ds, ds + begin, 0.0f);
#pragma omp simd
    for (int64_t c = begin; c < columns; ++c) {
      p[c] = fast_exp(scale * p[c] - lse[c]);
      ds[c] = scale * p[c] * (ds[c] - delta[c]);
    }
  }
  std::fill_n(s.scores.data() + count * columns, (padded(count) - count) * columns, 0.0f);
  std::fill_n(s.d_scores.data() + count * columns, (padded(count) - count) * columns, 0.0f);
}

// out_t [dim, columns] = values times probabilities over the spans of the forest.
template <typename T>
void times_values(const AttentionInputs<T>& in, int64_t kv, const std::vector<Span>& spans, int64_t columns, TileScratch<T>& s) {
  s.probabilities.resize(s.scores.size());
  pack_matrix(s.scores.data(), static_cast<int64_t>(s.scores.size()) / columns, columns, s.probabilities.data());
  s.out_t.resize(static_cast<size_t>(in.shape.dim * columns));
  for (const Span& span : spans) {
    block_gemm({in.shape.dim, columns, padded(span.length)}, in.v_t + kv * in.shape.dim * in.t_stride + span.row, in.t_stride,
               s.probabilities.data() + span.column * columns, /*add=*/span.column > 0, s.out_t.data(), columns);
  }
}

// out_t over the sums, into the columns' places.
template <typename T>
void write_columns(const AttentionShape& shape, int64_t kv, const Columns& columns, const TileScratch<T>& s, T* out) {
  for (int64_t c = 0; c < columns.count; ++c) {
    const float inverse = 1.0f / s.sum[static_cast<size_t>(c)];
    T* to = out + columns.offset(shape, kv, c);
    for (int64_t d = 0; d < shape.dim; ++d) to[d] = T(s.out_t[static_cast<size_t>(d * columns.padded + c)] * inverse);
  }
}

// The scores of each row's own keys, in the columns of its query heads.
template <typename T>
void suffix_scores(const AttentionInputs<T>& in, const DecodeTile<T>& tile, int64_t kv, const Columns& columns, float* scores) {
  const AttentionShape& shape = in.shape;
  for (int64_t c = 0; c < columns.count; ++c) {
    const T* q = in.q + columns.offset(shape, kv, c);
    const T* k = tile.suffix_k + tile.suffix[static_cast<size_t>(tile.first + c / columns.group)] + kv * shape.dim;
    for (int64_t i = 0; i < tile.steps; ++i, k += shape.kv_stride()) {
      float dot = 0;
#pragma omp simd reduction(+ : dot)
      for (int64_t d = 0; d < shape.dim; ++d) dot += static_cast<float>(q[d]) * static_cast<float>(k[d]);
      scores[i * columns.padded + c] = dot;
    }
  }
}

// out_t += the rows' own values times their probabilities, rounded as the products of a whole sequence round them.
template <typename T>
void add_suffix_values(const AttentionInputs<T>& in, const DecodeTile<T>& tile, int64_t kv, const Columns& columns, const float* p,
                       TileScratch<T>& s) {
  const AttentionShape& shape = in.shape;
  std::vector<float> sum(static_cast<size_t>(shape.dim));
  for (int64_t c = 0; c < columns.count; ++c) {
    std::fill(sum.begin(), sum.end(), 0.0f);
    const T* v = tile.suffix_v + tile.suffix[static_cast<size_t>(tile.first + c / columns.group)] + kv * shape.dim;
    for (int64_t i = 0; i < tile.steps; ++i, v += shape.kv_stride()) {
      const float weight = static_cast<float>(T(p[i * columns.padded + c]));
      for (int64_t d = 0; d < shape.dim; ++d) sum[static_cast<size_t>(d)] += weight * static_cast<float>(v[d]);
    }
    for (int64_t d = 0; d < shape.dim; ++d) s.out_t[static_cast<size_t>(d * columns.padded + c)] += sum[static_cast<size_t>(d)];
  }
}

// Rows [0, count) of `to` += x [count, columns] b [columns, dim]: by way of a block of whole units, because the rows behind
// `count` are another thread's.
template <typename T>
void add_product(const std::vector<float>& x, const std::vector<T>& b, const AttentionShape& shape, int64_t count, int64_t columns, float* to,
              TileScratch<T>& s) {
  const int64_t rows = padded(count);
  s.rounded.resize(static_cast<size_t>(rows * columns));
  for (size_t i = 0; i < s.rounded.size(); ++i) s.rounded[i] = T(x[i]);
  s.block.resize(static_cast<size_t>(rows * shape.dim));
  block_gemm({rows, shape.dim, columns}, s.rounded.data(), columns, b.data(), false, s.block.data(), shape.dim);
  for (int64_t i = 0; i < count; ++i, to += shape.kv_stride()) {
    for (int64_t d = 0; d < shape.dim; ++d) to[d] += s.block[static_cast<size_t>(i * shape.dim + d)];
  }
}

}  // namespace

template <typename T>
void attend_tile(const AttentionInputs<T>& in, const Tile& tile, int64_t kv, T* out, float* lse, TileScratch<T>& s) {
  const AttentionShape& shape = in.shape;
  const Columns columns = columns_of(in, tile);
  const auto spans = spans_of(in, tile);
  const int64_t keys = spans.back().column + padded(spans.back().length), n = columns.padded;
  pack_columns(in.q, shape, kv, columns, s.q_t);
  s.scores.resize(static_cast<size_t>(keys * n));
  for (const Span& span : spans) times_columns(in, in.k, kv, span.row, span.length, s.q_t, n, s.scores.data() + span.column * n);
  softmax_columns(in, tile, spans, n, s);
  times_values(in, kv, spans, n, s);
  write_columns(shape, kv, columns, s, out);
  for (int64_t c = 0; c < columns.count; ++c) {
    lse[(columns.row + c / columns.group) * shape.heads + kv * columns.group + c % columns.group] =
        shape.scale() * s.top[static_cast<size_t>(c)] + std::log(s.sum[static_cast<size_t>(c)]);
  }
}

template <typename T>
void attend_decode_tile(const AttentionInputs<T>& in, const DecodeTile<T>& tile, int64_t kv, T* out, TileScratch<T>& s) {
  const AttentionShape& shape = in.shape;
  const int64_t count = tile.count * shape.group(), n = padded(count);
  const Columns columns{tile.first, shape.group(), count, n};
  const Tile prompt{tile.segment, 0, 0};
  std::vector<Span> spans = spans_of(in, prompt);
  const int64_t own = spans.back().column + padded(spans.back().length);
  pack_columns(in.q, shape, kv, columns, s.q_t);
  s.scores.assign(static_cast<size_t>((own + padded(tile.steps)) * n), 0.0f);
  for (const Span& span : spans) times_columns(in, in.k, kv, span.row, span.length, s.q_t, n, s.scores.data() + span.column * n);
  suffix_scores(in, tile, kv, columns, s.scores.data() + own * n);
  std::vector<Span> all = spans;
  all.push_back({0, tile.steps, own, false});
  softmax_columns(in, prompt, all, n, s);
  times_values(in, kv, spans, n, s);
  add_suffix_values(in, tile, kv, columns, s.scores.data() + own * n, s);
  write_columns(shape, kv, columns, s, out);
}

template <typename T>
void attend_tile_backward(const AttentionInputs<T>& in, const Tile& tile, int64_t kv, const TileGradients<T>& grads, TileScratch<T>& s) {
  const AttentionShape& shape = in.shape;
  const Columns columns = columns_of(in, tile);
  const int64_t n = columns.padded, dim = shape.dim;
  pack_columns(in.q, shape, kv, columns, s.q_t);
  pack_rows(in.q, shape, kv, columns, s.q_n);
  pack_columns(grads.d_out, shape, kv, columns, s.d_out_t);
  pack_rows(grads.d_out, shape, kv, columns, s.d_out_n);
  // Padded columns have neither queries nor gradients; a large lse makes their probabilities 0.
  s.lse.assign(static_cast<size_t>(n), 1e30f);
  s.delta.assign(static_cast<size_t>(n), 0.0f);
  for (int64_t c = 0; c < columns.count; ++c) {
    const int64_t at = columns.offset(shape, kv, c);
    float dot = 0;
    for (int64_t d = 0; d < dim; ++d) dot += static_cast<float>(grads.out[at + d]) * static_cast<float>(grads.d_out[at + d]);
    s.delta[static_cast<size_t>(c)] = dot;
    s.lse[static_cast<size_t>(c)] = grads.lse[(columns.row + c / columns.group) * shape.heads + kv * columns.group + c % columns.group];
  }
  s.out_t.assign(static_cast<size_t>(dim * n), 0.0f);
  s.scores.resize(static_cast<size_t>(kKeyBlock * n));
  s.d_scores.resize(static_cast<size_t>(kKeyBlock * n));
  s.probabilities.resize(static_cast<size_t>(kKeyBlock * n));
  for (const Span& span : spans_of(in, tile)) {
    for (int64_t first = 0; first < span.length; first += kKeyBlock) {
      const int64_t count = std::min(kKeyBlock, span.length - first), row = span.row + first, at = row * shape.kv_stride() + kv * dim;
      times_columns(in, in.k, kv, row, count, s.q_t, n, s.scores.data());
      times_columns(in, in.v, kv, row, count, s.d_out_t, n, s.d_scores.data());
      gradient_block(in, tile, span, first, count, n, s);
      pack_matrix(s.d_scores.data(), padded(count), n, s.probabilities.data());
      add_product(s.scores, s.d_out_n, shape, count, n, grads.dv + at, s);
      add_product(s.d_scores, s.q_n, shape, count, n, grads.dk + at, s);
      block_gemm({dim, n, padded(count)}, in.k_t + kv * dim * in.t_stride + row, in.t_stride, s.probabilities.data(), true, s.out_t.data(), n);
    }
  }
  for (int64_t c = 0; c < columns.count; ++c) {
    T* to = grads.dq + columns.offset(shape, kv, c);
    for (int64_t d = 0; d < dim; ++d) to[d] = T(s.out_t[static_cast<size_t>(d * n + c)]);
  }
}

template void attend_tile(const AttentionInputs<float>&, const Tile&, int64_t, float*, float*, TileScratch<float>&);
template void attend_tile(const AttentionInputs<at::BFloat16>&, const Tile&, int64_t, at::BFloat16*, float*, TileScratch<at::BFloat16>&);
template void attend_decode_tile(const AttentionInputs<float>&, const DecodeTile<float>&, int64_t, float*, TileScratch<float>&);
template void attend_decode_tile(const AttentionInputs<at::BFloat16>&, const DecodeTile<at::BFloat16>&, int64_t, at::BFloat16*,
                                 TileScratch<at::BFloat16>&);
template void attend_tile_backward(const AttentionInputs<float>&, const Tile&, int64_t, const TileGradients<float>&, TileScratch<float>&);
template void attend_tile_backward(const AttentionInputs<at::BFloat16>&, const Tile&, int64_t, const TileGradients<at::BFloat16>&,
                                   TileScratch<at::BFloat16>&);

}  // namespace vsgrpo
