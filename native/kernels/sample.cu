// One token of every row, drawn on the device: one block per row, no sort, no number that the host has to wait for. Where no
// rule cuts anything off, the row is read once. The rules and their order, the random numbers and the inverse of the cumulative
// distribution are those of native/ops/sample_token.cpp, and so is the log-probability.
#include <cfloat>

#include "kernels/select.cuh"
#include "ops/uniform.h"

namespace vsgrpo::kernels {
namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / static_cast<int>(kWarp);
constexpr int64_t kMostVocab = 1 << 30;  // columns are counted in 32 bits
constexpr float kRemoved = -INFINITY;
// Shares of the distribution as integers: 2^44 for the most likely token, so that 2^18 of them and more can be added.
constexpr float kWhole = 17592186044416.0f;
constexpr int64_t kMostNucleusVocab = 1 << 19;

using Nucleus = Selection<kThreads>;

// A log-sum-exp as a maximum and a sum.
struct LogSum {
  float top, sum;
};

struct MergeLogSums {
  __device__ LogSum operator()(const LogSum& a, const LogSum& b) const {
    const float top = fmaxf(a.top, b.top);
    return {top, a.sum * exp_fast(a.top - top) + b.sum * exp_fast(b.top - top)};
  }
};

// The ids that are never drawn, by the range that they lie in: nearly every column is outside.
struct Forbidden {
  int lowest = INT32_MAX;
  unsigned span = 0;

  __device__ explicit Forbidden(const vsgrpo_sample_args& args) {
    int highest = INT32_MIN;
    for (int i = 0; i < args.forbidden_count; ++i) {
      lowest = args.forbidden[i] < lowest ? args.forbidden[i] : lowest;
      highest = args.forbidden[i] > highest ? args.forbidden[i] : highest;
    }
    if (args.forbidden_count > 0) span = static_cast<unsigned>(highest) - static_cast<unsigned>(lowest);
  }
  __device__ bool may_hold(int j) const { return static_cast<unsigned>(j) - static_cast<unsigned>(lowest) <= span; }
};

__device__ bool contains(const int32_t (&ids)[VSGRPO_SAMPLE_IDS], int count, int id) {
  bool found = false;
  for (int i = 0; i < count; ++i) found |= ids[i] == id;
  return found;
}

// One row of logits, and what the sampler makes of them.
template <typename T, int kWidth>
struct Row {
  const vsgrpo_sample_args& args;
  const T* logits;
  const uint32_t* seen;
  int vocab;
  Forbidden forbidden;
  float inverse_t;  // 1 when greedy

  __device__ float raw(int j) const { return to_float(logits[j]); }

  // Logit j as the rules leave it before anything is cut off.
  __device__ float ruled(int j, float logit) const {
    if (args.temperature == 0.0f) return penalized(j, logit);
    if (forbidden.may_hold(j) && contains(args.forbidden, args.forbidden_count, j)) return kRemoved;
    return penalized(j, logit) * inverse_t + 0.0f;  // no -0: it has another key than 0
  }

  // With the tokens that are never drawn.
  __device__ LogSum completed(LogSum sum) const {
    for (int i = 0; i < args.forbidden_count; ++i) {
      const int id = args.forbidden[i];
      if (id >= 0 && id < vocab && !contains(args.forbidden, i, id)) sum = MergeLogSums()(sum, {raw(id) * inverse_t, 1});
    }
    return sum;
  }

  // Calls visit(first column, piece) for the thread's share of columns [begin, end), pieces `stride` threads apart.
  template <typename Visit>
  __device__ void for_pieces(int begin, int end, int thread, int stride, const Visit& visit) const {
    for (int first = begin + thread * kWidth; first < end; first += stride * kWidth) visit(first, load<T, kWidth>(logits + first));
  }

