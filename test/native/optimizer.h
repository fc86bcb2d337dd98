// What the tests of AdamW share: the parameters of a golden case, their gradients step by step, and a run that is resumed.
#pragma once
#include "golden.h"
#include "optim/adamw.h"

namespace optimizer {

using golden::Case;

// A case's parameters of these names, trainable.
class Parameters {
 public:
  Parameters(const Case& c, const std::vector<std::string>& names, at::ScalarType weights = at::kFloat) : case_(c), names_(names) {
    for (const std::string& name : names) {
      values_.push_back({c["start." + name].to(weights), {}});
      values_.back().make_trainable();
    }
  }

  vsgrpo::Parameter& operator[](size_t i) { return values_[i]; }

  // For an optimizer, which must not outlive this.
  std::vector<std::pair<std::string, vsgrpo::Parameter*>> named() {
    std::vector<std::pair<std::string, vsgrpo::Parameter*>> out;
    for (size_t i = 0; i < names_.size(); ++i) out.emplace_back(names_[i], &values_[i]);
    return out;
  }

  void set_gradients(int step) {
    for (size_t i = 0; i < names_.size(); ++i) values_[i].grad.copy_(case_["grad." + std::to_string(step) + "." + names_[i]]);
  }

 private:
  const Case& case_;
  const std::vector<std::string>& names_;
  std::vector<vsgrpo::Parameter> values_;
};

inline std::string file_in(const golden::TemporaryFolder& folder) { return folder.path() + "/optimizer.safetensors"; }

// Two steps, saved and restored; a third on both sides gives the same bits.
inline void check_resumes(const Case& c, const std::vector<std::string>& names, at::ScalarType weights, const vsgrpo::AdamWOptions& options) {
  const golden::TemporaryFolder folder;
  Parameters straight(c, names, weights), resumed(c, names, weights);
  vsgrpo::AdamW first(straight.named(), options);
  for (int step = 0; step < 2; ++step) {
    straight.set_gradients(step);
    first.step(1e-3, 1.0);
  }
  first.save(file_in(folder));
  for (size_t i = 0; i < names.size(); ++i) resumed[i].value.copy_(straight[i].value);
  vsgrpo::AdamW second(resumed.named(), options);
  second.load(file_in(folder));
  for (Parameters* parameters : {&straight, &resumed}) parameters->set_gradients(2);
  first.step(1e-3, 1.0);
  second.step(1e-3, 1.0);
  for (size_t i = 0; i < names.size(); ++i) CHECK_MESSAGE(straight[i].value.equal(resumed[i].value), names[i]);
}

}  // namespace optimizer
