// Residual addition and RMSNorm in one pass, forward and backward: one block per row, the row stays in registers.
// Definition: native/ops/norm.cpp.
#include "kernels/device.cuh"

namespace vsgrpo::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kMostPieces = 4;  // of a thread
// Blocks of the backward pass: four for each multiprocessor of the largest cards. Fixed, and with it the order in which the
// rows' parts of the weight's gradient are added.
constexpr int64_t kBackwardBlocks = 528;
constexpr int kAddThreads = 1024;

int64_t blocks_of(int64_t rows) { return rows < kBackwardBlocks ? rows : kBackwardBlocks; }

// A thread's share of one row: pieces threadIdx.x, threadIdx.x + kThreads, …; those past the end are zero.
template <typename T, int kPieces>
struct Share {
  static constexpr int kWidth = kPieceWidth<T>;
  static constexpr int kValues = kPieces * kWidth;

  __device__ static bool inside(int piece, int64_t columns) { return column(piece) < columns; }
  __device__ static int64_t column(int piece) { return (static_cast<int64_t>(piece) * kThreads + threadIdx.x) * kWidth; }

  // As stored: what is asked for before a barrier and used after it takes few registers.
  struct Stored {
    Piece<T, kWidth> pieces[kPieces];
    __device__ float operator[](int i) const { return to_float(pieces[i / kWidth].values[i % kWidth]); }
  };

  __device__ static Stored stored(const T* row, int64_t columns) {
    Stored out{};
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      if (inside(p, columns)) out.pieces[p] = load<T, kWidth>(row + column(p));
    }
    return out;
  }

  __device__ static void write(T* row, int64_t columns, const float (&values)[kValues]) {
#pragma unroll
    for (int p = 0; p < kPieces; ++p) {
      Piece<T, kWidth> piece;
#pragma unroll
      for (int j = 0; j < kWidth; ++j) piece.values[j] = from_float<T>(values[p * kWidth + j]);
      if (inside(p, columns)) store(row + column(p), piece);
    }
  }
};

template <typename T, int kPieces>
__global__ void __launch_bounds__(kThreads) norm_forward(const vsgrpo_add_rms_norm_args args) {
  using Row = Share<T, kPieces>;
  __shared__ float scratch[kThreads / kWarp];
  const int64_t h = args.columns, at = blockIdx.x * h;
  const auto addend = Row::stored(static_cast<const T*>(args.x) + at, h), w = Row::stored(static_cast<const T*>(args.weight), h);
  float x[Row::kValues], sum = 0;
#pragma unroll
  for (int i = 0; i < Row::kValues; ++i) x[i] = addend[i];
  if (args.delta) {
    const auto delta = Row::stored(static_cast<const T*>(args.delta) + at, h);
#pragma unroll
    for (int i = 0; i < Row::kValues; ++i) x[i] = round_to<T>(x[i] + delta[i]);
    Row::write(static_cast<T*>(args.sum) + at, h, x);
  }
#pragma unroll
  for (int i = 0; i < Row::kValues; ++i) sum += x[i] * x[i];
  sum = block_reduce<kThreads>(sum, Sum(), scratch);
  const float r = 1.0f / sqrtf(sum / static_cast<float>(h) + args.eps);
  if (args.rstd && threadIdx.x == 0) args.rstd[blockIdx.x] = r;
#pragma unroll
  for (int i = 0; i < Row::kValues; ++i) x[i] = w[i] * round_to<T>(x[i] * r);
  Row::write(static_cast<T*>(args.y) + at, h, x);
}

// dx = r (g w - x r^2 mean(g w x)) + dsum; each block keeps its rows' sum of g x r for the weight.
template <typename T, int kPieces>
__global__ void __launch_bounds__(kThreads, kMostPieces / kPieces) norm_backward(const vsgrpo_add_rms_norm_backward_args args, int64_t rows_per_block) {
  using Row = Share<T, kPieces>;
  __shared__ float scratch[kThreads / kWarp];
  const int64_t h = args.columns, begin = blockIdx.x * rows_per_block;
  const int64_t end = begin + rows_per_block < args.rows ? begin + rows_per_block : args.rows;
  const auto w = Row::stored(static_cast<const T*>(args.weight), h);
  float dweight[Row::kValues] = {};
  for (int64_t row = begin; row < end; ++row) {
    const auto dy = Row::stored(static_cast<const T*>(args.dy) + row * h, h), x = Row::stored(static_cast<const T*>(args.sum) + row * h, h);
    typename Row::Stored dsum{};
    if (args.dsum) dsum = Row::stored(static_cast<const T*>(args.dsum) + row * h, h);
    const float r = args.rstd[row];
    float g[Row::kValues], dot = 0;
#pragma unroll
    for (int i = 0; i < Row::kValues; ++i) {
      dweight[i] += dy[i] * x[i] * r;
      g[i] = dy[i] * w[i];
      dot += g[i] * x[i];
    }
    dot = block_reduce<kThreads>(dot, Sum(), scratch);
    const float scale = dot * r * r / static_cast<float>(h);
#pragma unroll
    for (int i = 0; i < Row::kValues; ++i) g[i] = r * (g[i] - x[i] * scale) + dsum[i];
    Row::write(static_cast<T*>(args.dx) + row * h, h, g);
  }
  if (!args.dweight) return;
#pragma unroll
  for (int i = 0; i < Row::kValues; ++i) {
    const int64_t column = Row::column(i / Row::kWidth) + i % Row::kWidth;
    if (column < h) args.workspace[blockIdx.x * h + column] = dweight[i];
  }
}

