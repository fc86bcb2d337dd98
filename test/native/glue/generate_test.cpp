// Generation on a GPU against the CPU engine: the same seeds give the same tokens, whatever batches they were in.
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <atomic>

#include "generate/gpu_batch.h"
#include "generation.h"
#include "model/forward.h"
#include "test_gpu.h"

namespace {

using namespace generation;
using vsgrpo::Completion;
using vsgrpo::GenerateOptions;

const std::vector<const char*> kPrompts = {"text", "image", "video", "mixed"};
constexpr double kClose = 4e-5;  // float32 sums in another order, through a whole model

std::shared_ptr<vsgrpo::Qwen2VL> load(const std::string& name, at::Device device, vsgrpo::ModelOptions options = {}) {
  options.device = device;
  return vsgrpo::Qwen2VL::load(golden::model_dir(name), options);
}

// The model on the CPU, or, with a TestGpu alive, on the GPU.
std::vector<Completion> sample(at::Device device, const GenerateOptions& options) {
  return vsgrpo::generate(*load("tiny-a", device), pack(cases("tiny-a", kPrompts)), options, nullptr);
}

GenerateOptions options_of(int64_t generations, int64_t tokens, float temperature) {
  return options_for(cases("tiny-a", kPrompts), generations, tokens, temperature);
}

void check_same(const std::string& what, const std::vector<Completion>& actual, const std::vector<Completion>& expected, double tolerance) {
  REQUIRE(actual.size() == expected.size());
  double worst = 0;
  size_t tokens = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK_MESSAGE(actual[i].ids == expected[i].ids, what << ": completion " << i << " has other tokens");
    CHECK_EQ(actual[i].stopped, expected[i].stopped);
    if (actual[i].ids != expected[i].ids) continue;
    worst = std::max(worst, golden::max_abs(at::tensor(actual[i].logps), at::tensor(expected[i].logps)));
    tokens += expected[i].ids.size();
  }
  CHECK_MESSAGE(worst <= tolerance, what << ": logps differ by " << worst << ", allowed " << tolerance);
  MESSAGE(what << ": " << expected.size() << " completions, " << tokens << " tokens, logps within " << worst);
}

#ifdef VSGRPO_ON_GPU
struct SmallMemory {};  // no GPU holds what the test asks for
#else
// While it lives, no array of the emulation's device is larger than a GB.
class SmallMemory final : public c10::Allocator {
 public:
  SmallMemory() { c10::SetCPUAllocator(this, kPriority); }
  ~SmallMemory() override { c10::SetCPUAllocator(&whole_, kPriority); }
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes > size_t{1} << 30) TORCH_CHECK_WITH(OutOfMemoryError, false, "tried to allocate ", bytes, " bytes");
    return whole_.allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return whole_.raw_deleter(); }
  void copy_data(void* to, const void* from, size_t bytes) const override { whole_.copy_data(to, from, bytes); }

 private:
  static constexpr uint8_t kPriority = 100;
  c10::Allocator& whole_ = *c10::GetDefaultCPUAllocator();
};
#endif

// Tokens that some of the completions hold, so that these end early and at different steps.
std::vector<int32_t> ends_within(const std::vector<Completion>& completions) {
  std::vector<int32_t> ends;
  for (size_t i = 0; i < 3; ++i) ends.push_back(completions[i * 5].ids[4 + 3 * i]);
  return ends;
}

}  // namespace

TEST_CASE("a GPU samples the CPU engine's tokens, with its log-probabilities") {
  const GenerateOptions options = options_of(3, 12, 0.9f);
  const auto expected = sample(at::kCPU, options);
  const TestGpu gpu;
  check_same("sampled", sample(gpu.device(), options), expected, kClose);
}

TEST_CASE("a GPU samples with a head of its own and one key head") {
  const std::vector<Case> text = cases("tiny-b", {"text"});
  const GenerateOptions options = options_for(text, 6, 12, 0.9f);
  const auto expected = vsgrpo::generate(*load("tiny-b", at::kCPU), pack(text), options, nullptr);
  const TestGpu gpu;
  check_same("own head", vsgrpo::generate(*load("tiny-b", gpu.device()), pack(text), options, nullptr), expected, kClose);
}

TEST_CASE("every rule of the sampler gives the CPU engine's tokens on a GPU") {
  const auto check = [](const std::string& what, const auto& change) {
    GenerateOptions options = options_of(2, 8, 1.2f);
    change(options.sampling);
    const auto expected = sample(at::kCPU, options);
    const TestGpu gpu;
    check_same(what, sample(gpu.device(), options), expected, kClose);
  };
  check("greedy", [](auto& s) { s.temperature = 0; });
  check("top-k", [](auto& s) { s.top_k = 9; });
  check("top-p", [](auto& s) { s.top_p = 0.8f; });
  check("min-p", [](auto& s) { s.min_p = 0.2f; });
  check("repetition penalty", [](auto& s) { s.repetition_penalty = 1.7f; });
  check("greedy with a repetition penalty", [](auto& s) { s.temperature = 0, s.repetition_penalty = 3; });
}

