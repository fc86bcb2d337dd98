// Forests of segments equal plain sequences: one video, several questions, several completions each (depth 3).
#include "golden.h"
#include "model/forward.h"

namespace {

using golden::Case;

// `questions` children of the video's prefix, `completions` children of each, of lengths that vary and may be zero.
struct Pair {
  golden::Group shared, separate;
};

class Builder {
 public:
  Builder(const Case& c, int64_t shared) : video_(golden::batch_of(c)), shared_(shared) {
    tail_ = video_.ids.narrow(0, shared, video_.ids.size(0) - shared);
    next_ = c["next_position"].item<int>();
    pair_.shared.batch = video_;
    start({video_.ids.narrow(0, 0, shared)}, {video_.positions.narrow(1, 0, shared)});
  }

  Pair build(int64_t questions, int64_t completions) {
    for (int64_t q = 0; q < questions; ++q) {
      const at::Tensor question = tail_.roll(q);
      const int64_t segment = add(question, video_.positions.narrow(1, shared_, tail_.size(0)), 0);
      for (int64_t i = 0; i < completions; ++i) add_completion(question, segment, (q + 2 * i) % 5 + 1);
    }
    return finish();
  }

 private:
  void start(std::vector<at::Tensor> ids, std::vector<at::Tensor> positions) {
    ids_ = std::move(ids), positions_ = std::move(positions);
    pair_.shared.batch.forest = {{0, shared_}, {-1}};
  }

  int64_t add(const at::Tensor& ids, const at::Tensor& positions, int64_t parent) {
    vsgrpo::Forest& forest = pair_.shared.batch.forest;
    ids_.push_back(ids), positions_.push_back(positions);
    forest.offsets.push_back(forest.rows() + ids.size(0));
    forest.parents.push_back(parent);
    return forest.segments() - 1;
  }

  void add_completion(const at::Tensor& question, int64_t segment, int64_t tokens) {
    const at::Tensor ids = at::randint(0, 150, {tokens}, at::kInt);
    const at::Tensor line = at::arange(next_, next_ + tokens - 1, at::kInt), positions = at::stack({line, line, line});
    vsgrpo::Forest& forest = pair_.shared.batch.forest;
    const int64_t last = forest.offsets[static_cast<size_t>(segment) + 1] - 1, begin = forest.rows();
    add(ids.narrow(0, 0, tokens - 1), positions, segment);
    for (int64_t t = 0; t < tokens; ++t) shared_rows_.push_back(t == 0 ? last : begin + t - 1);
    const int64_t length = video_.ids.size(0) + tokens - 1;
    for (int64_t t = 0; t < tokens; ++t) separate_rows_.push_back(separate_length_ + video_.ids.size(0) - 1 + t);
    separate_ids_.insert(separate_ids_.end(), {ids_[0], question, ids.narrow(0, 0, tokens - 1)});
    separate_positions_.insert(separate_positions_.end(), {video_.positions, positions});
    separate_patches_.push_back(video_.patches);
    pair_.separate.batch.grids.insert(pair_.separate.batch.grids.end(), video_.grids.begin(), video_.grids.end());
    lengths_.push_back(length);
    separate_length_ += length;
    targets_.push_back(ids);
  }

  Pair finish() {
    vsgrpo::Batch &shared = pair_.shared.batch, &separate = pair_.separate.batch;
    shared.ids = at::cat(ids_), shared.positions = at::cat(positions_, 1).contiguous();
    separate.ids = at::cat(separate_ids_), separate.positions = at::cat(separate_positions_, 1).contiguous();
    separate.patches = at::cat(separate_patches_), separate.forest = vsgrpo::Forest::roots(lengths_);
    pair_.shared.targets = {at::tensor(shared_rows_, at::kLong), at::cat(targets_)};
    pair_.separate.targets = {at::tensor(separate_rows_, at::kLong), at::cat(targets_)};
    return std::move(pair_);
  }

