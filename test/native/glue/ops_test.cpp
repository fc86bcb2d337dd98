// Every operation through the GPU's side of it, values and gradients, against the CPU engine's.
#include "core/buckets.h"
#include "glue/compare.h"
#include "glue/test_gpu.h"
#include "ops/activation.h"
#include "ops/attention.h"
#include "ops/grpo_loss.h"
#include "ops/linear.h"
#include "ops/logit_mean.h"
#include "ops/norm.h"
#include "ops/pixel_values.h"
#include "ops/rope.h"
#include "ops/select_rows.h"

namespace {

using gpu_test::Results;

// The same function of the same inputs on the CPU and on the GPU. `function` gets copies of `inputs` on the device it runs
// on, those of floating point with gradients; every result and every gradient is compared.
void check_op(const std::string& name, const std::vector<at::Tensor>& inputs, const std::function<std::vector<at::Tensor>(std::vector<at::Tensor>)>& function,
              double tolerance, const std::function<void(Results&)>& more = {}, double most_changed = 1) {
  const auto run = [&](at::Device device) {
    at::manual_seed(5);
    std::vector<at::Tensor> own;
    for (const at::Tensor& t : inputs) own.push_back(t.to(device).clone().requires_grad_(at::isFloatingType(t.scalar_type())));
    Results results = function(own);
    std::vector<at::Tensor> gradients;
    for (const at::Tensor& out : results) {
      gradients.push_back(at::randn(out.sizes()).to(out.scalar_type()).to(device));
    }
    torch::autograd::backward(results, gradients);
    for (const at::Tensor& t : own) {
      if (t.grad().defined()) results.push_back(t.grad());
    }
    if (more) more(results);
    for (at::Tensor& t : results) t = t.detach().cpu();
    return results;
  };
  const Results expected = run(at::kCPU);
  const TestGpu gpu;
  gpu_test::check_all(name, run(gpu.device()), expected, tolerance, most_changed);
}

at::Tensor randn(at::IntArrayRef sizes, at::ScalarType dtype) { return at::randn(sizes).to(dtype); }

// Of the largest value.
double tolerance(at::ScalarType dtype) { return dtype == at::kFloat ? 3e-6 : 1.0 / 64; }

constexpr std::array<at::ScalarType, 2> kTypes = {at::kFloat, at::kBFloat16};

}  // namespace

TEST_CASE("gpu: RMSNorm and LayerNorm with their weights' gradients") {
  for (const at::ScalarType dtype : kTypes) {
    const at::Tensor w = randn({64}, dtype), b = randn({64}, dtype);
    for (const bool layer : {false, true}) {
      vsgrpo::Parameter weight, bias;
      const auto norm = [&](const std::vector<at::Tensor>& in) -> Results {
        weight = {w.to(in[0].device()), {}}, bias = {b.to(in[0].device()), {}};
        weight.make_trainable(), bias.make_trainable();
        return {layer ? vsgrpo::layer_norm(in[0], weight, bias, 1e-6) : vsgrpo::rms_norm(in[0], weight, 1e-6)};
      };
      check_op(layer ? "layer_norm" : "rms_norm", {randn({37, 64}, dtype)}, norm, tolerance(dtype), [&](Results& results) {
        results.push_back(weight.grad);
        if (layer) results.push_back(bias.grad);
      });
    }
  }
}

TEST_CASE("gpu: rows are padded to whole tiles, on the CPU to a bucket") {
  const at::Tensor weight = at::zeros({1});
  CHECK_EQ(vsgrpo::padded_rows(16385, weight), 18432);
  CHECK_EQ(vsgrpo::padded_rows(17, weight, 16), 32);
  const TestGpu gpu;
  const at::Tensor there = weight.to(gpu.device());
  CHECK_EQ(vsgrpo::padded_rows(16385, there), 16448);
  CHECK_EQ(vsgrpo::padded_rows(16384, there), 16384);
  CHECK_EQ(vsgrpo::padded_rows(17, there, 16), 32);
  CHECK_EQ(vsgrpo::padded_rows(0, there), 0);
}