TEST_CASE("rows that wait, batches that shrink and looks at other times change nothing on a GPU") {
  GenerateOptions options = options_of(4, 16, 1.0f);
  options.eos_ids = ends_within(sample(at::kCPU, options));
  const auto expected = sample(at::kCPU, options);
  const auto stopped = std::count_if(expected.begin(), expected.end(), [](const Completion& c) { return c.stopped; });
  CHECK(stopped >= 3 && stopped < 16);  // both kinds, or the batch would not change
  const TestGpu gpu;
  for (const auto& [rows, every] : {std::pair{256, 8}, {3, 4}, {8, 1}, {13, 100}}) {
    options.most_rows = rows, options.poll_every = every;
    const std::string what = "at most " + std::to_string(rows) + " rows, a look every " + std::to_string(every) + " tokens";
    check_same(what, sample(gpu.device(), options), expected, kClose);
  }
}

TEST_CASE("the penalty's memory of tokens follows a row through a GPU's changing batch") {
  GenerateOptions options = options_of(4, 12, 1.0f);
  options.sampling.repetition_penalty = 1.5f;
  options.eos_ids = ends_within(sample(at::kCPU, options));
  const auto expected = sample(at::kCPU, options);
  const TestGpu gpu;
  options.most_rows = 6, options.poll_every = 3;
  check_same("repetition penalty, 6 rows", sample(gpu.device(), options), expected, kClose);
}

TEST_CASE("a call finds nothing of the calls before it on a GPU, though it runs on their buffers and recorded steps") {
  const TestGpu gpu;
  const auto used = load("tiny-a", gpu.device());
  const std::vector<Case> all = cases("tiny-a", kPrompts), few = cases("tiny-a", {"video", "text"});
  GenerateOptions large = options_for(all, 3, 20, 1.0f), small = options_for(few, 6, 10, 0.7f), penalized = options_for(few, 6, 10, 1.0f);
  penalized.sampling.repetition_penalty = 2;
  vsgrpo::generate(*used, pack(all), large, nullptr);
  for (const auto* options : {&small, &penalized, &small}) {
    const auto again = vsgrpo::generate(*used, pack(few), *options, nullptr);
    check_same("after another call", again, vsgrpo::generate(*load("tiny-a", gpu.device()), pack(few), *options, nullptr), 0);
  }
  check_same("the first call again", vsgrpo::generate(*used, pack(all), large, nullptr),
             vsgrpo::generate(*load("tiny-a", gpu.device()), pack(all), large, nullptr), 0);
}

TEST_CASE("a GPU keeps the steps that it recorded for each of the last four rules") {
  const TestGpu gpu;
  const auto model = load("tiny-a", gpu.device());
  const vsgrpo::Batch prompts = pack(cases("tiny-a", kPrompts));
  const auto draw = [&](float temperature) { return vsgrpo::generate(*model, prompts, options_of(2, 8, temperature), nullptr); };
  const auto recorded = [&] { return model->gpu_batch()->recordings(); };
  const auto first = draw(1.0f);
  const int64_t own = recorded();
  CHECK(own > 0);
  draw(0);
  CHECK_EQ(recorded(), 2 * own);
  check_same("after an evaluation", draw(1.0f), first, 0);
  CHECK_EQ(recorded(), 2 * own);
  for (const float temperature : {0.5f, 0.6f, 0.7f, 0.8f}) draw(temperature);
  CHECK_EQ(recorded(), 4 * own);
  check_same("after rules that pushed these out", draw(1.0f), first, 0);
  CHECK_EQ(recorded(), 4 * own);
}

TEST_CASE("adapters take part in a GPU's decoding steps, and a step sees weights that have changed since it was recorded") {
  const auto with_adapters = [](at::Device device) {
    vsgrpo::ModelOptions options;
    options.trainable = true;
    options.lora = vsgrpo::LoraConfig{4, 8, {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}, 3};
    return load("tiny-a", device, options);
  };
  const auto train = [](vsgrpo::Qwen2VL& model, uint64_t seed) {
    at::manual_seed(seed);
    for (const auto& slot : model.adapter_weights()) slot.view().copy_(at::randn(slot.shape) * 0.2);
  };
  const vsgrpo::Batch prompts = pack(cases("tiny-a", kPrompts));
  const GenerateOptions options = options_of(2, 10, 1.0f);
  std::vector<std::vector<Completion>> expected;
  {
    const auto model = with_adapters(at::kCPU);
    for (const uint64_t seed : {1, 2}) train(*model, seed), expected.push_back(vsgrpo::generate(*model, prompts, options, nullptr));
  }
  CHECK(expected[0][0].ids != expected[1][0].ids);
  const TestGpu gpu;
  const auto model = with_adapters(gpu.device());
  for (const uint64_t seed : {1, 2}) {
    train(*model, seed);
    check_same("adapters " + std::to_string(seed), vsgrpo::generate(*model, prompts, options, nullptr), expected[seed - 1], 2 * kClose);
  }
}

