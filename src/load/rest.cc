#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <memory>
#include <thread>

#include "load/closed_loop.h"

namespace snug::load {
namespace {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;

constexpr uint64_t kAnswerBytesMax = 256 << 20;

// One caller on a thread and a connection of its own.
class Caller {
 public:
  Caller(const Options& options, Window& window) : options_(options), window_(window) {}

  void Loop() {
    while (auto number = window_.Next()) {
      const TimePoint sent = SystemClock().Now();
      std::string answer;
      const std::string error = Exchange(options_.bodies[*number % options_.bodies.size()], answer);
      window_.Count(tally_, *number, sent, error, std::move(answer));
    }
  }
  Tally& tally() { return tally_; }

 private:
  // The error's text, empty when the answer was a 200.
  std::string Exchange(const std::string& body, std::string& answer_body) {
    try {
      if (!socket_.is_open()) Connect();
      http::request<http::string_body> request(http::verb::post, options_.path, 11);
      request.set(http::field::host, options_.target);
      if (!options_.content_type.empty()) request.set(http::field::content_type, options_.content_type);
      for (const auto& [name, value] : options_.headers) request.set(name, value);
      request.body() = body;
      request.prepare_payload();
      http::write(socket_, request);
      http::response_parser<http::string_body> answer;
      answer.body_limit(kAnswerBytesMax);
      http::read(socket_, buffer_, answer);
      if (!answer.get().keep_alive()) Close();
      answer_body = std::move(answer.get().body());
      return answer.get().result_int() == 200
                 ? ""
                 : std::to_string(answer.get().result_int()) + ": " + answer_body;
    } catch (const std::exception& error) {
      Close();
      return error.what();
    }
  }
  void Connect() {
    auto colon = options_.target.rfind(':');
    tcp::resolver resolver(io_);
    boost::asio::connect(
        socket_, resolver.resolve(options_.target.substr(0, colon), options_.target.substr(colon + 1)));
    socket_.set_option(tcp::no_delay(true));
  }
  void Close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    buffer_.clear();
  }

  const Options& options_;
  Window& window_;
  boost::asio::io_context io_;
  tcp::socket socket_{io_};
  boost::beast::flat_buffer buffer_;
  Tally tally_;
};

}  // namespace

Report RunRest(const Options& options, const Hooks& hooks) {
  Window window(options);
  std::vector<std::unique_ptr<Caller>> callers;
  std::vector<std::thread> threads;
  callers.reserve(static_cast<size_t>(options.concurrency));
  for (int i = 0; i < options.concurrency; ++i) callers.push_back(std::make_unique<Caller>(options, window));
  window.Run(
      hooks,
      [&] {
        for (auto& caller : callers) threads.emplace_back([&caller = *caller] { caller.Loop(); });
      },
      [&] {
        for (auto& thread : threads) thread.join();
      });
  std::vector<Tally> tallies;
  tallies.reserve(callers.size());
  for (auto& caller : callers) tallies.push_back(std::move(caller->tally()));
  return window.Join(std::move(tallies));
}

}  // namespace snug::load
