#include "ops/attention.h"

#include "core/fast_math.h"
#include "ops/blas.h"

namespace vsgrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr int64_t kTileRows = 64;  // query tokens per tile: bounds the score buffer at kTileRows * group * keys floats

struct Shape {
  int64_t heads, kv_heads, dim;
  int64_t group() const { return heads / kv_heads; }
  int64_t q_stride() const { return heads * dim; }
  int64_t kv_stride() const { return kv_heads * dim; }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(dim)); }
};

// A tile: query tokens [first, first + count) of a segment for one key/value head, all its query heads stacked: row
// t * group + j is query head j of token t.
struct Tile {
  int64_t segment, first, count;
};

std::vector<Tile> tiles_of(const Forest& forest, const std::vector<int64_t>& segments) {
  std::vector<Tile> tiles;
  for (const int64_t s : segments) {
    for (int64_t t = 0; t < forest.length(s); t += kTileRows) tiles.push_back({s, t, std::min(kTileRows, forest.length(s) - t)});
  }
  return tiles;
}

// Copies the query heads of one kv head, tokens [row, row + count), into [count * group, dim], times `factor`.
void gather_heads(const float* x, const Shape& shape, int64_t kv, int64_t row, int64_t count, float factor, std::vector<float>& out) {
  const int64_t block = shape.group() * shape.dim;
  out.resize(static_cast<size_t>(count * block));
  for (int64_t t = 0; t < count; ++t) {
    const float* in = x + (row + t) * shape.q_stride() + kv * block;
    for (int64_t j = 0; j < block; ++j) out[static_cast<size_t>(t * block + j)] = in[j] * factor;
  }
}

// One run of keys that a tile reads, at column `column` of its score matrix.
struct Span {
  int64_t row, length, column;
};

// Ancestors in full; the tile's own segment as far as it can see.
std::vector<Span> spans_of(const Forest& forest, const Tile& tile, bool causal) {
  std::vector<Span> spans;
  int64_t column = 0;
  for (const int64_t s : forest.chain(tile.segment)) {
    const int64_t visible = s == tile.segment && causal ? tile.first + tile.count : forest.length(s);
    spans.push_back({forest.begin(s), visible, column});
    column += visible;
  }
  return spans;
}

int64_t keys_of(const std::vector<Span>& spans) { return spans.back().column + spans.back().length; }

// Keys that token t of the tile may read: they are a prefix of the tile's columns.
int64_t visible_keys(const std::vector<Span>& spans, const Tile& tile, int64_t t, bool causal) {
  return causal ? spans.back().column + tile.first + t + 1 : keys_of(spans);
}

struct Scratch {
  std::vector<float> q, scores, out, d_out, d_scores, dq;
};

// scores [count * group, keys] = q k^T over all spans (q already scaled)
void scores_of(const float* k, const Shape& shape, int64_t kv, const std::vector<Span>& spans, int64_t rows, const std::vector<float>& q,
               std::vector<float>& scores) {
  const int64_t keys = keys_of(spans);
  scores.resize(static_cast<size_t>(rows * keys));
  for (const Span& span : spans) {
    gemm_nt(rows, span.length, shape.dim, {q.data(), shape.dim}, {k + span.row * shape.kv_stride() + kv * shape.dim, shape.kv_stride()},
            0.0f, scores.data() + span.column, keys);
  }
}

// Softmax over the first `visible` scores, zero behind; returns the log-sum-exp.
float softmax_row(float* row, int64_t visible, int64_t keys) {
  float top = row[0];
#pragma omp simd reduction(max : top)
  for (int64_t j = 0; j < visible; ++j) top = std::max(top, row[j]);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < visible; ++j) {
    row[j] = fast_exp(row[j] - top);
    sum += row[j];
  }
  const float inverse = 1.0f / sum;
  for (int64_t j = 0; j < visible; ++j) row[j] *= inverse;
  std::fill(row + visible, row + keys, 0.0f);
  return top + std::log(sum);
}

void forward_tile(const float* q, const float* k, const float* v, const Shape& shape, const Forest& forest, const Tile& tile, int64_t kv,
                  bool causal, float* out, float* lse, Scratch& s) {
  const int64_t group = shape.group(), rows = tile.count * group, first_row = forest.begin(tile.segment) + tile.first;
  const auto spans = spans_of(forest, tile, causal);
  const int64_t keys = keys_of(spans);
  gather_heads(q, shape, kv, first_row, tile.count, shape.scale(), s.q);
  scores_of(k, shape, kv, spans, rows, s.q, s.scores);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t t = r / group;
    lse[(first_row + t) * shape.heads + kv * group + r % group] =
        softmax_row(s.scores.data() + r * keys, visible_keys(spans, tile, t, causal), keys);
  }
  s.out.assign(static_cast<size_t>(rows * shape.dim), 0.0f);
  for (const Span& span : spans) {
    gemm_nn(rows, shape.dim, span.length, {s.scores.data() + span.column, keys},
            {v + span.row * shape.kv_stride() + kv * shape.dim, shape.kv_stride()}, 1.0f, s.out.data(), shape.dim);
  }
  const int64_t block = group * shape.dim;
  for (int64_t t = 0; t < tile.count; ++t) {
    std::copy_n(s.out.data() + t * block, block, out + (first_row + t) * shape.q_stride() + kv * block);
  }
}

