// Every CUDA kernel at Qwen2-VL 2B's shapes: its time, the fewest bytes it must move, and what share of a plain copy's rate
// that makes. Prints a line of JSON for each; needs a GPU, neither libtorch nor Node.
//   vsgrpo_gpu_bench [part of a kernel's name]
#include <cstdio>
#include <cstring>

#include "gpu.h"
#include "kernels/vsgrpo_kernels.h"
#include "optim/dynamic_code.h"

namespace {

using gpu::Array;

constexpr int64_t kHidden = 1536, kIntermediate = 8960, kVocab = 151936, kHeads = 12, kKvHeads = 2, kHeadDim = 128;
constexpr int64_t kTokens = 16384;  // of a packed training batch
constexpr int64_t kRows = 64;       // of a decoding batch
constexpr bool kHalf = true;

double copy_rate = 0;
const char* wanted = "";

// `bytes`: what is read once and written once.
void measure(const char* name, double bytes, const std::function<int()>& call) {
  if (!std::strstr(name, wanted)) return;
  const gpu::Times t = gpu::time([&] {
    if (call() != VSGRPO_OK) throw std::runtime_error(vsgrpo_kernels_error());
  });
  std::printf("{\"kernel\": \"%s\", \"seconds\": [%.3e, %.3e, %.3e], \"bytes\": %.4e, \"shareOfCopy\": %.3f}\n", name, t.median, t.least,
              t.most, bytes, bytes / t.median / copy_rate);
  std::fflush(stdout);
}

template <typename Args>
Args sized() {
  Args args{};
  args.struct_size = sizeof(Args);
  return args;
}

void token_loss() {
  constexpr int64_t rows = 2048;
  const Array logits = gpu::normal(rows * kVocab, kHalf, 3), gradient(logits.bytes()), targets = gpu::filled<int32_t>(rows, 7);
  const Array numbers = gpu::normal(rows * 4, !kHalf), weights = gpu::filled(rows, 1.0f / rows), correct(rows);
  auto args = sized<vsgrpo_token_loss_args>();
  args.logits_type = args.gradient_type = VSGRPO_BFLOAT16, args.rows = rows, args.vocab = kVocab, args.temperature = 1;
  args.logits = logits.as<void>(), args.targets = targets.as<int32_t>(), args.correct = correct.as<uint8_t>();
  args.logps = numbers.as<float>(), args.entropy = numbers.as<float>() + rows;
  const double row_bytes = static_cast<double>(logits.bytes());
  measure("token_loss statistics", row_bytes, [&] { return vsgrpo_token_loss(&args, nullptr); });
  // Into another array: in place, the next repetition would read gradients for logits.
  args.gradient = gradient.as<void>();
  args.tokens.weights = weights.as<float>(), args.tokens.advantages = numbers.as<float>() + 2 * rows;
  args.tokens.ref_logps = numbers.as<float>() + 3 * rows;
  args.options = {0, 2, 1, 0.2, 0.2, 1e30, 0.04, 1, 1.05};
  measure("token_loss grpo", 2 * row_bytes, [&] { return vsgrpo_token_loss(&args, nullptr); });
}

void add_rms_norm() {
  const Array x = gpu::normal(kTokens * kHidden, kHalf), delta = gpu::normal(kTokens * kHidden, kHalf), weight = gpu::normal(kHidden, kHalf);
  const Array sum(x.bytes()), y(x.bytes()), rstd(kTokens * 4), dweight = gpu::filled(kHidden, 0.0f);
  const Array workspace(static_cast<size_t>(vsgrpo_add_rms_norm_workspace(kTokens, kHidden)) * 4);
  auto args = sized<vsgrpo_add_rms_norm_args>();
  args.type = VSGRPO_BFLOAT16, args.rows = kTokens, args.columns = kHidden, args.eps = 1e-6f;
  args.x = x.as<void>(), args.delta = delta.as<void>(), args.weight = weight.as<void>();
  args.sum = sum.as<void>(), args.y = y.as<void>(), args.rstd = rstd.as<float>();
  const double bytes = static_cast<double>(x.bytes());
  measure("add_rms_norm", 4 * bytes, [&] { return vsgrpo_add_rms_norm(&args, nullptr); });
  auto back = sized<vsgrpo_add_rms_norm_backward_args>();
  back.type = VSGRPO_BFLOAT16, back.rows = kTokens, back.columns = kHidden;
  back.dy = delta.as<void>(), back.dsum = x.as<void>(), back.sum = sum.as<void>(), back.weight = weight.as<void>();
  back.rstd = rstd.as<float>(), back.dx = y.as<void>();
  measure("add_rms_norm backward", 4 * bytes, [&] { return vsgrpo_add_rms_norm_backward(&back, nullptr); });
  back.dweight = dweight.as<float>(), back.workspace = workspace.as<float>();
  measure("add_rms_norm backward with weight", 4 * bytes, [&] { return vsgrpo_add_rms_norm_backward(&back, nullptr); });
  args.rows = kRows;
  measure("add_rms_norm, one token of 64 rows", 4 * bytes * kRows / kTokens, [&] { return vsgrpo_add_rms_norm(&args, nullptr); });
}

void mrope() {
  constexpr int64_t width = (kHeads + 2 * kKvHeads) * kHeadDim;
  const Array qkv = gpu::normal(kTokens * width, kHalf), q(kTokens * kHeads * kHeadDim * 2), k(kTokens * kKvHeads * kHeadDim * 2), v(k.bytes());
  const Array cos = gpu::normal(kTokens * kHeadDim / 2, !kHalf), sin = gpu::normal(kTokens * kHeadDim / 2, !kHalf);
  auto args = sized<vsgrpo_mrope_args>();
  args.type = VSGRPO_BFLOAT16, args.round_products = 1, args.rows = kTokens;
  args.heads = kHeads, args.kv_heads = kKvHeads, args.head_dim = kHeadDim, args.qkv = qkv.as<void>();
  args.cos = cos.as<float>(), args.sin = sin.as<float>(), args.q = q.as<void>(), args.k = k.as<void>(), args.v = v.as<void>();
  measure("mrope", 2.0 * static_cast<double>(qkv.bytes()) + 2.0 * static_cast<double>(cos.bytes()), [&] { return vsgrpo_mrope(&args, nullptr); });
}

void swiglu() {
  const Array gate_up = gpu::normal(2 * kTokens * kIntermediate, kHalf), y(kTokens * kIntermediate * 2), dgate_up(gate_up.bytes());
  auto args = sized<vsgrpo_swiglu_args>();
  args.type = VSGRPO_BFLOAT16, args.rows = kTokens, args.columns = kIntermediate, args.gate_up = gate_up.as<void>(), args.y = y.as<void>();
  measure("swiglu", static_cast<double>(gate_up.bytes() + y.bytes()), [&] { return vsgrpo_swiglu(&args, nullptr); });
  auto back = sized<vsgrpo_swiglu_backward_args>();
  back.type = VSGRPO_BFLOAT16, back.rows = kTokens, back.columns = kIntermediate;
  back.dy = y.as<void>(), back.gate_up = gate_up.as<void>(), back.dgate_up = dgate_up.as<void>();
  measure("swiglu backward", static_cast<double>(2 * gate_up.bytes() + y.bytes()), [&] { return vsgrpo_swiglu_backward(&back, nullptr); });
}

void quick_gelu() {
  constexpr int64_t count = 4 * kTokens * 5120;  // of the vision tower's MLP, four patches for a token
  const Array x = gpu::normal(count, kHalf), y(x.bytes());
  auto args = sized<vsgrpo_quick_gelu_args>();
  args.type = VSGRPO_BFLOAT16, args.count = count, args.x = x.as<void>(), args.y = y.as<void>();
  measure("quick_gelu", static_cast<double>(x.bytes() + y.bytes()), [&] { return vsgrpo_quick_gelu(&args, nullptr); });
}

void sample() {
  const Array logits = gpu::normal(kRows * kVocab, kHalf, 2), seeds = gpu::filled<uint64_t>(kRows, 5), steps = gpu::filled<int32_t>(kRows, 0);
  const Array stopped = gpu::filled<uint8_t>(kRows, 0), tokens(kRows * 4), logps(kRows * 4);
  auto args = sized<vsgrpo_sample_args>();
  args.logits_type = VSGRPO_BFLOAT16, args.rows = kRows, args.vocab = kVocab, args.rows_per_logits = 1;
  args.temperature = args.top_p = args.repetition_penalty = 1, args.logits = logits.as<void>();
  args.seeds = seeds.as<uint64_t>(), args.steps = steps.as<int32_t>(), args.stopped = stopped.as<uint8_t>();
  args.tokens = tokens.as<int32_t>(), args.logps = logps.as<float>();
  const auto bytes = static_cast<double>(logits.bytes());
  measure("sample", bytes, [&] { return vsgrpo_sample(&args, nullptr); });
  args.top_p = 0.9f;
  measure("sample top-p", bytes, [&] { return vsgrpo_sample(&args, nullptr); });
  args.top_p = 1, args.top_k = 50;
  measure("sample top-k", bytes, [&] { return vsgrpo_sample(&args, nullptr); });
}

// 64 rows, prompts of 940 tokens shared by 8, `own` tokens each.
void decode_attention(const char* name, int own) {
  constexpr int64_t prompts = 8, prompt = 940, capacity = 512, parts = (prompt + VSGRPO_DECODE_KEYS - 1) / VSGRPO_DECODE_KEYS;
  constexpr int64_t token = kKvHeads * kHeadDim;
  std::vector<vsgrpo_decode_item> items;
  for (int32_t p = 0; p < prompts; ++p) {
    for (int32_t part = 0; part < parts; ++part) {
      const int32_t first = part * VSGRPO_DECODE_KEYS, keys = std::min<int32_t>(VSGRPO_DECODE_KEYS, prompt - first);
      items.push_back({p * 8, 8, static_cast<int32_t>(p * prompt) + first, keys, part});
    }
  }
  const Array q = gpu::normal(kRows * kHeads * kHeadDim, kHalf), out(q.bytes()), list = gpu::upload(items);
  const Array prompt_k = gpu::normal(prompts * prompt * token, kHalf), prompt_v = gpu::normal(prompts * prompt * token, kHalf);
  const Array own_k = gpu::normal(kRows * capacity * token, kHalf), own_v = gpu::normal(kRows * capacity * token, kHalf);
  const Array prompt_parts = gpu::filled<int32_t>(kRows, parts), lengths = gpu::filled<int32_t>(kRows, own);
  auto args = sized<vsgrpo_decode_attention_args>();
  args.type = VSGRPO_BFLOAT16, args.rows = kRows, args.heads = kHeads, args.kv_heads = kKvHeads, args.head_dim = kHeadDim;
  args.items = static_cast<int64_t>(items.size()), args.max_prompt_parts = parts, args.capacity = capacity;
  args.q = q.as<void>(), args.prompt_k = prompt_k.as<void>(), args.prompt_v = prompt_v.as<void>();
  args.own_k = own_k.as<void>(), args.own_v = own_v.as<void>(), args.prompt_items = list.as<vsgrpo_decode_item>();
  args.prompt_parts = prompt_parts.as<int32_t>(), args.lengths = lengths.as<int32_t>(), args.out = out.as<void>();
  const Array workspace(static_cast<size_t>(vsgrpo_decode_attention_workspace(&args)) * 4);
  args.workspace = workspace.as<float>();
  const double keys = static_cast<double>(prompts * prompt + kRows * own);
  measure(name, 2 * keys * token * 2, [&] { return vsgrpo_decode_attention(&args, nullptr); });
}

void adamw() {
  constexpr int64_t count = kHidden * kIntermediate * 4;
  const Array weight = gpu::normal(count, kHalf), low = gpu::filled<int16_t>(count, 0), grad = gpu::normal(count, !kHalf);
  const Array m = gpu::filled(count, 0.0f), v = gpu::filled(count, 1e-3f), clip(16);
  const Array sums(static_cast<size_t>(vsgrpo_squared_norm_sums(count)) * 8);
  auto norm = sized<vsgrpo_squared_norm_args>();
  norm.count = count, norm.grad = grad.as<void>(), norm.sums = sums.as<double>();
  measure("squared_norm", static_cast<double>(grad.bytes()), [&] { return vsgrpo_squared_norm(&norm, nullptr); });
  auto factor = sized<vsgrpo_clip_args>();
  factor.count = vsgrpo_squared_norm_sums(count), factor.sums = sums.as<double>(), factor.max_norm = 1, factor.clip = clip.as<double>();
  measure("clip", static_cast<double>(sums.bytes()), [&] { return vsgrpo_clip(&factor, nullptr); });
  auto args = sized<vsgrpo_adamw_args>();
  args.weight_type = VSGRPO_BFLOAT16, args.moment_type = VSGRPO_FLOAT32, args.count = count, args.weight = weight.as<void>();
  args.low = low.as<int16_t>(), args.grad = grad.as<void>(), args.m = m.as<void>(), args.v = v.as<void>();
  args.gain1 = 0.1f, args.beta2 = 0.999f, args.gain2 = 0.001f, args.epsilon = 1e-8f, args.step = 1e-6f, args.root = 1, args.keep = 1;
  // Weight, low bits, gradient and moments, read and written.
  measure("adamw", static_cast<double>(count) * 2 * (2 + 2 + 4 + 4 + 4), [&] { return vsgrpo_adamw(&args, nullptr); });
  // Any map does for a time.
  const Array values = gpu::normal(256, !kHalf), cells = gpu::filled<uint32_t>(vsgrpo::kMapCells, 200u << 16);
  const Array m_codes = gpu::filled<uint8_t>(count, 130), v_codes = gpu::filled<uint8_t>(count, 200), m_absmax = gpu::filled(count / VSGRPO_CODED_BLOCK, 1e-3f);
  const Array v_absmax = gpu::filled(count / VSGRPO_CODED_BLOCK, 1e-6f), short_grad = gpu::normal(count, kHalf);
  args.grad_type = VSGRPO_BFLOAT16, args.moment_type = VSGRPO_CODED, args.grad = short_grad.as<void>();
  args.m = m_codes.as<void>(), args.v = v_codes.as<void>();
  args.m_codes = {values.as<float>(), cells.as<uint32_t>(), m_absmax.as<float>()};
  args.v_codes = {values.as<float>(), cells.as<uint32_t>(), v_absmax.as<float>()};
  measure("adamw, 8-bit moments, bfloat16 gradients", static_cast<double>(count) * 2 * (2 + 2 + 2 + 1 + 1), [&] { return vsgrpo_adamw(&args, nullptr); });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) wanted = argv[1];
  try {
    copy_rate = gpu::copy_rate();
    std::printf("{\"copyBytesPerSecond\": %.4e}\n", copy_rate);
    token_loss();
    add_rms_norm();
    mrope();
    swiglu();
    quick_gelu();
    sample();
    decode_attention("decode_attention, 128 own tokens", 128);
    decode_attention("decode_attention, 1 own token", 1);
    adamw();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
  return 0;
}
