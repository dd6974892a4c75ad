#include "load/closed_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "net/http_server.h"

namespace snug::load {
namespace {

using testing::HasSubstr;

// Answers with the request's body, or refuses those that say "no".
class Echo {
 public:
  Echo() {
    auto started = net::HttpServer::Start({}, [this](net::Request&& request, const net::Responder& respond) {
      std::lock_guard lock(mutex_);
      ++asked_[request.target + " " + request.body];
      respond(request.body == "no" ? net::Response{.status = 503, .body = "not today"}
                                   : net::Response{.body = request.body});
    });
    EXPECT_TRUE(started.ok());
    server_ = std::move(*started);
  }
  Options Requests(uint64_t count, std::vector<std::string> bodies) const {
    Options options;
    options.target = "127.0.0.1:" + std::to_string(server_->port());
    options.path = "/x?y=1";
    options.bodies = std::move(bodies);
    options.requests = count;
    return options;
  }
  std::map<std::string, int> asked() const {
    std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, int> asked_;
  std::unique_ptr<net::HttpServer> server_;
};

TEST(ClosedLoopTest, SendsSoManyInTurn) {
  Echo echo;
  Options options = echo.Requests(7, {"a", "b"});
  options.concurrency = 3;
  options.record = true;
  const Report report = RunRest(options, {});
  EXPECT_EQ(report.requests, 7u);
  EXPECT_EQ(report.errors, 0u);
  EXPECT_EQ(echo.asked(), (std::map<std::string, int>{{"/x?y=1 a", 4}, {"/x?y=1 b", 3}}));
  ASSERT_EQ(report.records.size(), 7u);
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(report.records[i].answer, i % 2 == 0 ? "a" : "b");
  EXPECT_TRUE(std::is_sorted(report.latencies_us.begin(), report.latencies_us.end()));
}

TEST(ClosedLoopTest, WhatIsRefusedCountsAsError) {
  Echo echo;
  const Report report = RunRest(echo.Requests(4, {"no", "yes"}), {});
  EXPECT_EQ(report.requests, 2u);
  EXPECT_EQ(report.errors, 2u);
  EXPECT_EQ(report.first_error, "503: not today");
}

TEST(ClosedLoopTest, NobodyThereIsAnError) {
  Options options;
  options.target = "127.0.0.1:1";
  options.bodies = {"x"};
  options.requests = 1;
  const Report report = RunRest(options, {});
  EXPECT_EQ(report.errors, 1u);
  EXPECT_THAT(report.first_error, HasSubstr("refused"));
}

TEST(ClosedLoopTest, HooksSurroundTheMeasuredTime) {
  Echo echo;
  std::vector<size_t> asked;
  RunRest(echo.Requests(3, {"a"}),
          {.at_begin = [&] { asked.push_back(echo.asked().size()); },
           .at_end = [&] { asked.push_back(static_cast<size_t>(echo.asked()["/x?y=1 a"])); }});
  EXPECT_EQ(asked, (std::vector<size_t>{0, 3}));
}

TEST(PercentileTest, IsAValueThatWasMeasured) {
  EXPECT_EQ(Percentile({}, 0.5), 0);
  EXPECT_EQ(Percentile({1, 2, 3, 4}, 0.5), 3);
  EXPECT_EQ(Percentile({1, 2, 3, 4}, 1), 4);
}

}  // namespace
}  // namespace snug::load
