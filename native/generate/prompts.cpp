#include "generate/prompts.h"

namespace vsgrpo {
namespace {

at::Tensor last_rows(const Batch& prompts, const std::vector<int64_t>& leaves) {
  std::vector<int64_t> last;
  for (const int64_t leaf : leaves) last.push_back(prompts.forest.offsets[static_cast<size_t>(leaf) + 1] - 1);
  return at::tensor(last);
}

}  // namespace

EncodedPrompts encode_prompts(Qwen2VL& model, const Batch& prompts, const GenerateOptions& options) {
  const auto pass = std::make_shared<PromptPass>();
  PassOptions pass_options;
  pass_options.grad = options.keep_prompts;
  pass_options.rows = last_rows(prompts, options.leaves);
  pass_options.cache = &pass->cache;
  pass->hidden = model.hidden(prompts, pass_options);
  EncodedPrompts encoded{pass->hidden.detach(), {}};
  for (const at::Tensor& k : pass->cache.k) encoded.cache.k.push_back(k.detach());
  for (const at::Tensor& v : pass->cache.v) encoded.cache.v.push_back(v.detach());
  if (options.keep_prompts) {
    pass->prompts = prompts;
    pass->rows = pass_options.rows;
    model.keep(pass);
  }
  return encoded;
}

std::vector<int32_t> prompt_ids(const Batch& prompts, int64_t leaf) {
  std::vector<int32_t> ids;
  const int32_t* all = prompts.ids.const_data_ptr<int32_t>();
  for (const int64_t s : prompts.forest.chain(leaf)) {
    ids.insert(ids.end(), all + prompts.forest.begin(s), all + prompts.forest.begin(s) + prompts.forest.length(s));
  }
  return ids;
}

std::vector<int32_t> forbidden_ids(const ModelConfig& config) {
  std::vector<int32_t> ids;
  for (const int64_t id : {config.image_token, config.video_token}) {
    if (id >= 0 && id < config.vocab) ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

}  // namespace vsgrpo
