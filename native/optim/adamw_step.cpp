#include "optim/adamw_step.h"

#include "core/rounding.h"
#include "ops/rows.h"
#include "optim/dynamic_map.h"

#include <bit>
#include <cfloat>
#include <numeric>

namespace vsgrpo {
namespace {

constexpr int64_t kBlock = Moment::kBlock;

// A float32 weight: its own master.
struct WholeWeight {
  float* values;
  float load(int64_t i) const { return values[i]; }
  void store(int64_t i, float x) const { values[i] = x; }
};

// A bfloat16 weight and the rest of its master.
struct SplitWeight {
  uint16_t* high;
  int16_t* low;
  float load(int64_t i) const { return std::bit_cast<float>((static_cast<uint32_t>(high[i]) << 16) + static_cast<uint32_t>(static_cast<int32_t>(low[i]))); }
  void store(int64_t i, float x) const {
    const uint32_t bits = std::bit_cast<uint32_t>(x), rounded = (bits + 0x8000u) >> 16;
    high[i] = static_cast<uint16_t>(rounded);
    low[i] = static_cast<int16_t>(bits - (rounded << 16));
  }
};

struct WholeMoment {
  float* values;
  float load(int64_t i) const { return values[i]; }
  void store(int64_t i, float x, uint32_t) const { values[i] = x; }
};

struct RoundedMoment {
  uint16_t* values;
  float load(int64_t i) const { return std::bit_cast<float>(static_cast<uint32_t>(values[i]) << 16); }
  // Up with the probability of what is cut off.
  void store(int64_t i, float x, uint32_t random) const {
    values[i] = static_cast<uint16_t>((std::bit_cast<uint32_t>(x) + (random & 0xffffu)) >> 16);
  }
};

// Codes, that are read and written by whole blocks.
template <bool kSigned>
struct CodedMoment {
  uint8_t* codes;
  float* absmax;
  const DynamicMap& map;

  void load(int64_t block, int64_t size, float* __restrict out) const {
    const uint8_t* from = codes + block * kBlock;
    const float* values = map.values();
    const float scale = absmax[block];
    for (int64_t i = 0; i < size; ++i) out[i] = values[from[i]] * scale;
  }
  void store(int64_t block, int64_t size, const float* __restrict values, float largest) const {
    uint8_t* to = codes + block * kBlock;
    // What has no finite reciprocal is nothing beside epsilon.
    const bool counts = largest >= FLT_MIN;
    absmax[block] = counts ? largest : 0.0f;
    const float scale = counts ? 1.0f / largest : 0.0f;
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) to[i] = map.nearest<kSigned>(values[i] * scale);
  }
};

// 32 random bits of a place (murmur's finalizer).
inline uint32_t random_bits(uint32_t step, int64_t i) {
  uint32_t z = static_cast<uint32_t>(i) + step;
  z = (z ^ (z >> 16)) * 0x85ebca6bu;
  z = (z ^ (z >> 13)) * 0xc2b2ae35u;
  return z ^ (z >> 16);
}

// Moves the moments m and v of weight i, then the weight.
template <typename Weight>
inline void advance(const StepSizes& s, const Weight& weight, int64_t i, float grad, float& m, float& v) {
  m += s.gain1 * (grad - m);
  v = s.beta2 * v + s.gain2 * grad * grad;
  weight.store(i, weight.load(i) * s.keep - s.step * m / (std::sqrt(v) / s.root + s.epsilon));
}

template <typename Weight, typename Gradient, typename Stored>
void update_range(const StepSizes s, int64_t first, int64_t last, const Weight weight, Gradient* __restrict g, const Stored first_moment,
                  const Stored second_moment) {
#pragma omp simd
  for (int64_t i = first; i < last; ++i) {
    float m = first_moment.load(i), v = second_moment.load(i);
    advance(s, weight, i, static_cast<float>(g[i]) * s.clip, m, v);
    const uint32_t random = random_bits(s.random, i);
    first_moment.store(i, m, random);
    second_moment.store(i, v, random >> 16);
    g[i] = Gradient{};
  }
}

template <typename Weight, typename Gradient>
void update_block(const StepSizes s, int64_t block, int64_t size, const Weight weight, Gradient* __restrict g,
                  const CodedMoment<true> first_moment, const CodedMoment<false> second_moment) {
  alignas(64) float ms[kBlock], vs[kBlock];
  first_moment.load(block, size, ms);
  second_moment.load(block, size, vs);
  const int64_t begin = block * kBlock;
  float m_largest = 0, v_largest = 0;
#pragma omp simd reduction(max : m_largest, v_largest)
  for (int64_t i = 0; i < size; ++i) {
    float m = ms[i], v = vs[i];
    advance(s, weight, begin + i, static_cast<float>(g[begin + i]) * s.clip, m, v);
    const float m_size = std::abs(m);
    m_largest = m_size > m_largest ? m_size : m_largest;
    v_largest = v > v_largest ? v : v_largest;
    ms[i] = m;
    vs[i] = v;
    g[begin + i] = Gradient{};
  }
  first_moment.store(block, size, ms, m_largest);
  second_moment.store(block, size, vs, v_largest);
}

template <typename Weight, typename Gradient, typename Stored>
void update_all(const StepSizes& s, int64_t count, const Weight weight, Gradient* g, const Stored m, const Stored v) {
  parallel_for(0, count, 16384, [&](int64_t first, int64_t last) { update_range(s, first, last, weight, g, m, v); });
}

template <typename Weight, typename Gradient>
void update_all(const StepSizes& s, int64_t count, const Weight weight, Gradient* g, const CodedMoment<true> m,
                const CodedMoment<false> v) {
  parallel_for(0, divided_up(count, kBlock), 16384 / kBlock, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) update_block(s, i, std::min(kBlock, count - i * kBlock), weight, g, m, v);
  });
}