  // Calls visit(j, logit) for each column of them.
  template <typename Visit>
  __device__ void for_columns(int begin, int end, int thread, int stride, const Visit& visit) const {
    for_pieces(begin, end, thread, stride, [&](int first, const Piece<T, kWidth>& piece) {
#pragma unroll
      for (int i = 0; i < kWidth; ++i) visit(first + i, to_float(piece.values[i]));
    });
  }

  // Log-sum-exp of the thread's share of ruled logits.
  __device__ LogSum log_sum(int begin, int end, int thread, int stride) const {
    LogSum s{-FLT_MAX, 0};
    for_pieces(begin, end, thread, stride, [&](int first, const Piece<T, kWidth>& piece) {
      float z[kWidth], top = s.top;
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        z[i] = ruled(first + i, to_float(piece.values[i]));
        top = fmaxf(top, z[i]);
      }
      s.sum *= exp_fast(s.top - top);
      s.top = top;
#pragma unroll
      for (int i = 0; i < kWidth; ++i) s.sum += exp_fast(z[i] - top);
    });
    return s;
  }

  // Calls visit(j, ruled logit) for the thread's share of the row.
  template <typename Visit>
  __device__ void for_ruled(const Visit& visit) const {
    for_columns(0, vocab, static_cast<int>(threadIdx.x), kThreads, [&](int j, float logit) { visit(j, ruled(j, logit)); });
  }

 private:
  __device__ float penalized(int j, float logit) const {
    if (!seen || (seen[j / 32] >> (j % 32) & 1) == 0) return logit;
    return logit < 0 ? logit * args.repetition_penalty : logit / args.repetition_penalty;
  }
};

// Of the ruled logits: the best, the first of equals, and log-sum-exp.
struct Summary {
  float best;
  int index;
  LogSum all;
};

struct Merge {
  __device__ Summary operator()(const Summary& a, const Summary& b) const {
    const bool first = a.best > b.best || (a.best == b.best && a.index < b.index);
    return {first ? a.best : b.best, first ? a.index : b.index, MergeLogSums()(a.all, b.all)};
  }
};

template <typename Columns>
__device__ Summary summarize(const Columns& row, Summary* scratch) {
  Summary s{kRemoved, INT32_MAX, {-FLT_MAX, 0}};
  row.for_ruled([&](int j, float z) {
    if (z > s.best) s.best = z, s.index = j;
    if (z > s.all.top) s.all.sum *= exp_fast(s.all.top - z), s.all.top = z;
    s.all.sum += exp_fast(z - s.all.top);
  });
  return block_reduce<kThreads>(s, Merge(), scratch);
}

// What the rules keep: everything above a value, and of those equal to it the ones from an index on.
struct Filter {
  float value;
  int from;
  __device__ bool keeps(int j, float z) const { return z > value || (z == value && j >= from); }
};

template <typename Columns>
__device__ Filter keep_top_k(const Columns& row, Nucleus::Shared& shared) {
  const auto each = [&](const auto& visit) { row.for_ruled([&](int, float z) { visit({key_of(z), 1}); }); };
  return {value_of_key(Nucleus::run(each, static_cast<Weight>(row.args.top_k), shared).key), 0};
}

// The fewest tokens, from the best down, whose shares reach p; of equal ones the last stay, as a stable sort leaves them.
template <typename Columns>
__device__ Filter keep_top_p(const Columns& row, const Filter& filter, float best, Nucleus::Shared& shared) {
  const auto share = [&](float z) { return __float2ull_rn(exp_fast(z - best) * kWhole); };
  const auto each = [&](const auto& visit) {
    row.for_ruled([&](int j, float z) { visit({key_of(z), filter.keeps(j, z) ? share(z) : 0}); });
  };
  Weight total = 0;
  each([&](Weighted e) { total += e.weight; });
  total = block_reduce<kThreads>(total, Sum(), shared.sums);
  const auto wanted = static_cast<Weight>(ceil(static_cast<double>(row.args.top_p) * static_cast<double>(total)));
  const Selected at = Nucleus::run(each, wanted > 0 ? wanted : 1, shared);
  const float value = value_of_key(at.key);
  const Weight one = share(value), ties = (at.missing + one - 1) / one;
  if (ties * one >= at.at_key) return {value, 0};
  const auto equal = [&](const auto& visit) {
    row.for_ruled([&](int j, float z) { visit({static_cast<unsigned>(j), z == value ? Weight{1} : 0}); });
  };
  return {value, static_cast<int>(Nucleus::run(equal, ties, shared).key)};
}

