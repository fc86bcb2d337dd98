// ONE thread per Node environment does all tensor work, in the order of the calls: libtorch's grad mode and OpenMP team are
// per thread. JavaScript gets promises, settled on its own thread.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <napi.h>
#include <optional>
#include <string>
#include <thread>
#include <typeinfo>
#include <utility>
#include <vector>

#include "addon/errors.h"

namespace vsgrpo {

class AdamW;
class Qwen2VL;

// Objects of JavaScript's, while they are alive. Touched on Node's thread only.
template <typename T>
class Live {
 public:
  void add(const std::shared_ptr<T>& object) {
    std::erase_if(objects_, [](const auto& weak) { return weak.expired(); });
    objects_.push_back(object);
  }
  std::vector<std::shared_ptr<T>> all() const {
    std::vector<std::shared_ptr<T>> alive;
    for (const auto& weak : objects_) {
      if (auto object = weak.lock()) alive.push_back(std::move(object));
    }
    return alive;
  }

 private:
  std::vector<std::weak_ptr<T>> objects_;
};

class Engine {
 public:
  explicit Engine(Napi::Env env);
  ~Engine();  // finishes the running job, drops the waiting ones, destroys what is retired

  static Engine& of(Napi::Env env) { return *env.GetInstanceData<Engine>(); }

  // Runs `work` on the engine thread, then turns its result into a JavaScript value on Node's thread.
  template <typename Result>
  Napi::Value run(Napi::Env env, std::function<Result()> work, std::function<Napi::Value(Napi::Env, Result&)> convert) {
    auto result = std::make_shared<std::optional<Result>>();
    return submit({Napi::Promise::Deferred::New(env), [result, work = std::move(work)] { result->emplace(work()); },
                   [result, convert = std::move(convert)](Napi::Env e) { return convert(e, **result); }, {}, {}});
  }

  Napi::Value run(Napi::Env env, std::function<void()> work);

  // Lets an object go on the engine thread, after the jobs before it: a GPU's graphs share state with what another model may be
  // recording there.
  void retire(std::shared_ptr<void> object);

  // Retires what JavaScript held, one of `count`. Does nothing a second time.
  template <typename T>
  void drop(std::shared_ptr<T>& held, int& count) {
    if (!held) return;
    retire(std::exchange(held, nullptr));
    --count;
  }

  // The JavaScript object of one, whose constructor takes it by made(). Called by anybody else, a constructor throws `instead`.
  template <typename T>
  Napi::Object make(Napi::FunctionReference& of, const std::shared_ptr<T>& object) {
    making_ = {object, &typeid(T)};
    return of.New({});
  }
  template <typename T>
  std::shared_ptr<T> made(const Napi::CallbackInfo& info, const char* instead) {
    const auto [object, type] = std::exchange(making_, {});
    if (!object || *type != typeid(T)) throw Napi::Error(info.Env(), js_error(info.Env(), "BAD_ARGUMENT", instead));
    return std::static_pointer_cast<T>(object);
  }

  // Whether any engine of the process has something to do.
  static bool busy();

  // Objects that live on the addon's side, for leak tests.
  struct Handles {
    int models = 0, forwards = 0, optimizers = 0;
  } handles;

  // What memory() counts.
  Live<Qwen2VL> models;
  Live<AdamW> optimizers;

  Napi::FunctionReference model_class, forward_class, optimizer_class;

 private:
  // Made and deleted on Node's thread: `resolve` may hold references to JavaScript objects. `work` holds none, and ends with its
  // job on the engine thread: it may hold the last reference to an object that was retired meanwhile.
  struct Call {
    Napi::Promise::Deferred deferred;
    std::function<void()> work;
    std::function<Napi::Value(Napi::Env)> resolve;
    std::string code, error;  // set when the work threw
  };
  // Either of them.
  struct Job {
    std::unique_ptr<Call> call;
    std::shared_ptr<void> retired;
  };

  Napi::Value submit(Call call);
  void enqueue(Job job);
  void loop();
  static void perform(Call& call);
  void hand_back(std::unique_ptr<Call> call);
  void settle(Napi::Env env);

  std::pair<std::shared_ptr<void>, const std::type_info*> making_;
  Napi::ThreadSafeFunction to_node_;
  int pending_ = 0;  // touched on Node's thread only: while it is not 0 the process stays alive
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::deque<std::unique_ptr<Call>> done_;  // to be settled
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace vsgrpo