struct Gradients {
  float *dq, *dk, *dv;  // fp32, dk and dv are `+=`
};

// dV += P^T dO, dS = P (dO V^T - rowsum(dO O)), dQ = dS K, dK += dS^T Q; P is recomputed from the saved log-sum-exp.
void backward_tile(const float* q, const float* k, const float* v, const float* out, const float* lse, const float* d_out,
                   const Shape& shape, const Forest& forest, const Tile& tile, int64_t kv, bool causal, const Gradients& grads, Scratch& s) {
  const int64_t group = shape.group(), rows = tile.count * group, dim = shape.dim;
  const int64_t first_row = forest.begin(tile.segment) + tile.first;
  const auto spans = spans_of(forest, tile, causal);
  const int64_t keys = keys_of(spans);
  gather_heads(q, shape, kv, first_row, tile.count, shape.scale(), s.q);
  gather_heads(out, shape, kv, first_row, tile.count, 1.0f, s.out);
  gather_heads(d_out, shape, kv, first_row, tile.count, 1.0f, s.d_out);
  scores_of(k, shape, kv, spans, rows, s.q, s.scores);
  s.d_scores.resize(s.scores.size());
  for (const Span& span : spans) {
    gemm_nt(rows, span.length, dim, {s.d_out.data(), dim}, {v + span.row * shape.kv_stride() + kv * dim, shape.kv_stride()}, 0.0f,
            s.d_scores.data() + span.column, keys);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t t = r / group, visible = visible_keys(spans, tile, t, causal);
    const float row_lse = lse[(first_row + t) * shape.heads + kv * group + r % group];
    float delta = 0;
    for (int64_t j = 0; j < dim; ++j) delta += s.out[static_cast<size_t>(r * dim + j)] * s.d_out[static_cast<size_t>(r * dim + j)];
    float *p = s.scores.data() + r * keys, *ds = s.d_scores.data() + r * keys;
    for (int64_t j = 0; j < visible; ++j) {
      p[j] = fast_exp(p[j] - row_lse);
      ds[j] = p[j] * (ds[j] - delta);
    }
    std::fill(p + visible, p + keys, 0.0f);
    std::fill(ds + visible, ds + keys, 0.0f);
  }
  s.dq.assign(static_cast<size_t>(rows * dim), 0.0f);
  for (const Span& span : spans) {
    const int64_t at = span.row * shape.kv_stride() + kv * dim;
    gemm_nn(rows, dim, span.length, {s.d_scores.data() + span.column, keys}, {k + at, shape.kv_stride()}, 1.0f, s.dq.data(), dim);
    gemm_tn(span.length, dim, rows, {s.d_scores.data() + span.column, keys}, {s.q.data(), dim}, 1.0f, grads.dk + at, shape.kv_stride());
    gemm_tn(span.length, dim, rows, {s.scores.data() + span.column, keys}, {s.d_out.data(), dim}, 1.0f, grads.dv + at, shape.kv_stride());
  }
  const int64_t block = group * dim;
  for (int64_t t = 0; t < tile.count; ++t) {
    float* to = grads.dq + (first_row + t) * shape.q_stride() + kv * block;
    for (int64_t j = 0; j < block; ++j) to[j] = s.dq[static_cast<size_t>(t * block + j)] * shape.scale();
  }
}

Shape shape_of(const at::Tensor& q, const at::Tensor& k) { return {q.size(1), k.size(1), q.size(2)}; }