  vsgrpo::Batch video_;
  int64_t shared_, separate_length_ = 0;
  int next_;
  at::Tensor tail_;
  Pair pair_;
  std::vector<at::Tensor> ids_, positions_, separate_ids_, separate_positions_, separate_patches_, targets_;
  std::vector<int64_t> shared_rows_, separate_rows_, lengths_;
};

std::vector<at::Tensor> gradients_of(const std::shared_ptr<vsgrpo::Qwen2VL>& model, const golden::Group& group, const at::Tensor& weights,
                                     at::Tensor* logps) {
  golden::zero_gradients(*model);
  vsgrpo::Forward forward(model, group.batch, group.targets, {/*grad=*/true});
  *logps = forward.backward(vsgrpo::ExternalLoss{weights, {}}).stats.logps;
  std::vector<at::Tensor> gradients;
  for (const auto& [name, parameter] : model->trainable()) gradients.push_back(parameter->grad.clone());
  return gradients;
}

}  // namespace

TEST_CASE("a video with several questions and completions gives the log-probabilities and gradients of separate sequences") {
  // Questions on one video, completions of each: video -> question -> completion, three segments deep.
  const std::vector<std::pair<int64_t, int64_t>> shapes = {{1, 1}, {1, 2}, {1, 7}, {3, 1}, {3, 2}, {4, 7}};
  for (const char* name : {"tiny-a", "tiny-b"}) {
    const auto model = golden::load(name, /*trainable=*/true);
    const Case c(name, "video");
    at::manual_seed(6);
    for (const auto& [questions, completions] : shapes) {
      const Pair pair = Builder(c, 20).build(questions, completions);
      CHECK_EQ(pair.shared.batch.forest.segments(), 1 + questions * (1 + completions));
      const at::Tensor weights = at::randn({pair.shared.targets.ids.size(0)});
      at::Tensor shared_logps, separate_logps;
      const auto shared = gradients_of(model, pair.shared, weights, &shared_logps);
      const auto separate = gradients_of(model, pair.separate, weights, &separate_logps);
      const std::string what =
          std::string(name) + ", " + std::to_string(questions) + " questions, " + std::to_string(completions) + " completions";
      golden::check_close(what + ", logps", shared_logps, separate_logps, 1e-5);
      double worst = 0;
      for (size_t i = 0; i < shared.size(); ++i) worst = std::max(worst, golden::relative(shared[i], separate[i]));
      MESSAGE(what << ": gradients differ by at most " << worst << " of their norm");
      CHECK_LE(worst, 1e-4);
    }
  }
}

TEST_CASE("sibling segments do not see each other, descendants see all their ancestors") {
  const auto model = golden::load("tiny-a");
  const Case c("tiny-a", "group");
  const golden::Group group = golden::group_of(c);
  const auto hidden = [&](const vsgrpo::Batch& batch) {
    at::NoGradGuard no_grad;
    return model->hidden(batch, {});
  };
  const at::Tensor before = hidden(group.batch);
  vsgrpo::Batch changed = group.batch;
  changed.ids = group.batch.ids.clone();
  const int64_t first = group.batch.forest.begin(1), end = first + group.batch.forest.length(1);
  changed.ids[first] = 7;
  const at::Tensor after = hidden(changed);
  CHECK(before.narrow(0, 0, first).equal(after.narrow(0, 0, first)));
  CHECK(before.slice(0, end).equal(after.slice(0, end)));
  CHECK_FALSE(before.narrow(0, end - 1, 1).equal(after.narrow(0, end - 1, 1)));
  changed.ids = group.batch.ids.clone();
  changed.ids[0] = 7;
  const at::Tensor moved = (hidden(changed) - before).abs().amax(1);
  CHECK_MESSAGE((moved > 0).all().item<bool>(), "every row depends on the prompt's first token");
}

TEST_CASE("forests that cannot be are refused") {
  using vsgrpo::Forest;
  CHECK_THROWS((Forest{{0, 3}, {0}}.validate(3)));         // its own parent
  CHECK_THROWS((Forest{{0, 3, 5}, {1, -1}}.validate(5)));  // parent after child
  CHECK_THROWS((Forest{{0, 3, 2}, {-1, 0}}.validate(2)));  // descending offsets
  CHECK_THROWS((Forest{{1, 3}, {-1}}.validate(3)));        // does not start at 0
  CHECK_THROWS((Forest{{0, 3}, {-1}}.validate(4)));        // rows without a segment
  CHECK_THROWS((Forest{{0, 3}, {-2}}.validate(3)));
  CHECK_THROWS((Forest{{0, 3}, {-1, -1}}.validate(3)));    // lengths of the two arrays disagree
  Forest{{0, 0, 3}, {-1, 0}}.validate(3);                  // an empty segment is allowed
}
