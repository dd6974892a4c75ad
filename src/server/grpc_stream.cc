#include "server/grpc_stream.h"

#include <grpcpp/support/async_stream.h>

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "server/grpc_events.h"
#include "server/grpc_methods.h"

namespace snug::server {

// Alive while gRPC or a request holds it.
class StreamCall : public std::enable_shared_from_this<StreamCall> {
 public:
  explicit StreamCall(Streams& streams, AwaitStream await) : streams_(streams), await_(std::move(await)) {}
  ~StreamCall() {
    std::lock_guard lock(streams_.mutex_);
    streams_.open_.erase(this);
  }

  void Await() {
    over_.holder = arrived_.holder = shared_from_this();
    context_.AsyncNotifyWhenDone(&over_);
    await_(&context_, &stream_, &arrived_);
  }

  void Drain() {
    std::lock_guard lock(mutex_);
    FinishWhenDone();
  }

 private:
  template <void (StreamCall::*Handle)(bool)>
  struct Tag : GrpcEvent {
    explicit Tag(StreamCall& c) : call(c) {}
    void Happened(bool ok) override {
      auto held = std::exchange(holder, nullptr);
      (call.*Handle)(ok);
    }
    StreamCall& call;
    std::shared_ptr<StreamCall> holder;  // while the event is to come
  };
  struct Answer {
    std::optional<grpc::ByteBuffer> bytes;  // none: not yet
  };

  void Arrived(bool ok) {
    if (!ok) {  // shutting down; Over never comes
      over_.holder.reset();
      return;
    }
    if (!streams_.draining_) std::make_shared<StreamCall>(streams_, await_)->Await();
    {
      std::lock_guard lock(streams_.mutex_);
      streams_.open_.insert(this);
    }
    deadline_ = GrpcDeadline(context_, SystemClock().Now());
    std::lock_guard lock(mutex_);
    if (streams_.draining_) return FinishWhenDone();
    Read();
  }

  void Read() {
    reading_ = true;
    read_.holder = shared_from_this();
    stream_.Read(&message_, &read_);
  }

  void HasRead(bool ok) {
    if (!ok) {
      std::lock_guard lock(mutex_);
      reading_ = false;
      return FinishWhenDone();
    }
    auto answer = std::make_shared<Answer>();
    {
      std::lock_guard lock(mutex_);
      answers_.push_back(answer);
    }
    serving::RequestHead head;
    head.arrival = SystemClock().Now();
    head.deadline = deadline_;
    head.cancelled = cancelled_;
    GrpcStreamedInfer(streams_.core_, message_, head,
                      [self = shared_from_this(), answer](grpc::ByteBuffer bytes) {
                        std::lock_guard lock(self->mutex_);
                        answer->bytes = std::move(bytes);
                        self->WriteNext();
                      });
    std::lock_guard lock(mutex_);
    reading_ = false;
    paused_ = streams_.draining_ || answers_.size() >= kStreamRequestsMax;
    if (!paused_) return Read();
    FinishWhenDone();
  }

  // The rest with mutex_ held.
  void WriteNext() {
    if (writing_ || answers_.empty() || !answers_.front()->bytes) return;
    writing_ = true;
    write_.holder = shared_from_this();
    stream_.Write(*answers_.front()->bytes, &write_);
  }

  void Written(bool) {  // a stream that broke says so to the next read
    std::lock_guard lock(mutex_);
    writing_ = false;
    answers_.pop_front();
    if (paused_ && !streams_.draining_) {
      paused_ = false;
      Read();
    }
    WriteNext();
    FinishWhenDone();
  }

  void FinishWhenDone() {
    const bool more = reading_ || paused_;
    if (finished_ || writing_ || !answers_.empty() || (more && !streams_.draining_)) return;
    finished_ = true;
    ended_.holder = shared_from_this();
    stream_.Finish(more ? ToGrpc(Unavailable("the server is shutting down")) : grpc::Status::OK, &ended_);
  }

  void Over(bool) {
    if (context_.IsCancelled()) cancelled_->store(true, std::memory_order_relaxed);
  }
  void Ended(bool) {}

  Streams& streams_;
  const AwaitStream await_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{&context_};
  grpc::ByteBuffer message_;
  TimePoint deadline_ = TimePoint::max();
  const serving::CancelFlag cancelled_ = std::make_shared<std::atomic<bool>>(false);
  Tag<&StreamCall::Arrived> arrived_{*this};
  Tag<&StreamCall::Over> over_{*this};
  Tag<&StreamCall::HasRead> read_{*this};
  Tag<&StreamCall::Written> write_{*this};
  Tag<&StreamCall::Ended> ended_{*this};

  std::mutex mutex_;
  std::deque<std::shared_ptr<Answer>> answers_;  // in the order of the requests
  bool reading_ = false, paused_ = false, writing_ = false, finished_ = false;
};

void Streams::Await(const AwaitStream& await) {
  std::make_shared<StreamCall>(*this, await)->Await();
}

void Streams::Drain() {
  draining_ = true;
  std::vector<std::shared_ptr<StreamCall>> open;
  {
    std::lock_guard lock(mutex_);
    for (StreamCall* call : open_) {
      if (auto held = call->weak_from_this().lock()) open.push_back(std::move(held));
    }
  }
  for (const auto& call : open) call->Drain();
}

}  // namespace snug::server