struct ForestAttention : torch::autograd::Function<ForestAttention> {
  static Variable forward(AutogradContext* ctx, const Variable& q, const Variable& k, const Variable& v, const Forest& forest, bool causal) {
    const at::Tensor q32 = q.to(at::kFloat).contiguous(), k32 = k.to(at::kFloat).contiguous(), v32 = v.to(at::kFloat).contiguous();
    const Shape shape = shape_of(q, k);
    at::Tensor out = at::empty({q.size(0), shape.q_stride()}, at::kFloat), lse = at::empty({q.size(0), shape.heads}, at::kFloat);
    out.narrow(0, forest.rows(), q.size(0) - forest.rows()).zero_();
    std::vector<int64_t> all(static_cast<size_t>(forest.segments()));
    for (size_t s = 0; s < all.size(); ++s) all[s] = static_cast<int64_t>(s);
    const auto tiles = tiles_of(forest, all);
    const float *qs = q32.const_data_ptr<float>(), *ks = k32.const_data_ptr<float>(), *vs = v32.const_data_ptr<float>();
    float *outs = out.mutable_data_ptr<float>(), *lses = lse.mutable_data_ptr<float>();
    at::parallel_for(0, static_cast<int64_t>(tiles.size()) * shape.kv_heads, 1, [&](int64_t begin, int64_t end) {
      Scratch scratch;
      for (int64_t i = begin; i < end; ++i) {
        forward_tile(qs, ks, vs, shape, forest, tiles[static_cast<size_t>(i / shape.kv_heads)], i % shape.kv_heads, causal, outs, lses, scratch);
      }
    });
    ctx->save_for_backward({q, k, v});
    ctx->saved_data["out"] = out.detach();  // an alias: keeping the output itself would be a reference cycle
    ctx->saved_data["lse"] = lse;
    ctx->saved_data["offsets"] = forest.offsets;
    ctx->saved_data["parents"] = forest.parents;
    ctx->saved_data["causal"] = causal;
    return out.to(q.scalar_type());
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor q = saved[0].to(at::kFloat).contiguous(), k = saved[1].to(at::kFloat).contiguous(), v = saved[2].to(at::kFloat).contiguous();
    const at::Tensor out = ctx->saved_data["out"].toTensor(), lse = ctx->saved_data["lse"].toTensor();
    const at::Tensor d_out = grads[0].to(at::kFloat).contiguous();
    const Forest forest{ctx->saved_data["offsets"].toIntVector(), ctx->saved_data["parents"].toIntVector()};
    const bool causal = ctx->saved_data["causal"].toBool();
    const Shape shape = shape_of(q, k);
    at::Tensor dq = at::empty_like(q), dk = at::zeros_like(k), dv = at::zeros_like(v);
    dq.narrow(0, forest.rows(), q.size(0) - forest.rows()).zero_();
    const Gradients targets{dq.mutable_data_ptr<float>(), dk.mutable_data_ptr<float>(), dv.mutable_data_ptr<float>()};
    const auto trees = forest.trees();
    // A tree's key gradients are shared by all its segments: one thread works on one (tree, kv head) at a time.
    at::parallel_for(0, static_cast<int64_t>(trees.size()) * shape.kv_heads, 1, [&](int64_t begin, int64_t end) {
      Scratch scratch;
      for (int64_t i = begin; i < end; ++i) {
        for (const Tile& tile : tiles_of(forest, trees[static_cast<size_t>(i / shape.kv_heads)])) {
          backward_tile(q.const_data_ptr<float>(), k.const_data_ptr<float>(), v.const_data_ptr<float>(), out.const_data_ptr<float>(),
                        lse.const_data_ptr<float>(), d_out.const_data_ptr<float>(), shape, forest, tile, i % shape.kv_heads, causal, targets,
                        scratch);
        }
      }
    });
    const auto dtype = saved[0].scalar_type();
    return {dq.to(dtype), dk.to(dtype), dv.to(dtype), Variable(), Variable()};
  }
};

// One row, one kv head: scores over all spans, softmax, weighted values.
void decode_head(const float* q, const std::vector<KeySpan>& spans, const Shape& shape, int64_t kv, float* out, Scratch& s) {
  const int64_t group = shape.group(), dim = shape.dim, stride = shape.kv_stride();
  int64_t keys = 0;
  for (const KeySpan& span : spans) keys += span.length;
  gather_heads(q, shape, kv, 0, 1, shape.scale(), s.q);
  s.scores.resize(static_cast<size_t>(group * keys));
  int64_t column = 0;
  for (const KeySpan& span : spans) {
    gemm_nt(group, span.length, dim, {s.q.data(), dim}, {span.k + kv * dim, stride}, 0.0f, s.scores.data() + column, keys);
    column += span.length;
  }
  for (int64_t j = 0; j < group; ++j) softmax_row(s.scores.data() + j * keys, keys, keys);
  float* to = out + kv * group * dim;
  std::fill(to, to + group * dim, 0.0f);
  column = 0;
  for (const KeySpan& span : spans) {
    gemm_nn(group, dim, span.length, {s.scores.data() + column, keys}, {span.v + kv * dim, stride}, 1.0f, to, dim);
    column += span.length;
  }
}

}  // namespace

at::Tensor forest_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const Forest& forest, bool causal) {
  return ForestAttention::apply(q, k, v, forest, causal);
}

at::Tensor decode_attention(const at::Tensor& q, int64_t kv_heads, const std::vector<std::vector<KeySpan>>& spans) {
  const Shape shape{q.size(1), kv_heads, q.size(2)};
  const auto rows = static_cast<int64_t>(spans.size());
  at::Tensor out = at::empty({q.size(0), shape.q_stride()}, at::kFloat);
  out.narrow(0, rows, q.size(0) - rows).zero_();
  const float* qs = q.const_data_ptr<float>();
  float* outs = out.mutable_data_ptr<float>();
  at::parallel_for(0, rows, 4, [&](int64_t begin, int64_t end) {
    Scratch scratch;
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t kv = 0; kv < kv_heads; ++kv) {
        decode_head(qs + row * shape.q_stride(), spans[static_cast<size_t>(row)], shape, kv, outs + row * shape.q_stride(), scratch);
      }
    }
  });
  return out;
}

}  // namespace vsgrpo
