#include "ops/attention.h"

#include <cstring>

#include "core/buckets.h"
#include "core/gpu.h"
#include "ops/attention_tile.h"
#include "ops/gpu_attention.h"
#include "ops/rows.h"

namespace vsgrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// Of the segments that have queries: those from row `first_row` on.
std::vector<Tile> tiles_of(const Forest& forest, const std::vector<int64_t>& segments, int64_t first_row, int64_t tokens) {
  std::vector<Tile> tiles;
  for (const int64_t s : segments) {
    if (forest.begin(s) < first_row) continue;
    for (int64_t t = 0; t < forest.length(s); t += tokens) tiles.push_back({s, t, std::min(tokens, forest.length(s) - t)});
  }
  return tiles;
}

std::vector<int64_t> all_segments(const Forest& forest) {
  std::vector<int64_t> all(static_cast<size_t>(forest.segments()));
  for (size_t s = 0; s < all.size(); ++s) all[s] = static_cast<int64_t>(s);
  return all;
}

// bfloat16 is computed as such where the processor can, else in float32.
at::ScalarType compute_type(const at::Tensor& q) {
  return q.scalar_type() == at::kBFloat16 && bf16::available() ? at::kBFloat16 : at::kFloat;
}

// [N, heads, D] -> [heads * D, at least N + 16]: products read up to 16 rows past a segment, times 0. Of few widths: the block
// kernels are compiled for them.
at::Tensor transposed_heads(const at::Tensor& x) { return at::constant_pad_nd(x.flatten(1).t(), {0, bucket_rows(x.size(0)) + 16 - x.size(0)}); }

struct Operands {
  at::Tensor q, k, v, k_t, v_t;

  Operands(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values, at::ScalarType type, bool grad)
      : q(queries.to(type).contiguous()), k(keys.to(type).contiguous()), v(values.to(type).contiguous()) {
    if (grad) k_t = transposed_heads(k);
    if (!grad) v_t = transposed_heads(v);
  }

  template <typename T>
  AttentionInputs<T> inputs(const Forest& forest, bool causal) const {
    const auto pointer = [](const at::Tensor& t) { return t.defined() ? t.const_data_ptr<T>() : nullptr; };
    const int64_t t_stride = (k_t.defined() ? k_t : v_t).stride(0), first_row = k.size(0) - q.size(0);
    return {{q.size(1), k.size(1), q.size(2)}, forest, causal, pointer(q), pointer(k), pointer(v), pointer(k_t), pointer(v_t), k.size(0), t_stride,
            first_row};
  }
};

// Runs body(index) for every one of `count`, a scratch per thread.
template <typename T, typename Body>
void for_tiles(int64_t count, const Body& body) {
  parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    TileScratch<T> scratch;
    for (int64_t i = begin; i < end; ++i) body(i, scratch);
    at::native::cpublas::brgemm_release();
  });
}

void zero_padding(at::Tensor& rows, int64_t used) { rows.narrow(0, used, rows.size(0) - used).zero_(); }

// Runs of rows that follow each other and share a prompt, a tile's worth at most: {first, count}.
std::vector<std::pair<int64_t, int64_t>> decode_tiles(const std::vector<DecodeRow>& rows, int64_t tokens) {
  std::vector<std::pair<int64_t, int64_t>> tiles;
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool joins = i > 0 && rows[i].leaf == rows[i - 1].leaf && tiles.back().second < tokens;
    if (joins) ++tiles.back().second;
    else tiles.emplace_back(static_cast<int64_t>(i), 1);
  }
  return tiles;
}

