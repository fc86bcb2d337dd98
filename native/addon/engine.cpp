#include "addon/engine.h"

#include <atomic>

#include "addon/errors.h"

namespace vsgrpo {
namespace {
std::atomic<int> open_jobs{0};  // waiting or running
}

bool Engine::busy() { return open_jobs.load() > 0; }

Engine::Engine(Napi::Env env)
    : to_node_(Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}), "vsgrpo", 0, 1)) {
  to_node_.Unref(env);
  thread_ = std::thread([this] { loop(); });
}

Engine::~Engine() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  open_jobs -= static_cast<int>(jobs_.size());
  // to_node_ is not released: Node closes it itself when the environment ends, and a second release would touch freed memory.
}

void Engine::loop() {
  while (true) {
    Job job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job.retired.reset();
    if (job.call) perform(*job.call);
    --open_jobs;
    if (job.call) hand_back(std::move(job.call));
  }
}

void Engine::perform(Call& call) {
  try {
    call.work();
  } catch (...) {
    std::tie(call.code, call.error) = describe_current_exception();
  }
  call.work = nullptr;
}

void Engine::hand_back(std::unique_ptr<Call> call) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    done_.push_back(std::move(call));
  }
  // Refused when the environment ends: the call is then deleted with the engine.
  to_node_.NonBlockingCall([this](Napi::Env env, Napi::Function) { settle(env); });
}

Napi::Value Engine::run(Napi::Env env, std::function<void()> work) {
  return submit({Napi::Promise::Deferred::New(env), std::move(work), [](Napi::Env e) { return e.Undefined(); }, {}, {}});
}

Napi::Value Engine::submit(Call call) {
  const Napi::Promise promise = call.deferred.Promise();
  if (pending_++ == 0) to_node_.Ref(call.deferred.Env());
  enqueue({std::make_unique<Call>(std::move(call)), nullptr});
  return promise;
}

void Engine::retire(std::shared_ptr<void> object) { enqueue({nullptr, std::move(object)}); }

void Engine::enqueue(Job job) {
  ++open_jobs;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void Engine::settle(Napi::Env env) {
  std::unique_ptr<Call> call;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    call = std::move(done_.front());
    done_.pop_front();
  }
  if (--pending_ == 0) to_node_.Unref(env);
  if (!call->code.empty()) return call->deferred.Reject(js_error(env, call->code, call->error));
  try {
    call->deferred.Resolve(guarded(env, [&] { return call->resolve(env); }));
  } catch (const Napi::Error& error) {
    call->deferred.Reject(error.Value());
  }
}

}  // namespace vsgrpo
