// Decode attention in two kernels. The first computes every piece of at most VSGRPO_DECODE_KEYS keys by itself: pieces of the
// prompts for all rows that share them, and pieces of each row's own tokens. The second merges a row's pieces by their
// log-sum-exp. Where a piece ends depends on the keys' places alone, and every row is summed in the same order whoever
// shares its piece: a sequence gets the same numbers in every batch. Definition: decode_attention in native/ops/attention.h.
#include <algorithm>
#include <iterator>

#include "kernels/decode_tile.cuh"
#include "kernels/device.cuh"

namespace vsgrpo::kernels {
namespace {

constexpr unsigned kMergeThreads = 128;

int64_t own_parts(int64_t capacity) { return divided_up(capacity, VSGRPO_DECODE_KEYS); }
int64_t parts_of(const vsgrpo_decode_attention_args& args) { return args.max_prompt_parts + own_parts(args.capacity); }

// Of one key head.
int64_t blocks_of(const vsgrpo_decode_attention_args& args) { return args.items + args.rows * own_parts(args.capacity); }

// Keys of row `row` among its own tokens; a length that the cache has no room for cannot lead out of it.
__device__ int own_keys(const vsgrpo_decode_attention_args& args, int64_t row) {
  const int length = args.lengths[row];
  return length < args.capacity ? length : static_cast<int>(args.capacity);
}

// The block's piece; without rows or keys there is nothing to do.
template <typename T>
__device__ DecodeWork<T> find_work(const vsgrpo_decode_attention_args& args, int64_t block, int64_t kv_head) {
  if (block < args.items) {
    const vsgrpo_decode_item item = args.prompt_items[block];
    const int64_t first = (item.first_key * args.kv_heads + kv_head) * args.head_dim;
    return {item.first_row, item.rows, item.part, item.keys, static_cast<const T*>(args.prompt_k) + first, static_cast<const T*>(args.prompt_v) + first};
  }
  const int64_t parts = divided_up(args.capacity, VSGRPO_DECODE_KEYS), row = (block - args.items) / parts, part = (block - args.items) % parts;
  const int left = own_keys(args, row) - static_cast<int>(part) * VSGRPO_DECODE_KEYS;
  const int64_t slot = args.slots ? args.slots[row] : row;
  const int64_t first = ((slot * args.capacity + part * VSGRPO_DECODE_KEYS) * args.kv_heads + kv_head) * args.head_dim;
  return {static_cast<int>(row),
          1,
          static_cast<int>(args.max_prompt_parts + part),
          left < VSGRPO_DECODE_KEYS ? left : VSGRPO_DECODE_KEYS,
          static_cast<const T*>(args.own_k) + first,
          static_cast<const T*>(args.own_v) + first};
}

template <typename T, int kDim>
__global__ void __launch_bounds__(kDecodeThreads, 1) decode_pieces(const vsgrpo_decode_attention_args args, const DecodePieces pieces) {
  // The heads of a piece follow each other, so that the prompts' pieces, which many rows share, all begin first.
  const int64_t kv_head = blockIdx.x % args.kv_heads;
  const DecodeWork<T> work = find_work<T>(args, blockIdx.x / args.kv_heads, kv_head);
  if (work.rows <= 0 || work.keys <= 0) return;
  const DecodeShape shape{args.rows, static_cast<int>(args.heads), static_cast<int>(args.kv_heads)};
  attend_piece<kDim>(static_cast<const T*>(args.q), work, shape, static_cast<int>(kv_head), pieces);
}

// One warp merges the pieces of one row and head.
template <typename T, int kDim>
__global__ void __launch_bounds__(kMergeThreads) decode_merge(const vsgrpo_decode_attention_args args, const DecodePieces pieces) {
  constexpr int kOwn = (kDim + 31) / 32;
  const int64_t row = blockIdx.x, head = blockIdx.y * (kMergeThreads / kWarp) + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  if (head >= args.heads) return;
  const int64_t prompt = args.prompt_parts[row], own = divided_up(own_keys(args, row), VSGRPO_DECODE_KEYS);
  const auto index = [&](int64_t i) {
    const int64_t part = i < prompt ? i : args.max_prompt_parts + i - prompt;
    return (part * args.rows + row) * args.heads + head;
  };
  float top = -INFINITY, sum = 0, values[kOwn] = {};
  for (int64_t i = 0; i < prompt + own; ++i) top = fmaxf(top, pieces.lse[index(i)]);
  for (int64_t i = 0; i < prompt + own; ++i) {
    const float weight = exp2f(pieces.lse[index(i)] - top);
    sum += weight;
#pragma unroll
    for (int j = 0; j < kOwn; ++j) {
      if (lane + 32 * j < kDim) values[j] += weight * pieces.values[index(i) * kDim + lane + 32 * j];
    }
  }
#pragma unroll
  for (int j = 0; j < kOwn; ++j) {
    const int64_t at = (row * args.heads + head) * kDim + lane + 32 * j;
    if (lane + 32 * j < kDim) static_cast<T*>(args.out)[at] = from_float<T>(sum == 0 ? 0.0f : values[j] / sum);  // NaN stays
  }
}

Arguments checked_shape(const vsgrpo_decode_attention_args& args) {
  Arguments check("decode_attention");
  check.type("type", args.type).rows(args.rows).within("heads", args.heads, 1, 1024).within("kv_heads", args.kv_heads, 1, 1024);
  check.multiple("heads", args.heads, args.kv_heads > 0 ? args.kv_heads : 1).within("heads / kv_heads", args.heads / (args.kv_heads > 0 ? args.kv_heads : 1), 1, 16);
  const int64_t dims[] = {16, 32, 64, 80, 128};
  check.require(std::find(std::begin(dims), std::end(dims), args.head_dim) != std::end(dims), VSGRPO_UNSUPPORTED, "head_dim: expected 16, 32, 64, 80 or 128");
  check.within("items", args.items, 0, INT32_MAX).within("max_prompt_parts", args.max_prompt_parts, 0, INT32_MAX);
  check.within("capacity", args.capacity, 0, INT32_MAX);
  if (!check.failed()) check.within("items + pieces of own tokens", blocks_of(args), 0, INT32_MAX / args.kv_heads);
  return check;
}

template <typename T, int kDim>
int launch_both(const vsgrpo_decode_attention_args& args, void* stream) {
  const int64_t blocks = blocks_of(args) * args.kv_heads, places = parts_of(args) * args.rows * args.heads;
  const DecodePieces pieces{args.workspace, args.workspace + places * kDim};
  if (blocks > 0) {
    const dim3 grid(static_cast<unsigned>(blocks));
    const int status = launch("decode_attention", decode_pieces<T, kDim>, grid, kDecodeThreads, stream, args, pieces);
    if (status != VSGRPO_OK) return status;
  }
  const dim3 grid(static_cast<unsigned>(args.rows), static_cast<unsigned>(divided_up(args.heads, kMergeThreads / kWarp)));
  return launch("decode_attention", decode_merge<T, kDim>, grid, kMergeThreads, stream, args, pieces);
}

}  // namespace
}  // namespace vsgrpo::kernels