struct ForestAttention : torch::autograd::Function<ForestAttention> {
  static Variable forward(AutogradContext* ctx, const Variable& q, const Variable& k, const Variable& v, const Forest& forest, bool causal) {
    const at::ScalarType type = compute_type(q);
    const Operands operands(q, k, v, type, /*grad=*/false);
    at::Tensor out = at::empty({q.size(0), q.size(1) * q.size(2)}, type), lse = at::empty({q.size(0), q.size(1)}, at::kFloat);
    const int64_t first_row = k.size(0) - q.size(0);
    zero_padding(out, forest.rows() - first_row);
    dispatch_float(out, [&]<typename T>() {
      const auto in = operands.inputs<T>(forest, causal);
      const auto tiles = tiles_of(forest, all_segments(forest), first_row, tile_tokens(in.shape));
      for_tiles<T>(static_cast<int64_t>(tiles.size()) * in.shape.kv_heads, [&](int64_t i, TileScratch<T>& scratch) {
        attend_tile(in, tiles[static_cast<size_t>(i / in.shape.kv_heads)], i % in.shape.kv_heads, out.mutable_data_ptr<T>(),
                    lse.mutable_data_ptr<float>(), scratch);
      });
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
    const at::Tensor out = ctx->saved_data["out"].toTensor(), lse = ctx->saved_data["lse"].toTensor();
    const at::Tensor d_out = grads[0].to(out.scalar_type()).contiguous();
    const Operands operands(saved[0], saved[1], saved[2], out.scalar_type(), /*grad=*/true);
    const Forest forest{ctx->saved_data["offsets"].toIntVector(), ctx->saved_data["parents"].toIntVector()};
    const bool causal = ctx->saved_data["causal"].toBool();
    at::Tensor dq = at::empty_like(operands.q), dk = at::zeros(operands.k.sizes(), at::kFloat), dv = at::zeros_like(dk);
    const int64_t first_row = operands.k.size(0) - operands.q.size(0);
    zero_padding(dq, forest.rows() - first_row);
    const auto trees = forest.trees();
    dispatch_float(out, [&]<typename T>() {
      const auto in = operands.inputs<T>(forest, causal);
      const TileGradients<T> targets{out.const_data_ptr<T>(),   d_out.const_data_ptr<T>(),    lse.const_data_ptr<float>(),
                                     dq.mutable_data_ptr<T>(), dk.mutable_data_ptr<float>(), dv.mutable_data_ptr<float>()};
      // A tree's key gradients are shared by all its segments: one thread works on one (tree, kv head) at a time.
      for_tiles<T>(static_cast<int64_t>(trees.size()) * in.shape.kv_heads, [&](int64_t i, TileScratch<T>& scratch) {
        for (const Tile& tile : tiles_of(forest, trees[static_cast<size_t>(i / in.shape.kv_heads)], first_row, tile_tokens(in.shape))) {
          attend_tile_backward(in, tile, i % in.shape.kv_heads, targets, scratch);
        }
      });
    });
    const auto dtype = saved[0].scalar_type();
    return {dq.to(dtype), dk.to(dtype), dv.to(dtype), Variable(), Variable()};
  }
};

}  // namespace

at::Tensor forest_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const Forest& forest, bool causal) {
  if (on_gpu(q)) return gpu_attention(q, k, v, plan_attention(forest, k.size(0) - q.size(0), causal, q.device()));
  return ForestAttention::apply(q, k, v, forest, causal);
}

at::Tensor forest_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const std::shared_ptr<const AttentionPlan>& plan) {
  return on_gpu(q) ? gpu_attention(q, k, v, plan) : ForestAttention::apply(q, k, v, plan->forest, plan->causal);
}

KvCache::KvCache(const at::Tensor& prompt_k, const at::Tensor& prompt_v, int64_t rows, int64_t max_new_tokens)
    : k(prompt_k.to(compute_type(prompt_k)).contiguous()), v_t(transposed_heads(prompt_v.to(k.scalar_type()))) {
  suffix_k = at::empty({rows, max_new_tokens, k.size(1), k.size(2)}, k.options());
  suffix_v = at::empty_like(suffix_k);
}

void KvCache::append(const std::vector<int64_t>& rows, int64_t step, const at::Tensor& new_k, const at::Tensor& new_v) {
  for (const auto& [from, to] : {std::pair{&new_k, &suffix_k}, {&new_v, &suffix_v}}) {
    const at::Tensor values = from->to(to->scalar_type()).contiguous();
    const size_t bytes = static_cast<size_t>(values.stride(0) * values.element_size());
    const auto* source = static_cast<const char*>(values.const_data_ptr());
    auto* cache = static_cast<char*>(to->mutable_data_ptr());
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto place = static_cast<size_t>(rows[i] * to->size(1) + step);
      std::memcpy(cache + place * bytes, source + i * bytes, bytes);
    }
  }
}

at::Tensor decode_attention(const at::Tensor& q, const Forest& prompts, const KvCache& cache, const std::vector<DecodeRow>& rows,
                            int64_t steps) {
  const at::Tensor queries = q.to(cache.k.scalar_type()).contiguous();
  const AttentionShape shape{q.size(1), cache.k.size(1), q.size(2)};
  at::Tensor out = at::empty({q.size(0), shape.q_stride()}, queries.options());
  out.narrow(0, static_cast<int64_t>(rows.size()), q.size(0) - static_cast<int64_t>(rows.size())).zero_();
  std::vector<int64_t> suffix;
  for (const DecodeRow& row : rows) suffix.push_back(row.row * cache.suffix_k.stride(0));
  const auto tiles = decode_tiles(rows, tile_tokens(shape));
  dispatch_float(out, [&]<typename T>() {
    const AttentionInputs<T> in{shape, prompts, false, queries.const_data_ptr<T>(), cache.k.const_data_ptr<T>(), nullptr, nullptr,
                                cache.v_t.const_data_ptr<T>(), cache.k.size(0), cache.v_t.stride(0)};
    for_tiles<T>(static_cast<int64_t>(tiles.size()) * shape.kv_heads, [&](int64_t i, TileScratch<T>& scratch) {
      const auto [first, count] = tiles[static_cast<size_t>(i / shape.kv_heads)];
      const DecodeTile<T> tile{rows[static_cast<size_t>(first)].leaf, first, count, steps, cache.suffix_k.const_data_ptr<T>(),
                               cache.suffix_v.const_data_ptr<T>(), suffix};
      attend_decode_tile(in, tile, i % shape.kv_heads, out.mutable_data_ptr<T>(), scratch);
    });
  });
  return out.to(q.scalar_type());
}

}  // namespace vsgrpo