TEST_CASE("questions that share a video read its keys once on a GPU and answer as on the CPU") {
  const Case c("tiny-a", "video");
  vsgrpo::Batch batch = golden::batch_of(c);
  const int64_t rows = batch.ids.size(0), shared = rows - 8;
  const at::Tensor tail = batch.ids.narrow(0, shared, 8);
  batch.ids = at::cat({batch.ids, tail.flip(0)});
  batch.positions = at::cat({batch.positions, batch.positions.narrow(1, shared, 8)}, 1).contiguous();
  batch.forest = {{0, shared, rows, rows + 8}, {-1, 0, 0}};
  GenerateOptions options = options_for(cases("tiny-a", {"video", "video"}), 3, 9, 1.0f);
  options.leaves = {2, 1};
  const auto expected = vsgrpo::generate(*load("tiny-a", at::kCPU), batch, options, nullptr);
  const TestGpu gpu;
  options.most_rows = 4;
  check_same("two questions", vsgrpo::generate(*load("tiny-a", gpu.device()), batch, options, nullptr), expected, kClose);
}

TEST_CASE("log-probabilities of a GPU's sampler are those of its forward pass, on prompts kept for training as well") {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const TestGpu gpu;
    vsgrpo::ModelOptions options;
    options.dtype = dtype, options.trainable = true;
    const auto model = load("tiny-a", gpu.device(), options);
    const Case c("tiny-a", "video");
    const vsgrpo::Batch prompt = golden::batch_of(c);
    GenerateOptions generating = options_for(cases("tiny-a", {"video"}), 1, 10, 0.8f);
    generating.keep_prompts = true;
    const auto sampled = vsgrpo::generate(*model, prompt, generating, nullptr)[0];
    const auto [full, targets] = generation::answered(prompt, c["next_position"].item<int>(), sampled.ids);
    const double tolerance = dtype == at::kFloat ? kClose : 0.15;
    for (const bool grad : {true, false}) {  // the first goes on from the kept prompts
      const auto stats = vsgrpo::Forward(model, full, targets, {grad, true, 0.8}).logps();
      golden::check_close(std::string("a GPU's sampler against its forward pass, ") + at::toString(dtype), at::tensor(sampled.logps), stats.logps, tolerance);
    }
  }
}

TEST_CASE("a GPU's generation stops on request, refuses what its kernels cannot do and reports weights that have diverged") {
  const TestGpu gpu;
  const auto model = load("tiny-a", gpu.device());
  const vsgrpo::Batch prompts = pack(cases("tiny-a", kPrompts));
  GenerateOptions options = options_of(1, 4, 1.0f);
  const std::atomic<int> abort{1};
  CHECK_THROWS_WITH(vsgrpo::generate(*model, prompts, options, &abort), "stopped on request");
  options.most_rows = 0;
  CHECK_THROWS_WITH(vsgrpo::generate(*model, prompts, options, nullptr), "mostRows");
  options.most_rows = 4;
  options.eos_ids.assign(9, 1);
  CHECK_THROWS_WITH(vsgrpo::generate(*model, prompts, options, nullptr), "8 end tokens at most, got 9");
  options.eos_ids.clear();
  model->decoder().norm.value.fill_(std::numeric_limits<float>::quiet_NaN());
  CHECK_THROWS_WITH(vsgrpo::generate(*model, prompts, options, nullptr), "diverged");
}

TEST_CASE("a GPU without room for a call says what to lower, and serves the next one") {
  const TestGpu gpu;
  const auto model = load("tiny-a", gpu.device());
  const vsgrpo::Batch prompts = pack(cases("tiny-a", kPrompts));
  GenerateOptions options = options_of(2, 8, 1.0f);
  const auto before = vsgrpo::generate(*model, prompts, options, nullptr);
  GenerateOptions huge = options;
  huge.max_new_tokens = 1 << 30;
  {
    const SmallMemory small;
    CHECK_THROWS_WITH(vsgrpo::generate(*model, prompts, huge, nullptr), "lower maxCompletionLength");
  }
  check_same("after a call that did not fit", vsgrpo::generate(*model, prompts, options, nullptr), before, 0);
}
