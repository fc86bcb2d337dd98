// AdamW with 8-bit moments: against bitsandbytes' AdamW8bit, against float32 moments, and gradients in bfloat16.
#include "optim/dynamic_map.h"
#include "optimizer.h"

namespace {

using golden::Case;
using optimizer::file_in;
using optimizer::Parameters;

constexpr int kSteps = 4;
const std::vector<std::string> kNames = {"matrix", "vector", "small"};

vsgrpo::AdamWOptions options_with(at::ScalarType moments, at::ScalarType gradients = at::kFloat) {
  vsgrpo::AdamWOptions options{0.9, 0.999, 1e-8, 0.1};
  options.moments = moments;
  options.gradients = gradients;
  return options;
}

// As bitsandbytes counts: the borders below x.
int nearest_of(const float* values, float x) {
  int place = 0;
  while (place < 255 && (values[place] + values[place + 1]) / 2 < x) ++place;
  return place;
}

// Numbers on and around all borders between values, and some of every size.
std::vector<float> numbers_between(const float* values) {
  std::vector<float> numbers = {0.0f, -0.0f, 1e-38f, 1e-10f, 1.0f};
  for (int i = 0; i + 1 < 256; ++i) {
    const float middle = (values[i] + values[i + 1]) / 2;
    numbers.insert(numbers.end(), {std::nextafter(middle, -2.0f), middle, std::nextafter(middle, 2.0f), values[i], values[i + 1]});
  }
  for (float x = 1e-9f; x < 1.0f; x *= 1.003f) numbers.insert(numbers.end(), {x, -x});
  return numbers;
}

struct Compared {
  int64_t codes = 0, different = 0;
};

// One moment of one parameter after a step, against bitsandbytes'.
void compare_moment(const vsgrpo::SafetensorsFile& saved, const std::string& tensor, const at::Tensor& expected, const at::Tensor& absmax,
                    Compared& so_far) {
  const at::Tensor values = saved.read(tensor);
  REQUIRE(values.scalar_type() == expected.scalar_type());
  so_far.codes += values.numel();
  so_far.different += values.ne(expected).sum().item<int64_t>();
  CHECK_LE(golden::relative(saved.read(tensor + "_absmax"), absmax), 1e-6);
}

// Steps through the case and compares weights and moments with bitsandbytes' after each.
void follow(const Case& c, at::ScalarType gradients) {
  const golden::TemporaryFolder folder;
  Parameters parameters(c, kNames);
  vsgrpo::AdamW optimizer(parameters.named(), options_with(at::kByte, gradients));
  Compared compared;
  for (int step = 0; step < kSteps; ++step) {
    parameters.set_gradients(step);
    optimizer.step(1e-3, 0.0);
    optimizer.save(file_in(folder));
    const vsgrpo::SafetensorsFile saved(file_in(folder));
    for (size_t i = 0; i < kNames.size(); ++i) {
      const std::string at = "." + std::to_string(step) + "." + kNames[i];
      golden::check_close("after" + at, parameters[i].value, c["after" + at], 1e-6);
      for (const std::string moment : {"m", "v"}) {
        if (c.has(moment + "_absmax" + at)) {
          compare_moment(saved, kNames[i] + "." + moment, c[moment + at], c[moment + "_absmax" + at], compared);
        } else {
          // Too small for codes; 2e-5: see sizes_for in adamw.cpp.
          CHECK_LE(golden::relative(saved.read(kNames[i] + "." + moment), c[moment + at]), 2e-5);
        }
      }
    }
  }
  MESSAGE(compared.different << " of " << compared.codes << " codes differ from bitsandbytes'");
  // Another processor's rounding may move a number over a border.
  CHECK_LE(compared.different, compared.codes / 10000);
}

// Mean squared error of a linear model after so many steps, on data with noise of 0.05.
double trained_loss(at::ScalarType moments, int steps) {
  constexpr int64_t inputs = 96, outputs = 64, rows = 512;
  auto generator = at::detail::createCPUGenerator(7);
  // Inputs of very different sizes, so that gradients of a block are too.
  const at::Tensor sizes = at::logspace(-2, 0, inputs), x = at::randn({rows, inputs}, generator) * sizes;
  const at::Tensor y = at::matmul(x, at::randn({inputs, outputs}, generator)) + 0.05 * at::randn({rows, outputs}, generator);
  vsgrpo::Parameter weight{at::zeros({outputs, inputs}), {}};
  weight.make_trainable();
  vsgrpo::AdamW optimizer({{"w", &weight}}, options_with(moments));
  at::Tensor error;
  for (int step = 0; step <= steps; ++step) {
    const at::Tensor part = x.narrow(0, step * 64 % rows, 64);
    error = at::matmul(part, weight.value.t()) - y.narrow(0, step * 64 % rows, 64);
    weight.grad.copy_(at::matmul(error.t(), part) * (2.0 / 64));
    optimizer.step(0.02 * (1.0 - static_cast<double>(step) / (steps + 1)), 1.0);
  }
  return (at::matmul(x, weight.value.t()) - y).square().mean().item<double>();
}

}  // namespace

TEST_CASE("the dynamic maps are bitsandbytes' to the last bit") {
  const Case c("", "adamw8bit");
  const auto values_of = [](const vsgrpo::DynamicMap& map) { return at::tensor(at::ArrayRef<float>(map.values(), 256)); };
  CHECK(values_of(vsgrpo::DynamicMap::with_sign()).equal(c["map.signed"]));
  CHECK(values_of(vsgrpo::DynamicMap::without_sign()).equal(c["map.unsigned"]));
}