using namespace vsgrpo::kernels;

int64_t vsgrpo_decode_attention_workspace(const vsgrpo_decode_attention_args* args) {
  if (opened("decode_attention", args) != VSGRPO_OK || checked_shape(*args).failed()) return 0;
  return parts_of(*args) * args->rows * args->heads * (args->head_dim + 1);
}

int vsgrpo_decode_attention(const vsgrpo_decode_attention_args* args, void* stream) {
  if (const int status = opened("decode_attention", args)) return status;
  Arguments check = checked_shape(*args);
  if (check.failed() || args->rows == 0) return check.status();
  check.array("q", args->q).numbers("lengths", args->lengths).optional_numbers("slots", args->slots).numbers("prompt_parts", args->prompt_parts);
  if (args->items > 0) check.array("prompt_k", args->prompt_k).array("prompt_v", args->prompt_v).numbers("prompt_items", args->prompt_items);
  if (args->capacity > 0) check.array("own_k", args->own_k).array("own_v", args->own_v);
  check.array("out", args->out).array("workspace", args->workspace);
  if (check.failed()) return check.status();
  return dispatch_type(args->type, [&]<typename T>() {
    if (args->head_dim == 16) return launch_both<T, 16>(*args, stream);
    if (args->head_dim == 32) return launch_both<T, 32>(*args, stream);
    if (args->head_dim == 64) return launch_both<T, 64>(*args, stream);
    if (args->head_dim == 80) return launch_both<T, 80>(*args, stream);
    return launch_both<T, 128>(*args, stream);
  });
}
