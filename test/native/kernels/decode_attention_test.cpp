// The decode attention kernels and their plan against the CPU's decode_attention and against float64.
#include "kernel_test.h"
#include "generate/decode_plan.h"
#include "ops/attention.h"

namespace {

using namespace kernel_test;
using vsgrpo::Forest;
using vsgrpo::DecodePlan;
using vsgrpo::plan_decode;

struct Shape {
  int64_t heads, kv_heads, head_dim;
};

// Prompts with what rows have written so far.
struct Problem {
  Shape shape;
  Forest prompts;
  std::vector<int64_t> leaves;  // of each row
  std::vector<int> lengths, slots;
  at::Tensor q, prompt_k, prompt_v, own_k, own_v;

  Problem(const Shape& s, const Forest& forest, const std::vector<int64_t>& leaf, const std::vector<int>& own, int64_t capacity, at::ScalarType dtype)
      : shape(s), prompts(forest), leaves(leaf), lengths(own) {
    const auto rows = static_cast<int64_t>(leaf.size());
    for (int64_t i = 0; i < rows; ++i) slots.push_back(static_cast<int>(rows - 1 - i));
    q = random({rows, s.heads, s.head_dim}, dtype, 2);
    prompt_k = random({forest.rows(), s.kv_heads, s.head_dim}, dtype), prompt_v = random(prompt_k.sizes(), dtype);
    own_k = random({rows, capacity, s.kv_heads, s.head_dim}, dtype), own_v = random(own_k.sizes(), dtype);
  }
  int64_t rows() const { return static_cast<int64_t>(leaves.size()); }
};

at::Tensor kernel(const Problem& p) {
  const DecodePlan plan = plan_decode(p.prompts, p.leaves, p.shape.heads / p.shape.kv_heads);
  const at::Tensor items = guarded({static_cast<int64_t>(plan.items.size() * sizeof(vsgrpo_decode_item))}, at::kByte);
  std::memcpy(items.data_ptr(), plan.items.data(), static_cast<size_t>(items.numel()));
  const at::Tensor parts = guarded(golden::int_tensor(plan.prompt_parts)), lengths = guarded(golden::int_tensor(p.lengths));
  const at::Tensor slots = guarded(golden::int_tensor(p.slots)), out = guarded(p.q.sizes(), p.q.scalar_type());
  vsgrpo_decode_attention_args args{};
  args.struct_size = sizeof(args), args.type = type_of(p.q);
  args.rows = p.rows(), args.heads = p.shape.heads, args.kv_heads = p.shape.kv_heads, args.head_dim = p.shape.head_dim;
  args.items = static_cast<int64_t>(plan.items.size()), args.max_prompt_parts = plan.most_parts, args.capacity = p.own_k.size(1);
  args.q = p.q.data_ptr(), args.prompt_k = p.prompt_k.data_ptr(), args.prompt_v = p.prompt_v.data_ptr();
  args.own_k = p.own_k.data_ptr(), args.own_v = p.own_v.data_ptr(), args.out = out.data_ptr();
  args.prompt_items = static_cast<const vsgrpo_decode_item*>(items.data_ptr()), args.prompt_parts = parts.const_data_ptr<int>();
  args.lengths = lengths.const_data_ptr<int>(), args.slots = slots.const_data_ptr<int>();
  const at::Tensor workspace = guarded({vsgrpo_decode_attention_workspace(&args)}, at::kFloat);
  args.workspace = workspace.mutable_data_ptr<float>();
  run(vsgrpo_decode_attention(&args, nullptr));
  return out;
}

// Row by row in float64.
at::Tensor exact(const Problem& p) {
  const int64_t group = p.shape.heads / p.shape.kv_heads;
  std::vector<at::Tensor> out;
  for (int64_t i = 0; i < p.rows(); ++i) {
    const auto row = static_cast<size_t>(i);
    std::vector<at::Tensor> k, v;
    for (const int64_t s : p.prompts.chain(p.leaves[row])) {
      k.push_back(p.prompt_k.narrow(0, p.prompts.begin(s), p.prompts.length(s)));
      v.push_back(p.prompt_v.narrow(0, p.prompts.begin(s), p.prompts.length(s)));
    }
    k.push_back(p.own_k[p.slots[row]].narrow(0, 0, p.lengths[row]));
    v.push_back(p.own_v[p.slots[row]].narrow(0, 0, p.lengths[row]));
    const auto all = [&](const std::vector<at::Tensor>& pieces) {  // [H, T, D]
      return at::cat(pieces).to(at::kDouble).repeat_interleave(group, 1).transpose(0, 1);
    };
    const at::Tensor scores = at::matmul(all(k), p.q[i].to(at::kDouble).unsqueeze(2)) / std::sqrt(static_cast<double>(p.shape.head_dim));
    out.push_back((at::softmax(scores, 1) * all(v)).sum(1));
  }
  return at::stack(out);
}

// A video, two questions about it, and another prompt; the first question has more completions than one item holds.
const Forest kPrompts{{0, 300, 305, 562, 579}, {-1, 0, 0, -1}};
const std::vector<int64_t> kLeaves = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3};
const std::vector<int> kLengths = {1, 2, 7, 31, 32, 33, 1, 255, 256, 257, 270, 16, 17, 100};
constexpr int64_t kCapacity = 270;

}  // namespace