TEST_CASE("a number gets the nearest code, but a second moment never that of 0") {
  const vsgrpo::DynamicMap &with = vsgrpo::DynamicMap::with_sign(), &without = vsgrpo::DynamicMap::without_sign();
  for (const float x : numbers_between(with.values())) CHECK_EQ(int{with.nearest<true>(x)}, nearest_of(with.values(), x));
  for (const float x : numbers_between(without.values())) {
    const float size = std::abs(x);
    CHECK_EQ(int{without.nearest<false>(size)}, std::max(1, nearest_of(without.values(), size)));
  }
}

TEST_CASE("8-bit moments follow bitsandbytes' AdamW8bit, from float32 and bfloat16 gradients") {
  const Case c("", "adamw8bit");
  for (const at::ScalarType gradients : {at::kFloat, at::kBFloat16}) follow(c, gradients);
}

TEST_CASE("an optimizer with 8-bit moments that is restored from its file goes on bit for bit") {
  const Case c("", "adamw8bit");
  for (const at::ScalarType weights : {at::kFloat, at::kBFloat16}) optimizer::check_resumes(c, kNames, weights, options_with(at::kByte));
}

TEST_CASE("state with moments of another type is refused with the option's name") {
  const Case c("", "adamw8bit");
  const golden::TemporaryFolder folder;
  Parameters parameters(c, kNames);
  vsgrpo::AdamW coded(parameters.named(), options_with(at::kByte)), whole(parameters.named(), options_with(at::kFloat));
  coded.save(file_in(folder));
  CHECK_THROWS_WITH(whole.load(file_in(folder)), "optimStateDtype");
  whole.save(file_in(folder));
  CHECK_THROWS_WITH(coded.load(file_in(folder)), "optimStateDtype");
}

TEST_CASE("gradients in bfloat16 give what the same in float32 give, with moments of any type") {
  const Case c("", "adamw8bit");
  for (const at::ScalarType moments : {at::kFloat, at::kBFloat16, at::kByte}) {
    Parameters whole(c, kNames, at::kBFloat16), half(c, kNames, at::kBFloat16);
    vsgrpo::AdamW first(whole.named(), options_with(moments)), second(half.named(), options_with(moments, at::kBFloat16));
    for (int step = 0; step < kSteps; ++step) {
      for (Parameters* parameters : {&whole, &half}) parameters->set_gradients(step);
      CHECK_EQ(first.step(1e-3, 1.0), second.step(1e-3, 1.0));
      for (size_t i = 0; i < kNames.size(); ++i) {
        CHECK_MESSAGE(half[i].value.equal(whole[i].value), kNames[i]);
        REQUIRE(half[i].grad.scalar_type() == at::kBFloat16);
        CHECK_EQ(half[i].grad.abs().sum().item<double>(), 0.0);
      }
    }
  }
}

TEST_CASE("a gradient far below its block's largest moves its weight as far as with float32 moments, never further") {
  constexpr int64_t count = 4096;
  vsgrpo::Parameter whole{at::zeros({count}), {}}, coded{at::zeros({count}), {}};
  vsgrpo::AdamW first({{"w", &whole}}, options_with(at::kFloat)), second({{"w", &coded}}, options_with(at::kByte));
  auto generator = at::detail::createCPUGenerator(3);
  for (int step = 0; step < 50; ++step) {
    const at::Tensor grad = at::randn({count}, generator) * 1e-4;
    grad.slice(0, 0, count, vsgrpo::Moment::kBlock).fill_(1.0);
    for (vsgrpo::Parameter* parameter : {&whole, &coded}) parameter->grad = grad.clone();
    first.step(1e-3, 0.0);
    second.step(1e-3, 0.0);
  }
  const double moved = whole.value.abs().max().item<double>(), moved_coded = coded.value.abs().max().item<double>();
  MESSAGE("largest way with float32 moments " << moved << ", with 8-bit ones " << moved_coded);
  CHECK_LE(moved_coded, 1.05 * moved);
}

TEST_CASE("blocks without gradient, or with one too small for float32, stay finite") {
  vsgrpo::Parameter parameter{at::ones({4096}), {}};
  parameter.make_trainable();
  vsgrpo::AdamW optimizer({{"w", &parameter}}, options_with(at::kByte));
  for (int step = 0; step < 1200; ++step) {
    // Once, then never again: the moments die out through the smallest floats.
    if (step == 0) parameter.grad.narrow(0, 256, 256).fill_(1e-15f);
    optimizer.step(1e-3, 0.0);
  }
  CHECK(parameter.value.isfinite().all().item<bool>());
  CHECK(parameter.value.narrow(0, 0, 256).eq(1).all().item<bool>());
  const golden::TemporaryFolder folder;
  optimizer.save(file_in(folder));
  const vsgrpo::SafetensorsFile saved(file_in(folder));
  CHECK(saved.read("w.m").eq(127).all().item<bool>());
  CHECK_EQ(saved.read("w.m_absmax").max().item<float>(), 0.0f);
}

TEST_CASE("training with 8-bit moments ends where it ends with float32 ones") {
  const double before = trained_loss(at::kFloat, 0), whole = trained_loss(at::kFloat, 400), coded = trained_loss(at::kByte, 400);
  MESSAGE("loss " << before << " before, " << whole << " with float32 moments, " << coded << " with 8-bit ones");
  CHECK_LE(whole, 0.01 * before);
  CHECK_LE(std::abs(coded / whole - 1), 0.1);
}