template <typename Columns>
__device__ Filter filter_of(const Columns& row, float best, Nucleus::Shared& shared) {
  Filter filter{kRemoved, 0};
  if (row.args.top_k > 0 && row.args.top_k < row.vocab) filter = keep_top_k(row, shared);
  if (row.args.top_p < 1.0f) filter = keep_top_p(row, filter, best, shared);
  if (row.args.min_p > 0.0f && best + logf(row.args.min_p) > filter.value) filter = {best + logf(row.args.min_p), 0};
  return filter;
}

// The sum over the lanes up to this one.
__device__ double summed_lanes(double value) {
  for (unsigned by = 1; by < kWarp; by *= 2) {
    const double before = __shfl_up_sync(kAllLanes, value, by);
    if (threadIdx.x % kWarp >= by) value += before;
  }
  return value;
}

// The row in at most kThreads pieces, whose sums one warp can walk.
struct Pieces {
  int vocab, columns, count;
  __device__ explicit Pieces(int all) : vocab(all) {
    constexpr int kLeast = 256;
    columns = static_cast<int>(divided_up(divided_up(vocab, kThreads), kLeast)) * kLeast;
    count = static_cast<int>(divided_up(vocab, columns));
  }
  __device__ int begin(int piece) const { return piece * columns; }
  __device__ int end(int piece) const { return piece + 1 < count ? (piece + 1) * columns : vocab; }
};

struct Place {
  int piece;
  double before;  // sum of the pieces before it
  double target;
  double whole;  // sum of all pieces
};

// By warp 0: the piece that holds the u-th share of all.
__device__ Place find_piece(const float* sums, int count, double u) {
  constexpr int kOwn = kThreads / static_cast<int>(kWarp);
  const int lane = static_cast<int>(threadIdx.x);
  double own = 0;
  for (int piece = lane * kOwn; piece < (lane + 1) * kOwn && piece < count; ++piece) own += sums[piece];
  const double upto = summed_lanes(own), whole = __shfl_sync(kAllLanes, upto, kWarp - 1), target = u * whole;
  const unsigned beyond = __ballot_sync(kAllLanes, upto > target), filled = __ballot_sync(kAllLanes, own > 0);
  // Rounding may put the target behind every piece: then the last that holds anything.
  const int owner = beyond ? __ffs(static_cast<int>(beyond)) - 1 : static_cast<int>(kWarp) - 1 - __clz(static_cast<int>(filled));
  const double previous = __shfl_sync(kAllLanes, upto, owner > 0 ? owner - 1 : 0);
  double running = owner > 0 ? previous : 0;
  Place place{0, 0, target, whole};
  for (int piece = owner * kOwn; piece < count && running <= target; ++piece) {
    if (sums[piece] == 0) continue;
    place = {piece, running, target, whole};
    running += sums[piece];
  }
  return place;
}

// By warp 0: the first kept token of the piece whose running sum exceeds the target; the last kept one where rounding has
// put the target behind all of them.
template <typename Share>
__device__ int find_token(const Place& place, int begin, int end, const Share& share) {
  const int lane = static_cast<int>(threadIdx.x);
  double running = place.before;
  int last = -1;
  for (int first = begin; first < end; first += kWarp) {
    const float e = first + lane < end ? share(first + lane) : 0.0f;
    const double upto = summed_lanes(e);
    const unsigned hit = __ballot_sync(kAllLanes, e > 0 && running + upto > place.target), kept = __ballot_sync(kAllLanes, e > 0);
    if (hit) return first + __ffs(static_cast<int>(hit)) - 1;
    if (kept) last = first + static_cast<int>(kWarp) - 1 - __clz(static_cast<int>(kept));
    running += __shfl_sync(kAllLanes, upto, kWarp - 1);
  }
  return last;
}

