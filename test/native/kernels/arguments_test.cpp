// What the kernels' C interface refuses, with which status and which words.
#include <algorithm>

#include "kernel_test.h"

namespace {

using namespace kernel_test;

alignas(16) char memory[64];
float* const kArray = reinterpret_cast<float*>(memory);

template <typename Args>
Args sized() {
  Args args{};
  args.struct_size = sizeof(Args);
  return args;
}

vsgrpo_swiglu_args swiglu() {
  auto args = sized<vsgrpo_swiglu_args>();
  args.rows = 2, args.columns = 8, args.gate_up = kArray, args.y = kArray;
  return args;
}

vsgrpo_token_loss_args token_loss() {
  auto args = sized<vsgrpo_token_loss_args>();
  args.rows = 1, args.vocab = 8, args.temperature = 1, args.logits = kArray, args.targets = reinterpret_cast<int32_t*>(memory);
  args.logps = args.entropy = kArray, args.correct = reinterpret_cast<uint8_t*>(memory), args.gradient = kArray;
  return args;
}

vsgrpo_decode_attention_args decode_attention() {
  auto args = sized<vsgrpo_decode_attention_args>();
  args.rows = 1, args.heads = 12, args.kv_heads = 2, args.head_dim = 128, args.capacity = 4;
  return args;
}

vsgrpo_sample_args sample() {
  auto args = sized<vsgrpo_sample_args>();
  args.rows = 1, args.vocab = 8, args.rows_per_logits = 1, args.temperature = 1, args.top_p = 1, args.repetition_penalty = 1;
  return args;
}

// The call with one argument changed must be refused.
template <typename Args, typename Change>
void refuses(int (*call)(const Args*, void*), Args args, const Change& change, int status, const std::string& part) {
  change(args);
  check_refused(call(&args, nullptr), status, part);
}

}  // namespace

TEST_CASE("every kernel refuses a null struct and one of another size") {
  const auto check = [](auto call, auto args, const std::string& op) {
    check_refused(call(static_cast<decltype(args)*>(nullptr), nullptr), VSGRPO_NULL_POINTER, "[" + op + "] args");
    args.struct_size = 4;
    check_refused(call(&args, nullptr), VSGRPO_BAD_STRUCT, "[" + op + "] struct_size");
  };
  check(vsgrpo_token_loss, vsgrpo_token_loss_args{}, "token_loss");
  check(vsgrpo_add_rms_norm, vsgrpo_add_rms_norm_args{}, "add_rms_norm");
  check(vsgrpo_add_rms_norm_backward, vsgrpo_add_rms_norm_backward_args{}, "add_rms_norm_backward");
  check(vsgrpo_mrope_table, vsgrpo_mrope_table_args{}, "mrope_table");
  check(vsgrpo_mrope, vsgrpo_mrope_args{}, "mrope");
  check(vsgrpo_mrope_backward, vsgrpo_mrope_backward_args{}, "mrope_backward");
  check(vsgrpo_swiglu, vsgrpo_swiglu_args{}, "swiglu");
  check(vsgrpo_swiglu_backward, vsgrpo_swiglu_backward_args{}, "swiglu_backward");
  check(vsgrpo_quick_gelu, vsgrpo_quick_gelu_args{}, "quick_gelu");
  check(vsgrpo_quick_gelu_backward, vsgrpo_quick_gelu_backward_args{}, "quick_gelu_backward");
  check(vsgrpo_sample, vsgrpo_sample_args{}, "sample");
  check(vsgrpo_decode_attention, vsgrpo_decode_attention_args{}, "decode_attention");
  check(vsgrpo_squared_norm, vsgrpo_squared_norm_args{}, "squared_norm");
  check(vsgrpo_clip, vsgrpo_clip_args{}, "clip");
  check(vsgrpo_adamw, vsgrpo_adamw_args{}, "adamw");
}

TEST_CASE("arguments that are null, negative, unaligned or of no compiled shape are refused by name") {
  using Swiglu = vsgrpo_swiglu_args;
  refuses(vsgrpo_swiglu, swiglu(), [](Swiglu& a) { a.gate_up = nullptr; }, VSGRPO_NULL_POINTER, "[swiglu] gate_up: expected an array, got null");
  refuses(vsgrpo_swiglu, swiglu(), [](Swiglu& a) { a.rows = -1; }, VSGRPO_BAD_SIZE, "[swiglu] rows: expected 0 to 2147483647, got -1");
  refuses(vsgrpo_swiglu, swiglu(), [](Swiglu& a) { a.y = memory + 8; }, VSGRPO_UNALIGNED, "[swiglu] y: expected an address that is a multiple of 16");
  refuses(vsgrpo_swiglu, swiglu(), [](Swiglu& a) { a.columns = 6; }, VSGRPO_UNSUPPORTED, "[swiglu] columns: expected a multiple of 4, got 6");
  refuses(vsgrpo_swiglu, swiglu(), [](Swiglu& a) { a.type = 2; }, VSGRPO_UNSUPPORTED, "[swiglu] type: expected 0 (float32) or 1 (bfloat16), got 2");
}

TEST_CASE("a width that no RMSNorm kernel was compiled for is refused, the widest is not") {
  auto args = sized<vsgrpo_add_rms_norm_args>();
  args.type = VSGRPO_BFLOAT16, args.rows = 0, args.columns = vsgrpo_add_rms_norm_columns(VSGRPO_BFLOAT16);
  CHECK_EQ(args.columns, 8192);
  CHECK_EQ(vsgrpo_add_rms_norm(&args, nullptr), VSGRPO_OK);
  refuses(vsgrpo_add_rms_norm, args, [](auto& a) { a.columns += 8; }, VSGRPO_UNSUPPORTED, "columns: expected 1 to 8192, got 8200");
}