TEST_CASE("gpu: SwiGLU and quick GELU") {
  for (const at::ScalarType dtype : kTypes) {
    check_op("swiglu", {randn({21, 160}, dtype)}, [](auto in) -> Results { return {vsgrpo::swiglu(in[0])}; }, tolerance(dtype));
    check_op("quick_gelu", {randn({21, 160}, dtype)}, [](auto in) -> Results { return {vsgrpo::quick_gelu(in[0])}; }, tolerance(dtype));
  }
}

TEST_CASE("gpu: the fused projection is split and turned by M-RoPE and by the vision tower's rope") {
  const at::Tensor positions = at::randint(0, 900, {3, 29}, at::kInt), rows = at::randint(0, 40, {29}).to(at::kFloat), cols = rows.flip(0);
  for (const at::ScalarType dtype : kTypes) {
    for (const bool vision : {false, true}) {
      const auto turn = [&](const std::vector<at::Tensor>& in) -> Results {
        const at::Device device = in[0].device();
        const vsgrpo::RopeTable rope = vision ? vsgrpo::vision_rope_table(rows.to(device), cols.to(device), 16)
                                              : vsgrpo::mrope_table(positions.to(device), 16, 1e6, {2, 3, 3}, dtype);
        const vsgrpo::Qkv qkv = vsgrpo::split_and_rotate(in[0], rope, 4, 2);
        return {qkv.q, qkv.k, qkv.v};
      };
      // In bfloat16, another place to round changes a value's last bit now and then: seen by counting.
      check_op(vision ? "vision rope" : "mrope", {randn({29, 8 * 16}, dtype)}, turn, tolerance(dtype), {}, dtype == at::kFloat ? 1 : 0.01);
    }
  }
}

TEST_CASE("gpu: linear layers and the embedding add to their weights' gradients") {
  const at::Tensor ids = at::tensor(std::vector<int64_t>{3, 1, 3, 3, 0, 9});
  for (const auto& [dtype, gradients] : {std::pair{at::kFloat, at::kFloat}, {at::kBFloat16, at::kFloat}, {at::kBFloat16, at::kBFloat16}}) {
    const at::Tensor w = randn({24, 40}, dtype), b = randn({24}, dtype), table = randn({10, 24}, dtype);
    vsgrpo::Parameter weight, bias, embedding;
    const auto run = [&, gradients = gradients](const std::vector<at::Tensor>& in) -> Results {
      const at::Device device = in[0].device();
      weight = {w.to(device), {}}, bias = {b.to(device), {}}, embedding = {table.to(device), {}};
      for (vsgrpo::Parameter* p : {&weight, &bias, &embedding}) p->make_trainable(gradients), p->grad.fill_(0.5);
      return {vsgrpo::linear(in[0], weight, &bias), vsgrpo::embedding(ids.to(device), embedding, vsgrpo::gradient_anchor())};
    };
    check_op("linear", {randn({19, 40}, dtype)}, run, tolerance(dtype), [&](Results& results) {
      for (const vsgrpo::Parameter* p : {&weight, &bias, &embedding}) results.push_back(p->grad);
    });
  }
}

TEST_CASE("gpu: rows selected more than once collect their gradients") {
  const at::Tensor rows = at::tensor(std::vector<int64_t>{7, 2, 7, 7, 0});
  check_op("select_rows", {at::randn({9, 16})}, [&](auto in) -> Results { return {vsgrpo::select_rows(in[0], rows.to(in[0].device()))}; }, 1e-6);
}

TEST_CASE("gpu: the logits' mean") {
  const at::Tensor weight = at::randn({50, 16});
  const at::Tensor hidden = at::randn({5, 16}), expected = vsgrpo::logit_mean(hidden, weight);
  const TestGpu gpu;
  gpu_test::check_all("logit_mean", {vsgrpo::logit_mean(hidden.to(gpu.device()), weight.to(gpu.device())).cpu()}, {expected}, 1e-6);
}