// What the row gave: `lse` of the logits that the token was drawn from. Where `diverged`, nothing else counts.
struct Drawn {
  int token;
  LogSum lse;
  bool diverged;
};

struct Found {
  int token;
  double whole;  // sum of all shares
};

// By all threads; what was found, known to warp 0, from the sums of the pieces' shares in shared memory.
template <typename Share>
__device__ Found find(const Pieces& pieces, const float* sums, double u, const Share& share) {
  __syncthreads();
  if (threadIdx.x >= kWarp) return {-1, 0};
  const Place place = find_piece(sums, pieces.count, u);
  return {find_token(place, pieces.begin(place.piece), pieces.end(place.piece), share), place.whole};
}

template <typename Columns>
__device__ Drawn draw_kept(const Columns& row, const Filter& filter, float best, double u, float* sums) {
  const Pieces pieces(row.vocab);
  const int lane = static_cast<int>(threadIdx.x % kWarp), warp = static_cast<int>(threadIdx.x / kWarp);
  const auto share = [&](int j, float logit) {
    const float z = row.ruled(j, logit);
    return filter.keeps(j, z) ? exp_fast(z - best) : 0.0f;
  };
  for (int piece = warp; piece < pieces.count; piece += kWarps) {
    float sum = 0;
    row.for_columns(pieces.begin(piece), pieces.end(piece), lane, kWarp, [&](int j, float logit) { sum += share(j, logit); });
    sum = warp_reduce(sum, Sum());
    if (lane == 0) sums[piece] = sum;
  }
  const Found found = find(pieces, sums, u, [&](int j) { return share(j, row.raw(j)); });
  return {found.token, {best, static_cast<float>(found.whole)}, false};
}

// From softmax(logits / temperature) itself: one pass leaves the log-sum-exp of every piece.
template <typename Columns>
__device__ Drawn draw_plain(const Columns& row, double u, LogSum (&parts)[kThreads], float (&sums)[kThreads], float* scratch) {
  const Pieces pieces(row.vocab);
  const int lane = static_cast<int>(threadIdx.x % kWarp), own = static_cast<int>(threadIdx.x);
  for (int piece = own / static_cast<int>(kWarp); piece < pieces.count; piece += kWarps) {
    const LogSum sum = warp_reduce(row.log_sum(pieces.begin(piece), pieces.end(piece), lane, kWarp), MergeLogSums());
    if (lane == 0) parts[piece] = sum;
  }
  __syncthreads();
  const LogSum part = own < pieces.count ? parts[own] : LogSum{-FLT_MAX, 0};
  const float top = block_reduce<kThreads>(part.top, Larger(), scratch);
  // A piece that has a share has a token that has one: its best, of the same exponent.
  sums[own] = part.sum * exp_fast(part.top - top);
  const float total = block_reduce<kThreads>(sums[own], Sum(), scratch);
  const LogSum lse = row.completed({top, total});
  if (!isfinite(top) || !(total > 0) || isnan(lse.sum)) return {0, {}, true};
  return {find(pieces, sums, u, [&](int j) { return exp_fast(row.ruled(j, row.raw(j)) - top); }).token, lse, false};
}

// By the rules.
template <typename Columns>
__device__ Drawn draw_chosen(const Columns& row, double u, Summary* scratch, Nucleus::Shared& shared, float* sums) {
  const Summary s = summarize(row, scratch);
  if (!isfinite(s.best) || isnan(s.all.sum)) return {0, {}, true};
  if (row.args.temperature == 0.0f) return {s.index, s.all, false};
  return draw_kept(row, filter_of(row, s.best, shared), s.best, u, sums);
}

__device__ bool is_plain(const vsgrpo_sample_args& args) {
  return args.temperature > 0.0f && args.top_k == 0 && args.top_p >= 1.0f && args.min_p <= 0.0f && !args.seen;
}

