#include "addon/engine.h"

#include <atomic>

#include "addon/errors.h"

namespace vsgrpo {
namespace {
std::atomic<int> running_jobs{0};
}

bool Engine::busy() { return running_jobs.load() > 0; }

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
  for (Call* call : jobs_) delete call;
  // to_node_ is not released: Node closes it itself when the environment ends, and a second release would touch freed memory.
}

void Engine::loop() {
  while (true) {
    Call* call = nullptr;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      call = jobs_.front();
      jobs_.pop_front();
    }
    ++running_jobs;
    try {
      call->work();
    } catch (...) {
      std::tie(call->code, call->error) = describe_current_exception();
    }
    --running_jobs;
    to_node_.NonBlockingCall([this, call](Napi::Env env, Napi::Function) { settle(env, std::unique_ptr<Call>(call)); });
  }
}

Napi::Value Engine::run(Napi::Env env, std::function<void()> work) {
  return submit(new Call{Napi::Promise::Deferred::New(env), std::move(work), [](Napi::Env e) { return e.Undefined(); }, {}, {}});
}

Napi::Value Engine::submit(Call* call) {
  const Napi::Promise promise = call->deferred.Promise();
  if (pending_++ == 0) to_node_.Ref(call->deferred.Env());
  {
    std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back(call);
  }
  wake_.notify_one();
  return promise;
}

void Engine::settle(Napi::Env env, std::unique_ptr<Call> call) {
  if (--pending_ == 0) to_node_.Unref(env);
  if (!call->code.empty()) return call->deferred.Reject(js_error(env, call->code, call->error));
  try {
    call->deferred.Resolve(call->resolve(env));
  } catch (const Napi::Error& error) {
    call->deferred.Reject(error.Value());
  }
}

}  // namespace vsgrpo