// A block adds up kWarp columns: each warp some of the parts, the first warp what all of them have.
__global__ void __launch_bounds__(kAddThreads) norm_add_parts(const float* parts, int64_t count, int64_t columns, float* dweight) {
  constexpr unsigned kWarps = kAddThreads / kWarp;
  __shared__ float sums[kWarps][kWarp];
  const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kWarp + lane;
  float sum = 0;
  if (column < columns) {
#pragma unroll 4
    for (int64_t part = warp; part < count; part += kWarps) sum += parts[part * columns + column];
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || column >= columns) return;
  for (unsigned w = 1; w < kWarps; ++w) sum += sums[w][lane];
  dweight[column] += sum;
}

// body<T, pieces of a thread>() for the row's width.
template <typename Body>
int dispatch_row(int32_t type, int64_t columns, const Body& body) {
  return dispatch_type(type, [&]<typename T>() {
    const int64_t pieces = divided_up(columns, kThreads * kPieceWidth<T>);
    if (pieces <= 1) return body.template operator()<T, 1>();
    if (pieces <= 2) return body.template operator()<T, 2>();
    return body.template operator()<T, kMostPieces>();
  });
}

template <typename Struct>
Arguments checked_shape(const char* op, const Struct& args) {
  Arguments check(op);
  check.type("type", args.type).rows(args.rows);
  check.multiple("columns", args.columns, args.type == VSGRPO_FLOAT32 ? kPieceWidth<float> : kPieceWidth<bf16>);
  check.within("columns", args.columns, 1, vsgrpo_add_rms_norm_columns(args.type));
  return check;
}

}  // namespace
}  // namespace vsgrpo::kernels

using namespace vsgrpo::kernels;

int64_t vsgrpo_add_rms_norm_columns(int32_t type) {
  return int64_t{kThreads} * kMostPieces * (type == VSGRPO_FLOAT32 ? kPieceWidth<float> : kPieceWidth<bf16>);
}

int64_t vsgrpo_add_rms_norm_workspace(int64_t rows, int64_t columns) { return rows > 0 && columns > 0 ? blocks_of(rows) * columns : 0; }

int vsgrpo_add_rms_norm(const vsgrpo_add_rms_norm_args* args, void* stream) {
  if (const int status = opened("add_rms_norm", args)) return status;
  Arguments check = checked_shape("add_rms_norm", *args);
  if (check.failed() || args->rows == 0) return check.status();
  check.array("x", args->x).optional("delta", args->delta).array("weight", args->weight).array("y", args->y).optional_numbers("rstd", args->rstd);
  if (args->delta) check.array("sum", args->sum);
  if (check.failed()) return check.status();
  return dispatch_row(args->type, args->columns, [&]<typename T, int kPieces>() {
    return launch("add_rms_norm", norm_forward<T, kPieces>, dim3(static_cast<unsigned>(args->rows)), kThreads, stream, *args);
  });
}

int vsgrpo_add_rms_norm_backward(const vsgrpo_add_rms_norm_backward_args* args, void* stream) {
  if (const int status = opened("add_rms_norm_backward", args)) return status;
  Arguments check = checked_shape("add_rms_norm_backward", *args);
  if (check.failed() || args->rows == 0) return check.status();
  check.array("dy", args->dy).optional("dsum", args->dsum).array("sum", args->sum).array("weight", args->weight);
  check.numbers("rstd", args->rstd).array("dx", args->dx).optional("dweight", args->dweight);
  if (args->dweight) check.array("workspace", args->workspace);
  if (check.failed()) return check.status();
  const int64_t rows_per_block = divided_up(args->rows, kBackwardBlocks), blocks = divided_up(args->rows, rows_per_block);
  const int status = dispatch_row(args->type, args->columns, [&]<typename T, int kPieces>() {
    return launch("add_rms_norm_backward", norm_backward<T, kPieces>, dim3(static_cast<unsigned>(blocks)), kThreads, stream, *args, rows_per_block);
  });
  if (status != VSGRPO_OK || !args->dweight) return status;
  const dim3 grid(static_cast<unsigned>(divided_up(args->columns, kWarp)));
  return launch("add_rms_norm_backward", norm_add_parts, grid, kAddThreads, stream, args->workspace, blocks, args->columns, args->dweight);
}