TEST_CASE("losses without what they need are refused") {
  using Args = vsgrpo_token_loss_args;
  refuses(vsgrpo_token_loss, token_loss(), [](Args& a) { a.temperature = 0; }, VSGRPO_BAD_VALUE, "temperature");
  refuses(vsgrpo_token_loss, token_loss(), [](Args&) {}, VSGRPO_NULL_POINTER, "tokens.weights");
  const auto objective = [](Args& a) { a.tokens.weights = a.tokens.advantages = kArray, a.options.beta = 0.1; };
  refuses(vsgrpo_token_loss, token_loss(), objective, VSGRPO_NULL_POINTER, "tokens.ref_logps");
  refuses(vsgrpo_token_loss, token_loss(), [](Args& a) { a.options.surrogate = 3; }, VSGRPO_UNSUPPORTED, "options.surrogate: expected 0 to 2, got 3");
  refuses(vsgrpo_token_loss, token_loss(), [](Args& a) { a.gradient_type = VSGRPO_BFLOAT16; }, VSGRPO_UNSUPPORTED, "array of its own");
  refuses(vsgrpo_token_loss, token_loss(), [](Args& a) { a.logits_type = VSGRPO_BFLOAT16; }, VSGRPO_UNSUPPORTED, "gradient");
}

TEST_CASE("decode attention refuses other head sizes, and says how much workspace it needs") {
  using Args = vsgrpo_decode_attention_args;
  refuses(vsgrpo_decode_attention, decode_attention(), [](Args& a) { a.head_dim = 96; }, VSGRPO_UNSUPPORTED, "head_dim: expected 16, 32, 64, 80 or 128");
  refuses(vsgrpo_decode_attention, decode_attention(), [](Args& a) { a.heads = 13; }, VSGRPO_UNSUPPORTED, "heads: expected a multiple of 2, got 13");
  refuses(vsgrpo_decode_attention, decode_attention(), [](Args& a) { a.kv_heads = 0; }, VSGRPO_UNSUPPORTED, "kv_heads");
  auto args = decode_attention();
  args.max_prompt_parts = 3, args.capacity = 257;
  CHECK_EQ(vsgrpo_decode_attention_workspace(&args), (3 + 2) * 12 * 129);
  args.head_dim = 7;
  CHECK_EQ(vsgrpo_decode_attention_workspace(&args), 0);
}

TEST_CASE("sampling and optimizer settings out of range are refused") {
  using Args = vsgrpo_sample_args;
  refuses(vsgrpo_sample, sample(), [](Args& a) { a.temperature = -1; }, VSGRPO_BAD_VALUE, "temperature");
  refuses(vsgrpo_sample, sample(), [](Args& a) { a.top_p = 1.5f; }, VSGRPO_BAD_VALUE, "top_p");
  refuses(vsgrpo_sample, sample(), [](Args& a) { a.top_p = 0.5f, a.vocab = 1 << 20; }, VSGRPO_UNSUPPORTED, "top_p");
  refuses(vsgrpo_sample, sample(), [](Args& a) { a.eos_count = 9; }, VSGRPO_UNSUPPORTED, "eos_count: expected 0 to 8, got 9");
  refuses(vsgrpo_sample, sample(), [](Args& a) { a.top_k = -3; }, VSGRPO_BAD_SIZE, "top_k");
  auto clip = sized<vsgrpo_clip_args>();
  refuses(vsgrpo_clip, clip, [](auto& a) { a.max_norm = -1; }, VSGRPO_BAD_VALUE, "max_norm");
  auto adamw = sized<vsgrpo_adamw_args>();
  adamw.count = 4, adamw.weight_type = VSGRPO_BFLOAT16, adamw.weight = adamw.m = adamw.v = adamw.grad = kArray;
  refuses(vsgrpo_adamw, adamw, [](auto&) {}, VSGRPO_NULL_POINTER, "[adamw] low");
  refuses(vsgrpo_adamw, adamw, [](auto& a) { a.moment_type = 3; }, VSGRPO_UNSUPPORTED, "moment_type");
  refuses(vsgrpo_adamw, adamw, [](auto& a) { a.grad_type = VSGRPO_CODED; }, VSGRPO_UNSUPPORTED, "grad_type");
  refuses(vsgrpo_adamw, adamw, [](auto& a) { a.weight_type = VSGRPO_FLOAT32, a.moment_type = VSGRPO_CODED; }, VSGRPO_NULL_POINTER, "[adamw] m_codes");
}

TEST_CASE("rope sections must fill half a head") {
  auto args = sized<vsgrpo_mrope_table_args>();
  args.rows = 1, args.head_dim = 16, args.sections[0] = 2, args.sections[1] = 3, args.sections[2] = 4;
  check_refused(vsgrpo_mrope_table(&args, nullptr), VSGRPO_BAD_SIZE, "sections");
}

TEST_CASE("an empty batch is fine and needs no arrays") {
  auto loss = sized<vsgrpo_token_loss_args>();
  loss.vocab = 8, loss.temperature = 1;
  CHECK_EQ(vsgrpo_token_loss(&loss, nullptr), VSGRPO_OK);
  auto mlp = sized<vsgrpo_swiglu_args>();
  mlp.columns = 8;
  CHECK_EQ(vsgrpo_swiglu(&mlp, nullptr), VSGRPO_OK);
  auto attention = decode_attention();
  attention.rows = 0;
  CHECK_EQ(vsgrpo_decode_attention(&attention, nullptr), VSGRPO_OK);
  auto weights = sized<vsgrpo_adamw_args>();
  CHECK_EQ(vsgrpo_adamw(&weights, nullptr), VSGRPO_OK);
  CHECK_EQ(vsgrpo_kernels_abi(), VSGRPO_KERNELS_ABI);
}
