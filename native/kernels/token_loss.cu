// Log-softmax statistics of rows of logits and, when asked, their gradient, which may take the logits' place. One block per
// row reads it twice: once for the running maximum and sums, once for the gradient, when it still lies in the L2 cache.
// Definition: native/ops/token_logps.cpp, native/ops/grpo_terms.h.
#include <cfloat>

#include "kernels/device.cuh"
#include "ops/grpo_terms.h"

namespace vsgrpo::kernels {
namespace {

constexpr int kThreads = 1024;
constexpr int kAhead = 2;             // loads under way in a thread
constexpr int64_t kMostVocab = 1 << 30;  // columns are counted in 32 bits

// Over the logits read so far, z = logit / T: the largest, the sum of e^(z - top), and of e^(z - top) (z - top).
struct Running {
  float top, sum, weighted;
};

__device__ Running moved(const Running& s, float top) {
  const float factor = exp_fast(s.top - top);
  return {top, factor * s.sum, factor * (s.weighted + s.sum * (s.top - top))};
}

struct Merge {
  __device__ Running operator()(const Running& a, const Running& b) const {
    const float top = fmaxf(a.top, b.top);
    const Running x = moved(a, top), y = moved(b, top);
    return {top, x.sum + y.sum, x.weighted + y.weighted};
  }
};

struct Gradient {
  float dlogp, dentropy;
};

template <typename T, int kWidth>
__device__ void add(Running& s, const Piece<T, kWidth>& piece, float inverse_t) {
  float z[kWidth], top = s.top;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    z[i] = to_float(piece.values[i]) * inverse_t;
    top = fmaxf(top, z[i]);
  }
  if (top > s.top) s = moved(s, top);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    const float below = z[i] - s.top, e = exp_fast(below);
    s.sum += e;
    s.weighted += e * below;
  }
}

// Calls use(column, piece) for the thread's pieces of a row, several loads ahead.
template <typename T, int kWidth, typename Use>
__device__ void for_pieces(const T* row, int vocab, const Use& use) {
  constexpr int kStride = kThreads * kWidth;
#pragma unroll 1
  for (int first = static_cast<int>(threadIdx.x) * kWidth; first < vocab; first += kAhead * kStride) {
    Piece<T, kWidth> pieces[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (first + i * kStride < vocab) pieces[i] = load<T, kWidth>(row + first + i * kStride);
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (first + i * kStride < vocab) use(first + i * kStride, pieces[i]);
    }
  }
}

// What one thread finds out for all: the token's statistics and how the loss changes with them.
struct Token {
  float lse, mean;
  Gradient gradient;
};

// z is the target's logit as the other passes scale it: only so can it be equal to the largest.
__device__ Token finish(const vsgrpo_token_loss_args& args, const GrpoTokens& grpo, int64_t k, float z, const Running& s) {
  const float lse = s.top + logf(s.sum), mean = s.top + s.weighted / s.sum;
  const float logp = z - lse, entropy = lse - mean;
  args.logps[k] = logp;
  args.entropy[k] = entropy;
  args.correct[k] = z >= s.top;
  if (!args.gradient) return {lse, mean, {0, 0}};
  if (args.dlogps) return {lse, mean, {args.dlogps[k], args.dentropy ? args.dentropy[k] : 0.0f}};
  return {lse, mean, {grpo.dlogp(k, logp), grpo.dentropy(k)}};
}

// dz_j = dlogp (1[j = y] - p_j) - dentropy p_j (z_j - E[z]), d logits = dz / T.
template <typename In, typename Out, int kWidth>
__global__ void __launch_bounds__(kThreads, 1) token_loss(const vsgrpo_token_loss_args args, const GrpoTokens grpo) {
  __shared__ Running scratch[kThreads / kWarp];
  __shared__ Token token;
  const int64_t k = blockIdx.x;
  const int vocab = static_cast<int>(args.vocab), target = args.targets[k];
  const In* row = static_cast<const In*>(args.logits) + k * args.vocab;
  const float inverse_t = 1.0f / args.temperature;
  Running s{-FLT_MAX, 0, 0};
  for_pieces<In, kWidth>(row, vocab, [&](int, const Piece<In, kWidth>& piece) { add(s, piece, inverse_t); });
  s = block_reduce<kThreads>(s, Merge(), scratch);
  if (threadIdx.x == 0) token = finish(args, grpo, k, target >= 0 && target < vocab ? to_float(row[target]) * inverse_t : NAN, s);
  if (!args.gradient) return;
  __syncthreads();
  const auto [lse, mean, g] = token;
  Out* out = static_cast<Out*>(args.gradient) + k * args.vocab;
  for_pieces<In, kWidth>(row, vocab, [&](int column, const Piece<In, kWidth>& piece) {
    Piece<Out, kWidth> d;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const float z = to_float(piece.values[i]) * inverse_t, p = exp_fast(z - lse);
      const float hit = column + i == target ? g.dlogp : 0.0f;
      d.values[i] = from_float<Out>((hit - p * (g.dlogp + g.dentropy * (z - mean))) * inverse_t);
    }
    store(out + column, d);
  });
}