template <typename T, int kWidth>
__global__ void __launch_bounds__(kThreads, 1) sample(const vsgrpo_sample_args args) {
  __shared__ Summary scratch[kWarps];
  __shared__ Nucleus::Shared shared;
  __shared__ LogSum parts[kThreads];
  __shared__ float sums[kThreads], largest[kWarps];
  const int64_t i = blockIdx.x;
  if (args.stopped[i]) return;
  uint32_t* seen = args.seen ? args.seen + i * divided_up(args.vocab, 32) : nullptr;
  const bool greedy = args.temperature == 0.0f;
  const T* logits = static_cast<const T*>(args.logits) + i / args.rows_per_logits * args.vocab;
  const Row<T, kWidth> row{args, logits, seen, static_cast<int>(args.vocab), Forbidden(args), greedy ? 1.0f : 1.0f / args.temperature};
  const double u = uniform(args.seeds[i], static_cast<uint64_t>(args.steps[i]));
  const auto [token, lse, diverged] = is_plain(args) ? draw_plain(row, u, parts, sums, largest) : draw_chosen(row, u, scratch, shared, sums);
  if (threadIdx.x != 0) return;
  args.tokens[i] = token;
  args.logps[i] = diverged ? NAN : row.ruled(token, row.raw(token)) - (lse.top + logf(lse.sum));
  args.stopped[i] = diverged || contains(args.eos, args.eos_count, token);
  if (diverged) return;
  args.steps[i] += 1;
  if (seen) seen[token / 32] |= 1u << (token % 32);
}

int checked(const vsgrpo_sample_args& args) {
  Arguments check("sample");
  check.type("logits_type", args.logits_type).rows(args.rows).within("vocab", args.vocab, 1, kMostVocab);
  check.within("rows_per_logits", args.rows_per_logits, 1, INT32_MAX).size("top_k", args.top_k);
  check.require(args.temperature >= 0, VSGRPO_BAD_VALUE, "temperature: expected 0 or more");
  check.require(args.top_p >= 0 && args.top_p <= 1, VSGRPO_BAD_VALUE, "top_p: expected 0 to 1");
  check.require(args.min_p >= 0 && args.min_p <= 1, VSGRPO_BAD_VALUE, "min_p: expected 0 to 1");
  check.require(args.repetition_penalty > 0, VSGRPO_BAD_VALUE, "repetition_penalty: expected a number above 0");
  check.require(args.top_p == 1 || args.vocab <= kMostNucleusVocab, VSGRPO_UNSUPPORTED, "top_p: expected a vocabulary of at most 2^19 tokens");
  check.within("forbidden_count", args.forbidden_count, 0, VSGRPO_SAMPLE_IDS).within("eos_count", args.eos_count, 0, VSGRPO_SAMPLE_IDS);
  if (check.failed() || args.rows == 0) return check.status();
  check.array("logits", args.logits).numbers("seeds", args.seeds).numbers("steps", args.steps).optional_numbers("seen", args.seen);
  check.numbers("stopped", args.stopped).numbers("tokens", args.tokens).numbers("logps", args.logps);
  return check.status();
}

template <typename T>
int launch_sample(const vsgrpo_sample_args& args, void* stream) {
  const dim3 grid(static_cast<unsigned>(args.rows));
  return args.vocab % kPieceWidth<T> == 0 ? launch("sample", sample<T, kPieceWidth<T>>, grid, kThreads, stream, args)
                                          : launch("sample", sample<T, 1>, grid, kThreads, stream, args);
}

}  // namespace
}  // namespace vsgrpo::kernels

using namespace vsgrpo::kernels;

int vsgrpo_sample(const vsgrpo_sample_args* args, void* stream) {
  if (const int status = opened("sample", args)) return status;
  if (const int status = checked(*args); status != VSGRPO_OK || args->rows == 0) return status;
  return dispatch_type(args->logits_type, [&]<typename T>() { return launch_sample<T>(*args, stream); });
}