template <typename Gradient>
double sum_of_squares(const Gradient* g, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) {
    const double x = static_cast<float>(g[i]);
    sum += x * x;
  }
  return sum;
}

// Runs body(moment of m, moment of v) for the type that they are kept in.
template <typename Body>
void with_moments(Moment& m, Moment& v, const Body& body) {
  if (m.values.scalar_type() == at::kFloat) {
    return body(WholeMoment{m.values.mutable_data_ptr<float>()}, WholeMoment{v.values.mutable_data_ptr<float>()});
  }
  if (m.values.scalar_type() == at::kByte) {
    return body(CodedMoment<true>{m.values.mutable_data_ptr<uint8_t>(), m.absmax.mutable_data_ptr<float>(), DynamicMap::with_sign()},
                CodedMoment<false>{v.values.mutable_data_ptr<uint8_t>(), v.absmax.mutable_data_ptr<float>(), DynamicMap::without_sign()});
  }
  const auto bits = [](at::Tensor& t) { return RoundedMoment{reinterpret_cast<uint16_t*>(t.mutable_data_ptr<at::BFloat16>())}; };
  body(bits(m.values), bits(v.values));
}

template <typename Body>
void with_weight(Parameter& parameter, at::Tensor& low, const Body& body) {
  if (!low.defined()) return body(WholeWeight{parameter.value.mutable_data_ptr<float>()});
  body(SplitWeight{reinterpret_cast<uint16_t*>(parameter.value.mutable_data_ptr<at::BFloat16>()), low.mutable_data_ptr<int16_t>()});
}

}  // namespace

Moment Moment::zeros_like(const at::Tensor& weight, at::ScalarType type) {
  if (type != at::kByte) return {at::zeros_like(weight, type), {}};
  if (weight.numel() < kLeastCoded) return {at::zeros_like(weight, at::kFloat), {}};
  return {at::zeros_like(weight, type), at::zeros({divided_up(weight.numel(), kBlock)}, weight.options().dtype(at::kFloat))};
}

double squared_norm(const at::Tensor& grad) {
  constexpr int64_t piece = 1 << 16;
  std::vector<double> sums(static_cast<size_t>(divided_up(grad.numel(), piece)));
  dispatch_float(grad, [&]<typename T>() {
    const T* g = grad.const_data_ptr<T>();
    parallel_for(0, static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        sums[static_cast<size_t>(i)] = sum_of_squares(g + i * piece, std::min(piece, grad.numel() - i * piece));
      }
    });
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

void update_parameter(const StepSizes& sizes, Parameter& parameter, at::Tensor& low, Moment& m, Moment& v) {
  const int64_t count = parameter.value.numel();
  dispatch_float(parameter.grad, [&]<typename Gradient>() {
    Gradient* g = parameter.grad.mutable_data_ptr<Gradient>();
    with_weight(parameter, low, [&](const auto weight) {
      with_moments(m, v, [&](const auto first, const auto second) { update_all(sizes, count, weight, g, first, second); });
    });
  });
}

}  // namespace vsgrpo
