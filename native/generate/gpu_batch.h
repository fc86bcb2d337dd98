// The decoding batch on a GPU: its buffers, whose addresses stay, and one step of all its rows, recorded once for every
// bucket of rows and the few rules of sampling that were used last. Kept between the calls of generate(): a training run
// records its steps once, and those of its evaluations once.
#pragma once
#include <list>
#include <map>

#include "core/gpu.h"
#include "generate/decode_plan.h"
#include "generate/gpu_rows.h"
#include "generate/schedule.h"

namespace vsgrpo {

class GpuBatch {
 public:
  explicit GpuBatch(Qwen2VL& model);

  // What a call needs room for.
  struct Sizes {
    int64_t rows, prompt_tokens, own_tokens;  // rows: a bucket
    bool seen;

    bool operator==(const Sizes&) const = default;
  };
  // Makes room and forgets the rows of the last call. Buffers grow and never shrink; where one does, all recorded steps are
  // dropped.
  void begin(const Sizes& sizes, const SampleRules& rules);
  void set_prompts(const PromptKeyValues& prompts);

  // The rows of the schedule: those it had before as they are, new ones from `waiting`, which ends with a row for padding.
  void load(const Schedule& schedule, const DecodePlan& plan, const GpuRows& waiting);
  // The next token of every row.
  void step();
  // int32 [2 R], see GpuRows::drawn; the next step overwrites it.
  at::Tensor drawn() const { return current().drawn; }
  int64_t rows() const { return rows_; }
  // Of its buffers; what recorded steps allocate is not among them.
  int64_t bytes() const;
  // Recorded steps that are kept.
  int64_t recordings() const;

 private:
  struct Layer {
    at::Tensor prompt_k, prompt_v;  // [prompt tokens, KV, D]
    at::Tensor own_k, own_v;        // [slots, own tokens, KV, D]
  };

  GpuRows current() const { return state_.first(rows_); }
  at::Tensor bases() const { return bases_.narrow(0, 0, 3 * rows_).view({3, rows_}); }
  void allocate(const Sizes& sizes);
  // Makes these rules those of the steps to come, with what is recorded for them.
  void follow(const SampleRules& rules);
  void place_plan(const Schedule& schedule, const DecodePlan& plan);
  void compute(const SampleRules& rules);
  at::Tensor attend(const at::Tensor& qkv, const RopeTable& rope, const Layer& layer);
  at::Tensor rotate(const at::Tensor& qkv, const RopeTable& rope, const Layer& layer);

  Qwen2VL& model_;
  at::Tensor frequencies_;  // of the rope
  Sizes sizes_{};
  std::vector<Layer> layers_;
  GpuRows state_;
  at::Tensor slots_, prompt_parts_, items_;  // int32 [rows], [rows], [places, 5]
  at::Tensor bases_;                         // int32 [3 rows]: GpuRows::base once for each component of a position
  int64_t most_parts_ = 0;
  int64_t rows_ = 0;  // the bucket that is loaded
  struct Recorded {
    bool ran = false;  // a step has to run before it can be recorded
    std::unique_ptr<GpuGraph> graph;
  };
  // What a kernel is given by value stays as it is in a recording: so do the rules.
  struct Recordings {
    SampleRules rules;
    std::map<int64_t, Recorded> by_rows;
  };
  std::list<Recordings> recorded_;  // those of the present rules first, then by when they were used
};

}  // namespace vsgrpo
