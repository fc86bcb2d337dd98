// Media whose features a frozen tower has kept, against passes that bring all patches.
#include "generate/generate.h"
#include "golden.h"
#include "model/forward.h"

namespace {

using golden::Case;

vsgrpo::TokenStats score(const std::shared_ptr<vsgrpo::Qwen2VL>& model, const vsgrpo::Batch& batch, const vsgrpo::Targets& targets) {
  return vsgrpo::Forward(model, batch, targets, {}).logps();
}

vsgrpo::Batch in_slots(vsgrpo::Batch batch, const std::vector<int64_t>& slots) {
  batch.slots = slots;
  return batch;
}

vsgrpo::Batch without_patches(vsgrpo::Batch batch) {
  batch.patches = batch.patches.narrow(0, 0, 0);
  return batch;
}

// A prompt of two images, and targets on its last rows.
struct TwoImages {
  const Case c{"tiny-a", "two_images"};
  const vsgrpo::Batch batch = golden::batch_of(c);
  const vsgrpo::Targets targets{at::tensor({batch.ids.size(0) - 3, batch.ids.size(0) - 2}, at::kLong), batch.ids.slice(0, -2)};
};

}  // namespace

TEST_CASE("features that are kept stand for the patches they came from, bit for bit, until they are dropped") {
  const auto model = golden::load("tiny-a");
  const TwoImages two;
  REQUIRE(two.batch.grids.size() == 2);
  const auto plain = score(model, two.batch, two.targets);
  const auto slots = in_slots(two.batch, {5, 3});
  CHECK(score(model, slots, two.targets).logps.equal(plain.logps));
  CHECK(model->features().bytes() > 0);
  CHECK(score(model, without_patches(slots), two.targets).logps.equal(plain.logps));
  // One image in its slot, the other's patches with it.
  vsgrpo::Batch second = slots;
  model->features().drop({3});
  second.patches = two.batch.patches.slice(0, vsgrpo::patches_of(two.batch.grids[0]));
  CHECK(score(model, second, two.targets).logps.equal(plain.logps));
  CHECK_THROWS_WITH(score(model, in_slots(without_patches(two.batch), {5, 4}), two.targets), "patches: expected");
  CHECK_THROWS_WITH(score(model, in_slots(without_patches(two.batch), {5, 5}), two.targets), "media item 1");
  model->features().drop({5, 3});
  CHECK(model->features().bytes() == 0);
  CHECK_THROWS_WITH(score(model, without_patches(slots), two.targets), "patches: expected");
}

TEST_CASE("one slot for items that are both missing changes no result") {
  const auto model = golden::load("tiny-a");
  const TwoImages two;
  const auto plain = score(model, two.batch, two.targets);
  CHECK(score(model, in_slots(two.batch, {7, 7}), two.targets).logps.equal(plain.logps));
}

TEST_CASE("slots are refused where the tower learns or their number is wrong, and a change of the weights empties them") {
  const TwoImages two;
  const auto learning = golden::load("tiny-a", /*trainable=*/true);
  CHECK_THROWS_WITH(score(learning, in_slots(two.batch, {0, 1}), two.targets), "frozen");
  const auto model = golden::load("tiny-a");
  CHECK_THROWS_WITH(score(model, in_slots(two.batch, {0}), two.targets), "slots: expected one for each");
  score(model, in_slots(two.batch, {0, 1}), two.targets);
  model->mix(*learning, 0.5);
  CHECK(model->features().bytes() == 0);
}