TEST_CASE("the decode kernels give float64's attention for shared segments, own tokens of any length and grouped heads") {
  const Report report;
  at::manual_seed(9);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const auto compare = [&](const Problem& p) {
      const auto out = in_every_order([&] { return std::vector{kernel(p)}; });
      check_near(name_of("decode_attention", dtype), out[0], exact(p), dtype == at::kFloat ? 2e-6 : 4e-3, dtype == at::kFloat ? 0 : 1.0 / 256);
    };
    compare({{6, 1, 128}, kPrompts, kLeaves, kLengths, kCapacity, dtype});
    for (const Shape shape : {Shape{4, 2, 128}, {7, 1, 64}, {2, 2, 80}, {16, 1, 128}, {4, 2, 16}, {3, 1, 32}}) {
      compare({shape, kPrompts, {1, 2, 2, 2, 2, 2, 3}, {1, 40, 3, 31, 32, 33, 17}, 40, dtype});
    }
  }
}

TEST_CASE("the decode kernels give the CPU op's output") {
  const Report report;
  at::manual_seed(10);
  constexpr int kSteps = 9;
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    Problem p({12, 2, 128}, kPrompts, {1, 1, 2, 3}, {kSteps, kSteps, kSteps, kSteps}, 16, dtype);
    vsgrpo::KvCache cache(p.prompt_k, p.prompt_v, p.rows(), 16);
    cache.suffix_k.copy_(p.own_k), cache.suffix_v.copy_(p.own_v);
    std::vector<vsgrpo::DecodeRow> rows;
    for (size_t i = 0; i < p.leaves.size(); ++i) rows.push_back({p.slots[i], p.leaves[i]});
    const at::Tensor expected = vsgrpo::decode_attention(p.q, p.prompts, cache, rows, kSteps).view(p.q.sizes());
    check_near(name_of("decode_attention, CPU op", dtype), kernel(p), expected, dtype == at::kFloat ? 2e-6 : 8e-3, dtype == at::kFloat ? 0 : 1.0 / 128);
  }
}

TEST_CASE("a sequence gets the same bits alone as in a batch that shares its prompt") {
  at::manual_seed(11);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const Problem p({12, 2, 128}, kPrompts, kLeaves, kLengths, kCapacity, dtype);
    const at::Tensor together = kernel(p);
    for (const size_t row : {0, 9, 12}) {
      Problem alone(p);
      alone.leaves = {p.leaves[row]}, alone.lengths = {p.lengths[row]}, alone.slots = {p.slots[row]};
      alone.q = guarded(p.q.narrow(0, static_cast<int64_t>(row), 1));
      CHECK(kernel(alone)[0].equal(together[static_cast<int64_t>(row)]));
    }
  }
}

TEST_CASE("rows without a key give zeros, and a length past the cache reads no further than the cache") {
  at::manual_seed(12);
  Problem p({2, 1, 64}, {{0, 0}, {-1}}, {0, 0}, {0, 5}, 4, at::kBFloat16);
  const at::Tensor out = kernel(p);
  CHECK_EQ(out[0].to(at::kFloat).abs().max().item<float>(), 0.0f);
  p.lengths[1] = 4;
  CHECK(kernel(p)[1].equal(out[1]));
}

TEST_CASE("the decode plan reads what neighbours share once, in pieces, and no more rows than an item holds") {
  const DecodePlan plan = plan_decode(kPrompts, kLeaves, 6);
  // 14 rows by 10: the video's two pieces for rows 0-9 and again for 10-12, the first question for 0-9 and 10, the second
  // question's two pieces for 11-12, the other prompt for 13.
  CHECK_EQ(plan.items.size(), 2u + 2 + 1 + 1 + 2 + 1);
  CHECK_EQ(plan.most_parts, 4);
  CHECK((plan.prompt_parts == std::vector<int32_t>{3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 1}));
  for (size_t row = 0; row < kLeaves.size(); ++row) {
    std::vector<int> read(579), part(4);
    for (const auto& item : plan.items) {
      const bool reads = static_cast<int>(row) >= item.first_row && static_cast<int>(row) < item.first_row + item.rows;
      if (!reads) continue;
      for (int key = item.first_key; key < item.first_key + item.keys; ++key) ++read[static_cast<size_t>(key)];
      ++part[static_cast<size_t>(item.part)];
      CHECK_LE(item.rows * 6, 64);
      CHECK_LE(item.keys, VSGRPO_DECODE_KEYS);
    }
    for (const int64_t s : kPrompts.chain(kLeaves[row])) {
      for (int64_t key = kPrompts.begin(s); key < kPrompts.begin(s) + kPrompts.length(s); ++key) --read[static_cast<size_t>(key)];
    }
    CHECK(std::count(read.begin(), read.end(), 0) == 579);
    for (int i = 0; i < 4; ++i) CHECK_EQ(part[static_cast<size_t>(i)], i < plan.prompt_parts[row] ? 1 : 0);
  }
  CHECK_THROWS_WITH(plan_decode(kPrompts, {4}, 6), "leaf 4");
}
