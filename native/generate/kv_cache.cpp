#include "generate/kv_cache.h"

#include <algorithm>

namespace vsgrpo {

KvCache::KvCache(PromptCache prompts, const Forest& forest, const std::vector<int64_t>& leaves, int64_t rows, int64_t max_new_tokens)
    : prompts_(std::move(prompts)) {
  for (const int64_t leaf : leaves) {
    auto& chain = chains_.emplace_back();
    for (const int64_t s : forest.chain(leaf)) chain.push_back({forest.begin(s), forest.length(s)});
  }
  for (const at::Tensor& k : prompts_.k) {
    suffix_k_.push_back(at::empty({rows, max_new_tokens, k.size(1), k.size(2)}, at::kFloat));
    suffix_v_.push_back(at::empty_like(suffix_k_.back()));
  }
}

void KvCache::append(size_t layer, const std::vector<int64_t>& rows, int64_t step, const at::Tensor& k, const at::Tensor& v) {
  const at::Tensor k32 = k.to(at::kFloat).contiguous(), v32 = v.to(at::kFloat).contiguous();
  at::Tensor &to_k = suffix_k_[layer], &to_v = suffix_v_[layer];
  const int64_t width = k.size(1) * k.size(2), row_stride = to_k.stride(0);
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t at = rows[i] * row_stride + step * width, from = static_cast<int64_t>(i) * width;
    std::copy_n(k32.const_data_ptr<float>() + from, width, to_k.mutable_data_ptr<float>() + at);
    std::copy_n(v32.const_data_ptr<float>() + from, width, to_v.mutable_data_ptr<float>() + at);
  }
}

std::vector<std::vector<KeySpan>> KvCache::spans(size_t layer, const std::vector<int64_t>& rows, int64_t group, int64_t steps) const {
  const float *pk = prompts_.k[layer].const_data_ptr<float>(), *pv = prompts_.v[layer].const_data_ptr<float>();
  const float *sk = suffix_k_[layer].const_data_ptr<float>(), *sv = suffix_v_[layer].const_data_ptr<float>();
  const int64_t width = prompts_.k[layer].stride(0), row_stride = suffix_k_[layer].stride(0);
  std::vector<std::vector<KeySpan>> spans(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const Run& run : chains_[static_cast<size_t>(rows[i] / group)]) {
      if (run.length > 0) spans[i].push_back({pk + run.row * width, pv + run.row * width, run.length});
    }
    spans[i].push_back({sk + rows[i] * row_stride, sv + rows[i] * row_stride, steps});
  }
  return spans;
}

}  // namespace vsgrpo