GrpoTokens tokens_of(const vsgrpo_token_loss_args& args) {
  const vsgrpo_grpo_tokens& t = args.tokens;
  const vsgrpo_grpo_options& from = args.options;
  GrpoOptions o;
  o.surrogate = static_cast<Surrogate>(from.surrogate);
  o.kl = static_cast<KlEstimator>(from.kl);
  o.bias_correction_kl = from.bias_correction_kl != 0;
  o.epsilon_low = from.epsilon_low, o.epsilon_high = from.epsilon_high, o.delta = from.delta, o.beta = from.beta;
  o.sapo_temperature_pos = from.sapo_temperature_pos, o.sapo_temperature_neg = from.sapo_temperature_neg;
  return {t.weights, t.advantages, t.old_logps, t.ref_logps, t.policy_mask, t.sampler_ratios, t.entropy_bonus, o};
}

void check_grpo(Arguments& check, const vsgrpo_token_loss_args& args) {
  const vsgrpo_grpo_tokens& t = args.tokens;
  check.within("options.surrogate", args.options.surrogate, static_cast<int>(Surrogate::kClip), static_cast<int>(Surrogate::kSapo));
  check.within("options.kl", args.options.kl, static_cast<int>(KlEstimator::kK1), static_cast<int>(KlEstimator::kK3));
  check.numbers("tokens.weights", t.weights).numbers("tokens.advantages", t.advantages);
  check.optional_numbers("tokens.old_logps", t.old_logps).optional_numbers("tokens.policy_mask", t.policy_mask);
  check.optional_numbers("tokens.sampler_ratios", t.sampler_ratios).optional_numbers("tokens.entropy_bonus", t.entropy_bonus);
  if (args.options.beta != 0) check.numbers("tokens.ref_logps", t.ref_logps);
}

int checked(const vsgrpo_token_loss_args& args) {
  Arguments check("token_loss");
  check.type("logits_type", args.logits_type).type("gradient_type", args.gradient_type).rows(args.rows);
  check.within("vocab", args.vocab, 1, kMostVocab);
  check.require(args.temperature > 0, VSGRPO_BAD_VALUE, "temperature: expected a number above 0");
  if (check.failed() || args.rows == 0) return check.status();
  check.array("logits", args.logits).numbers("targets", args.targets).numbers("logps", args.logps).numbers("entropy", args.entropy);
  check.numbers("correct", args.correct);
  if (!args.gradient) return check.status();
  check.array("gradient", args.gradient).optional_numbers("dlogps", args.dlogps).optional_numbers("dentropy", args.dentropy);
  check.require(args.logits_type == args.gradient_type || (args.logits_type == VSGRPO_FLOAT32 && args.gradient != args.logits),
                VSGRPO_UNSUPPORTED, "gradient: expected the logits' type, or bfloat16 beside float32 logits in an array of its own");
  if (!args.dlogps) check_grpo(check, args);
  return check.status();
}

template <typename In, typename Out>
int launch_loss(const vsgrpo_token_loss_args& args, void* stream) {
  // A piece of float32 logits and of their bfloat16 gradient hold the same columns.
  constexpr int kWidth = kPieceWidth<In>;
  const dim3 grid(static_cast<unsigned>(args.rows));
  const bool whole_pieces = args.vocab % (16 / static_cast<int64_t>(sizeof(Out))) == 0;
  return whole_pieces ? launch("token_loss", token_loss<In, Out, kWidth>, grid, kThreads, stream, args, tokens_of(args))
                      : launch("token_loss", token_loss<In, Out, 1>, grid, kThreads, stream, args, tokens_of(args));
}

}  // namespace
}  // namespace vsgrpo::kernels

using namespace vsgrpo::kernels;

int vsgrpo_token_loss(const vsgrpo_token_loss_args* args, void* stream) {
  if (const int status = opened("token_loss", args)) return status;
  if (const int status = checked(*args); status != VSGRPO_OK || args->rows == 0) return status;
  if (args->logits_type == VSGRPO_BFLOAT16) return launch_loss<bf16, bf16>(*args, stream);
  const bool narrows = args->gradient && args->gradient_type == VSGRPO_BFLOAT16;
  return narrows ? launch_loss<float, bf16>(*args, stream) : launch_loss<float, float>(*args, stream);
}