TEST_CASE("gpu: bytes of patches by the tables of their media items") {
  const at::Tensor patches = at::randint(256, {5, 6}, at::kByte), tables = at::randn({2, 3, 256});
  for (const at::ScalarType dtype : kTypes) {
    const at::Tensor expected = vsgrpo::pixel_values(patches, tables, {2, 3}, dtype);
    const TestGpu gpu;
    const at::Tensor actual = vsgrpo::pixel_values(patches, tables, {2, 3}, at::TensorOptions(dtype).device(gpu.device()));
    CHECK_EQ(actual.device(), gpu.device());
    CHECK(actual.cpu().equal(expected));
  }
}

TEST_CASE("gpu: attention over forests of every kind, with gradients") {
  const std::vector<std::pair<std::string, vsgrpo::Forest>> forests = {
      {"one", {{0, 13}, {-1}}},
      {"frames", {{0, 5, 9, 20}, {-1, -1, -1}}},
      {"group", {{0, 9, 12, 12, 17, 18}, {-1, 0, 0, 0, 0}}},
      {"two groups", {{0, 5, 8, 10, 17, 19, 22}, {-1, 0, 0, -1, 3, 3}}},
      {"video, questions, completions", {{0, 6, 10, 12, 15, 18, 21, 23}, {-1, 0, 1, 1, 0, 4, 4}}},
      {"level by level", {{0, 4, 7, 9, 12, 14, 16, 19, 21}, {-1, -1, 0, 1, 0, 2, 3, 4}}},
      {"an empty ancestor", {{0, 0, 4, 9}, {-1, 0, 1}}},
  };
  for (const at::ScalarType dtype : kTypes) {
    for (const auto& [name, forest] : forests) {
      for (const bool causal : {true, false}) {
        const int64_t rows = forest.rows() + (causal ? 3 : 0);  // and padding
        const auto attend = [&forest = forest, causal](const std::vector<at::Tensor>& in) -> Results {
          return {vsgrpo::forest_attention(in[0], in[1], in[2], forest, causal)};
        };
        check_op("attention, " + name, {randn({rows, 4, 16}, dtype), randn({rows, 2, 16}, dtype), randn({rows, 2, 16}, dtype)}, attend,
                 dtype == at::kFloat ? 3e-6 : 1.0 / 32);
      }
    }
  }
}

TEST_CASE("gpu: queries of the last segments only, their prompts run before") {
  const vsgrpo::Forest forest{{0, 5, 9, 12, 14, 17}, {-1, -1, 0, 0, 1}};
  for (const at::ScalarType dtype : kTypes) {
    const auto attend = [&](const std::vector<at::Tensor>& in) -> Results { return {vsgrpo::forest_attention(in[0], in[1], in[2], forest, true)}; };
    check_op("attention behind prompts", {randn({10, 4, 16}, dtype), randn({19, 2, 16}, dtype), randn({19, 2, 16}, dtype)}, attend,
             dtype == at::kFloat ? 3e-6 : 1.0 / 32);
  }
}

// On a GPU the sums over keys are many blocks' work; a run must come out the same whichever is first.
TEST_CASE("gpu: attention and its gradients are the same bits every time") {
  const TestGpu gpu;
  const vsgrpo::Forest forest{{0, 700, 716, 732, 748}, {-1, 0, 0, 0}};
  std::vector<at::Tensor> inputs;
  for (const int64_t heads : {4, 2, 2}) inputs.push_back(randn({748, heads, 64}, at::kBFloat16).to(gpu.device()).requires_grad_());
  const auto run = [&] {
    const at::Tensor out = vsgrpo::forest_attention(inputs[0], inputs[1], inputs[2], forest, true);
    Results results = torch::autograd::grad({out}, inputs, {out.detach()});
    results.push_back(out);
    return results;
  };
  const Results first = run();
  for (int i = 0; i < 4; ++i) {
    const Results again = run();
    for (size_t j = 0; j < first.size(); ++j) CHECK(again[j].equal(first[j]));
  }
}
